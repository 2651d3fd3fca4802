"""
A table of another account: each side has the policies that are printed for it and nothing else.

Buckets, logs and whoever runs are of the sandbox's own account, which may do nothing to any table; the role of the
other account may do nothing to any bucket.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.demo_data import Item
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.in_process import FULL_RATE, LOCAL, Pipeline
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

    def policy(self, kind: str, *words: str) -> dict[str, Any]:
        tables = ("--table", self.source.name, "--table", self.target.name, "--bucket", self.bucket)
        places = ("--logs", f"s3://{self.bucket}/logs", "--region", REGION)
        out = Pipeline(self.emr).run("policy", kind, *tables, *places, *words)
        assert out.code == ExitCode.DONE, out.text
        return out.result

    def user(self, policy: dict[str, Any]) -> dict[str, str]:
        """The keys of a user of our account with this policy alone."""
        iam, name = self.emr.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="printed", PolicyDocument=json.dumps(policy))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}

    def make_role(self, kind: str) -> None:
        """A role of the other account with its printed policy and trust document, made by somebody there."""
        sts = self.emr.client("sts").assume_role(RoleArn=f"arn:aws:iam::{THEIRS}:role/admin", RoleSessionName="admin")
        keys = sts["Credentials"]
        iam: Any = boto3.client(
            "iam", region_name=REGION, endpoint_url=self.emr.s3_url, aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"],
        )  # fmt: skip
        theirs = ("--account", THEIRS)
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
def world() -> Iterator[World]:
    with EmrSandbox(yarn=False) as emr:
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
