"""
A table of another account: each side has the policies that are printed for it and nothing else.

By a role there, buckets, logs and whoever runs are of the sandbox's own account, which may do nothing to any table, and
the role may do nothing to any bucket. By the table's ARN the caller's own policy and the table's must both allow it; of
a bucket the same.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.demo_data import Item
from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.in_process import FULL_RATE, LOCAL, Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.tables import NONE, Table, make_table, numbered

pytestmark = pytest.mark.sandbox

REGION, OURS, THEIRS, EXTERNAL_ID = "us-east-1", "123456789012", "210987654321", "agreed-on-2026"
ITEMS: list[Item] = numbered(30)


@dataclass
class World:
    """Two accounts; `roles` are the other one's, by the kind of policy they have."""

    emr: EmrSandbox
    bucket: str
    source: Table
    target: Table
    roles: dict[str, str]

    def theirs(self, service: str) -> Any:
        """A client of somebody of the other account who may do everything there."""
        sts = self.emr.client("sts").assume_role(RoleArn=f"arn:aws:iam::{THEIRS}:role/admin", RoleSessionName="admin")
        keys = sts["Credentials"]
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.emr.s3_url, aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"],
        )  # type: ignore[call-overload,no-any-return]  # fmt: skip

    def arn(self, table: Table) -> str:
        return f"arn:aws:dynamodb:{REGION}:{THEIRS}:table/{table.name}"

    def policy(self, kind: str, *words: str) -> dict[str, Any]:
        tables = ("--table", self.source.name, "--table", self.target.name, "--bucket", self.bucket)
        places = ("--logs", f"s3://{self.bucket}/logs", "--region", REGION)
        out = Pipeline(self.emr).run("policy", kind, *tables, *places, *words)
        assert out.code == ExitCode.DONE, out.text
        return out.result

    def user(self, policy: dict[str, Any], name: str | None = None) -> dict[str, str]:
        """The keys of a user of our account with this policy alone."""
        iam, name = self.emr.client("iam"), name or f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        managed = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
        iam.attach_user_policy(UserName=name, PolicyArn=managed)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}

    def make_role(self, kind: str) -> None:
        """A role of the other account with its printed policy and trust document, made by somebody there."""
        iam, theirs = self.theirs("iam"), ("--account", THEIRS)
        trust = self.policy(kind, *theirs, "--trust", "--for-account", OURS, "--table-external-id", EXTERNAL_ID)
        role = iam.create_role(RoleName=f"pipeline-{kind}", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        printed = json.dumps(self.policy(kind, *theirs))
        iam.put_role_policy(RoleName=role["RoleName"], PolicyName="printed", PolicyDocument=printed)
        self.roles[kind] = role["Arn"]

    def run(self, keys: dict[str, str], verb: str, *words: str, kind: str, more: tuple[str, ...] = ()) -> Outcome:
        role = ("--table-role-arn", self.roles[kind], "--region", REGION)
        identity = more or ("--table-external-id", EXTERNAL_ID)
        return Pipeline(self.emr, keys=keys).run(verb, *words, *role, *identity, *LOCAL, *FULL_RATE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as emr:
        bucket = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}")
        made = World(emr, bucket, make_table(emr), make_table(emr), {})
        made.source.put(ITEMS)
        for kind in ("table-export", "table-import"):
            made.make_role(kind)
        yield made


def test_a_table_of_another_account_is_exported_and_imported(world: World) -> None:
    out = world.run(
        world.user(world.policy("nodes-export", "--table-role-arn", world.roles["table-export"])),
        *("export", "--table", world.source.name, "--output", f"s3://{world.bucket}/exports/one", "--exact-output"),
        kind="table-export",
    )
    assert out.code == ExitCode.DONE, out.text
    assert out.result["tables"][0]["items"] == len(ITEMS)
    record = json.loads(
        world.emr.client("s3").get_object(Bucket=world.bucket, Key="exports/one/_export.json")["Body"].read()
    )
    assert record["table_arn"] == f"arn:aws:dynamodb:{REGION}:{THEIRS}:table/{world.source.name}"
    words = ("--table", world.target.name, "--input", f"s3://{world.bucket}/exports/one", "--yes")
    keys = world.user(world.policy("nodes-import", "--table-role-arn", world.roles["table-import"]))
    out = world.run(keys, "import", *words, kind="table-import")
    assert out.code == ExitCode.DONE, out.text
    assert world.target.differences(ITEMS) == NONE


@pytest.mark.slow
def test_the_relay_signs_for_the_connector_in_the_roles_name(world: World) -> None:
    """On Spark: the connector knows the relay's keys alone, workers write with the caller's."""
    keys = world.user(world.policy("nodes-export", "--table-role-arn", world.roles["table-export"]))
    role = ("--table-role-arn", world.roles["table-export"], "--table-external-id", EXTERNAL_ID, "--region", REGION)
    place = ("--output", f"s3://{world.bucket}/exports/spark", "--exact-output", "--local", *FULL_RATE)
    env = world.emr.process_env(**keys)
    out = run_cli(["export", "--table", world.source.name, *place, *role], env=env, timeout_s=300)
    assert out.code == ExitCode.DONE, out.text
    assert (out.result["tables"][0]["reader"], out.result["tables"][0]["items"]) == ("connector", len(ITEMS))


@pytest.mark.parametrize(
    ("kind", "words", "more"),
    [
        ("nodes-export", (), ()),  # its own policy names the tables of its own account, and no role
        ("nodes-export", ("role",), ("--table-external-id", "another")),
    ],
    ids=["the caller's policy", "the trust document"],
)
def test_the_half_that_is_missing_is_named(
    world: World, kind: str, words: tuple[str, ...], more: tuple[str, ...]
) -> None:
    role = ("--table-role-arn", world.roles["table-export"]) if words else ()
    out = world.run(
        world.user(world.policy(kind, *role)),
        *("export", "--table", world.source.name, "--output", f"s3://{world.bucket}/exports/none"),
        kind="table-export", more=more,
    )  # fmt: skip
    assert out.code == ExitCode.DENIED, out.text
    assert f"sts:AssumeRole on {world.roles['table-export']} was refused" in out.result["error"]
    assert "`preflight` with the same options names the half" in out.result["error"]
    assert "..." not in out.result["error"]


def test_the_role_of_the_tables_may_touch_no_bucket(world: World) -> None:
    """What would be a hole: an exporter's role that reads buckets of its account too."""
    for kind in ("table-export", "table-import"):
        actions = {action for one in world.policy(kind)["Statement"] for action in one["Action"]}
        assert {action.partition(":")[0] for action in actions} <= {"dynamodb", "application-autoscaling"}


def test_nodes_with_a_role_for_tables_may_touch_no_table(world: World) -> None:
    for kind in ("nodes-export", "nodes-import", "launcher"):
        printed = world.policy(kind, "--table-role-arn", world.roles["table-export"])
        allowed = {action for one in printed["Statement"] for action in one["Action"]}
        assert "sts:AssumeRole" in allowed
        assert not {action for action in allowed if action.startswith(("dynamodb:", "application-autoscaling:"))}


# by the table's own policy


@dataclass
class Halves:
    """The policy of the caller and that of the table, as they are printed for one of the tables."""

    world: World
    table: Table
    verb: str

    def arn(self) -> str:
        return self.world.arn(self.table)

    def printed(self, kind: str, *words: str) -> dict[str, Any]:
        out = Pipeline(self.world.emr).run("policy", kind, "--table", self.arn(), *words)
        assert out.code == ExitCode.DONE, out.text
        return out.result

    def caller(self, *words: str) -> dict[str, str]:
        """The keys of a user who has the caller's half."""
        places = ("--bucket", self.world.bucket, "--logs", f"s3://{self.world.bucket}/logs", "--region", REGION)
        return self.world.user(self.printed(f"nodes-{self.verb}", *places, *words))

    def open_table(self, *words: str) -> None:
        """Attach the table's half as somebody of its account does."""
        policy = self.printed("table-resource", "--for-account", OURS, "--for", self.verb, *words)
        self.world.theirs("dynamodb").put_resource_policy(ResourceArn=self.arn(), Policy=json.dumps(policy, indent=2))

    def close_table(self) -> None:
        self.world.theirs("dynamodb").delete_resource_policy(ResourceArn=self.arn())


@pytest.fixture
def source(world: World) -> Iterator[Halves]:
    halves = Halves(world, world.source, "export")
    yield halves
    halves.close_table()


@pytest.fixture
def target(world: World) -> Iterator[Halves]:
    halves = Halves(world, world.target, "import")
    yield halves
    halves.close_table()


def test_a_table_is_exported_and_imported_by_its_arn(world: World, source: Halves, target: Halves) -> None:
    place, objects = f"s3://{world.bucket}/exports/by-arn", world.emr.client("s3")

    def document(name: str) -> Any:
        return json.loads(objects.get_object(Bucket=world.bucket, Key=f"exports/by-arn/{name}")["Body"].read())

    source.open_table()
    words = ("export", "--table", source.arn(), "--output", place, "--exact-output", *LOCAL, *FULL_RATE)
    out = Pipeline(world.emr, keys=source.caller()).run(*words)
    assert out.code == ExitCode.DONE, out.text
    assert (out.result["tables"][0]["table"], out.result["tables"][0]["items"]) == (world.source.name, len(ITEMS))
    record = document("_export.json")
    assert (record["table_name"], record["table_arn"]) == (world.source.name, source.arn())
    only_there = {
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "DescribeScalableTargets",
        "DescribeScalingPolicies",
    }
    assert set(document("_table.json")["not_read"]) == only_there
    assert "DescribeTimeToLive (answered in the table's own account only)" in out.text
    verified = Pipeline(world.emr, keys=source.caller()).run(
        "verify", place, "--table", source.arn(), *LOCAL, *FULL_RATE
    )
    assert (verified.code, verified.result["table_items"]) == (ExitCode.DONE, len(ITEMS)), verified.text
    world.target.put([{**item, "id": {"S": f"extra-{number}"}} for number, item in enumerate(numbered(3))])
    target.open_table("--mirror")
    mirror = ("--mirror", "--max-deletions", "100%", "--from-table", world.source.name, "--yes")
    logs = f"s3://{world.bucket}/logs"
    words = ("import", "--table", target.arn(), "--input", place, "--logs", logs, *mirror, *LOCAL, *FULL_RATE)
    out = Pipeline(world.emr, keys=target.caller("--mirror")).run(*words)
    assert out.code == ExitCode.DONE, out.text
    assert (out.result["items_deleted"], world.target.differences(ITEMS)) == (3, NONE)


def test_either_half_alone_is_refused_and_the_other_one_named(world: World, source: Halves) -> None:
    words = ("export", "--table", source.arn(), "--output", f"s3://{world.bucket}/exports/no", *LOCAL, *FULL_RATE)
    out = Pipeline(world.emr, keys=source.caller()).run(*words)
    assert out.code == ExitCode.DENIED, out.text
    command = f"dynamodb-pipeline policy table-resource --for-account {OURS} --table {source.arn()}"
    assert "takes two policies, its own and the caller's: `preflight`" in out.result["error"]
    assert f"the table's own prints `{command}`" in out.result["error"]
    stranger = world.user(world.policy("nodes-export"), "stranger")
    source.open_table("--for-principal", f"arn:aws:iam::{OURS}:user/stranger")
    out = Pipeline(world.emr, keys=stranger).run(*words)
    assert out.code == ExitCode.DENIED, out.text
    assert "grant the role this action on this resource; `dynamodb-pipeline policy --help`" in out.result["error"]
    assert "two policies" not in out.result["error"]
    out = Pipeline(world.emr, keys=source.caller()).run(*words)
    assert out.code == ExitCode.DENIED, out.text  # the table is open to the stranger alone


@pytest.mark.slow
@pytest.mark.parametrize("control", ["relay", "connector"])
def test_the_connector_takes_a_tables_arn(world: World, source: Halves, control: str) -> None:
    """On Spark, with AWS's own jar, which makes its requests with the name it is given."""
    source.open_table()
    place = ("--output", f"s3://{world.bucket}/exports/spark-{control}", "--exact-output", "--local", *FULL_RATE)
    words = ["export", "--table", source.arn(), *place, "--rate-control", control]
    out = run_cli(words, env=world.emr.process_env(**source.caller()), timeout_s=300)
    assert out.code == ExitCode.DONE, out.text
    assert (out.result["tables"][0]["reader"], out.result["tables"][0]["items"]) == ("connector", len(ITEMS))


@pytest.mark.slow
def test_a_cluster_reads_a_table_by_its_arn_with_the_roles_that_are_printed_for_it(
    world: World, source: Halves
) -> None:
    """The job runs with the nodes' role, which has the template's policies and nothing else."""
    places = ("--logs", f"s3://{world.bucket}/logs", "--region", REGION)
    template = source.printed("roles-template", "--bucket", world.bucket, *places)
    deploy_roles(world.emr, template, region=REGION)
    source.open_table()
    keys = world.user(source.printed("launcher", "--bucket", world.bucket, *places))
    output = ("--output", f"s3://{world.bucket}/exports", *FULL_RATE)
    out = Pipeline(world.emr, keys=keys).run("export", "--table", source.arn(), *output, *places)
    assert out.code == ExitCode.DONE, out.text
    (table,) = out.result["tables"]
    assert table["export_uri"].startswith(f"s3://{world.bucket}/exports/2")
    found = Pipeline(world.emr).run("list", table["export_uri"], "--region", REGION).result["backups"][0]
    assert (found["table"], found["account"], found["items"]) == (world.source.name, THEIRS, len(ITEMS))
    source.close_table()
    out = Pipeline(world.emr, keys=keys).run("export", "--table", source.arn(), *output, *places)
    assert out.code == ExitCode.DENIED, out.text


# by the bucket's own policy


def test_a_bucket_of_another_account_is_read_where_both_policies_allow_it(world: World) -> None:
    """The importer's account has table and role, ours the exports."""
    place = f"s3://{world.bucket}/exports/for-them"
    out = Pipeline(world.emr).export(world.source, place)
    assert out.code == ExitCode.DONE, out.text
    theirs = ("--account", THEIRS)
    iam, name = world.theirs("iam"), f"importer-{uuid.uuid4().hex[:8]}"
    trust = world.policy("table-import", *theirs, "--trust", "--for-account", OURS)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    printed = json.dumps(world.policy("nodes-import", *theirs))
    iam.put_role_policy(RoleName=name, PolicyName="printed", PolicyDocument=printed)
    taken = world.emr.client("sts").assume_role(RoleArn=arn, RoleSessionName="importer")["Credentials"]
    keys = {
        "AWS_ACCESS_KEY_ID": taken["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": taken["SecretAccessKey"],
        "AWS_SESSION_TOKEN": taken["SessionToken"],
    }
    world.target.put(numbered(1))
    importer = Pipeline(world.emr, keys=keys)
    out = importer.import_into(world.target, place, "--yes", "--bucket-owner", OURS)
    assert out.code == ExitCode.DENIED, out.text
    opened = world.policy("bucket", "--for-account", THEIRS)
    world.emr.client("s3").put_bucket_policy(Bucket=world.bucket, Policy=json.dumps(opened))
    out = importer.import_into(world.target, place, "--yes", "--bucket-owner", OURS)
    assert out.code == ExitCode.DONE, out.text
    assert world.target.differences(ITEMS) == NONE


# preflight, of a run on a cluster


def preflight(world: World, keys: dict[str, str], *words: str) -> tuple[dict[str, Any], Outcome]:
    """The checks by name of an export's preflight."""
    places = ("--output", f"s3://{world.bucket}/exports", "--logs", f"s3://{world.bucket}/logs", *FULL_RATE)
    out = Pipeline(world.emr, keys=keys).run("preflight", "export", *words, *places)
    return {check["name"]: check for check in out.result["checks"]}, out


def pasted(world: World, remedy: str, start: str) -> dict[str, Any]:
    """What the command of a remedy prints; `start` is where it begins."""
    command = re.split(" prints|; ", remedy[remedy.index(f"dynamodb-pipeline {start}") :])[0]
    out = Pipeline(world.emr).run(*shlex.split(command)[1:])
    assert out.code == ExitCode.DONE, out.text
    return out.result


def test_preflight_names_the_half_that_is_missing_and_the_command_that_prints_it(world: World, source: Halves) -> None:
    """First neither half is there; each remedy's command is pasted by whom it is for."""
    table, name = ("--table", source.arn()), f"table {source.arn()}"
    stranger = world.user(world.policy("launcher"))
    checks, out = preflight(world, stranger, *table)
    assert out.code == ExitCode.DENIED, out.text
    assert checks[name]["verdict"] == "failed"
    assert "dynamodb:DescribeTable" in checks[name]["detail"]
    assert checks[name]["detail"].endswith("the caller's own policy does not allow it")
    launcher = world.user(pasted(world, checks[name]["remedy"], "policy launcher"))
    checks, out = preflight(world, launcher, *table)
    assert checks[name]["detail"].endswith("which the caller's own policy allows: the table's own policy lacks it")
    assert f"in account {THEIRS}: " in checks[name]["remedy"]
    policy = pasted(world, checks[name]["remedy"], "policy table-resource")
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{OURS}:root"}
    world.theirs("dynamodb").put_resource_policy(ResourceArn=source.arn(), Policy=json.dumps(policy))
    checks, out = preflight(world, launcher, *table)
    assert checks[name]["verdict"] == "ok", checks[name]


def test_preflight_tells_the_callers_half_of_a_role_from_the_trust_document(world: World) -> None:
    role, table = ("--table-role-arn", world.roles["table-export"]), ("--table", world.source.name)
    name, agreed = f"table {world.source.name}", ("--table-external-id", EXTERNAL_ID)
    checks, out = preflight(world, world.user(world.policy("launcher")), *table, *role, *agreed)
    assert out.code == ExitCode.DENIED, out.text
    assert checks["table-role"]["detail"].endswith("the caller's own policy does not allow it")
    assert checks[name]["verdict"] == "skipped"
    launcher = world.user(pasted(world, checks["table-role"]["remedy"], "policy launcher"))
    checks, out = preflight(world, launcher, *table, *role)
    wants = f"its trust document names not {OURS}, or it wants an external id, and none was given"
    assert wants in checks["table-role"]["detail"]
    trust = pasted(world, checks["table-role"]["remedy"], "policy table-export --trust")
    assert trust["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{OURS}:root"}
    checks, out = preflight(world, launcher, *table, *role, *agreed)
    assert (checks["table-role"]["verdict"], checks[name]["verdict"]) == ("ok", "ok"), out.text


def test_a_remedy_of_a_run_with_a_role_keeps_the_right_to_take_it(world: World) -> None:
    """Whichever right is missing, the policy that is printed for the launcher is for runs with that role."""
    role, table = ("--table-role-arn", world.roles["table-export"]), ("--table", world.source.name)
    words = (*table, *role, "--table-external-id", EXTERNAL_ID)
    whole = world.policy("launcher", *role)
    without = [one for one in whole["Statement"] if "elasticmapreduce:RunJobFlow" not in one["Action"]]
    checks, out = preflight(world, world.user({**whole, "Statement": without}), *words)
    assert out.code == ExitCode.DENIED, out.text
    launcher = world.user(pasted(world, checks["permissions"]["remedy"], "policy launcher"))
    assert preflight(world, launcher, *words)[0]["table-role"]["verdict"] == "ok"


@pytest.mark.slow  # in short: test_permissions.py
def test_nodes_without_their_half_are_a_failure_and_no_warning(world: World, source: Halves) -> None:
    """Of the account's own tables the table's policy may be enough; across accounts it never is."""
    iam = world.emr.client("iam")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    nodes = f"nodes-{uuid.uuid4().hex[:8]}"
    iam.create_role(RoleName=nodes, AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName=nodes)
    iam.add_role_to_instance_profile(InstanceProfileName=nodes, RoleName=nodes)
    source.open_table()
    words = ("--table", source.arn(), "--node-role", nodes)
    iam.put_role_policy(RoleName=nodes, PolicyName="own", PolicyDocument=json.dumps(world.policy("nodes-export")))
    checks, out = preflight(world, {}, *words)
    found = checks["node-permissions"]
    assert (found["verdict"], out.code) == ("failed", ExitCode.DENIED)
    assert f"dynamodb:DescribeTable, dynamodb:Scan, dynamodb:ListTagsOfResource on {source.arn()}" in found["detail"]
    printed = json.dumps(pasted(world, found["remedy"], "policy nodes-export"))
    iam.put_role_policy(RoleName=nodes, PolicyName="own", PolicyDocument=printed)
    assert preflight(world, {}, *words)[0]["node-permissions"]["verdict"] == "ok"
