"""Settings, jobs and requests as tests need them: complete and valid unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.run_job_flow_request import BootstrapFile, run_job_flow_request
from dynamodb_pipeline.emr.request.steps import JobCode, TableJob
from dynamodb_pipeline.settings.parser import words_read

RUN = "20261123T030000Z-7f3a91c2"
CODE = JobCode(
    zip_uri="s3://logs/app/code/0123/dynamodb_pipeline.zip",
    script_uris={verb: f"s3://logs/app/code/0123/{verb}_table.py" for verb in ("export", "import", "verify")},
)
BOOTSTRAP = BootstrapFile("s3://logs/app/code/0123/check_code.sh", ((CODE.zip_uri, "ab" * 32),))


def a_job(table: str = "Forum", *, size_bytes: int = 0, run_id: str = RUN, extra: tuple[str, ...] = ()) -> TableJob:
    arguments = ("--table", table, "--output", "s3://data/exports", "--logs", "s3://logs/app", "--run-id", run_id)
    return TableJob(table, words_read("export", (*arguments, *extra)), run_id=run_id, size_bytes=size_bytes)


def settings(**changes: Any) -> LaunchSettings:
    values: dict[str, Any] = {
        "verb": "export",
        "run_id": RUN,
        "region": "eu-west-1",
        "logs_uri": "s3://logs/app",
        "jobs": (a_job(),),
        "data_uris": ("s3://data/exports",),
    }
    return LaunchSettings(**{**values, **changes})


def a_request(launch: LaunchSettings | None = None) -> dict[str, Any]:
    launch = launch or settings()
    config = load_cluster_config(launch.cluster.config, region=launch.region, overrides=launch.cluster.overrides)
    return run_job_flow_request(launch, config=config, code=CODE, bootstrap=BOOTSTRAP)
