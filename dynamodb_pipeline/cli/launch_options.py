"""Turns the options of a command line into the frozen settings of the launcher's commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynamodb_pipeline.addresses import S3Uri, is_s3, partition_of
from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.emr.commands.documents import PolicyQuery
from dynamodb_pipeline.emr.documents.policies import BUCKETLESS, NO_BUCKET
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES, PolicyScope
from dynamodb_pipeline.emr.documents.schedules import Schedule
from dynamodb_pipeline.emr.plan.cost import Prices, load_prices
from dynamodb_pipeline.emr.request.launch_settings import ClusterSettings, LaunchSettings, RunLimits
from dynamodb_pipeline.emr.request.steps import CONNECTOR_JAR, TableJob
from dynamodb_pipeline.emr.request.table_jobs import RunWords, export_jobs, pattern_job, single_job
from dynamodb_pipeline.errors import PipelineError, UsageError
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.settings import job_options as job
from dynamodb_pipeline.settings.job import ImportSettings, JobSettings
from dynamodb_pipeline.settings.rows import Given, Options, Row, Where
from dynamodb_pipeline.settings.values import is_pattern

NO_SECURITY_CONFIGURATION = "none"
# Options that differ from table to table, and those that every job is given by the launcher.
OF_A_TABLE: dict[str, tuple[Row[Any], ...]] = {
    "export": (job.TABLES, job.OUTPUT),
    "import": (job.TABLE, job.INPUT, job.CHAIN),
    "verify": (job.COMPARED,),
}
OF_THE_RUN = (job.RUN_ID, job.RESUME, job.LOGS, job.REGION, job.SCHEDULED_TIME, job.CONNECTOR_JAR)


@dataclass(frozen=True)
class RunStart:
    """
    What the caller resolved before a launch.

    Attributes:
        run_id: new, or the one to resume.
        moment: ISO 8601 UTC time that names an export's folders; None lets the job take its own start.
        size_bytes: table sizes, so that the biggest starts first.
        backup: what an import reads in place of the newest below its input, where it is known already.
        by_pattern: the tables were found by a pattern: each has its own folder, one as well as several.
    """

    run_id: str
    region: str
    moment: str | None = None
    size_bytes: dict[str, int] = field(default_factory=dict)
    by_pattern: bool = False
    backup: str | None = None


def backup_of(settings: JobSettings, source: Callable[[], ImportSource] | None) -> str | None:
    """What `--latest` means now, so that the job reads that and no later one; None where this caller cannot tell."""
    if source is None or not isinstance(settings, ImportSettings) or not settings.latest:
        return None
    with suppress(PipelineError):
        return source().folder
    return None


def launch_of(kind: str, options: Options, *, start: RunStart) -> LaunchSettings:
    """
    The settings of `export`, `import` or `verify` from the options of its command line.

    Args:
        start: what the caller resolved.

    Raises:
        UsageError: no log folder, or every problem of the settings.
    """
    logs = options[job.LOGS]
    if logs is None:
        msg = (
            f"a run on a cluster needs {job.LOGS} s3://bucket/folder: its record, ledger, code and EMR's logs go there"
        )
        raise UsageError(msg)
    run = RunWords(
        run_id=start.run_id,
        region=start.region,
        logs_uri=str(logs),
        options=options.given.only(Where.JOB).without(*OF_A_TABLE[kind], *OF_THE_RUN),
        moment=start.moment,
    )
    jobs, data_uris = _jobs_of(kind, options, run=run, start=start)
    return launch_settings(options, verb=kind, run=run, jobs=jobs, data_uris=data_uris)


def _jobs_of(
    kind: str, options: Options, *, run: RunWords, start: RunStart
) -> tuple[tuple[TableJob, ...], tuple[str, ...]]:
    """The jobs of a run, and the data folders they touch."""
    if kind == "export":
        output, tables = options.given.text(job.OUTPUT) or "", options[job.TABLES]
        if any(map(is_pattern, tables)):  # a schedule: the job looks them up each time
            return pattern_job(run, tables, output=output), (output,)
        sizes = start.size_bytes
        return export_jobs(run, tables=tables, output=output, size_bytes=sizes, apart=start.by_pattern), (output,)
    if kind == "import":
        table, folder, chain = options[job.TABLE], options[job.INPUT], options[job.CHAIN]
        moment, keys = options.given.text(job.SCHEDULED_IMPORT), options[job.KEYS]
        if keys is not None and not is_s3(keys):
            msg = f"{job.KEYS} {keys} is a file of this machine, which no node can read: put it below the exports in S3"
            raise UsageError(msg)
        own: dict[Row[Any], str | None] = {job.TABLE: table, job.INPUT: start.backup or folder, job.CHAIN: chain}
        if start.backup is not None:
            run = replace(run, options=run.options.without(job.LATEST))
        return single_job(run, table, {**own, job.SCHEDULED_TIME: moment}), (str(folder or chain),)
    compared = options[job.COMPARED]
    return single_job(run, compared or "export", {job.COMPARED: compared}), (options[job.EXPORTED],)


def launch_settings(
    options: Options, *, verb: str, run: RunWords, jobs: tuple[TableJob, ...], data_uris: tuple[str, ...]
) -> LaunchSettings:
    """
    The settings of a launch from the launcher's options and the jobs made of the others.

    Raises:
        UsageError: every problem, one a line.
    """
    return LaunchSettings(
        verb=verb,
        run_id=run.run_id,
        region=run.region,
        logs_uri=run.logs_uri,
        jobs=jobs,
        data_uris=data_uris,
        code_uri=options.given.text(own.CODE),
        name_prefix=options[own.NAME],
        cluster=_cluster_settings(options),
        limits=RunLimits(options[job.TIMEOUT], options[own.PROVISIONING_TIMEOUT], options[own.MAX_COST]),
        cluster_id=options[own.CLUSTER_ID],
        connector_jar=options[job.CONNECTOR_JAR] or CONNECTOR_JAR,
        spark_conf=options[own.SPARK_CONF],
        launcher=_launcher_words(options),
        wait=not options[own.NO_WAIT],
        bucket_owner=options[job.BUCKET_OWNER],
        probe_write=options[own.PROBE_WRITE],
    )


def _launcher_words(options: Options) -> tuple[str, ...]:
    """What a launch was asked for beside its job; what a settings file said is among it, so the file is not needed."""
    of_schedules = [row for row, _ in options.given.entries if row.verbs == own.SCHEDULE_NAME.verbs]
    launcher = options.given.only(Where.LAUNCHER).without(own.SETTINGS, *of_schedules)
    return (launcher + Given.of({job.CONNECTOR_JAR: options.given.text(job.CONNECTOR_JAR)})).words()


def _cluster_settings(options: Options) -> ClusterSettings:
    security = options[own.SECURITY_CONFIGURATION]
    return ClusterSettings(
        config=options[own.CONFIG],
        overrides=options[own.SET],
        service_role=options[own.SERVICE_ROLE],
        node_role=options[own.NODE_ROLE],
        subnet_id=options[own.SUBNET],
        security_configuration=None if security == NO_SECURITY_CONFIGURATION else security,
        tags=options[own.TAG],
        log_kms_key_arn=options[own.LOG_KMS_KEY],
        log_group=options[own.CLOUDWATCH_LOGS],
    )


def prices_of(options: Options, *, region: str) -> Prices:
    """The shipped prices of the region, or the user's own."""
    named = options[own.PRICES]
    return load_prices(Path(named) if named else None, region=region)


def schedule_of(options: Options, *, kind: str, table: str) -> Schedule:
    """
    Raises:
        UsageError: no expression that says when.
    """
    expression = options[own.CRON]
    if expression is None:
        msg = f"schedule needs {own.CRON}, e.g. {own.CRON} 'cron(0 3 * * ? *)'"
        raise UsageError(msg)
    name = options[own.SCHEDULE_NAME] or re.sub(r"[^A-Za-z0-9_-]+", "-", f"{kind}-{table}")[:41]
    return Schedule(name, expression, timezone=options[own.TIMEZONE], email=options[own.EMAIL])


def policy_query(options: Options, *, account: str, region: str) -> PolicyQuery:
    """
    What to print; `account` and `region` are those of the credentials, used unless options say otherwise.

    Raises:
        UsageError: no bucket.
    """
    bucket, kind, tables = options[own.BUCKET], options[own.POLICY_KIND], options[own.POLICY_TABLES]
    if bucket is None and kind in BUCKETLESS:
        bucket = NO_BUCKET
    if bucket is None:
        msg = f"policy {kind} needs {own.BUCKET} (and {own.PREFIX}) of the exports"
        raise UsageError(msg)
    region = options[own.POLICY_REGION] or region
    logs = _folder(options[own.POLICY_LOGS]) or S3Uri(bucket, "logs")
    scope = PolicyScope(
        account=options[own.ACCOUNT] or account,
        region=region,
        partition=partition_of(region),
        tables=tables or (() if options[own.TABLE_PREFIXES] else EXAMPLE_TABLES),
        table_prefixes=options[own.TABLE_PREFIXES],
        data=S3Uri(bucket, options[own.PREFIX].strip("/")),
        logs=logs,
        code=_folder(options[own.POLICY_CODE]) or logs.child("code"),
        kms_key_arns=options[own.KMS_KEY],
        log_key_arns=options[own.POLICY_LOG_KEY],
        log_group=options[own.POLICY_LOG_GROUP],
        service_role=options[own.POLICY_SERVICE_ROLE],
        export_role=options[own.EXPORT_ROLE],
        import_role=options[own.IMPORT_ROLE],
        skip_existing=options[own.POLICY_SKIP_EXISTING],
        mirror=options[own.POLICY_MIRROR],
        only_changes=options[own.POLICY_ONLY_CHANGES],
        set_aside=_folder(options[own.POLICY_SET_ASIDE]),
        table_role_arn=options[own.POLICY_TABLE_ROLE],
        for_account=options[own.FOR_ACCOUNT],
        external_id=options[own.POLICY_EXTERNAL_ID],
        principals=options[own.FOR_PRINCIPAL],
        for_import=options[own.FOR_JOB] == "import",
        index=options[own.POLICY_INDEX],
    )
    return PolicyQuery(kind=kind, scope=scope, trust=options[own.TRUST])


def _folder(place: S3Uri | None) -> S3Uri | None:
    """A folder as policies name it, without a slash at either end."""
    return None if place is None else S3Uri(place.bucket, place.key.strip("/"))
