"""
Full runs through launcher, schedules and a standing cluster, each step once as a process and once on Spark.

What they leave is looked at from three sides: a fired schedule produces one finished export however often it is
delivered; every action that any principal used is granted by the printed policies and every granted one was used; and
neither a secret nor an item's value is anywhere but in data files.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.emr_cluster import OVER, request
from tests.sandbox.granted import never_used, not_granted
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.tables import NONE, Table, make_table, numbered

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(1500)]

REGION = "us-east-1"
ITEMS = 40
RUN_S = 600.0
SCHEDULED = "2026-11-23T03:00:00Z"
LOG_GROUP = ("--cloudwatch-logs", "/dynamodb-pipeline/tests")
SCHEDULED_FOLDER = "2026-11-23-03-00-00"
DATA_FILE = re.compile(r"_\d{6}(\.gz)?$")

# Granted and never used here, each with the reason. "Sid action", as granted.never_used words it.
EXCEPTIONS = {
    "launcher": {},
    "nodes-export": {},
    "nodes-import": {},
    "schedule": {
        "FirstLaunch iam:CreateServiceLinkedRole": "the launcher's first launch has made the role",
        "DeadLetters sqs:SendMessage": "the sandbox's schedules reach EMR or raise; nothing becomes a dead letter",
    },
}


@dataclass
class World:
    """A sandbox, a table with a marked item, a launcher who is an IAM user, and everything that was recorded."""

    emr: EmrSandbox
    bucket: str
    table: Table
    target: Table
    slow: Table
    secret: str
    item: str
    on_spark: bool
    user: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> tuple[str, ...]:
        return ("--region", REGION, "--logs", f"s3://{self.bucket}/logs")

    def launch(self, verb: str, *words: str, code: int = 0) -> Outcome:
        """A launcher's command by the IAM user; what it and its nodes asked for is kept."""
        self.emr.control.forget_actions()
        out = run_cli([verb, *words, *self.places], env=self.emr.process_env(**self.user), timeout_s=RUN_S)
        assert out.code == code, out.text
        self.keep(out.text, json.dumps(out.result))
        return out

    def run_verb(self, verb: str, *words: str) -> Outcome:
        self.emr.control.forget_actions()
        out = run_cli([verb, *words, "--region", REGION], env=self.emr.process_env(**self.user))
        assert out.code == 0, out.text
        self.keep(out.text, json.dumps(out.result))
        return out

    def keep(self, *texts: str) -> None:
        self.texts += texts
        self.entries += self.emr.control.actions()

    def policy(self, kind: str) -> dict[str, Any]:
        tables = [word for one in (self.table, self.target, self.slow) for word in ("--table", one.name)]
        words = ["policy", kind, *tables, "--bucket", self.bucket, "--prefix", "exports", *self.places, *LOG_GROUP]
        return run_cli(words, env=self.emr.process_env()).result

    def recorded(self, principal: str, *, role: str = "") -> list[dict[str, Any]]:
        return [e for e in self.entries if e["principal"] == principal and e["role"].endswith(role)]

    def steps_of(self, cluster: str) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.emr.client("emr", region=REGION).list_steps(ClusterId=cluster)["Steps"]
        return steps

    def deploy_schedule(self, template: dict[str, Any]) -> dict[str, Any]:
        """Deploy a rendered template; returns its target's request."""
        client, schedule = self.emr.client("cloudformation", region=REGION), template["Resources"]["Schedule"]
        made = client.create_change_set(
            StackName=schedule["Properties"]["Name"],
            ChangeSetName="first",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM"],
        )
        client.execute_change_set(ChangeSetName=made["Id"])
        sent: dict[str, Any] = json.loads(schedule["Properties"]["Target"]["Input"])
        return sent

    def fire(self, name: str) -> str:
        """Deliver once and wait until the cluster is gone; returns the cluster."""
        self.emr.control.forget_actions()
        cluster: str = self.emr.control.fire(name, group=name, scheduled_time=SCHEDULED, region=REGION)["JobFlowId"]
        self.emr.control.wait_for(cluster, *OVER, timeout_s=RUN_S)
        self.keep()
        return cluster


def put_user(world: World, policy: dict[str, Any]) -> None:
    """Make the launcher a user with the printed policy alone and a secret that can be searched for."""
    iam = world.emr.client("iam")
    iam.create_user(UserName="launcher")
    managed = iam.create_policy(PolicyName="launcher", PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="launcher", PolicyArn=managed)
    key = iam.create_access_key(UserName="launcher")["AccessKey"]["AccessKeyId"]
    world.user = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": world.secret}


def make_world(emr: EmrSandbox, *, on_spark: bool) -> World:
    bucket = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}")
    marks = [f"canary-{name}-{uuid.uuid4().hex}" for name in ("secret", "item")]
    tables = make_table(emr), make_table(emr), make_table(emr, read_units=1)
    world = World(emr, bucket, *tables, *marks, on_spark=on_spark)
    world.table.put([*numbered(ITEMS), {"id": {"S": "marked"}, "text": {"S": world.item}}])
    world.slow.put(numbered(60, size=4000))
    deploy_roles(emr, world.policy("roles-template"), region=REGION)
    put_user(world, world.policy("launcher"))
    return world


@pytest.fixture(scope="module", params=["process", "spark"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything has been run once; the tests look at what is left."""
    on_spark = request.param == "spark"
    settings = {} if on_spark else {"node": quick_node(tmp_path_factory.mktemp("commands"))}
    with EmrSandbox(yarn=on_spark, settings=settings) as emr:
        made = make_world(emr, on_spark=on_spark)
        run_by_launcher(made)
        run_by_schedules(made)
        run_on_a_standing_cluster(made)
        yield made


def run_by_launcher(world: World) -> None:
    """Preflight in a subnet, export, verify, import, and the verbs that look at a run."""
    seen, output = world.seen, ("--output", f"s3://{world.bucket}/exports")
    subnet = private_subnet(world.emr)
    source, rate = ("--table", world.table.name), ("--throughput-percent", "100")
    world.launch("preflight", "export", *source, *output, "--subnet", subnet, code=3)  # it has no gateway endpoints
    seen["export"] = world.launch("export", *source, *output, *rate, *LOG_GROUP)
    exported = seen["export"].result["tables"][0]["export_uri"]
    seen["verify"] = world.launch("verify", exported, *source, *rate)
    target = ("--table", world.target.name, "--input", exported, "--yes")
    seen["import"] = world.launch("import", *target, *rate, *LOG_GROUP)
    run = seen["export"].result["run_id"]
    for verb in ("status", "logs", "wait"):
        seen[verb] = world.run_verb(verb, run, "--output-format", "json")
    seen["terminate"] = stopped(world, "terminate", *source, *output)


def private_subnet(emr: EmrSandbox) -> str:
    """A subnet of a VPC without a way to anywhere."""
    ec2 = emr.client("ec2", region=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone=f"{REGION}a")
    return str(made["Subnet"]["SubnetId"])


def stopped(world: World, verb: str, *words: str) -> Outcome:
    """Start a run without waiting, and stop it."""
    run = world.launch("export", *words, "--no-wait")
    return world.run_verb(verb, run.result["run_id"])


def run_by_schedules(world: World) -> None:
    """An export and an import that start by themselves, each delivered twice."""
    nightly = ("--table", world.table.name, "--output", f"s3://{world.bucket}/exports/nightly")
    rendered = world.launch("schedule", "export", *nightly, "--cron", "0 3 * * ? *", "--schedule-name", "nightly")
    world.seen["request"] = world.deploy_schedule(rendered.result)
    world.run_verb("schedule", "export", "--refresh", "--schedule-name", "nightly")
    world.seen["nightly"] = [world.fire("nightly"), world.fire("nightly")]
    reset = ("--table", world.target.name, "--input", f"s3://{world.bucket}/exports/nightly", "--latest", "--yes")
    reset += ("--from-table", world.table.name)
    rendered = world.launch("schedule", "import", *reset, "--cron", "0 5 * * ? *", "--schedule-name", "reset")
    world.deploy_schedule(rendered.result)
    world.target.put([{"id": {"S": "item-000000"}, "changed": {"BOOL": True}}])
    world.seen["reset"] = [world.fire("reset")]
    world.target.put([{"id": {"S": "item-000001"}, "written-since": {"BOOL": True}}])
    world.seen["reset"].append(world.fire("reset"))


def run_on_a_standing_cluster(world: World) -> None:
    """A step on a cluster of somebody else, and one that is cancelled there."""
    client = world.emr.client("emr", region=REGION)
    roles = {"ServiceRole": "dynamodb-pipeline-service", "JobFlowRole": "dynamodb-pipeline-export"}
    logs = {"LogUri": f"s3://{world.bucket}/logs/emr/"}
    names = ("dynamodbdatapipeline", "for-use-with-amazon-emr-managed-policies")  # the second is EMR's managed policy's
    tags = {"Tags": [{"Key": name, "Value": "true"} for name in names]}
    standing = client.run_job_flow(**request(keep_alive=True, **roles, **logs, **tags))["JobFlowId"]
    world.emr.control.wait_for(standing, "WAITING", timeout_s=RUN_S)
    words = ("--table", world.table.name, "--output", f"s3://{world.bucket}/exports/standing")
    world.seen["standing"] = world.launch("export", *words, "--cluster-id", standing)
    world.seen["standing state"] = client.describe_cluster(ClusterId=standing)["Cluster"]["Status"]["State"]
    words = ("--table", world.slow.name, "--output", f"s3://{world.bucket}/exports/slow", "--cluster-id", standing)
    run = run_cli(["export", *words, *world.places, "--no-wait"], env=world.emr.process_env())
    step = next(s["Id"] for s in world.steps_of(standing) if s["Status"]["State"] != "COMPLETED")
    world.emr.control.wait_for(standing, "RUNNING", step=step, timeout_s=RUN_S)
    record = {"Bucket": world.bucket, "Key": f"logs/runs/{run.result['run_id']}/run.json"}
    world.emr.client("s3").get_waiter("object_exists").wait(**record, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    world.launch("rate", run.result["run_id"], "50%")
    world.seen["cancel"] = world.run_verb("cancel", run.result["run_id"], "--cluster-id", standing)
    client.terminate_job_flows(JobFlowIds=[standing])
    world.emr.control.wait_for(standing, *OVER, timeout_s=RUN_S)


def finished_exports(world: World, prefix: str) -> list[str]:
    """Folders below a prefix that hold a manifest."""
    s3 = world.emr.client("s3")
    keys = [e["Key"] for e in s3.list_objects_v2(Bucket=world.bucket, Prefix=prefix).get("Contents", [])]
    return [key.rpartition("/")[0] for key in keys if key.endswith("/manifest")]


def test_logs_come_from_the_log_group_that_the_run_was_given(world: World) -> None:
    assert world.seen["logs"].result["files"] == [LOG_GROUP[1]]


def test_fired_schedule_produces_a_finished_export_by_its_rendered_request(world: World) -> None:
    """The cluster is the rendered request with the time filled in; the job finds folder, capacity and checks itself."""
    first, _ = world.seen["nightly"]
    cluster = world.emr.client("emr", region=REGION).describe_cluster(ClusterId=first)["Cluster"]
    (step,) = world.steps_of(first)
    (wanted,) = world.seen["request"]["Steps"]
    timed = [word.replace("<aws.scheduler.scheduled-time>", SCHEDULED) for word in wanted["HadoopJarStep"]["Args"]]
    assert step["Config"]["Args"] == timed
    assert step["Status"]["State"] == "COMPLETED"
    assert cluster["Status"]["State"] == "TERMINATED"
    local = ("--local", "--engine", "process", "--region", REGION, "--throughput-percent", "100")
    folder = f"s3://{world.bucket}/exports/nightly/{SCHEDULED_FOLDER}"
    words = ["verify", folder, "--table", world.table.name, *local]
    proven = run_cli(words, env=world.emr.process_env())
    assert proven.code == 0, proven.text
    assert proven.result["items"] == ITEMS + 1


def test_schedule_delivered_twice_leaves_one_finished_export(world: World) -> None:
    """The second run meets the first one's claim on the folder of that moment, and says so."""
    assert finished_exports(world, "exports/nightly/") == [f"exports/nightly/{SCHEDULED_FOLDER}"]
    _, second = world.seen["nightly"]
    (step,) = world.steps_of(second)
    assert step["Status"]["State"] == "FAILED"
    record = only_record(world, "already holds the finished export")
    assert record["exit_code"] == 3


def only_record(world: World, error: str) -> dict[str, Any]:
    """The one run record below the logs whose error holds this text."""
    found = [json.loads(text) for key, text in stored_texts(world).items() if key.endswith("/run.json")]
    (record,) = [record for record in found if error in str(record.get("error"))]
    return dict(record)


def test_scheduled_import_resets_once_and_leaves_alone_what_was_written_since(world: World) -> None:
    first, second = (world.steps_of(cluster)[0]["Status"]["State"] for cluster in world.seen["reset"])
    assert (first, second) == ("COMPLETED", "FAILED")
    assert only_record(world, "does this scheduled import already")["exit_code"] == 3
    expected = [*numbered(ITEMS), {"id": {"S": "marked"}, "text": {"S": world.item}}]
    expected[1] = {"id": {"S": "item-000001"}, "written-since": {"BOOL": True}}
    assert world.target.differences(expected) == NONE


def test_step_on_a_standing_cluster_leaves_the_cluster_standing(world: World) -> None:
    assert world.seen["standing"].result["tables"][0]["record"]["tables"][0]["items"] == ITEMS + 1
    assert world.seen["standing state"] in ("WAITING", "RUNNING")


ROLES = [
    ("launcher", "launcher", ""),
    ("nodes-export", "node", "dynamodb-pipeline-export"),
    ("nodes-import", "node", "dynamodb-pipeline-import"),
    ("schedule", "scheduler", ""),
]


@pytest.mark.parametrize(("kind", "principal", "role"), ROLES, ids=[kind for kind, _, _ in ROLES])
def test_recorded_actions_are_the_granted_ones(world: World, kind: str, principal: str, role: str) -> None:
    """Nothing recorded that is not granted, on that very resource; nothing granted that was never used."""
    policy, recorded = world.policy(kind), world.recorded(principal, role=role)
    assert recorded
    assert not_granted(policy, recorded) == set()
    assert never_used(policy, recorded) == set(EXCEPTIONS[kind])


def test_service_role_asks_for_nothing_that_is_recorded_here(world: World) -> None:
    """EMR itself starts instances with it; the sandbox has none, so PassRole and EC2 stay unproven."""
    own = {e["action"] for e in world.recorded("service") if e["role"] == "emr"}
    assert own <= {"ec2:DescribeSubnets"}  # in AWS's managed policy beside ours


def stored_texts(world: World) -> dict[str, str]:
    """Every object but data files, unpacked."""
    s3, texts = world.emr.client("s3"), {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=world.bucket):
        for key in (entry["Key"] for entry in page.get("Contents", [])):
            if not DATA_FILE.search(key):
                body = s3.get_object(Bucket=world.bucket, Key=key)["Body"].read()
                texts[key] = (gzip.decompress(body) if key.endswith(".gz") else body).decode(errors="replace")
    return texts


def local_texts(world: World) -> dict[str, str]:
    """What nodes and YARN's containers wrote on this machine: outputs, logs, configuration."""
    texts = {}
    for folder, _, names in os.walk(world.emr.state.folder):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not name.endswith((".jar", ".zip")):
                with open(path, errors="replace") as file:
                    texts[path] = file.read()
    return texts


def test_no_secret_and_no_item_value_but_in_data_files(world: World) -> None:
    described = json.dumps([world.steps_of(c["Id"]) for c in all_clusters(world)], default=str)
    places = {**stored_texts(world), **local_texts(world), "steps": described, "terminal": "\n".join(world.texts)}
    assert any(key.endswith("stdout.gz") for key in places)
    assert any(key.endswith("/run.json") for key in places)
    if world.on_spark:
        assert any("/containers/" in key for key in places)
    for mark in (world.secret, world.item):
        assert [key for key, text in places.items() if mark in text] == []


def test_the_marks_would_be_found(world: World) -> None:
    """The search is no better than its marks: the item's is in a data file, and in the target."""
    assert world.item in str(world.target.by_key())


def all_clusters(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.emr.client("emr", region=REGION).list_clusters()["Clusters"]
    return found
