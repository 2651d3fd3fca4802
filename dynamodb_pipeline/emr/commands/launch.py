"""
Commands that plan or start a run: `plan`, `preflight`, `export`, `import`, `verify`.

Order of a launch: checks, plan, upload of the code, one RunJobFlow, wait, report. Nothing is started before the
checks and the plan have passed, and the cluster's fate is the last line of everything after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.emr.calls.clock import utc
from dynamodb_pipeline.emr.calls.clusters import cluster_line, read_cluster
from dynamodb_pipeline.emr.calls.console import CommandResult, Console
from dynamodb_pipeline.emr.calls.launch import add_steps, group_nodes, launch_cluster, standing_cluster
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig, load_cluster_config
from dynamodb_pipeline.emr.cluster.release_labels import label_problem
from dynamodb_pipeline.emr.commands.runs import wait_and_report
from dynamodb_pipeline.emr.plan.advice import Fleet
from dynamodb_pipeline.emr.plan.cost import Prices
from dynamodb_pipeline.emr.plan.estimate import TableFacts
from dynamodb_pipeline.emr.plan.plan import Plan, make_plan
from dynamodb_pipeline.emr.preflight.check_result import ImportInput, overall, table_lines
from dynamodb_pipeline.emr.preflight.cluster import choose_subnet
from dynamodb_pipeline.emr.preflight.preflight import PreflightScope, failures, preflight
from dynamodb_pipeline.emr.request.bundle import CodeFile, ShippedCode, code_files, shipped_code, upload_code
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.run_job_flow_request import run_job_flow_request, spark_conf
from dynamodb_pipeline.emr.request.steps import step_requests
from dynamodb_pipeline.emr.watch.lifecycle import RunTarget
from dynamodb_pipeline.emr.watch.spent import PLAN_TAG
from dynamodb_pipeline.errors import ExitCode, PreconditionError, counted
from dynamodb_pipeline.settings.run_commands import run_command
from dynamodb_pipeline.settings.spark_conf import PlannedCost

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_emr.type_defs import StepConfigTypeDef


@dataclass(frozen=True)
class LaunchInputs:
    """
    What a launch is made from beside its settings.

    Attributes:
        tables: size and rate of each table, as the caller resolved them.
        bundle_zip: the built library zip.
        prices: for the plan.
        source: what an import will read.
        question: to be answered with yes before anything is started; None where nobody is to be asked.
        other_config: the same command with another type of nodes, for a remedy.
    """

    tables: tuple[TableFacts, ...]
    bundle_zip: Path
    prices: Prices
    source: ImportInput | None = None
    question: str | None = None
    other_config: str = PreflightScope.other_config


@dataclass(frozen=True)
class Prepared:
    """A launch that is ready: for a new cluster its config and request, and the plan in both cases."""

    config: ClusterConfig | None
    request: dict[str, Any] | None
    plan: Plan
    files: tuple[CodeFile, ...]
    shipped: ShippedCode


def prepare(settings: LaunchSettings, inputs: LaunchInputs, clients: Clients, console: Console) -> Prepared:
    """
    Work out everything a launch would send, without sending it.

    Raises:
        UsageError: config, label, type or request cannot be used.
        PreconditionError: over `--max-cost`, or the standing cluster takes no steps.
    """
    files = tuple(code_files(inputs.bundle_zip))
    shipped = shipped_code(list(files), folder=settings.code)
    today = utc(console.clock.now()).date()
    if settings.cluster_id is not None:
        fleet = _standing_fleet(settings, clients, console)
        plan = make_plan(settings, fleet=fleet, tables=inputs.tables, prices=inputs.prices, today=today)
        return Prepared(None, None, plan, files, shipped)
    chosen = settings.cluster
    config = load_cluster_config(chosen.config, region=settings.region, overrides=chosen.overrides)
    settings = on_subnet(settings, clients, config=config)
    fleet = Fleet(config.groups, config.release_label)
    plan = make_plan(settings, fleet=fleet, tables=inputs.tables, prices=inputs.prices, today=today)
    code = shipped.job_code(settings.connector_jar)
    planned = planned_cost(plan).tag()
    settings = replace(with_tag(settings, PLAN_TAG, planned), planned=planned)
    request = run_job_flow_request(settings, config=config, code=code, bootstrap=shipped.bootstrap())
    return Prepared(config, request, plan, files, shipped)


def planned_cost(plan: Plan) -> PlannedCost:
    """What the cluster is to remember of its plan."""
    cost = plan.cost
    sums = {"total": cost.total_usd, "units_usd": cost.units_usd, "other": cost.s3_usd}
    return PlannedCost.of(**sums, units=plan.planned_units, seconds=plan.wall_s)


def with_tag(settings: LaunchSettings, key: str, value: str) -> LaunchSettings:
    """The settings with another tag of the cluster."""
    cluster = settings.cluster
    return replace(settings, cluster=replace(cluster, tags=(*cluster.tags, (key, value))))


def on_subnet(settings: LaunchSettings, clients: Clients, *, config: ClusterConfig | None = None) -> LaunchSettings:
    """
    The settings with the default subnet whose zone offers the nodes' types, where neither they nor the config name one.

    A caller who may not look gets EMR's own choice; preflight says what it could not look at.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    cluster = settings.cluster
    config = config or load_cluster_config(cluster.config, region=settings.region, overrides=cluster.overrides)
    if cluster.subnet_id or {"Ec2SubnetId", "Placement"} & set(config.request["Instances"]):
        return settings
    try:
        chosen = choose_subnet(clients.client("ec2"), config)
    except (BotoCoreError, ClientError):
        return settings
    return replace(settings, cluster=replace(cluster, subnet_id=chosen))


def scope_of(settings: LaunchSettings, prepared: Prepared, inputs: LaunchInputs) -> PreflightScope:
    """What preflight looks at."""
    return PreflightScope(settings, prepared.config, prepared.request, inputs.source, inputs.other_config)


def _standing_fleet(settings: LaunchSettings, clients: Clients, console: Console) -> Fleet:
    emr, cluster_id = clients.client("emr"), settings.cluster_id or ""
    standing_cluster(emr, cluster_id, clock=console.clock)
    label = emr.describe_cluster(ClusterId=cluster_id)["Cluster"].get("ReleaseLabel") or ""
    problem = label_problem(label)
    if problem:
        msg = f"cluster {cluster_id} cannot run the job: {problem}"
        raise PreconditionError(msg)
    return Fleet(group_nodes(emr, cluster_id, clock=console.clock), label, billed=False)


def run_plan(settings: LaunchSettings, inputs: LaunchInputs, clients: Clients, console: Console) -> CommandResult:
    """Say what a run would do, take and cost, and give the exact request; starts nothing."""
    prepared = prepare(settings, inputs, clients, console)
    document = {"kind": "plan", "run_id": settings.run_id, **prepared.plan.to_json()}
    if prepared.request is not None:
        document["run_job_flow"] = prepared.request
    return CommandResult(ExitCode.DONE, document, words=tuple(prepared.plan.lines()))


def run_preflight(settings: LaunchSettings, inputs: LaunchInputs, clients: Clients, console: Console) -> CommandResult:
    """Say every check's verdict; exit code 3 (7 for credentials) when one of them would refuse a run."""
    prepared = prepare(settings, inputs, clients, console)
    results = preflight(scope_of(settings, prepared, inputs), clients)
    document = {"kind": "preflight", "checks": [result.to_json() for result in results]}
    return CommandResult(overall(results), document, words=tuple(table_lines(results)))


def run_launch(settings: LaunchSettings, inputs: LaunchInputs, clients: Clients, console: Console) -> CommandResult:
    """
    Start a run and, unless told otherwise, wait for it and tell how it ended.

    Raises:
        PipelineError: nothing was started, or (with the cluster's fate as its last line) contact was lost.
    """
    prepared = prepare(settings, inputs, clients, console)
    results = preflight(scope_of(settings, prepared, inputs), clients)
    refused = failures(results)
    if refused:
        document = {"kind": settings.verb, "status": "refused", "checks": [result.to_json() for result in refused]}
        return CommandResult(overall(refused), document, words=(*table_lines(refused), "nothing was started"))
    console.say_all(table_lines([result for result in results if result.remedy or console.verbose]))
    console.say_all(prepared.plan.lines())
    if inputs.question is not None:
        console.confirm(inputs.question)
        if console.attention.interrupts or console.attention.terminated:
            return _interrupted(settings, console)
    s3 = clients.client("s3")
    upload_code(s3, list(prepared.files), folder=settings.code, bucket_owner=settings.bucket_owner)
    if console.attention.interrupts or console.attention.terminated:
        return _interrupted(settings, console)
    target = start(settings, prepared, clients, console)
    if not settings.wait:
        return _left_running(settings, target, clients, console)
    return wait_and_report(target, clients, console, kind=settings.verb, limits=settings.limits)


def _interrupted(settings: LaunchSettings, console: Console) -> CommandResult:
    """Ctrl-C or SIGTERM came before the one call that starts something."""
    code = ExitCode.TERMINATED if console.attention.terminated else ExitCode.INTERRUPTED
    document = {"kind": settings.verb, "run_id": settings.run_id, "status": code.row.status}
    return CommandResult(code, document, words=("interrupted; nothing was started",))


def start(settings: LaunchSettings, prepared: Prepared, clients: Clients, console: Console) -> RunTarget:
    """
    Hand the run, whose code is in S3 by now, to EMR; never a second cluster for one run.

    Raises:
        PipelineError: as `launch_cluster` and `add_steps`.
    """
    emr = clients.client("emr", attempts=1)
    if prepared.request is None:
        return _start_steps(settings, prepared, emr, console)
    launched = launch_cluster(emr, prepared.request, clock=console.clock)
    console.say(f"run {settings.run_id}: cluster {launched.cluster_id} {'found' if launched.existed else 'started'}")
    return RunTarget(launched.cluster_id, settings.run_id, settings.region, ours=True)


def _start_steps(settings: LaunchSettings, prepared: Prepared, emr: EMRClient, console: Console) -> RunTarget:
    cluster_id = settings.cluster_id or ""
    planned = planned_cost(prepared.plan).tag()
    conf = spark_conf(replace(settings, planned=planned), groups=prepared.plan.fleet.groups)
    code = prepared.shipped.job_code(settings.connector_jar)
    steps = step_requests(settings.jobs, verb=settings.verb, name_prefix=settings.name_prefix, code=code, conf=conf)
    shared: list[StepConfigTypeDef] = [
        {**step, "ActionOnFailure": "CONTINUE"} for step in steps
    ]  # the cluster is not ours to end
    ids = add_steps(emr, cluster_id, shared, clock=console.clock)
    console.say(f"run {settings.run_id}: {counted(len(ids), 'step')} on cluster {cluster_id}")
    return RunTarget(cluster_id, settings.run_id, settings.region, ours=False, step_ids=tuple(ids))


def _left_running(settings: LaunchSettings, target: RunTarget, clients: Clients, console: Console) -> CommandResult:
    cluster = read_cluster(clients.client("emr"), target.cluster_id, clock=console.clock)
    line = cluster_line(cluster, region=target.region)
    command = run_command("wait", settings.run_id, region=settings.region, cluster_id=settings.cluster_id)
    document = {
        "kind": settings.verb,
        "run_id": settings.run_id,
        "status": "running",
        "cluster_id": target.cluster_id,
        "fate": line,
    }
    return CommandResult(ExitCode.DONE, document, words=(f"attach: {command}", line))
