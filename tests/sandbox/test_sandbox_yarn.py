"""The sandbox's YARN runs what spark-submit is given, as EMR's does, and leaves no process behind."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from sandbox.active_table import create_active_table
from sandbox.containers import container_processes
from sandbox.processes import start_time
from sandbox.stack import Sandbox
from sandbox.yarn import YarnCluster

pytestmark = [pytest.mark.sandbox, pytest.mark.yarn]

# Waits until two executors are there, then asks each task where it runs and what it can reach.
JOB = """
import os, socket, sys
from pyspark import SparkContext, TaskContext
import greeting                                   # from --py-files

def look(_):
    import boto3
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    yield os.environ["CONTAINER_ID"], greeting.WORD, tables

sc = SparkContext()
found = sc.parallelize(range(8), 8).mapPartitions(look).collect()
lines = sc.textFile("s3://yarn/input.txt").collect()
sc.parallelize([str(len({container for container, _, _ in found})), found[0][1], *found[0][2], *lines], 1) \\
    .saveAsTextFile("s3://yarn/output")
"""
TWO_EXECUTORS = {
    "spark.executor.instances": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.dynamicAllocation.enabled": "false",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s",
}


def put_job(sandbox: Sandbox) -> None:
    """Put the job, its library and its input into bucket `yarn`, and make one table."""
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket="yarn")
    for key, text in {"job.py": JOB, "greeting.py": "WORD = 'hello'", "input.txt": "a line\n"}.items():
        s3.put_object(Bucket="yarn", Key=key, Body=text.encode())
    create_active_table(
        sandbox.client("dynamodb"),
        TableName="SeenFromYarn",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.slow  # test_yarn_round_trip.py runs the bundle itself the same way in the CI
def test_a_step_from_s3_runs_on_two_executors_that_reach_dynamodb_and_s3(
    sandbox: Sandbox, yarn: YarnCluster, tmp_path: Path
) -> None:
    put_job(sandbox)
    settings = [part for key, value in TWO_EXECUTORS.items() for part in ("--conf", f"{key}={value}")]
    step = ["--master", "yarn", "--deploy-mode", "client", *settings]
    result = subprocess.run(
        [yarn.spark_submit, *step, "--py-files", "s3://yarn/greeting.py", "s3://yarn/job.py"],
        env=yarn.process_env(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    output = sandbox.client("s3").get_object(Bucket="yarn", Key="output/part-00000")["Body"].read().decode()
    words = output.splitlines()
    assert words[:2] == ["2", "hello"]
    assert "SeenFromYarn" in words
    assert words[-1] == "a line"


def test_its_rest_interface_knows_the_node(yarn: YarnCluster) -> None:
    with urllib.request.urlopen(f"{yarn.url}/ws/v1/cluster/metrics", timeout=10) as reply:
        assert json.load(reply)["activeNodes"] == 1


ENDLESS_JOB = """
import threading
from pyspark import SparkContext
SparkContext()
threading.Event().wait()
"""


@pytest.mark.slow
def test_stop_ends_running_containers_too(tmp_path: Path) -> None:
    """Containers that would run for ever are gone after `stop`, whoever submitted them."""
    (tmp_path / "endless.py").write_text(ENDLESS_JOB)
    with Sandbox() as own, YarnCluster(own) as yarn:
        command = [yarn.spark_submit, "--master", "yarn", "--conf", "spark.executor.memory=512m", "endless.py"]
        with subprocess.Popen(
            command, env=yarn.process_env(), cwd=tmp_path, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        ) as driver:
            pids = wait_for_containers(yarn, count=2)
            yarn.stop()
            driver.terminate()
    assert [pid for pid in pids if start_time(pid)] == []


def wait_for_containers(yarn: YarnCluster, *, count: int) -> list[int]:
    """Return the process ids of the running containers once there are `count`; fail after 60 s."""
    deadline = time.monotonic() + 60
    while len(found := container_processes(yarn.folder)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} containers"
        time.sleep(0.1)
    return list(found.values())
