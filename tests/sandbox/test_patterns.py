"""Tables by pattern and tag, found when a run begins; a schedule's on its nodes, under the policies printed for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.backups import put_objects
from tests.sandbox.emr_cluster import OVER
from tests.sandbox.in_process import FULL_RATE, LOCAL, Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.tables import make_table, numbered

pytestmark = pytest.mark.sandbox

REGION, MOMENT, STAMP = "us-east-1", "2026-11-23T03:00:00Z", "2026-11-23-03-00-00"
TABLES = ("prod-a", "prod-b", "prod-tmp", "test-a")


@dataclass(frozen=True)
class World:
    """A sandbox with some tables, of which two have a tag, and a bucket."""

    emr: EmrSandbox
    bucket: str

    def export(self, folder: str, *words: str) -> object:
        place = ("--output", f"s3://{self.bucket}/{folder}", "--scheduled-time", MOMENT, "--region", REGION)
        return Pipeline(self.emr).run("export", *words, *place, *LOCAL, *FULL_RATE)

    def exported(self, folder: str) -> set[str]:
        found = self.emr.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"{folder}/").get("Contents", [])
        keys = (entry["Key"].split("/") for entry in found)
        return {"/".join(key[1:-1]) for key in keys if key[-1] == "manifest"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as emr:
        for name in TABLES:
            table = make_table(emr, name=name)
            table.put(numbered(3))
            if name in ("prod-a", "test-a"):
                arn = table.client.describe_table(TableName=name)["Table"]["TableArn"]
                table.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "env", "Value": "live"}])
        yield World(emr, make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}"))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--table", "prod-*", "--exclude", "*-tmp"), {"prod-a", "prod-b"}),
        (("--table", "*", "--table-tag", "env=live"), {"prod-a", "test-a"}),
        (("--table", "prod-?"), {"prod-a", "prod-b"}),
        (("--table", "test-*"), {"test-a"}),  # in a folder of its own all the same: there may be two tomorrow
    ],
)
def test_tables_are_found_by_pattern_and_tag(world: World, words: tuple[str, ...], found: set[str]) -> None:
    folder = uuid.uuid4().hex
    out = world.export(folder, *words)
    assert out.code == ExitCode.DONE, out.text
    assert {one["table"] for one in out.result["tables"]} == found
    assert world.exported(folder) == {f"{name}/{STAMP}" for name in found}


def test_nothing_found_is_said_and_nothing_is_written(world: World) -> None:
    out = world.export("none", "--table", "live-*", "--table", "prod-a*", "--exclude", "prod-a")
    assert out.code == ExitCode.PRECONDITION
    assert f"none of the {len(TABLES)} tables in {REGION} matches live-* or prod-a*, but prod-a" in out.result["error"]
    assert world.exported("none") == set()


def test_one_that_fails_leaves_the_others(world: World) -> None:
    """The folder of one belongs to another run."""
    claim = {"run_id": "another", "table_name": "prod-b", "table_id": "?", "claimed_at": MOMENT}
    put_objects(world.emr, f"s3://{world.bucket}/claimed/prod-b/{STAMP}", {"_claim.json": json.dumps(claim).encode()})
    out = world.export("claimed", "--table", "prod-*")
    assert out.code == ExitCode.STOPPED, out.text
    assert {one["table"]: "error" in one for one in out.result["tables"]} == {
        "prod-a": False, "prod-b": True, "prod-tmp": False,
    }  # fmt: skip
    assert "1 of 3 tables failed (prod-b)" in out.result["error"]
    assert world.exported("claimed") == {f"prod-a/{STAMP}", f"prod-tmp/{STAMP}"}


def test_one_plan_says_what_all_of_them_take(world: World) -> None:
    places = ("--output", f"s3://{world.bucket}/planned", "--logs", f"s3://{world.bucket}/logs", "--region", REGION)
    out = Pipeline(world.emr).run("plan", "export", "--table", "prod-*", "--exclude", "prod-tmp", *places)
    assert out.code == ExitCode.DONE, out.text
    assert [one["table"] for one in out.result["tables"]] == ["prod-a", "prod-b"]
    assert out.result["cost"]["total_usd"] > 0
    assert out.result["wall_s"] > 0
    steps = out.result["run_job_flow"]["Steps"]
    folders = [args[args.index("--output") + 1] for args in (step["HadoopJarStep"]["Args"] for step in steps)]
    assert sorted(folders) == [f"s3://{world.bucket}/planned/{name}" for name in ("prod-a", "prod-b")]


def test_an_import_by_pattern_is_refused_with_the_reason(world: World) -> None:
    out = Pipeline(world.emr).run("import", "--table", "prod-*", "--input", f"s3://{world.bucket}/x", *LOCAL)
    assert out.code == ExitCode.USAGE
    assert "only an export takes" in out.text


def test_a_schedule_finds_the_tables_of_each_night(world: World) -> None:
    """One that is made after the schedule is exported too, by nodes whose role is printed for the prefix."""
    emr, bucket, run = world.emr, world.bucket, Pipeline(world.emr).run
    prefix = ("--table-prefix", "prod-", "--bucket", bucket, "--prefix", "nightly", "--logs", f"s3://{bucket}/logs")
    printed = run("policy", "roles-template", *prefix, "--region", REGION)
    assert "every table whose name begins with prod- is allowed" in printed.text
    deploy_roles(emr, printed.result, region=REGION)
    words = ("--table", "prod-*", "--exclude", "prod-tmp", "--output", f"s3://{bucket}/nightly", *FULL_RATE)
    places = ("--logs", f"s3://{bucket}/logs", "--region", REGION, "--schedule-name", "nightly")
    template = run("schedule", "export", *words, *places, "--cron", "0 3 * * ? *")
    assert template.code == ExitCode.DONE, template.text
    assert "policy nodes-export --table-prefix prod- " in template.text
    client = emr.client("cloudformation", region=REGION)
    made = client.create_change_set(
        StackName="nightly",
        ChangeSetName="c",
        TemplateBody=json.dumps(template.result),
        Capabilities=["CAPABILITY_IAM"],
    )
    client.execute_change_set(ChangeSetName=made["Id"])
    make_table(emr, name="prod-new").put(numbered(2))
    emr.control.forget_actions()
    cluster = emr.control.fire("nightly", group="nightly", scheduled_time=MOMENT, region=REGION)["JobFlowId"]
    emr.control.wait_for(cluster, *OVER, timeout_s=120)
    assert world.exported("nightly") == {f"{name}/{STAMP}" for name in ("prod-a", "prod-b", "prod-new")}
    looked = [entry for entry in emr.control.actions() if entry["action"] == "dynamodb:ListTables"]
    assert {entry["principal"] for entry in looked} == {"node"}
