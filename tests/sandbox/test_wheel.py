"""The wheel without a checkout: what it carries, and its commands from another folder."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from dynamodb_pipeline import __version__
from dynamodb_pipeline.emr.request.bundle import build_bundle
from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.processes import PROJECT
from sandbox.stack import Sandbox
from tests.sandbox.installed_wheel import Installed, installed_wheel
from tests.sandbox.tables import make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

CARRIED = ("jobs", "bootstrap", "cluster_configs", "policies", "schedules")
HERE = ("--local", "--engine", "process", "--throughput-percent", "100")
REGION = ("--region", "us-east-1")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return installed_wheel(tmp_path_factory.mktemp("wheel"))


def test_it_carries_what_lies_beside_the_package_and_the_finished_bundle(installed: Installed, tmp_path: Path) -> None:
    files = [path for name in CARRIED for path in (PROJECT / name).rglob("*") if path.is_file()]
    wanted = {path for path in files if "__pycache__" not in path.parts}
    carried = installed.package / "bundle"
    assert len(wanted) > 10
    for path in wanted:
        assert (carried / path.relative_to(PROJECT)).read_bytes() == path.read_bytes()
    built = build_bundle(tmp_path / "bundle.zip")
    assert (carried / "dynamodb_pipeline.zip").read_bytes() == built.path.read_bytes()


def test_a_release_is_the_wheel_its_bundle_and_their_checksums(installed: Installed) -> None:
    dist, stem = installed.wheel.parent, f"dynamodb_pipeline-{__version__}"
    assert {path.name for path in dist.iterdir()} == {
        *(f"{stem}-py3-none-any.whl", f"{stem}-bundle.zip"),
        "SHA256SUMS",
    }
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dist, check=True)
    carried = (installed.package / "bundle" / "dynamodb_pipeline.zip").read_bytes()
    assert (dist / f"{stem}-bundle.zip").read_bytes() == carried


def test_its_bundle_is_the_finished_one_whatever_boto3_is_installed(
    installed: Installed, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The environment has no metadata of any boto3, so nothing could be bundled from it."""
    built = installed.run("bundle", "--to", str(tmp_path / "to.zip"), env=sandbox.process_env())
    assert built.code == 0, built.text
    carried = (installed.package / "bundle" / "dynamodb_pipeline.zip").read_bytes()
    assert (tmp_path / "to.zip").read_bytes() == carried
    assert built.result["sha256"] == hashlib.sha256(carried).hexdigest()


def test_jobs_of_this_machine_plan_and_preflight_from_another_folder(installed: Installed, sandbox: Sandbox) -> None:
    table, bucket, env = make_table(sandbox), make_bucket(sandbox), sandbox.process_env()
    table.put(numbered(20))
    logs = ("--logs", f"s3://{bucket}/logs")
    export = ("export", "--table", table.name, "--output", f"s3://{bucket}/x", *REGION, *logs)
    out = installed.run(*export, *HERE, env=env)
    assert out.code == 0, out.text
    looked = installed.run("inspect", out.result["export_uri"], *REGION, env=env)
    assert (looked.code, looked.result["items"]) == (0, 20), looked.text
    verified = installed.run("verify", out.result["export_uri"], "--table", table.name, *REGION, *HERE, env=env)
    assert (verified.code, verified.result["table_items"]) == (0, 20), verified.text
    plan = installed.run("plan", *export, env=env)
    assert plan.code == 0, plan.text
    assert plan.result["run_job_flow"]["Instances"]["InstanceGroups"][0]["InstanceType"] == "m3.xlarge"
    preflight = installed.run("preflight", *export, env=env)
    assert preflight.code == 3, preflight.text  # no roles in this sandbox
    assert "service-role" in preflight.text


@pytest.mark.slow
@pytest.mark.yarn
def test_it_launches_a_cluster_whose_nodes_get_the_finished_bundle(installed: Installed) -> None:
    with EmrSandbox() as emr:
        env, bucket, table = emr.process_env(), make_bucket(emr), make_table(emr)
        table.put(numbered(20))
        places = ("--bucket", bucket, "--prefix", "x", "--logs", f"s3://{bucket}/logs", "--table", table.name)
        template = installed.run("policy", "roles-template", *places, *REGION, env=env)
        deploy_roles(emr, template.result, region="us-east-1")
        words = ("export", "--table", table.name, "--output", f"s3://{bucket}/x", "--logs", f"s3://{bucket}/logs")
        out = installed.run(*words, *REGION, "--throughput-percent", "100", env=env)
        assert out.code == 0, out.text
        listed = emr.client("s3").list_objects_v2(Bucket=bucket, Prefix="logs/code/")["Contents"]
        (key,) = [entry["Key"] for entry in listed if entry["Key"].endswith(".zip")]
        sent = emr.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        assert sent == (installed.package / "bundle" / "dynamodb_pipeline.zip").read_bytes()
