"""The bundle on a real YARN with two executors and an interpreter that has no boto3: what local mode would hide."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from dynamodb_pipeline.aws.node_boto3 import CHOSEN_BY_USER
from dynamodb_pipeline.emr.request.bundle import build_bundle
from dynamodb_pipeline.workers.spark_session import find_jar
from sandbox.demo_data import demo_tables
from sandbox.processes import PROJECT
from sandbox.stack import Sandbox
from sandbox.yarn import YarnCluster
from tests.sandbox.cli import Outcome, outcome_of
from tests.sandbox.tables import NONE, make_bucket, make_table

pytestmark = [pytest.mark.sandbox, pytest.mark.yarn]

HARD = next(t for t in demo_tables() if t.name == "HardCases")
TIMEOUT_S = 280
NAMES_NONE = "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bundle(tmp_path_factory.mktemp("bundle") / "dynamodb_pipeline.zip").path


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with nothing but the standard library, where the default temporary folder is not there at all."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    assert subprocess.run([python, "-c", "import boto3"], capture_output=True, check=False).returncode == 1
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "sitecustomize.py").write_text("import tempfile\ntempfile.tempdir = '/on/nodes/it/is/memory'\n")
    return python


def submit(yarn: YarnCluster, bundle: Path, python: Path, job: str, *words: str, conf: tuple[str, ...] = ()) -> Outcome:
    command = [
        yarn.spark_submit,
        *("--master", "yarn", "--deploy-mode", "client"),
        *("--conf", "spark.executor.instances=2", "--conf", "spark.executor.cores=1"),
        *(word for setting in conf for word in ("--conf", setting)),
        *("--conf", "spark.executor.memory=512m", "--jars", find_jar(None), "--py-files", str(bundle)),
        str(PROJECT / "jobs" / job),
        *words,
    ]
    env = yarn.process_env(PYSPARK_PYTHON=str(python), PYSPARK_DRIVER_PYTHON=str(python))
    for name in CHOSEN_BY_USER:
        env.pop(name, None)
    return outcome_of(subprocess.run(command, env=env, capture_output=True, timeout=TIMEOUT_S, check=False))


def collectors(sandbox: Sandbox, bucket: str, run_id: str) -> dict[str, str]:
    record = sandbox.client("s3").get_object(Bucket=bucket, Key=f"logs/runs/{run_id}/run.json")
    found: dict[str, str] = json.load(record["Body"])["java_collectors"]
    return found


def test_export_and_import_with_two_executors(
    sandbox: Sandbox, yarn: YarnCluster, bundle: Path, bare_python: Path
) -> None:
    """
    Connector out, coordinator and budget across containers, import back in: zero differences.

    spark-defaults.conf names a garbage collector for driver and executors: a second one would end their JVMs.
    """
    bucket = make_bucket(sandbox)
    source = make_table(sandbox, HARD.keys, read_units=8000)
    source.put(HARD.items)
    common = ("--region", "us-east-1", "--logs", f"s3://{bucket}/logs", "--throughput-percent", "100")
    output = ("--table", source.name, "--output", f"s3://{bucket}/x")
    out = submit(yarn, bundle, bare_python, "export_table.py", *output, *common)
    assert out.code == 0, out.text
    assert out.result["tables"][0]["tasks"] == 2
    assert out.result["tables"][0]["read_units_estimated"] is False
    serial = {"driver": "Copy, MarkSweepCompact", "executors": "-XX:+UseSerialGC in spark.executor.extraJavaOptions"}
    assert collectors(sandbox, bucket, out.result["run_id"]) == serial

    target = make_table(sandbox, HARD.keys, write_units=8000)
    source_words = ("--table", target.name, "--input", out.result["export_uri"])
    done = submit(yarn, bundle, bare_python, "import_table.py", *source_words, *common, conf=(NAMES_NONE,))

    assert done.code == 0, done.text
    assert target.differences(HARD.items) == NONE
    ours = "-XX:+UseParallelGC in spark.executor.extraJavaOptions"
    assert collectors(sandbox, bucket, done.result["run_id"]) == {**serial, "executors": ours}


def test_missing_bundle_is_said_in_one_line(sandbox: Sandbox) -> None:
    """A job without its library ends at once and says what to pass."""
    command = [sys.executable, "-I", "-S", str(PROJECT / "jobs" / "export_table.py")]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2
    assert b"--py-files" in done.stderr
