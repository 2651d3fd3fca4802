"""
Every command of ours that a message prints, pasted: it is met where the message stands and run as it was printed.

Where a command is built or written out is read from the library's sources; each such place has its situation below, so
that a message with a new command fails here until somebody has run it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.cli.command_line import VERBS
from dynamodb_pipeline.emr.calls.launch import launch_cluster
from dynamodb_pipeline.emr.documents.schedules import CLUSTER_TEXT, PROVISIONING_TEXT, STEP_TEXT
from dynamodb_pipeline.errors import PROGRAM, ClusterError, UnreachableError
from dynamodb_pipeline.exporting.through_connector import with_other_ways
from dynamodb_pipeline.report.figures import resume_of, run_figures
from dynamodb_pipeline.report.read import read_run
from dynamodb_pipeline.settings.job_options import EXPORT
from dynamodb_pipeline.settings.parse import SETTINGS_OF
from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.cli import Outcome
from tests.sandbox.emr_cluster import OVER, request
from tests.sandbox.in_process import LOCAL, Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.recipes import AWS
from tests.sandbox.tables import Table, make_table, numbered
from tests.unit.emr.documents.test_migrate_config import export_definition
from tests.unit.emr.fakes import LOST, FakeClock, FakeEmr
from tests.unit.source_places import LIBRARY, Source

pytestmark = [pytest.mark.sandbox]

REGION = "us-east-1"

WRITTEN = re.compile(rf"{PROGRAM} ([a-z-]+)")
# What builds a command, and the modules that only hold such builders.
BUILDERS = {
    *("command_line", "run_command", "runs_command", "report_command", "launch_again_command", "policy_command"),
    *("refresh_command", "regionless_run_lines", "recorded_run_command"),
    *("with_commands", "command_with", "resume_command", "command", "schedule_command"),
}
BUILT_IN = {"settings.run_commands", "settings.rows"}
STOPPED = (5, 9, 143)  # of a run that the same situation has ended


def places_of_commands() -> set[str]:
    """Module and function of every place of the library that builds a command, or has one in a text."""
    return {place for path in LIBRARY.rglob("*.py") for place in _places_in(path)}


def _places_in(path: Path) -> Iterator[str]:
    source = Source.of(path)
    for node, text in source.nodes():
        built = isinstance(node, ast.Call) and _called(node) in BUILDERS and source.module not in BUILT_IN
        if not built and not (text is not None and _names_a_verb(text)):
            continue
        name = source.function_around(node.lineno)  # type: ignore[attr-defined]
        if name not in BUILDERS:
            yield f"{source.module}.{name}"


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def _names_a_verb(text: str) -> bool:
    return any(match[1] in VERBS for match in WRITTEN.finditer(text))


@dataclass
class World:
    """A sandbox with roles, a bucket, a table that is read at once and one that takes long; what was printed so far."""

    emr: EmrSandbox
    bucket: str
    table: Table
    folder: Path
    printed: dict[Callable[..., str], str] = field(default_factory=dict)

    @property
    def logs(self) -> tuple[str, ...]:
        return ("--logs", f"s3://{self.bucket}/logs", "--region", REGION)

    @property
    def exports(self) -> tuple[str, ...]:
        return ("--table", self.table.name, "--output", f"s3://{self.bucket}/exports", "--throughput-percent", "100")

    def run(self, *words: str) -> Outcome:
        """A command line in this process; `--help` ends as argparse ends it."""
        try:
            return Pipeline(self.emr).run(*words)
        except SystemExit as end:
            return Outcome(int(str(end.code or 0)), {}, "")

    def paste(self, command: str) -> Outcome:
        program, *words = shlex.split(command)
        assert program == PROGRAM, command
        return self.run(*words)

    def after(self, drive: Callable[[World], str]) -> str:
        """What a situation has printed; it is driven once."""
        if drive not in self.printed:
            self.printed[drive] = drive(self)
        return self.printed[drive]

    def over(self, cluster: str) -> None:
        self.emr.control.wait_for(cluster, *OVER, timeout_s=120)

    @contextmanager
    def fault(self, kind: str, **members: Any) -> Iterator[None]:
        self.emr.control.add_fault(kind, **members)
        try:
            yield
        finally:
            self.emr.control.clear_faults()

    @contextmanager
    def slow(self, count: int = 60) -> Iterator[Table]:
        """A table whose read takes half a minute inside the block, and a moment after it."""
        table = make_table(self.emr, read_units=1)
        table.put(numbered(count, size=4000))
        yield table
        quick = {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000}
        table.client.update_table(TableName=table.name, ProvisionedThroughput=quick)

    def of(self, table: Table) -> tuple[str, ...]:
        """The options of an export of a table that makes the most of its capacity."""
        return ("--table", table.name, "--output", f"s3://{self.bucket}/slow", "--throughput-percent", "100")

    def standing(self) -> str:
        """A cluster that is not ours, and waits for steps."""
        roles = {"ServiceRole": "dynamodb-pipeline-service", "JobFlowRole": "dynamodb-pipeline-export"}
        names = ("dynamodbdatapipeline", "for-use-with-amazon-emr-managed-policies")
        tags, logs = [{"Key": name, "Value": "true"} for name in names], f"s3://{self.bucket}/logs/emr/"
        wanted = request(keep_alive=True, **roles, LogUri=logs, Tags=tags)
        made = self.emr.client("emr", region=REGION).run_job_flow(**wanted)
        self.emr.control.wait_for(made["JobFlowId"], "WAITING", timeout_s=120)
        return str(made["JobFlowId"])


@contextmanager
def signalled(came: signal.Signals, *, when: Callable[[], bool]) -> Iterator[None]:
    """Send this process a signal as soon as `when` holds."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            if when():
                os.kill(os.getpid(), came)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def left_running(world: World) -> str:
    """Launched, and not waited for."""
    out = world.run("export", *world.exports, *world.logs, "--no-wait")
    world.over(out.result["cluster_id"])
    return out.text


def region_not_said(world: World) -> str:
    """A run id alone, in a shell that names no region."""
    run_id = found(world.after(left_running), r"^run (\S+): cluster")
    nowhere = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    out = Pipeline(world.emr, keys=nowhere).run("report", run_id)
    assert out.code == 2, out.text
    return out.text.replace("s3://my-bucket/logs", f"s3://{world.bucket}/logs")


def mistyped_cluster(world: World) -> str:
    out = world.run("wait", "j-NONE", "--region", REGION)
    assert out.code == 3, out.text
    return out.text


def mistyped_run(world: World) -> str:
    out = world.run("status", "nonsense", "--region", REGION)
    assert out.code == 3, out.text
    return out.text


def run_of_this_machine(world: World) -> str:
    """`status` of a run that had no cluster."""
    run_id = found(world.after(stopped_here), r"--run-id (\S+)")
    out = world.run("status", run_id, "--region", REGION)
    assert out.code == 3, out.text
    return out.text.replace("s3://my-bucket/logs", f"s3://{world.bucket}/logs")


def silent_at_work(world: World) -> str:
    """A job that is at work and could not say so for minutes."""
    s3 = world.emr.client("s3")
    with world.slow() as table:
        run_id = world.run("export", *world.of(table), *world.logs, "--no-wait").result["run_id"]
        key = f"logs/runs/{run_id}/run.json"
        s3.get_waiter("object_exists").wait(Bucket=world.bucket, Key=key, WaiterConfig={"Delay": 1})
        facts = json.loads(s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())
        command = facts["command"].replace(" ".join(("", *LOCAL)), "")  # as a node's own Spark has it
        silent = json.dumps({**facts, "command": command, "heartbeat": "2026-01-01T00:00:00Z"})
        s3.put_object(Bucket=world.bucket, Key=key, Body=silent.encode())
        return world.run("runs", *world.logs).text


def lost_contact(world: World) -> str:
    """The launcher may start a cluster and not look at it."""
    with world.fault("deny", action="elasticmapreduce:DescribeCluster", principal="launcher", count=None):
        out = world.run("export", *world.exports, *world.logs)
    (cluster,) = set(re.findall(r"cluster (j-\w+) \(not seen\)", out.text))
    world.over(cluster)
    return out.text


def detached(world: World) -> str:
    """SIGTERM for a launcher that waits for a step on a standing cluster."""
    cluster, emr = world.standing(), world.emr.client("emr", region=REGION)

    def begun() -> bool:
        return any(step["Status"]["State"] == "RUNNING" for step in emr.list_steps(ClusterId=cluster)["Steps"])

    with world.slow() as table, signalled(signal.SIGTERM, when=begun):
        out = world.run("export", *world.of(table), *world.logs, "--cluster-id", cluster)
        world.paste(found(out.text, r"^stop: (.*)$"))
    return out.text + world.run("terminate", cluster, "--region", REGION).text + not_ours(world, cluster, out.text)


def not_ours(world: World, cluster: str, text: str) -> str:
    """`terminate` of a run on a cluster that others use."""
    run_id = found(text, r"^run (\S+): 1 step on cluster")
    return world.run("terminate", run_id, "--cluster-id", cluster, "--region", REGION).text


def too_late(world: World) -> str:
    """A run on a cluster that reaches its deadline, with options of its launch."""
    with world.slow() as table:
        launch = ("--name", "nightly", "--tag", "team=a b", "--timeout", "3s")
        out = world.run("export", *world.of(table), *world.logs, *launch)
    assert out.code == 6, out.text
    return out.text


def refused_by_preflight(world: World) -> str:
    """The service role is not there."""
    return world.run("preflight", "export", *world.exports, *world.logs, "--service-role", "nobody").text


def type_not_offered(world: World) -> str:
    """The subnet's zone has no m3."""
    zone = [{"Name": "availability-zone", "Values": [f"{REGION}d"]}]
    (subnet,) = world.emr.client("ec2", region=REGION).describe_subnets(Filters=zone)["Subnets"]
    words = ("--subnet", subnet["SubnetId"], "--set", "ReleaseLabel=emr-7.13.0")
    return world.run("preflight", "export", *world.exports, *world.logs, *words).text


def nodes_without_rights(world: World) -> str:
    """The nodes may not read the table."""
    with world.fault("deny", action="dynamodb:Scan", principal="node", count=None):
        return world.run("export", *world.exports, *world.logs).text


def no_bootstrap(world: World) -> str:
    """The nodes may not read their code."""
    with world.fault("deny", action="s3:GetObject", principal="node", count=None):
        return world.run("export", *world.exports, *world.logs).text


def exported(world: World, folder: str) -> str:
    out = Pipeline(world.emr).export(world.table, f"s3://{world.bucket}/{folder}")
    assert out.code == 0, out.text
    return f"s3://{world.bucket}/{folder}"


def without_a_manifest(world: World) -> str:
    """A folder that somebody copied without its manifest."""
    place, s3 = exported(world, "bare"), world.emr.client("s3")
    for name in ("manifest", "_SUCCESS", "_export.json", "_claim.json"):
        s3.delete_object(Bucket=world.bucket, Key=f"bare/{name}")
    return place


def import_without_a_manifest(world: World) -> str:
    place = world.after(without_a_manifest)
    words = ("--table", world.table.name, "--input", place, *LOCAL, "--region", REGION, "--dry-run", "--latest")
    return world.run("import", *words).text


def verify_without_a_manifest(world: World) -> str:
    return world.run("verify", world.after(without_a_manifest), *LOCAL, "--region", REGION).text


def convert_without_a_manifest(world: World) -> str:
    place, to = world.after(without_a_manifest), f"s3://{world.bucket}/converted"
    return world.run("convert", place, to, "--region", REGION, "--key", "id:S").text


def stopped_here(world: World) -> str:
    """A run on this machine that is told to end."""
    run_id = f"run-{uuid.uuid4().hex[:8]}"
    ledger, s3 = f"logs/runs/{run_id}/ledger/", world.emr.client("s3")

    def begun() -> bool:
        listed = s3.list_objects_v2(Bucket=world.bucket, Prefix=ledger)
        return bool(listed.get("KeyCount"))

    with world.slow() as table, signalled(signal.SIGTERM, when=begun):
        out = world.run("export", *world.of(table), *world.logs, *LOCAL, "--run-id", run_id)
    assert out.code == 143, out.text
    return out.text


def page_of_a_killed_run(world: World) -> str:
    """What a report says of a run that could not say how it is gone on with: its record began with its command."""
    run_id = found(stopped_here(world), r"--run-id (\S+)")
    s3, key = world.emr.client("s3"), f"logs/runs/{run_id}/run.json"
    facts = json.loads(s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    del facts["resume"]
    s3.put_object(Bucket=world.bucket, Key=key, Body=json.dumps(facts).encode())
    run = run_figures(read_run(s3, run_id, logs=f"s3://{world.bucket}/logs"))
    resume = resume_of(run, logs=f"s3://{world.bucket}/logs")
    assert resume is not None
    return f"to go on: {resume.command}"


def closed_way_of_the_connector(world: World) -> str:
    """The connector cannot reach DynamoDB through the relay: two ways do without."""
    words = ("export", *world.exports, *LOCAL, "--region", REGION)
    from dynamodb_pipeline.cli.command_line import read_line

    line = read_line(words)
    settings = SETTINGS_OF[EXPORT[0]](line.options, program=line.program)
    return "\n".join(with_other_ways(UnreachableError("closed"), settings.common).rows)


def old_pipeline(world: World) -> str:
    """An exported Data Pipeline definition."""
    definition = world.folder / "pipeline.json"
    old = export_definition(myDDBTableName=world.table.name, myOutputS3Loc=f"s3://{world.bucket}/old")
    roles = {"role": "dynamodb-pipeline-service", "resourceRole": "dynamodb-pipeline-export"}
    old["objects"][0] |= {"pipelineLogUri": f"s3://{world.bucket}/logs/", **roles}
    old["objects"].append({"id": "Daily", "type": "Schedule", "period": "1 day"})
    definition.write_text(json.dumps(old))
    return world.run("migrate-config", str(definition)).text


def unanswered_launch(world: World) -> str:
    """RunJobFlow is lost again and again; by a clock that obeys, for the launcher looks for minutes."""
    clock = FakeClock()
    emr = FakeEmr(clock)
    emr.meta.region_name = REGION
    emr.fail_next("RunJobFlow", LOST, times=3)
    with pytest.raises(ClusterError) as lost:
        launch_cluster(emr, {"Name": "x", "Instances": {}}, clock=clock)  # type: ignore[arg-type]
    return str(lost.value)


def mail_of_a_schedule(world: World) -> str:
    """What people are mailed of a failed run, as EventBridge fills it in."""
    cluster = found(world.after(left_running), r"cluster (j-\w+) started")
    values = {"cluster": cluster, "region": REGION, "name": "n", "state": "FAILED", "message": "gone"}
    texts = [text["InputTemplate"].strip('"') for text in (STEP_TEXT, CLUSTER_TEXT, PROVISIONING_TEXT)]
    return "\n".join(re.sub(r"<(\w+)>", lambda match: values[match[1]], text) for text in texts)


def first_settings(world: World) -> str:
    """A settings file of the first minute."""
    words = ("--table", world.table.name, "--output", f"s3://{world.bucket}/exports", "--region", REGION)
    return world.run("init", *words).text


def launcher_without_rights(world: World) -> str:
    with world.fault("deny", action="elasticmapreduce:ListClusters", count=None):
        return world.run("runs", "--region", REGION).text


def folder_without_rights(world: World) -> str:
    with world.fault("deny", action="s3:ListBucket", count=None):
        return world.run("list", f"s3://{world.bucket}/exports", "--region", REGION).text


def table_without_rights(world: World) -> str:
    words = ("--table", world.table.name, "--output", f"s3://{world.bucket}/denied", "--local", "--engine", "process")
    with world.fault("deny", action="dynamodb:Scan", count=None):
        return world.run("export", *words, "--region", REGION).text


def tables_not_listed(world: World) -> str:
    """Tables by a pattern, for a caller who may not list them."""
    words = ("--table", "T*", "--output", f"s3://{world.bucket}/exports")
    with world.fault("deny", action="dynamodb:ListTables", count=None):
        return world.run("plan", "export", *words, *world.logs).text


def doctor_without_rights(world: World) -> str:
    with world.fault("deny", action="dynamodb:ListTables", count=None):
        return world.run("doctor", "--region", REGION).text


def deployed(world: World, name: str, template: dict[str, Any]) -> None:
    """Make a stack."""
    client, capabilities = world.emr.client("cloudformation", region=REGION), ["CAPABILITY_IAM"]
    made = client.create_change_set(
        StackName=name, ChangeSetName="first", TemplateBody=json.dumps(template), Capabilities=capabilities
    )
    client.execute_change_set(ChangeSetName=made["Id"])


def refreshed_as_another_kind(world: World) -> str:
    """A deployed schedule of exports, refreshed as one of imports."""
    words = ("--cron", "rate(1 day)", "--schedule-name", "nightly")
    template = world.run("schedule", "export", *world.exports, *world.logs, *words).result
    deployed(world, "nightly", template)
    return world.run("schedule", "import", "--refresh", "--schedule-name", "nightly", "--region", REGION).text


def schedule_of_a_pattern(world: World) -> str:
    words = ("--table", "T*", "--output", f"s3://{world.bucket}/exports", "--cron", "rate(1 day)")
    return world.run("schedule", "export", *words, *world.logs).text


def table_opened(world: World) -> str:
    """A table's own policy, for somebody of another account."""
    words = ("--for-account", "210987654321", "--table", world.table.name, "--bucket", world.bucket)
    return world.run("policy", "table-resource", *words, "--region", REGION).text


@dataclass(frozen=True)
class Situation:
    """How a message is brought about, where in it the command stands, and what the command may end with."""

    drive: Callable[[World], str]
    pattern: str
    codes: tuple[int, ...] = (0,)


GO_ON = r"to go on: (.*)$"
SITUATIONS: dict[str, tuple[Situation, ...]] = {
    "emr.commands.launch._left_running": (Situation(left_running, r"^attach: (.*)$"),),
    "emr.calls.clusters.cluster_line": (Situation(left_running, r"to end it now: (.*)$"),),
    "emr.calls.clusters.read_cluster": (Situation(mistyped_cluster, r"those of runs: (.*)$"),),
    "emr.watch.run_lookup._search_standing": (
        Situation(mistyped_run, r"those that there are: (.*)$"),
        Situation(run_of_this_machine, r"its record is shown by (.*) \(my-bucket stands for"),
    ),
    "emr.watch.lifecycle._left": (Situation(lost_contact, r"attach: (.*)$"),),
    "emr.watch.lifecycle._interrupted": (
        Situation(detached, r"^attach: (.*)$", STOPPED),
        Situation(detached, r"^stop: (.*)$"),
    ),
    "cli.launcher._launcher_of_run": (Situation(region_not_said, r"in any region: (.*)$"),),
    "emr.commands.runs.run_terminate": (Situation(detached, r"not ours to end; use: (.*)$"),),
    "emr.watch.run_report.again_command": (Situation(too_late, GO_ON),),
    "emr.watch.run_end._silent_at_work": (Situation(silent_at_work, r"has not ended its step; see (.*)$"),),
    "emr.watch.run_report._page": (Situation(too_late, r"^page: (.*)$"),),
    "emr.preflight.preflight.preflight": (
        Situation(refused_by_preflight, r"service-role.*\n *remedy: (.*?) > roles\.json"),
    ),
    "cli.launcher.run_on_cluster": (Situation(type_not_offered, rf"({PROGRAM} preflight .*--config m5)"),),
    "emr.watch.diagnosis.diagnose_step": (
        Situation(nodes_without_rights, rf"remedy: .*?({PROGRAM} policy .*?) prints \(of an import"),
    ),
    "emr.watch.diagnosis.diagnose_cluster": (
        Situation(no_bootstrap, rf"remedy: .*?({PROGRAM} policy .*?) \(of an import"),
    ),
    "importing.job.find_source": (Situation(import_without_a_manifest, r"run: (.*)$"),),
    "verifying.verify.resolve_verification": (Situation(verify_without_a_manifest, r"run: (.*)$"),),
    "cli.local_verbs.work": (Situation(convert_without_a_manifest, r"run: (.*)$"),),
    "run.run._again": (Situation(stopped_here, r"to go on where it stopped: (.*)$"),),
    "report.figures.resume_of": (Situation(page_of_a_killed_run, GO_ON),),
    "exporting.through_connector.with_other_ways": (
        Situation(closed_way_of_the_connector, rf"^({PROGRAM} .*--reader direct)$"),
    ),
    "emr.commands.documents.run_migrate_config": (
        Situation(old_pipeline, rf"^({PROGRAM} export .*)$"),
        Situation(old_pipeline, rf"^({PROGRAM} schedule .*)$"),
    ),
    "emr.documents.migrate_config.to_json": (Situation(old_pipeline, rf"^({PROGRAM} export .*)$"),),
    "emr.documents.migrate_config._role_notes": (Situation(old_pipeline, rf"`({PROGRAM} policy [^`]*)`"),),
    "emr.commands.documents.run_refresh": (Situation(refreshed_as_another_kind, r"not an import: (.*)$"),),
    "emr.commands.documents.run_schedule": (Situation(schedule_of_a_pattern, r"what this prints: (.*)$"),),
    "dynamodb.table.(constants)": (Situation(tables_not_listed, rf"--table-prefix: `({PROGRAM} policy [^`]*)`"),),
    "emr.documents.policies._callers_half": (Situation(table_opened, r"it is printed by: (.*)$"),),
    "emr.calls.launch._start": (Situation(unanswered_launch, r"after all: (.*)$"),),
    "emr.documents.schedules.(constants)": (
        Situation(mail_of_a_schedule, r"why: (.*)$"),
        Situation(mail_of_a_schedule, r"see: (.*)$"),
        Situation(mail_of_a_schedule, r"to end it: (.*)$"),
    ),
    "aws.api_errors.denied_error": (Situation(launcher_without_rights, rf"`({PROGRAM} policy [^`]*)`"),),
    "store.s3_errors._refused": (Situation(folder_without_rights, rf"`({PROGRAM} policy [^`]*)`"),),
    "dynamodb.error_replies.(constants)": (Situation(table_without_rights, rf"`({PROGRAM} policy [^`]*)`"),),
    "cli.doctor.(constants)": (Situation(doctor_without_rights, rf"need it; `({PROGRAM} policy [^`]*)`"),),
    # the last one: its settings file is read by whatever is run in its folder
    "cli.doctor.write_settings": (
        Situation(first_settings, r"^next: (.*)$"),
        Situation(first_settings, r"^then: (.*)$"),
    ),
}


def open_bucket(world: World) -> str:
    """A bucket that blocks no public access."""
    world.emr.client("s3").create_bucket(Bucket=f"{world.bucket}-open")
    words = ("--table", world.table.name, "--output", f"s3://{world.bucket}-open/x")
    return world.run("preflight", "export", *words, *world.logs).text


def hollow_profile(world: World) -> str:
    """An instance profile that nobody has put a role into."""
    iam = world.emr.client("iam")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    iam.create_role(RoleName="hollow", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="hollow")
    return world.run("preflight", "export", *world.exports, *world.logs, "--node-role", "hollow").text


def renamed_manifest(world: World) -> str:
    """A manifest under the name that a browser saves it by."""
    place, s3 = exported(world, "renamed"), world.emr.client("s3")
    source = {"Bucket": world.bucket, "Key": "renamed/manifest"}
    s3.copy_object(Bucket=world.bucket, Key="renamed/manifest.json", CopySource=source)
    for name in ("manifest", "_SUCCESS", "_export.json", "_claim.json"):
        s3.delete_object(Bucket=world.bucket, Key=f"renamed/{name}")
    return world.run("inspect", place, "--region", REGION).text


def other_stack(world: World) -> str:
    """The name of a stack that is no schedule."""
    deployed(world, "topics", {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}})
    return world.run("schedule", "export", "--refresh", "--schedule-name", "topics", "--region", REGION).text


def told_schedule(world: World) -> str:
    """A schedule, whose template is kept where the command that deploys it looks."""
    out = world.run(
        "schedule", "export", *world.exports, *world.logs, "--cron", "rate(1 day)", "--schedule-name", "hourly"
    )
    (world.folder / "hourly.json").write_text(json.dumps(out.result))
    return out.text


# Of the AWS CLI, run by it; what a service has to take is held against its model in tests/unit/cli.
AWS_SITUATIONS = {
    "emr.preflight.buckets.check_public_access": Situation(open_bucket, r"remedy: (aws s3api put-public-access.*)$"),
    "emr.preflight.permissions.check_node_role": Situation(hollow_profile, r"(aws iam add-role-to-instance.*)$"),
    "reading.source.other_manifest_notes": Situation(renamed_manifest, r"run: (aws s3 mv .*)$"),
    "emr.documents.schedules.deployed_request": Situation(other_stack, r"look at it: (aws cloudformation .*)$"),
    "emr.commands.documents._deploy_line": Situation(told_schedule, r"kept as hourly.json: (aws cloudformation .*)$"),
}


# Texts that name the program and a verb, and are no command to paste.
NO_COMMANDS = {"emr.documents.roles_template._launcher_policies"}


# Several launches each; without them the rest is a minute's work.
LONG = {lost_contact, detached, silent_at_work, too_late, nodes_without_rights, no_bootstrap, old_pipeline}


def marks_of(place: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if any(situation.drive in LONG for situation in SITUATIONS[place]) else []


def found(text: str, pattern: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"{pattern} is not in:\n{text}"
    return match[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An EMR without YARN, and everything a launch needs."""
    folder = tmp_path_factory.mktemp("pasted")
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as emr:
        bucket = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}")
        table = make_table(emr)
        table.put(numbered(3))
        made = World(emr, bucket, table, folder)
        words = ("policy", "roles-template", "--table-prefix", "T", "--bucket", bucket, "--prefix", "/")
        deploy_roles(emr, made.run(*words, "--region", REGION).result, region=REGION)
        yield made


def test_every_place_that_prints_a_command_has_a_situation() -> None:
    assert places_of_commands() - NO_COMMANDS == set(SITUATIONS)


@pytest.mark.parametrize("place", [pytest.param(place, marks=marks_of(place)) for place in SITUATIONS])
def test_the_printed_command_runs(world: World, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    for situation in SITUATIONS[place]:
        command = found(world.after(situation.drive), situation.pattern)
        out = world.paste(command)
        assert out.code in situation.codes, f"{command}\n{out.text}"


@pytest.mark.slow
@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not installed here: make setup")
@pytest.mark.parametrize("place", AWS_SITUATIONS)
def test_the_printed_command_of_the_aws_cli_runs(world: World, place: str) -> None:
    situation = AWS_SITUATIONS[place]
    command = found(world.after(situation.drive), situation.pattern)
    env = world.emr.process_env(PATH=f"{AWS.parent}:/usr/bin:/bin")
    done = subprocess.run(
        ["bash", "-c", command], env=env, cwd=world.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
