"""From the command line to a cluster and back: the launcher's own commands against an EMR whose steps really run."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.tables import NONE, Table, make_bucket, make_table, numbered

pytestmark = [pytest.mark.sandbox, pytest.mark.yarn]

REGION = "us-east-1"


@pytest.fixture(scope="module")
def emr() -> Iterator[EmrSandbox]:
    """An EMR with a real YARN, for this module."""
    with EmrSandbox() as running:
        yield running


@pytest.fixture(scope="module")
def bucket(emr: EmrSandbox) -> str:
    """A bucket, and the roles template deployed for it."""
    name = make_bucket(emr)
    words = ["policy", "roles-template", "--bucket", name, "--prefix", "/", "--table-prefix", "T", "--region", REGION]
    template = run_cli(words, env=emr.process_env()).result
    deploy_roles(emr, template, region=REGION)
    return name


def on_cluster(emr: EmrSandbox, verb: str, bucket: str, *words: str) -> Outcome:
    common = ("--region", REGION, "--logs", f"s3://{bucket}/logs", "--throughput-percent", "100")
    return run_cli([verb, *words, *common], env=emr.process_env())


def clusters(emr: EmrSandbox) -> list[dict[str, object]]:
    return emr.client("emr", region=REGION).list_clusters()["Clusters"]  # type: ignore[no-any-return]


def table_with(emr: EmrSandbox, count: int) -> Table:
    table = make_table(emr)
    table.put(numbered(count))
    return table


def test_export_on_a_cluster_that_ends_by_itself(emr: EmrSandbox, bucket: str) -> None:
    """One command: checks, plan, cluster with tag, steps as written, result per table, nothing left billing."""
    table = table_with(emr, 30)
    out = on_cluster(emr, "export", bucket, "--table", table.name, "--output", f"s3://{bucket}/x")

    assert out.code == 0, out.text
    (job,) = out.result["tables"]
    assert job["record"]["tables"][0]["items"] == 30
    cluster = emr.client("emr", region=REGION).describe_cluster(ClusterId=out.result["cluster_id"])["Cluster"]
    assert cluster["Status"]["State"] == "TERMINATED"
    assert {"Key": "dynamodbdatapipeline", "Value": "true"} in cluster["Tags"]
    assert out.text.strip().splitlines()[-1].startswith(f"cluster {out.result['cluster_id']} is gone")

    target = make_table(emr)
    local = ["--local", "--engine", "process", "--region", REGION, "--throughput-percent", "100", "--yes"]
    back = run_cli(["import", *local, "--table", target.name, "--input", job["export_uri"]], env=emr.process_env())
    assert back.code == 0, back.text
    assert target.differences(numbered(30)) == NONE


def exported(emr: EmrSandbox, bucket: str, table: Table) -> str:
    local = ["--local", "--engine", "process", "--region", REGION, "--throughput-percent", "100"]
    words = ["export", *local, "--table", table.name, "--output", f"s3://{bucket}/{table.name}"]
    uri: str = run_cli(words, env=emr.process_env()).result["export_uri"]
    return uri


def test_other_key_schema_is_refused_before_a_cluster_starts(emr: EmrSandbox, bucket: str) -> None:
    source, before = exported(emr, bucket, table_with(emr, 3)), len(clusters(emr))
    other = make_table(emr, (("id", "S"), ("n", "N")))
    refused = on_cluster(emr, "import", bucket, "--table", other.name, "--input", source, "--yes")
    assert refused.code == 3, refused.text
    assert "n (N, RANGE)" in refused.text
    assert refused.text.strip().endswith("nothing was started")
    assert len(clusters(emr)) == before


@pytest.mark.slow
def test_failed_step_says_why_on_the_terminal(emr: EmrSandbox, bucket: str) -> None:
    """The job's own exit code and message reach the user without any digging in S3; the cluster is gone."""
    source, s3 = exported(emr, bucket, table_with(emr, 3)), emr.client("s3")
    prefix = source.removeprefix(f"s3://{bucket}/")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    damaged = next(o["Key"] for o in listed if o["Key"].endswith("_000000"))
    body = s3.get_object(Bucket=bucket, Key=damaged)["Body"].read()
    s3.put_object(Bucket=bucket, Key=damaged, Body=body[:-3] + b"?" + body[-2:])
    target = make_table(emr)

    failed = on_cluster(emr, "import", bucket, "--table", target.name, "--input", source, "--yes")

    assert failed.code == 4, failed.text
    assert damaged.rpartition("/")[2] in failed.text
    assert "SHA-256" in failed.text
    assert target.by_key() == {}
    assert failed.text.strip().splitlines()[-1].startswith(f"cluster {failed.result['cluster_id']} is gone")


def test_plan_starts_nothing_and_prints_the_request(emr: EmrSandbox, bucket: str) -> None:
    table, before = table_with(emr, 3), len(clusters(emr))
    plan = on_cluster(emr, "plan", bucket, "export", "--table", table.name, "--output", f"s3://{bucket}/x")
    assert plan.code == 0, plan.text
    assert plan.result["run_job_flow"]["Instances"]["InstanceGroups"][0]["InstanceType"] == "m3.xlarge"
    assert "100% of 1,000 read units" in plan.text
    assert len(clusters(emr)) == before
    json.dumps(plan.result)


def test_schedule_renders_what_cloudformation_takes(emr: EmrSandbox, bucket: str) -> None:
    table = table_with(emr, 3)
    words = ("export", "--table", table.name, "--output", f"s3://{bucket}/n", "--cron", "cron(0 3 * * ? *)")
    out = on_cluster(emr, "schedule", bucket, *words)
    assert out.code == 0, out.text
    kinds = {resource["Type"] for resource in out.result["Resources"].values()}
    assert {"AWS::Scheduler::Schedule", "AWS::SQS::Queue", "AWS::SNS::Topic"} <= kinds
