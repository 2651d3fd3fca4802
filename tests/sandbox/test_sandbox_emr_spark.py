"""A cluster of the sandbox EMR runs `spark-submit ... s3://...` as the request has it, on a real YARN."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.emr import yarn_applications
from sandbox.emr.access import NODE, access_key
from sandbox.emr.settings import EMR_CONNECTOR_JAR
from sandbox.emr.stack import EmrSandbox, bare_python
from tests.sandbox.emr_cluster import BUCKET, launch, logs, put, step, steps_of

pytestmark = [pytest.mark.sandbox, pytest.mark.yarn, pytest.mark.slow]  # test_launcher.py runs the same path in the CI

SPARK_SUBMIT = [
    *("spark-submit", "--master", "yarn", "--deploy-mode", "client"),
    *("--jars", EMR_CONNECTOR_JAR, "--py-files", f"s3://{BUCKET}/code/lib.zip"),
    *("--num-executors", "1", "--executor-memory", "512m"),
]
CONNECTOR_CLASS = "org.apache.hadoop.dynamodb.read.DynamoDBInputFormat"
JOB = f"""
import json, os, sys
from pyspark import SparkContext
import lib                                                   # from --py-files

def look(numbers):
    try:
        import boto3
        has_boto3 = True
    except ImportError:
        has_boto3 = False
    yield [lib.double(sum(numbers)), has_boto3, os.environ["AWS_ACCESS_KEY_ID"]]

sc = SparkContext()
loader = sc._jvm.java.lang.Thread.currentThread().getContextClassLoader()
sc._jvm.java.lang.Class.forName("{CONNECTOR_CLASS}", False, loader)
[[total, has_boto3, key]] = sc.parallelize(range(10), 1).mapPartitions(look).collect()
print(json.dumps([total, has_boto3, key, sys.argv[1:], sc.getConf().get("spark.x")]))
"""
FAILING_JOB = """
class RunError(Exception): pass
raise RunError("table 'Forum' not found in us-east-1")
"""
ENDLESS_JOB = """
import os, threading
from pyspark import SparkContext
SparkContext()
open(os.environ["HOME"] + "/ready", "w").close()
threading.Event().wait()
"""
LOADED_MACHINE_S = 240  # alone it takes 20 s


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmrSandbox]:
    """An EMR whose nodes' Python has nothing but the standard library."""
    python = bare_python(tmp_path_factory.mktemp("node"))
    with EmrSandbox(node_python=python) as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("lib.py", "def double(x):\n    return 2 * x\n")
        put(running, "code/lib.zip", code.getvalue())
        yield running


def spark_step(emr: EmrSandbox, job: str, *arguments: str) -> dict[str, Any]:
    script = put(emr, f"code/{abs(hash(job))}.py", job)
    return step(*SPARK_SUBMIT, script, *arguments)


def test_a_pyspark_step_runs_as_written(emr: EmrSandbox) -> None:
    settings = [{"Classification": "spark-defaults", "Properties": {"spark.x": "from the cluster"}}]
    arguments = ["--table", "A table with spaces", "--note", "'quoted' $HOME"]
    cluster = launch(emr, spark_step(emr, JOB, *arguments), Configurations=settings)
    emr.control.wait_for(cluster, "TERMINATED", timeout_s=LOADED_MACHINE_S)
    [only] = steps_of(emr, cluster)
    written = logs(emr, cluster)
    assert only["Status"]["State"] == "COMPLETED", written[f"steps/{only['Id']}/stderr.gz"][-3000:]
    assert only["Config"]["Args"][:7] == SPARK_SUBMIT[:7]
    total, has_boto3, key, *rest = json.loads(written[f"steps/{only['Id']}/stdout.gz"])
    assert (total, has_boto3, rest) == (90, False, [arguments, "from the cluster"])
    assert key == access_key(NODE, "export-nodes")
    read_by_node = {entry["resource"] for entry in emr.control.actions(principal="node")}
    by_launcher = emr.control.actions(principal="launcher")
    read_by_launcher = {entry["resource"] for entry in by_launcher if entry["action"] == "s3:GetObject"}
    assert f"arn:aws:s3:::{BUCKET}/code/lib.zip" in read_by_node - read_by_launcher


def test_a_python_traceback_reaches_the_failure_details(emr: EmrSandbox) -> None:
    """Under spark-submit Python's stderr comes out on stdout."""
    cluster = launch(emr, spark_step(emr, FAILING_JOB))
    emr.control.wait_for(cluster, "TERMINATED", timeout_s=LOADED_MACHINE_S)
    [only] = steps_of(emr, cluster)
    assert only["Status"]["FailureDetails"]["Message"].endswith("RunError: table 'Forum' not found in us-east-1")


def test_a_killed_step_leaves_no_application_on_yarn(emr: EmrSandbox) -> None:
    cluster = launch(emr, spark_step(emr, ENDLESS_JOB), keep_alive=True)
    wait_for_file(emr.state.folder / "emr" / cluster / "home" / "hadoop" / "ready")
    step_id = steps_of(emr, cluster)[0]["Id"]
    assert len(yarn_applications.live(emr.state.urls["yarn"], step_id)) == 1
    emr.client("emr").cancel_steps(ClusterId=cluster, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS")
    emr.control.wait_for(cluster, "CANCELLED", step=step_id)
    assert yarn_applications.live(emr.state.urls["yarn"], step_id) == []


def wait_for_file(file: Path) -> None:
    """Return once there is such a file."""
    command = ["sh", "-c", f"until test -e '{file}'; do sleep 0.2; done"]
    subprocess.run(command, timeout=LOADED_MACHINE_S, check=True)
