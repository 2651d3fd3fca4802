"""What a dead run left is found, deleted and not trusted by a later resume; a run at work is left alone."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import ExitCode
from sandbox.stack import Sandbox
from tests.sandbox.backups import get_objects
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

RUN = "unfinished"


@pytest.fixture
def pipeline(sandbox: Sandbox) -> Pipeline:
    return Pipeline(sandbox)


@pytest.fixture
def place(sandbox: Sandbox, pipeline: Pipeline) -> tuple[str, str, tuple[str, ...]]:
    """Run folder, log folder and the words of an export that lost its manifest: all data and ledger, not finished."""
    bucket = make_bucket(sandbox)
    table, folder, logs = make_table(sandbox), f"s3://{bucket}/exports/one", f"s3://{bucket}/logs"
    table.put(numbered(30))
    words = ("export", "--table", table.name, "--output", folder, "--exact-output", "--segments", "2", "--local",
             "--engine", "process", "--throughput-percent", "100", "--logs", logs, "--run-id", RUN)  # fmt: skip
    assert pipeline.run(*words).code == ExitCode.DONE
    for name in ("manifest", "_SUCCESS"):
        sandbox.client("s3").delete_object(Bucket=bucket, Key=f"exports/one/{name}")
    return folder, logs, words


def test_clean_lists_then_deletes_and_the_run_starts_anew(
    sandbox: Sandbox, pipeline: Pipeline, place: tuple[str, str, tuple[str, ...]]
) -> None:
    folder, logs, words = place
    before = get_objects(sandbox, folder)
    listed = pipeline.run("clean", folder, "--logs", logs)
    assert (listed.code, listed.result["dry_run"], listed.result["files"]) == (ExitCode.DONE, True, 2), listed.text
    assert get_objects(sandbox, folder) == before
    assert pipeline.run("clean", folder.rpartition("/")[0], "--logs", logs, "--yes").code == ExitCode.DONE
    assert get_objects(sandbox, folder) == {}
    again = pipeline.run(*words)
    assert (again.code, again.result["tables"][0]["resumed"]) == (ExitCode.DONE, False), again.text
    assert pipeline.verify(folder).result["items"] == 30


def test_run_at_work_is_neither_cleaned_nor_resumed(
    sandbox: Sandbox, pipeline: Pipeline, place: tuple[str, str, tuple[str, ...]]
) -> None:
    folder, logs, words = place
    at = S3Uri.parse(f"{logs}/runs/{RUN}/run.json")
    beat = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    record = json.dumps({"run_id": RUN, "state": "running", "host": "elsewhere", "pid": 7, "heartbeat": beat}).encode()
    sandbox.client("s3").put_object(Bucket=at.bucket, Key=at.key, Body=record)
    before = get_objects(sandbox, folder)
    for refused in (pipeline.run("clean", folder, "--logs", logs, "--yes"), pipeline.run(*words)):
        assert refused.code == ExitCode.PRECONDITION
        assert "process 7 on elsewhere" in refused.result["error"]
    assert get_objects(sandbox, folder) == before
    assert get_objects(sandbox, logs)[f"runs/{RUN}/run.json"] == record
