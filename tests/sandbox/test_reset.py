"""
docs/reset.md, followed word by word: the nodes have the roles that the page prints, the launcher its printed policy,
and nobody has more. The slow form pastes it with the AWS CLI; the short one runs our commands and deploys by boto3.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.demo_data import Item
from sandbox.deploy_roles import deploy_roles, tag_default_network
from sandbox.emr.stack import EmrSandbox
from tests.sandbox.emr_cluster import OVER
from tests.sandbox.in_process import LOCAL, Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.recipes import AWS, BUCKET, DOCS, TABLE, Reader, blocks_of, lines_of
from tests.sandbox.tables import NONE, Table, make_table

pytestmark = pytest.mark.sandbox

REGION, MOMENT = "eu-west-1", "2026-11-23T02:00:00Z"
BASELINE: list[Item] = [{"Name": {"S": f"Forum {n}"}, "Threads": {"N": str(n)}} for n in range(60)]
EXTRAS: list[Item] = [{"Name": {"S": f"new {n}"}} for n in range(2)]
CHANGED: list[Item] = [{"Name": {"S": f"Forum {n}"}, "Threads": {"N": "1000"}} for n in (3, 5, 8)]
PLAIN = ("--table", TABLE, "--bucket", BUCKET, "--logs", f"s3://{BUCKET}/logs", "--region", REGION)
RESET = ("--table", TABLE, "--input", f"s3://{BUCKET}/baseline/{TABLE}", "--latest", "--only-changes", "--mirror")
RUN = (*RESET, "--max-deletions", "100%", "--logs", f"s3://{BUCKET}/logs", "--region", REGION)


@dataclass
class World:
    """A sandbox with the page's table and bucket; `recorded` is what the fired reset asked for."""

    emr: EmrSandbox
    reader: Reader
    table: Table
    results: dict[str, Any] = field(default_factory=dict)
    recorded: list[dict[str, Any]] = field(default_factory=list)

    def paste(self, command: str) -> None:
        """Our own commands by the launcher, the AWS CLI's by an administrator."""
        keys, own = self.reader.keys, command.startswith("dynamodb-pipeline ")
        self.reader.keys = keys if own else {}
        self.reader.paste(command)
        self.reader.keys = keys
        if own and ">" not in command:
            (self.results[shlex.split(command)[1]],) = self.reader.documents(command)

    def do(self, command: str) -> None:
        """The same in this process, without a cluster for the baseline, and without the dry run."""
        words, _, file = (shlex.split(part) for part in (*command.partition(" > "),))
        if words[0] == "aws":
            options = dict(zip(words[3::2], words[4::2]))
            return self.deploy(options["--stack-name"], options["--template-file"])
        if "--dry-run" in words:
            return None
        local = LOCAL if words[1] == "export" else ()
        out = Pipeline(self.emr, keys={} if local else self.reader.keys).run(*words[1:], *local)
        assert out.code == 0, out.text
        self.results[words[1]] = out.result
        for name in file:
            (self.reader.folder / name).write_text(json.dumps(out.result))
        return None

    def deploy(self, name: str, file: str) -> None:
        """What `aws cloudformation deploy` does."""
        client = self.emr.client("cloudformation", region=REGION)
        body = (self.reader.folder / file).read_text()
        named = ["CAPABILITY_NAMED_IAM"]
        made = client.create_change_set(StackName=name, ChangeSetName="c", TemplateBody=body, Capabilities=named)
        client.execute_change_set(ChangeSetName=made["Id"])


def launcher(emr: EmrSandbox) -> dict[str, str]:
    """A user with the launcher's policy of the page's roles and nothing else."""
    iam = emr.client("iam")
    (policy,) = [one for one in iam.list_policies(Scope="Local")["Policies"] if "launcher" in one["PolicyName"]]
    iam.create_user(UserName="launcher")
    iam.attach_user_policy(UserName="launcher", PolicyArn=policy["Arn"])
    made = iam.create_access_key(UserName="launcher")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


@pytest.fixture(
    scope="module",
    params=[
        "short",
        pytest.param(
            "pasted",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not installed here: make setup"),
            ],
        ),
    ],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The page has been followed to its end; then somebody has used the table, and the schedule has fired."""
    node = quick_node(tmp_path_factory.mktemp("commands"))
    with EmrSandbox(yarn=False, settings={"node": node}) as emr:
        emr.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        table = make_table(emr, (("Name", "S"),), name=TABLE, region=REGION)
        table.put(BASELINE)
        tag_default_network(emr, region=REGION)
        made = World(emr, Reader(emr, tmp_path_factory.mktemp("reader")), table)
        follow = made.do if request.param == "short" else made.paste
        for command in lines_of("".join(blocks_of((DOCS / "reset.md").read_text(encoding="utf-8")))):
            follow(command)
            if not made.reader.keys and "roles.json" in command and command.startswith("aws "):
                made.reader.keys = launcher(emr)
            if command.startswith("dynamodb-pipeline export"):
                used(table)
        emr.control.forget_actions()
        fired = emr.control.fire("nightly-reset", group="nightly-reset", scheduled_time=MOMENT, region=REGION)
        emr.control.wait_for(fired["JobFlowId"], *OVER, timeout_s=120)
        made.recorded = emr.control.actions()
        yield made


def used(table: Table) -> None:
    """What a day of tests does to the table: changes, new items, one deleted."""
    table.put([*CHANGED, *EXTRAS])
    table.client.delete_item(TableName=TABLE, Key={"Name": {"S": "Forum 13"}})


def test_preflight_has_nothing_to_say_of_the_printed_roles(world: World) -> None:
    verdicts = {check["name"]: check["verdict"] for check in world.results["preflight"]["checks"]}
    assert {name for name, verdict in verdicts.items() if verdict != "ok"} <= {f"public access {BUCKET}"}
    assert {"permissions", "node-permissions"} <= set(verdicts)


def test_the_dry_run_says_what_the_night_will_do(world: World) -> None:
    if "import" in world.results:  # the short form has no second cluster
        (tried,) = [one["record"] for one in world.results["import"]["tables"]]
        assert (tried["dry_run"], tried["items_written"], tried["deletions_planned"]) == (True, 0, len(EXTRAS))
        assert tried["items_unchanged"] == len(BASELINE) - len(CHANGED) - 1


def test_the_schedule_makes_the_baseline_again_and_writes_only_what_changed(world: World) -> None:
    assert world.table.differences(BASELINE) == NONE
    asked = [entry for entry in world.recorded if entry["principal"] == "node"]
    assert not [entry for entry in asked if entry["status"] == 403]
    assert {"dynamodb:Scan", "dynamodb:BatchWriteItem"} <= {entry["action"] for entry in asked}


def test_roles_of_an_export_are_refused_what_a_reset_needs_before_anything_starts(world: World) -> None:
    """The page's roles without its options and with another prefix: preflight names table, folder and both rights."""
    emr, pipeline = world.emr, Pipeline(world.emr)
    names = ("--service-role", "other-service", "--export-role", "other-export", "--import-role", "other-import")
    template = pipeline.run("policy", "roles-template", *PLAIN, "--prefix", "exports", *names).result
    deploy_roles(emr, template, region=REGION)
    roles = ("--service-role", "other-service", "--node-role", "other-import")
    checks = pipeline.run("preflight", "import", *RUN, "--yes", *roles).result["checks"]
    (found,) = [check for check in checks if check["name"] == "node-permissions"]
    assert found["verdict"] == "warning"
    assert f"dynamodb:Scan on arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE}" in found["detail"]
    assert f"s3:GetObject on arn:aws:s3:::{BUCKET}/baseline/{TABLE}/example" in found["detail"]
    assert "--mirror" in found["remedy"]
    assert f"--prefix baseline/{TABLE}" in found["remedy"]


def test_a_schedule_whose_code_is_not_stored_says_that_it_would_fail(world: World) -> None:
    words = ("schedule", "import", *RUN, "--yes", "--cron", "0 2 * * ? *", "--no-upload")
    done = Pipeline(world.emr).run(*words, "--code", f"s3://{BUCKET}/logs/code-of-another")
    assert done.code == 0, done.text
    (zip_uri,) = set(re.findall(rf"s3://{BUCKET}/[^\"\\]+\.zip", json.dumps(done.result)))
    assert f"WARNING: the schedule's code {zip_uri.rpartition('/')[0]} is not stored" in done.text
    listed = world.emr.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="logs/code-of-another")
    assert "Contents" not in listed
