"""
Every bullet of the AWS page's troubleshooting list, provoked: the check's name, the exit code, the remedy in one line.

No Spark: what preflight can know is refused before anything starts, and the one job that must run runs in one process.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.cli import Outcome
from tests.sandbox.in_process import Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.tables import Table, make_table, numbered

pytestmark = pytest.mark.sandbox

REGION = "us-east-1"
EMR_TAG = "for-use-with-amazon-emr-managed-policies"


@dataclass(frozen=True)
class World:
    """A sandbox with a bucket, an exported table and the roles for it."""

    emr: EmrSandbox
    bucket: str
    table: Table
    exported: str
    slow: Table

    def run(self, verb: str, *words: str, key: dict[str, str] | None = None) -> Outcome:
        """Run a launcher's command, by the sandbox's administrator or with a user's key."""
        rate = () if "--read-units" in words else ("--throughput-percent", "100")
        common = ("--region", REGION, *rate)
        logs = () if "--logs" in words else ("--logs", f"s3://{self.bucket}/logs")
        with pytest.MonkeyPatch.context() as patch:
            environment = {**os.environ, **self.emr.process_env(**(key or {}))}
            patch.setattr(self.emr, "process_env", lambda **_: environment)
            return Pipeline(self.emr).run(verb, *words, *common, *logs)

    def preflight(self, *words: str, kind: str = "export", key: dict[str, str] | None = None) -> Outcome:
        place = ("--output", f"s3://{self.bucket}/exports") if kind == "export" else ("--input", self.exported)
        table = () if "--table" in words else ("--table", self.table.name)
        return self.run("preflight", kind, *table, *(() if place[0] in words else place), *words, key=key)

    def launcher_policy(self) -> dict[str, Any]:
        return self.policy("launcher")

    def policy(self, kind: str) -> dict[str, Any]:
        words = ("policy", kind, "--table", self.table.name, "--bucket", self.bucket, "--prefix", "exports")
        logs = ("--logs", f"s3://{self.bucket}/logs", "--region", REGION)
        return Pipeline(self.emr).run(*words, *logs).result

    def user_with(self, policy: dict[str, Any]) -> dict[str, str]:
        """A new IAM user with this policy alone; returns the environment of its key."""
        iam, name = self.emr.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        managed = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
        iam.attach_user_policy(UserName=name, PolicyArn=managed)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An EMR without YARN, and everything a launch needs."""
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as emr:
        bucket = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}")
        table = make_table(emr)
        table.put(numbered(3))
        out = Pipeline(emr).export(table, f"s3://{bucket}/exports/one")
        slow = make_table(emr, read_units=1)
        tables = ("--table", table.name, "--table", slow.name)
        words = ("policy", "roles-template", *tables, "--bucket", bucket, "--region", REGION)
        deploy_roles(emr, Pipeline(emr).run(*words).result, region=REGION)
        yield World(emr, bucket, table, out.result["export_uri"], slow)


def clusters(emr: EmrSandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = emr.client("emr", region=REGION).list_clusters()["Clusters"]
    return found


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy with one action taken away wherever it stands."""
    kept = [{**s, "Action": [a for a in s["Action"] if a != action]} for s in policy["Statement"]]
    return {**policy, "Statement": [s for s in kept if s["Action"]]}


def check(out: Outcome, name: str) -> dict[str, str]:
    """One check of a preflight's result; its remedy, if any, is one line on the terminal too."""
    found: dict[str, str] = next(c for c in out.result["checks"] if c["name"] == name)
    assert "\n" not in found["detail"] + found["remedy"]
    assert not found["remedy"] or f"remedy: {found['remedy']}\n" in out.text
    return found


def test_with_the_printed_policy_nothing_is_left_to_say(world: World) -> None:
    """Every check looks and passes for a user who has `policy launcher` and nothing else."""
    out = world.preflight(key=world.user_with(world.launcher_policy()))
    assert out.code == 0, out.text
    assert {c["name"]: c["detail"] for c in out.result["checks"] if c["verdict"] != "ok"} == {}
    names = {c["name"] for c in out.result["checks"]}
    assert {"permissions", "node-permissions", "quota", f"public access {world.bucket}"} <= names


@pytest.mark.parametrize("action", ["elasticmapreduce:TerminateJobFlows", "iam:PassRole"])
def test_one_action_taken_from_the_launcher_is_named(world: World, action: str) -> None:
    key, before = world.user_with(without(world.launcher_policy(), action)), len(clusters(world.emr))
    out = world.preflight(key=key)
    assert out.code == 7, out.text
    found = check(out, "permissions")
    assert f"{action} on " in found["detail"]
    assert "policy launcher" in found["remedy"]
    assert len(clusters(world.emr)) == before


@pytest.fixture(scope="module")
def standing(world: World) -> Iterator[str]:
    """A cluster with the tag and the nodes' role of exports that waits for steps."""
    groups = [{"InstanceRole": role, "InstanceType": "m3.xlarge", "InstanceCount": 1} for role in ("MASTER", "CORE")]
    emr = world.emr.client("emr", region=REGION)
    cluster = emr.run_job_flow(
        Name="standing", ReleaseLabel="emr-7.13.0", LogUri=f"s3://{world.bucket}/logs/emr/",
        ServiceRole="dynamodb-pipeline-service", JobFlowRole="dynamodb-pipeline-export",
        Instances={"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True},
        Tags=[{"Key": "dynamodbdatapipeline", "Value": "true"}, {"Key": EMR_TAG, "Value": "true"}],
    )["JobFlowId"]  # fmt: skip
    world.emr.control.wait_for(cluster, "WAITING", timeout_s=60)
    yield str(cluster)
    emr.terminate_job_flows(JobFlowIds=[cluster])


def test_on_a_standing_cluster_nothing_is_left_to_say(world: World, standing: str) -> None:
    out = world.preflight("--cluster-id", standing, key=world.user_with(world.launcher_policy()))
    assert out.code == 0, out.text
    checks = {c["name"]: c for c in out.result["checks"]}
    assert {name: c["detail"] for name, c in checks.items() if c["verdict"] != "ok"} == {}
    assert {"permissions", "node-permissions"} <= set(checks)


def test_steps_on_a_standing_cluster_that_the_caller_may_not_give(world: World, standing: str) -> None:
    """Preflight names the right; without it EMR refuses the call in its own words."""
    key = world.user_with(without(world.launcher_policy(), "elasticmapreduce:AddJobFlowSteps"))
    out = world.preflight("--cluster-id", standing, key=key)
    assert out.code == 7, out.text
    found = check(out, "permissions")
    assert f"elasticmapreduce:AddJobFlowSteps on arn:aws:elasticmapreduce:{REGION}" in found["detail"]
    assert "policy launcher" in found["remedy"]
    session: Any = boto3.session.Session(key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    emr = session.client("emr", endpoint_url=world.emr.s3_url)
    step = {"Name": "no", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
    with pytest.raises(ClientError, match="not authorized to perform: elasticmapreduce:AddJobFlowSteps"):
        emr.add_job_flow_steps(JobFlowId=standing, Steps=[step])


def test_a_standing_cluster_without_the_tag(world: World, standing: str) -> None:
    """The printed policy allows clusters that carry it: EMR does not even describe this one. The remedy is allowed."""
    admin, tag = world.emr.client("emr", region=REGION), {"Key": "dynamodbdatapipeline", "Value": "true"}
    admin.remove_tags(ResourceId=standing, TagKeys=[tag["Key"]])
    key = world.user_with(world.launcher_policy())
    out = world.preflight("--cluster-id", standing, key=key)
    session: Any = boto3.session.Session(key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    session.client("emr", endpoint_url=world.emr.s3_url).add_tags(ResourceId=standing, Tags=[tag])
    assert out.code == 7, out.text
    assert "elasticmapreduce:DescribeCluster" in out.text
    command = f"aws emr add-tags --resource-id {standing} --tags dynamodbdatapipeline=true --region {REGION}"
    assert f"if it lacks that: {command}\n" in out.text


def test_one_action_taken_from_the_nodes_is_named(world: World) -> None:
    iam, name = world.emr.client("iam"), "dynamodb-pipeline-export"
    taken = without(world.policy("nodes-export"), "dynamodb:Scan")
    role_policy = {"RoleName": name, "PolicyName": f"nodes-export-{REGION}"}
    before = iam.get_role_policy(**role_policy)["PolicyDocument"]
    iam.put_role_policy(**role_policy, PolicyDocument=json.dumps(taken))
    try:
        found = check(world.preflight(), "node-permissions")
    finally:
        iam.put_role_policy(**role_policy, PolicyDocument=json.dumps(before))
    assert found["verdict"] == "warning"
    assert "dynamodb:Scan on " in found["detail"]


def test_the_pages_own_policy_is_told_that_it_only_launches(world: World) -> None:
    """Its Describe* and Terminate* never apply; a user finds out here and not with a cluster running."""
    page = world.policy("as-published")
    page["Statement"] += [
        s for s in world.launcher_policy()["Statement"] if "elasticmapreduce:" not in str(s["Action"])
    ]
    out = world.preflight(key=world.user_with(page))
    assert out.code == 7
    assert "elasticmapreduce:TerminateJobFlows on " in check(out, "permissions")["detail"]
    assert "RunJobFlow" not in check(out, "permissions")["detail"]


@dataclass(frozen=True)
class Bullet:
    """One bullet: what is done, and what must be seen."""

    name: str
    check: str
    code: int
    remedy: str
    provoke: Callable[[World], Outcome]


def other_keys(world: World) -> Outcome:
    other = make_table(world.emr, (("id", "S"), ("n", "N")))
    return world.preflight("--table", other.name, kind="import")


def elsewhere(world: World) -> Outcome:
    """A copied export whose manifest still names the bucket it came from, which is gone."""
    s3 = world.emr.client("s3")
    for entry in s3.list_objects_v2(Bucket=world.bucket, Prefix="exports/one/")["Contents"]:
        body = s3.get_object(Bucket=world.bucket, Key=entry["Key"])["Body"].read()
        old = body.replace(world.bucket.encode(), b"the-old-bucket")
        s3.put_object(Bucket=world.bucket, Key=entry["Key"].replace("exports/one", "exports/copy"), Body=old)
    return world.preflight("--input", f"s3://{world.bucket}/exports/copy", kind="import")


def forbidden(world: World) -> Outcome:
    return faulty(world, "s3:ListBucket")


def unwritable(world: World) -> Outcome:
    return faulty(world, "s3:PutObject", "--probe-write")


def faulty(world: World, action: str, *words: str) -> Outcome:
    world.emr.control.add_fault("deny", action=action, count=None)
    try:
        return world.preflight(*words)
    finally:
        world.emr.control.clear_faults()


def small_quota(world: World) -> Outcome:
    world.emr.control.set(vcpu_quota=4)
    try:
        return world.preflight()
    finally:
        world.emr.control.set(vcpu_quota=256)


BULLETS = [
    Bullet(
        "table", "table Nowhere", 3, "check --table and --region", lambda w: w.preflight("--table", "Nowhere")
    ),
    Bullet("key schema", "key-schema", 3, "same key names, types and roles", other_keys),
    Bullet(
        "bucket missing", "bucket no-such-bucket", 3, "check the name",
        lambda w: w.preflight("--output", "s3://no-such-bucket/x"),
    ),
    Bullet("bucket forbidden", "bucket {bucket}", 7, "policy launcher", forbidden),
    Bullet("bucket not writable", "write s3://{bucket}/exports", 7, "policy launcher", unwritable),
    Bullet("manifest of another bucket", "manifest", 0, "nothing to edit", elsewhere),
    Bullet(
        "service role", "service-role", 3, "dynamodb-pipeline policy roles-template",
        lambda w: w.preflight("--service-role", "nobody"),
    ),
    Bullet(
        "node role", "node-role", 3, "instance profile of the same name",
        lambda w: w.preflight("--node-role", "nobody"),
    ),
    Bullet("quota", "quota", 3, "Service Quotas", small_quota),
]  # fmt: skip


@pytest.mark.parametrize("bullet", BULLETS, ids=lambda bullet: bullet.name)
def test_bullet_is_found_before_anything_starts(world: World, bullet: Bullet) -> None:
    before = len(clusters(world.emr))
    out = bullet.provoke(world)
    assert out.code == bullet.code, out.text
    found = check(out, bullet.check.format(bucket=world.bucket))
    assert found["verdict"] == ("failed" if bullet.code else "warning")
    assert bullet.remedy in found["remedy"]
    assert len(clusters(world.emr)) == before


@pytest.mark.parametrize("folder", ["", "/exports/logs"], ids=["top level", "inside the data"])
def test_bullet_log_folder(world: World, folder: str) -> None:
    out = world.preflight("--logs", f"s3://{world.bucket}{folder}")
    assert out.code == 2, out.text
    assert "--logs" in out.text
    assert len(out.text.strip().splitlines()) == 1


def test_bullet_tag(world: World) -> None:
    """A policy that wants another tag: the one call that starts something is refused, with the remedy."""
    before = len(clusters(world.emr))
    world.emr.control.set(require_tag="team=other")
    try:
        out = world.run("export", "--table", world.table.name, "--output", f"s3://{world.bucket}/exports")
    finally:
        world.emr.control.set(require_tag=None)
    assert out.code == 7, out.text
    assert "elasticmapreduce:RunJobFlow was denied" in out.text
    assert "policy launcher" in out.text
    assert len(clusters(world.emr)) == before


def test_bullet_timeout(world: World) -> None:
    """The job keeps what was done and says so; the user hears what to do, and that nothing runs on."""
    world.slow.put(numbered(60, size=4000))
    words = ("--table", world.slow.name, "--output", f"s3://{world.bucket}/exports", "--timeout", "3s")
    out = world.run("export", *words, "--read-units", "1")
    assert out.code == 6, out.text
    assert out.result["diagnosis"]["troubleshooting_row"] == "timeout"
    assert "--timeout" in out.result["diagnosis"]["remedy"]
    assert "is gone" in out.text.strip().splitlines()[-1]
