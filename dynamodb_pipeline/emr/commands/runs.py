"""Commands on a run that exists: `wait`, `status`, `logs`, `cancel`, `terminate`. None needs local state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.clock import utc
from dynamodb_pipeline.emr.calls.clusters import (
    FoundCluster,
    StepView,
    cluster_line,
    list_clusters,
    read_cluster,
    read_steps,
    since,
)
from dynamodb_pipeline.emr.calls.console import CommandResult, Console
from dynamodb_pipeline.emr.calls.stopping import cancel_steps, terminate_cluster
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.emr.request.steps import given_in_step, places_of_step
from dynamodb_pipeline.emr.watch.cloudwatch_logs import CloudWatchLogs
from dynamodb_pipeline.emr.watch.diagnosis import Diagnosis, diagnose_cluster, diagnose_step
from dynamodb_pipeline.emr.watch.lifecycle import Ending, Outcome, RunTarget, RunWatch
from dynamodb_pipeline.emr.watch.look import Look, step_line, watch_line
from dynamodb_pipeline.emr.watch.run_end import ending_of, step_results
from dynamodb_pipeline.emr.watch.run_lookup import find_run, kind_named, run_named
from dynamodb_pipeline.emr.watch.run_records import (
    JobResult,
    LiveTables,
    job_result,
    read_record,
    record_location,
    scheduled_record,
)
from dynamodb_pipeline.emr.watch.run_report import RunReport, needs_diagnosis, run_exit_code, step_timeout_s
from dynamodb_pipeline.emr.watch.step_logs import step_log_files
from dynamodb_pipeline.errors import ExitCode, PreconditionError, counted, worst
from dynamodb_pipeline.finished import units_done
from dynamodb_pipeline.settings.job_options import TABLE
from dynamodb_pipeline.settings.run_commands import run_command
from dynamodb_pipeline.settings.spark_conf import COST_WORDS, RunPrices, cost_text, known_sum

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOOKED_INTO = 20  # of the runs that are listed: one ListSteps each, and a GetObject for each step
FOLLOW_S = 15.0  # between two looks at the logs of a run


@dataclass(frozen=True)
class RunQuery:
    """Which run is meant: its id (or a cluster id), and the standing cluster it was given to, if known."""

    run: str
    cluster_id: str | None = None
    follow: bool = False


def target_of(query: RunQuery, clients: Clients, console: Console) -> RunTarget:
    """
    Find the run.

    Raises:
        PreconditionError: no such run.
    """
    emr, s3 = clients.client("emr"), clients.client("s3")
    return find_run(emr, query.run, region=clients.region, clock=console.clock, cluster_id=query.cluster_id, s3=s3)


def record_places(query: RunQuery, clients: Clients, console: Console) -> tuple[str, ...]:
    """
    Where the jobs of a run on a cluster keep their records, for who knows nothing but an id.

    Raises:
        PreconditionError: no such run, or none of its jobs keeps a record.
    """
    steps, s3 = look_at(target_of(query, clients, console), clients, console).steps, clients.client("s3")
    places = (record_location(step) or scheduled_record(s3, step) for step in steps)
    uris = tuple(place.uri for place in places if place is not None)
    if not uris:
        msg = f"no step of run {query.run} has left a record yet; if it was given --logs, try again in a minute"
        raise PreconditionError(msg)
    return uris


def run_wait(query: RunQuery, clients: Clients, console: Console) -> CommandResult:
    """Attach to a run until it ends, as if it had been started here."""
    target = target_of(query, clients, console)
    return wait_and_report(target, clients, console, kind="wait", limits=None)


def wait_and_report(
    target: RunTarget, clients: Clients, console: Console, *, kind: str, limits: RunLimits | None
) -> CommandResult:
    """
    Wait for the run's end and tell it all; `limits` None takes the timeout from the steps' own options.

    Raises:
        PipelineError: contact or permission lost; the message ends with the cluster's fate.
    """
    watch = RunWatch(
        emr=clients.client("emr"),
        target=target,
        limits=limits or RunLimits(),
        clock=console.clock,
        attention=console.attention,
        say=console.say,
    )
    if limits is None:
        watch.limits = _limits_of(watch.look())
    with console.board() as board:
        if board is not None:
            watch.live = LiveTables(clients.client("s3", attempts=1), board, say=console.say)
            watch.each_change = console.verbose
        outcome = watch.wait()
    return report_of(outcome, target, clients, console).command_result(kind)


def _limits_of(look: Look) -> RunLimits:
    timeouts = [step_timeout_s(job_result(step, {})) for step in look.steps]
    return replace(RunLimits(), timeout_s=max(timeouts)) if timeouts else RunLimits()


def report_of(outcome: Outcome, target: RunTarget, clients: Clients, console: Console) -> RunReport:
    """Join EMR's view, the run records and, for a failure, the logs."""
    s3 = clients.client("s3")
    results = step_results(s3, outcome)
    code = run_exit_code(outcome, results, attention=console.attention)
    return RunReport(target, outcome, results, _diagnosis(s3, outcome, results, console), code)


def _diagnosis(s3: S3Client, outcome: Outcome, results: tuple[JobResult, ...], console: Console) -> Diagnosis | None:
    if outcome.ending in (Ending.DETACHED, Ending.STOPPED_BY_USER):
        return None
    failed = next((result for result in results if needs_diagnosis(result)), None)
    if failed is not None:
        return diagnose_step(s3, failed, cluster=outcome.cluster, clock=console.clock)
    if outcome.ending in (Ending.CLUSTER_LOST, Ending.NOT_PROVISIONED):
        places = next((places for step in outcome.steps if (places := places_of_step(step.arguments))), None)
        return diagnose_cluster(s3, outcome.cluster, places=places)
    return None


def run_status(query: RunQuery, clients: Clients, console: Console) -> CommandResult:
    """One look at a run: its cluster, each step, and the exit code when it is over (0 while it runs)."""
    target = target_of(query, clients, console)
    look = look_at(target, clients, console)
    ending = ending_of(look)
    if ending is None:
        document = {"kind": "status", "run_id": query.run, "status": "running", **_look_json(look)}
        words = (watch_line(look, began_s=look.at_s).text, cluster_line(look.cluster, region=target.region))
        return CommandResult(ExitCode.DONE, document, words=words)
    report = report_of(Outcome(ending, look.cluster, look.steps), target, clients, console)
    return report.command_result("status")


def look_at(target: RunTarget, clients: Clients, console: Console) -> Look:
    """One look at the run."""
    watch = RunWatch(clients.client("emr"), target, RunLimits(), console.clock, console.attention, console.say)
    return watch.look()


def _look_json(look: Look) -> dict[str, Any]:
    steps = [{"step_id": step.id, "name": step.name, "step_state": step.state} for step in look.steps]
    return {"cluster_id": look.cluster.id, "cluster_state": look.cluster.state, "steps": steps}


def run_cancel(query: RunQuery, clients: Clients, console: Console) -> CommandResult:
    """Cancel the run's steps; a cluster of ours then ends by itself, a standing one goes on."""
    target = target_of(query, clients, console)
    look = look_at(target, clients, console)
    ids = tuple(step.id for step in look.unfinished)
    if not ids:  # as `terminate` of a cluster that is gone: what was asked for is so
        words = (f"nothing to cancel: {counted(len(look.steps), 'step')} had ended",)
        return _stopped(target, clients, console, kind="cancel", steps=look.steps, words=words)
    steps = cancel_steps(clients.client("emr"), target.cluster_id, ids, clock=console.clock)
    return _stopped(target, clients, console, kind="cancel", steps=steps, words=tuple(map(step_line, steps)))


def run_terminate(query: RunQuery, clients: Clients, console: Console) -> CommandResult:
    """
    End the run's cluster.

    Raises:
        PreconditionError: it is a standing cluster, which is not ours to end.
    """
    target = target_of(query, clients, console)
    if not target.ours:
        command = run_command("cancel", query.run, region=target.region, cluster_id=target.cluster_id)
        msg = f"{target.cluster_id} is a standing cluster and not ours to end; use: {command}"
        raise PreconditionError(msg)
    terminate_cluster(clients.client("emr"), target.cluster_id, clock=console.clock)
    return _stopped(target, clients, console, kind="terminate", steps=())


def _stopped(
    target: RunTarget,
    clients: Clients,
    console: Console,
    *,
    kind: str,
    steps: tuple[StepView, ...],
    words: tuple[str, ...] = (),
) -> CommandResult:
    cluster = read_cluster(clients.client("emr"), target.cluster_id, clock=console.clock)
    line = cluster_line(cluster, region=target.region)
    document = {
        "kind": kind,
        "run_id": target.run,
        "cluster_id": cluster.id,
        "cluster_state": cluster.state,
        "steps": [{"step_id": step.id, "step_state": step.state} for step in steps],
        "fate": line,
    }
    return CommandResult(ExitCode.DONE, document, words=(*words, line))


def run_logs(query: RunQuery, clients: Clients, console: Console) -> CommandResult:
    """
    Put out what the run's steps printed; with `follow` go on until they have ended. From CloudWatch Logs where the
    cluster sends it there, else from S3, where EMR stores it every five minutes.
    """
    target = target_of(query, clients, console)
    printed_chars: dict[str, int] = {}
    sent: CloudWatchLogs | None = None
    while True:
        look = look_at(target, clients, console)
        if sent is None and look.cluster.log_group:
            sent = CloudWatchLogs(clients.client("logs"), look.cluster)
        if sent is None or not _put_events(sent, console, printed_chars, over=not look.unfinished):
            _put_new_text(look, clients, console, printed_chars=printed_chars)
        if not query.follow or not look.unfinished or console.attention.interrupts:
            break
        console.clock.sleep(FOLLOW_S)
    if not printed_chars:
        console.say(f"no log of run {query.run} has arrived yet; EMR stores them every five minutes")
    return CommandResult(ExitCode.DONE, {"kind": "logs", "run_id": query.run, "files": sorted(printed_chars)})


def _put_events(sent: CloudWatchLogs, console: Console, printed_chars: dict[str, int], *, over: bool) -> bool:
    """Put out what has come to CloudWatch; False where the logs in S3 have to do."""
    if sent.problem:
        return False
    for line in sent.new_lines():
        printed_chars[sent.group] = printed_chars.get(sent.group, 0) + len(line)
        console.put([line.expandtabs()])
    if sent.problem:
        console.say(f"note: {sent.problem}")
        return False
    return sent.group in printed_chars or not over


def _put_new_text(look: Look, clients: Clients, console: Console, *, printed_chars: dict[str, int]) -> None:
    s3, cluster = clients.client("s3"), look.cluster
    for step in look.steps if cluster.log_uri else ():
        for file in step_log_files(s3, cluster.log_uri or "", cluster_id=cluster.id, step_id=step.id):
            start = printed_chars.get(file.location.uri, 0)
            if start == 0 and file.text:
                console.put([f"==> {step.name} {file.location.uri} <=="])
            console.put(file.text[start:].expandtabs().splitlines())
            printed_chars[file.location.uri] = len(file.text)


def run_runs(clients: Clients, console: Console) -> CommandResult:
    """The runs whose clusters this region has had within two months, the newest first; the newest are looked into."""
    listed = list_clusters(clients.client("emr"), clock=console.clock, created_after=since(console.clock))
    ours = [cluster for cluster in listed if run_named(cluster.name)]
    rows = [
        _cluster_row(cluster, _steps_row(cluster, clients, console) if number < LOOKED_INTO else {}, console=console)
        for number, cluster in enumerate(ours)
    ]
    last = [COST_WORDS] if rows else []
    last.append(f"{counted(len(rows), 'run')} in {clients.region} within two months; --logs shows what they did")
    title = [f"{'created (UTC)':<21}{'kind':<8}{'cluster':<17}{'took':<12}{'cost':>8}{'exit':>6}"] if rows else []
    words = (*title, *(line for row in rows for line in _wide_lines(row)), *last)
    narrow = (*(line for row in rows for line in _narrow_lines(row)), *last)
    document = {"kind": "runs", "region": clients.region, "runs": rows}
    return CommandResult(ExitCode.DONE, document, words=words, narrow=narrow)


def _wide_lines(row: dict[str, Any]) -> Iterator[str]:
    """A run of the region, 77 columns but for names."""
    created, took, cost, code = _cells(row)
    yield f"{created:<21}{row['run_kind']:<8}{row['cluster_id']:<17}{took:<12}{cost:>8}{code:>6}"
    yield f"  {row['run_id']}  {row['cluster_state']}  {', '.join(row['tables'])}".rstrip()


def _narrow_lines(row: dict[str, Any]) -> Iterator[str]:
    """The same, 40 columns but for names."""
    created, took, cost, code = _cells(row)
    yield f"{created}  {row['run_kind']}"
    yield f"  {', '.join([took, *([] if cost == '-' else [cost]), *([f'exit {code}'] if code else [])])}"
    yield f"  {row['cluster_id']}  {row['cluster_state']}"
    yield f"  {row['run_id']}  {', '.join(row['tables'])}".rstrip()


def _cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """When it was created, how long it took, its cost and its exit code."""
    took = duration_text(row["seconds"]) if row["seconds"] is not None else "?"
    created = (row["created"] or "?").replace("T", " ").removesuffix("Z")
    code = "" if row["exit_code"] is None else str(row["exit_code"])
    return created, took, cost_text(row["cost_usd"]), code


def _cluster_row(cluster: FoundCluster, looked: dict[str, Any], *, console: Console) -> dict[str, Any]:
    """What ListClusters says of a run, with what its steps and records say."""
    until = cluster.ended or utc(console.clock.now())
    seconds = (until - cluster.created).total_seconds() if cluster.created else None
    prices: RunPrices = looked.get("prices", RunPrices())
    usd = known_sum(prices.cluster_usd(seconds), looked.get("units_usd"))
    return {
        "run_id": run_named(cluster.name),
        "run_kind": kind_named(cluster.name),
        "tables": looked.get("tables", []),
        "cluster_id": cluster.id,
        "cluster_state": cluster.state,
        "created": f"{cluster.created:%Y-%m-%dT%H:%M:%SZ}" if cluster.created else None,
        "seconds": None if seconds is None else round(seconds),
        "cost_usd": None if usd is None else round(usd, 4),
        "exit_code": looked.get("exit_code"),
    }


def _steps_row(cluster: FoundCluster, clients: Clients, console: Console) -> dict[str, Any]:
    """Tables, prices, worth of the units and exit code of a cluster's steps; no exit code while one is not over."""
    s3, steps = clients.client("s3"), read_steps(clients.client("emr"), cluster.id, clock=console.clock)
    results = [job_result(step, read_record(s3, step)) for step in steps if step.started or step.final]
    prices = [RunPrices.of_words(step.arguments) for step in steps]
    units = (RunPrices.of_words(one.step.arguments).units_usd(units_done(one.record)) for one in results)
    over = bool(steps) and all(step.final for step in steps)
    return {
        "tables": [name for step in steps for name in given_in_step(step.arguments).texts(TABLE) or ()],
        "prices": next((price for price in prices if price.usd_per_hour is not None), RunPrices()),
        "units_usd": known_sum(*units),
        "exit_code": int(worst(one.exit_code for one in results)) if over else None,
    }
