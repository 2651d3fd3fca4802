"""Every recipe is run as its page or example shows it, or parsed where it is another program's language."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import hcl2
import pytest
import yaml
from botocore.validate import ParamValidator

from sandbox.demo_data import Item
from sandbox.emr.policy_judge import ALLOWED, decision
from sandbox.emr.stack import EmrSandbox
from tests.sandbox.cli import run_cli
from tests.sandbox.granted import not_granted
from tests.sandbox.recipes import BUCKET, DOCS, EXAMPLES, REGIONS, TABLE, Ran, commands_of, run
from tests.sandbox.tables import NONE, Table, make_table

pytestmark = pytest.mark.sandbox

BACKUP = EXAMPLES / "old-backup"
FORUM: list[Item] = [{"Name": {"S": f"Forum {n}"}, "Threads": {"N": str(n)}} for n in range(20)]
KEY = (("Name", "S"),)


@pytest.fixture(scope="module")
def emr() -> Iterator[EmrSandbox]:
    """A sandbox whose names are those of the pages, and which records what is asked for."""
    with EmrSandbox(yarn=False) as running:
        yield running


@pytest.fixture
def tables(emr: EmrSandbox) -> Iterator[dict[str, Table]]:
    """The pages' table in both regions and their bucket, empty, and gone afterwards."""
    made = {region: make_table(emr, KEY, name=TABLE, region=region) for region in REGIONS}
    s3 = emr.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    emr.control.forget_actions()
    yield made
    for table in made.values():
        table.client.delete_table(TableName=TABLE)
        table.client.get_waiter("table_not_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 0.1})
    for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    s3.delete_bucket(Bucket=BUCKET)


def ran_well(commands: list[str], emr: EmrSandbox, folder: Path) -> Ran:
    done = run(commands, emr, folder=folder)
    assert done.code == 0, done.text
    return done


def printed(emr: EmrSandbox, prefix: str, *, region: str) -> dict[str, Any]:
    """What the printed policies of both kinds of nodes allow, together, for the pages' table and folders."""
    common = ("--table", TABLE, "--bucket", BUCKET, "--prefix", prefix, "--region", region)
    kinds = ("nodes-export", "nodes-import")
    words = [["policy", kind, *common, "--logs", f"s3://{BUCKET}/logs"] for kind in kinds]
    documents = [run_cli(line, env=emr.process_env()).result for line in words]
    return {"Version": "2012-10-17", "Statement": [one for each in documents for one in each["Statement"]]}


def backup_of_old() -> list[Item]:
    """The items of the example, by its own bytes."""
    tags = {"s": "S", "n": "N", "sS": "SS"}
    lines = [line for path in sorted(BACKUP.rglob("*_00000?")) for line in path.read_text().splitlines()]
    return [{k: {tags[t]: v for t, v in value.items()} for k, value in json.loads(line).items()} for line in lines]


def test_an_old_backup_is_found_inspected_tried_imported_and_verified(
    emr: EmrSandbox, tables: dict[str, Table], tmp_path: Path
) -> None:
    for path in (path for path in BACKUP.rglob("*") if path.is_file()):
        key = f"backups/Forum/{path.relative_to(BACKUP).as_posix()}"
        emr.client("s3").put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    commands = commands_of(DOCS / "old-backup.md")
    assert [shlex.split(command)[1] for command in commands] == ["list", "inspect", "import", "import", "verify"]
    found, looked, tried, imported, verified = ran_well(commands, emr, tmp_path).documents
    assert [backup["folder"] for backup in found["backups"]] == ["s3://my-bucket/backups/Forum/2019-04-01-02-00-00/"]
    assert looked["items"] == 5
    assert (tried["status"], imported["items_written"]) == ("done", 5)
    assert verified["table_items"] == 5
    assert tables["us-east-1"].differences(backup_of_old()) == NONE
    actions = emr.control.actions()
    assert {"dynamodb:BatchWriteItem", "s3:GetObject"} <= {entry["action"] for entry in actions}
    assert not_granted(printed(emr, "backups", region="us-east-1"), actions) == set()


def open_table(emr: EmrSandbox, policy: str) -> None:
    """Attach a table's own policy, as somebody of its account does."""
    sts = emr.client("sts").assume_role(RoleArn="arn:aws:iam::210987654321:role/admin", RoleSessionName="admin")
    keys = sts["Credentials"]
    there: Any = boto3.client(
        "dynamodb", region_name="eu-west-1", endpoint_url=emr.s3_url, aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"],
    )  # fmt: skip
    there.put_resource_policy(ResourceArn=json.loads(policy)["Statement"][0]["Resource"][0], Policy=policy)


def test_a_table_is_copied_to_another_region_and_account(
    emr: EmrSandbox, tables: dict[str, Table], tmp_path: Path
) -> None:
    tables["us-east-1"].put(FORUM)
    commands = commands_of(DOCS / "copy.md")
    in_a_role, by_arn = ["policy", "policy", "policy", "import"], ["policy", "policy", "import"]
    verbs = ["export", "import", "verify", *in_a_role, *by_arn, "policy", "import"]
    assert [shlex.split(command)[1] for command in commands] == verbs
    printed_there = 1 + [command.split()[2] for command in commands].index("table-resource")
    *_, verified, taken = ran_well(commands[:printed_there], emr, tmp_path).documents
    open_table(emr, (tmp_path / "table-policy.json").read_text())
    by_its_arn, again = ran_well(commands[printed_there:], emr, tmp_path).documents
    assert (verified["table_items"], taken["status"], by_its_arn["status"], again["status"]) == (20, *["done"] * 3)
    assert tables["eu-west-1"].differences(FORUM) == NONE
    printed = json.loads((tmp_path / "bucket-policy.json").read_text())
    assert printed == json.loads((EXAMPLES / "copy" / "bucket-policy.json").read_text())
    trust = json.loads((tmp_path / "trust.json").read_text())["Statement"][0]
    assert trust["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    asked = {entry["resource"] for entry in emr.control.actions() if entry["action"] == "sts:AssumeRole"}
    assert asked == {f"arn:aws:iam::210987654321:role/{name}" for name in ("forum-import", "admin")}


def test_the_bucket_policy_lets_the_other_account_read_exports_and_nothing_else() -> None:
    policy = json.loads((EXAMPLES / "copy" / "bucket-policy.json").read_text())
    listing = {"s3:prefix": "exports/Forum/"}
    bucket, exports = "arn:aws:s3:::my-bucket", "arn:aws:s3:::my-bucket/exports/Forum/manifest"
    assert decision([policy], "s3:GetObject", resource=exports, context={}) == ALLOWED
    assert decision([policy], "s3:ListBucket", resource=bucket, context=listing) == ALLOWED
    refused = [("s3:PutObject", exports, {}), ("s3:GetObject", "arn:aws:s3:::my-bucket/logs/x", {})]
    refused += [("s3:ListBucket", bucket, {"s3:prefix": "logs/"}), ("s3:DeleteObject", exports, {})]
    assert all(decision([policy], action, resource=on, context=said) != ALLOWED for action, on, said in refused)


def script_lines(name: str) -> list[str]:
    """The product's commands of a CI example or a crontab, as the runner's shell gets them."""
    text = (EXAMPLES / name).read_text()
    if name.startswith("cron/"):
        scheduled = [line.split(maxsplit=5)[5] for line in text.splitlines() if re.match(r"[\d*]+ ", line)]
        return [line.replace("/tmp/", "./") for line in scheduled]
    parsed = yaml.safe_load(text)
    if name.startswith("ci/gitlab"):
        return list(parsed["nightly-export"]["script"])
    steps = parsed["jobs"]["export"]["steps"]
    return [step["run"].replace("\\\n", " ") for step in steps if "dynamodb-pipeline " in step.get("run", "")]


@pytest.mark.parametrize(
    "name",
    [
        "ci/gitlab-ci.yml",
        pytest.param("ci/github-actions.yml", marks=pytest.mark.slow),  # the same two commands
        pytest.param("cron/nightly.cron", marks=pytest.mark.slow),
    ],
)
def test_the_lines_of_a_scheduler_export_and_verify(
    emr: EmrSandbox, tables: dict[str, Table], tmp_path: Path, name: str
) -> None:
    tables["eu-west-1"].put(FORUM)
    lines = script_lines(name)
    assert len(lines) == 2
    done = ran_well(lines, emr, tmp_path)
    results = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    kinds = {document["kind"]: document for document in (*done.documents, *results)}
    assert (kinds["export"]["tables"][0]["items"], kinds["verify"]["table_items"]) == (20, 20)
    actions = emr.control.actions()
    assert {"dynamodb:Scan", "s3:PutObject"} <= {entry["action"] for entry in actions}
    assert not_granted(printed(emr, "exports", region="eu-west-1"), actions) == set()


def test_what_fails_in_a_scheduler_ends_with_the_jobs_own_code(
    emr: EmrSandbox, tables: dict[str, Table], tmp_path: Path
) -> None:
    (export, _) = script_lines("ci/gitlab-ci.yml")
    assert run([export.replace("--table Forum", "--table Missing")], emr, folder=tmp_path).code == 3


@pytest.fixture(scope="module")
def nightly(emr: EmrSandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`nightly.json` as three pages make it, by the same command, here without the upload."""
    shown = {next(c for c in commands_of(DOCS / f"{page}.md") if " schedule export " in c) for page in PAGES_OF_NIGHTLY}
    (command,) = shown
    folder = tmp_path_factory.mktemp("nightly")
    for name in ("Forum", "Thread", "Reply"):
        make_table(emr, KEY, name=name, region="eu-west-1")
    ran_well([command.replace(" > ", " --no-upload > ")], emr, folder)
    for name in ("Forum", "Thread", "Reply"):
        emr.client("dynamodb", region="eu-west-1").delete_table(TableName=name)
    return folder / "nightly.json"


PAGES_OF_NIGHTLY = ("ci", "step-functions", "terraform")


def run_job_flow_problems(request: dict[str, Any]) -> str:
    """What EMR's own model has against a request."""
    shape = boto3.client("emr", region_name="eu-west-1").meta.service_model.operation_model("RunJobFlow").input_shape
    return str(ParamValidator().validate(request, shape).generate_report())


class Operator:
    """In the place of an operator or sensor: keeps what it was given."""

    made: list[Operator] = []  # noqa: RUF012

    def __init__(self, **given: Any) -> None:
        self.given, self.output = given, f"output of {given['task_id']}"
        self.made.append(self)

    def __rshift__(self, after: object) -> object:
        return after


def test_the_dag_sends_the_scheduled_request_with_airflows_moment(
    nightly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by stand-ins of Airflow's modules; names and arguments are those of apache-airflow-providers-amazon 9."""
    source = (EXAMPLES / "airflow" / "nightly_export.py").read_text()
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow")
        for alias in node.names
    }
    amazon = "airflow.providers.amazon.aws"
    assert imported == {
        *("airflow.decorators.dag", "airflow.decorators.task", f"{amazon}.hooks.emr.EmrHook"),
        *(f"{amazon}.operators.emr.EmrCreateJobFlowOperator", f"{amazon}.sensors.emr.EmrJobFlowSensor"),
    }
    Operator.made.clear()
    stand_ins = {"dag": lambda **_: lambda made: made, "task": lambda _: lambda _: None}
    for name in imported:
        where, _, what = name.rpartition(".")
        module = sys.modules.get(where) or types.ModuleType(where)
        setattr(module, what, stand_ins.get(what, Operator))
        monkeypatch.setitem(sys.modules, where, module)
    (tmp_path / "nightly.json").write_text(nightly.read_text())
    exec(compile(source, "nightly_export.py", "exec"), {"__file__": str(tmp_path / "dag.py"), "__name__": "dag"})
    start, wait = Operator.made
    assert wait.given["job_flow_id"] == start.output
    request = start.given["job_flow_overrides"]
    assert run_job_flow_problems(request) == ""
    assert len(request["Steps"]) == 3
    text = json.dumps(request)
    assert "<aws.scheduler" not in text
    assert text.count("data_interval_end") == 5  # name, tag, and a run folder for each table


def test_every_state_of_the_state_machine_is_reached_and_leads_somewhere(nightly: Path) -> None:
    machine = json.loads((EXAMPLES / "step-functions" / "nightly_export.asl.json").read_text())
    states, reached, waiting = machine["States"], set(), [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        state = states[name]
        nexts = [state.get("Next"), state.get("Default"), *(choice["Next"] for choice in state.get("Choices", []))]
        waiting += [after for after in nexts if after]
        assert nexts != [None, None] or state["Type"] in ("Succeed", "Fail")
    assert reached == set(states)
    client = boto3.client("emr", region_name="eu-west-1")
    called = {state["Resource"].rpartition(":")[2] for state in states.values() if state["Type"] == "Task"}
    assert called == {"runJobFlow", "describeCluster", "listSteps"}
    operations = {name[0].lower() + name[1:] for name in client.meta.service_model.operation_names}
    assert called <= operations
    request = json.loads(json.loads(nightly.read_text())["Resources"]["Schedule"]["Properties"]["Target"]["Input"])
    assert run_job_flow_problems(request) == ""


def test_terraform_deploys_the_files_that_its_page_prints(nightly: Path) -> None:
    with (EXAMPLES / "terraform" / "main.tf").open() as file:
        parsed = hcl2.load(file)
    stacks = [body for block in parsed["resource"] for bodies in block.values() for body in bodies.values()]
    named = {re.search(r"(\w+\.json)", str(stack["template_body"]))[1] for stack in stacks}  # type: ignore[index]
    redirected = {command.rpartition(" > ")[2] for command in commands_of(DOCS / "terraform.md")}
    assert named == redirected == {"roles.json", "nightly.json"}
    assert nightly.stat().st_size < 51_200  # CloudFormation's limit for a body in the request
