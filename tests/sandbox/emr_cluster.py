"""Builders for tests with a sandbox EMR: RunJobFlow requests, and what S3 holds afterwards."""

from __future__ import annotations

import gzip
from typing import Any

from sandbox.emr.stack import EmrSandbox

BUCKET = "emr-tests"
OVER = ("TERMINATED", "TERMINATED_WITH_ERRORS")


def step(*arguments: str, name: str = "step", on_failure: str = "CONTINUE") -> dict[str, Any]:
    """Return a StepConfig that runs `arguments` on the leader."""
    jar = {"Jar": "command-runner.jar", "Args": list(arguments)}
    return {"Name": name, "ActionOnFailure": on_failure, "HadoopJarStep": jar}


def bash(script: str, **members: str) -> dict[str, Any]:
    """Return a StepConfig that runs a shell script."""
    return step("bash", "-c", script, **members)


def request(*steps: dict[str, Any], keep_alive: bool = False, **members: Any) -> dict[str, Any]:
    """Return a RunJobFlow request that EMR takes, one leader and one core node; a member of None is left out."""
    groups = [{"InstanceRole": role, "InstanceType": "m3.xlarge", "InstanceCount": 1} for role in ("MASTER", "CORE")]
    wanted = {
        "Name": "test",
        "ReleaseLabel": "emr-7.13.0",
        "LogUri": f"s3://{BUCKET}/logs/",
        "ServiceRole": "emr-service",
        "JobFlowRole": "export-nodes",
        "Instances": {"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": keep_alive},
        "Tags": [{"Key": "dynamodbdatapipeline", "Value": "true"}],
        "Steps": list(steps),
        **members,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def launch(sandbox: EmrSandbox, *steps: dict[str, Any], **members: Any) -> str:
    """Start a cluster and return its id."""
    return str(sandbox.client("emr").run_job_flow(**request(*steps, **members))["JobFlowId"])


def run_to_end(sandbox: EmrSandbox, *steps: dict[str, Any], timeout_s: float = 30, **members: Any) -> dict[str, Any]:
    """Start a cluster, wait until it is over, return DescribeCluster's Cluster."""
    cluster = launch(sandbox, *steps, **members)
    sandbox.control.wait_for(cluster, *OVER, timeout_s=timeout_s)
    return described(sandbox, cluster)


def described(sandbox: EmrSandbox, cluster: str) -> dict[str, Any]:
    """Return DescribeCluster's Cluster."""
    return dict(sandbox.client("emr").describe_cluster(ClusterId=cluster)["Cluster"])


def steps_of(sandbox: EmrSandbox, cluster: str) -> list[dict[str, Any]]:
    """Return the steps of a cluster, first one first."""
    return list(reversed(sandbox.client("emr").list_steps(ClusterId=cluster)["Steps"]))


def step_states(sandbox: EmrSandbox, cluster: str) -> list[str]:
    """Return the states of a cluster's steps, first one first."""
    return [entry["Status"]["State"] for entry in steps_of(sandbox, cluster)]


def logs(sandbox: EmrSandbox, cluster: str) -> dict[str, str]:
    """Return the texts of a cluster's logs by their key below the cluster's folder."""
    s3, prefix = sandbox.client("s3"), f"logs/{cluster}/"
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    bodies = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    return {key.removeprefix(prefix): gzip.decompress(body).decode() for key, body in bodies.items()}


def put(sandbox: EmrSandbox, key: str, text: str | bytes) -> str:
    """Put an object and return its s3:// address."""
    body = text if isinstance(text, bytes) else text.encode()
    sandbox.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"
