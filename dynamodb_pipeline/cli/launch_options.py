"""Turns parsed options into the frozen settings of the commands, every problem told at once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, TypeVar

from dynamodb_pipeline.cli.cluster_options import LAUNCHER_OPTIONS, SCHEDULE_OPTIONS
from dynamodb_pipeline.durations import duration_s
from dynamodb_pipeline.emr.plan.prices import Prices, load_prices
from dynamodb_pipeline.emr.request.launch_settings import ClusterSettings, LaunchSettings, RunLimits
from dynamodb_pipeline.emr.request.steps import CONNECTOR_JAR, TableJob
from dynamodb_pipeline.emr.request.table_jobs import RunWords, export_jobs, single_job
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.words import without_options

Value = TypeVar("Value")

NO_SECURITY_CONFIGURATION = "none"
# Options that differ from table to table, and those that every job is given by the launcher.
TOLD_APART = {"export": {"--table", "--output"}, "import": {"--table", "--input"}, "verify": {"--table"}}
TOLD_BY_US = {"--run-id", "--resume", "--logs", "--region", "--scheduled-time", "--connector-jar"}


@dataclass(frozen=True)
class RunStart:
    """
    What the caller resolved before a launch.

    Attributes:
        run_id: new, or the one to resume.
        moment: ISO 8601 UTC time that names an export's folders; None lets the job take its own start.
        size_bytes: table sizes, so that the biggest starts first.
    """

    run_id: str
    region: str
    moment: str | None = None
    size_bytes: dict[str, int] = field(default_factory=dict)


def launcher_words_removed(words: tuple[str, ...]) -> tuple[str, ...]:
    """The user's words without the launcher's and schedule's options: what is left belongs to the job."""
    options = {option.name: option for option in (*LAUNCHER_OPTIONS, *SCHEDULE_OPTIONS)}
    kept: list[str] = []
    skip = False
    for word in words:
        option = options.get(word.partition("=")[0])
        if skip:
            skip = False
        elif option is None:
            kept.append(word)
        else:
            skip = option.metavar is not None and "=" not in word
    return tuple(kept)


def launch_of(kind: str, args: argparse.Namespace, *, words: tuple[str, ...], start: RunStart) -> LaunchSettings:
    """
    The settings of `export`, `import` or `verify` from its parsed options.

    Args:
        words: the same options as the user wrote them, without the verb.
        start: what the caller resolved.

    Raises:
        UsageError: no --logs, or every problem of the options.
    """
    if not args.logs:
        msg = "a run on a cluster needs --logs s3://bucket/folder: its record, ledger, code and EMR's logs go there"
        raise UsageError(msg)
    own = launcher_words_removed(words)
    run = RunWords(
        run_id=start.run_id,
        region=start.region,
        logs_uri=args.logs.rstrip("/"),
        options=without_options(own, TOLD_APART[kind] | TOLD_BY_US),
        moment=start.moment,
    )
    jobs, data_uris = _jobs_of(kind, args, run=run, start=start)
    return launch_settings(args, verb=kind, run=run, jobs=jobs, data_uris=data_uris)


def _jobs_of(
    kind: str, args: argparse.Namespace, *, run: RunWords, start: RunStart
) -> tuple[tuple[TableJob, ...], tuple[str, ...]]:
    """The jobs of a run, and the data folders they touch."""
    if kind == "export":
        jobs = export_jobs(run, tables=tuple(args.tables), output=args.output, size_bytes=start.size_bytes)
        return jobs, (args.output,)
    if kind == "import":
        scheduled = getattr(args, "scheduled_time", None)
        moment = ("--scheduled-time", scheduled) if scheduled else ()
        words = ("--table", args.table, "--input", args.input, *moment)
        return single_job(run, args.table, words), (args.input,)
    name = args.table or "export"
    return single_job(run, name, ("--table", args.table) if args.table else ()), (args.export,)


def launch_settings(
    args: argparse.Namespace, *, verb: str, run: RunWords, jobs: tuple[TableJob, ...], data_uris: tuple[str, ...]
) -> LaunchSettings:
    """
    The settings of a launch from the launcher's options and the jobs made of the others.

    Raises:
        UsageError: every problem, one a line.
    """
    problems: list[str] = []
    tags = _attempt(lambda: _pairs(args.tag, option="--tag"), problems)
    limits = _attempt(lambda: _limits(args), problems)
    if problems or tags is None or limits is None:
        raise UsageError("\n".join(problems))
    return LaunchSettings(
        verb=verb,
        run_id=run.run_id,
        region=run.region,
        logs_uri=run.logs_uri,
        jobs=jobs,
        data_uris=data_uris,
        code_uri=args.code,
        name_prefix=args.name,
        cluster=_cluster_settings(args, tags),
        limits=limits,
        cluster_id=args.cluster_id,
        connector_jar=getattr(args, "connector_jar", None) or CONNECTOR_JAR,
        spark_conf=tuple(args.spark_conf),
        wait=not args.no_wait,
        bucket_owner=getattr(args, "bucket_owner", None),
        probe_write=args.probe_write,
    )


def _attempt(make: Callable[[], Value], problems: list[str]) -> Value | None:
    try:
        return make()
    except UsageError as err:
        problems.append(str(err))
        return None


def _cluster_settings(args: argparse.Namespace, tags: tuple[tuple[str, str], ...]) -> ClusterSettings:
    security = args.security_configuration
    return ClusterSettings(
        config=args.config,
        overrides=tuple(args.set),
        service_role=args.service_role,
        node_role=args.node_role,
        subnet_id=args.subnet,
        security_configuration=None if security == NO_SECURITY_CONFIGURATION else security,
        tags=tags,
        log_kms_key_arn=args.log_kms_key,
    )


def _limits(args: argparse.Namespace) -> RunLimits:
    return RunLimits(
        timeout_s=duration_s(getattr(args, "timeout", None) or "12h", option="--timeout"),
        provisioning_s=duration_s(args.provisioning_timeout, option="--provisioning-timeout"),
        max_cost_usd=_dollars(args.max_cost),
    )


def _dollars(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.lstrip("$"))
    except ValueError:
        value = -1.0
    if value < 0:
        msg = f"--max-cost {text!r} is not an amount of US dollars, e.g. 5.00"
        raise UsageError(msg)
    return value


def _pairs(texts: list[str], *, option: str) -> tuple[tuple[str, str], ...]:
    pairs = [text.partition("=") for text in texts]
    for key, mark, _ in pairs:
        if not mark or not key:
            msg = f"{option} {key!r} is not KEY=VALUE"
            raise UsageError(msg)
    return tuple((key, value) for key, _, value in pairs)


def prices_of(args: argparse.Namespace) -> Prices:
    """The shipped prices or the user's own."""
    return load_prices(Path(args.prices) if args.prices else None)
