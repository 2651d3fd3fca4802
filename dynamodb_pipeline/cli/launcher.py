"""
From parsed words to the launcher's commands: clients, console, table facts, the built bundle.

The launcher (emr/) knows nothing of the jobs, and the jobs nothing of EMR; both meet here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any

from dynamodb_pipeline.addresses import table_name
from dynamodb_pipeline.aws.api_errors import denied_error, is_denied
from dynamodb_pipeline.aws.clients import AwsClients, NoRegionError, TableRole
from dynamodb_pipeline.aws.request_errors import Denied
from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.cli.command_line import CommandLine
from dynamodb_pipeline.cli.launch_options import RunStart, backup_of, launch_of, policy_query, prices_of, schedule_of
from dynamodb_pipeline.cli.voice import Voice, import_question
from dynamodb_pipeline.dynamodb.table import TableDescription, TableMissingError, Tables, matching_tables
from dynamodb_pipeline.dynamodb.table_description import ScanTarget
from dynamodb_pipeline.emr import commands
from dynamodb_pipeline.emr.calls.clock import SignalClock
from dynamodb_pipeline.emr.documents.migrate_config import LauncherRows
from dynamodb_pipeline.emr.documents.policies import ACCOUNTLESS, TABLE_RESOURCE
from dynamodb_pipeline.emr.documents.policy_scope import CLOUDFORMATION_ACCOUNT
from dynamodb_pipeline.emr.plan.estimate import TableFacts
from dynamodb_pipeline.emr.preflight.check_result import ImportInput
from dynamodb_pipeline.emr.request.bundle import build_bundle
from dynamodb_pipeline.emr.request.table_jobs import table_run_id
from dynamodb_pipeline.errors import DeniedError, UsageError, counted
from dynamodb_pipeline.exporting.job import try_part
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.importing.job import find_source
from dynamodb_pipeline.importing.size import ImportSize, ItemSample, import_size, item_sample
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, read_rate, write_rate
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.run.record import latest_unfinished, read_state, refuse_other_command
from dynamodb_pipeline.settings.job import ExportSettings, JobSettings
from dynamodb_pipeline.settings.job_options import (
    BUCKET_OWNER,
    EXCLUDE,
    REGION,
    RESUME,
    RUN_ID,
    TABLE,
    TABLE_TAG,
    TABLES,
)
from dynamodb_pipeline.settings.parse import SETTINGS_OF, regions_of
from dynamodb_pipeline.settings.rows import Given, Options, command_line
from dynamodb_pipeline.settings.run_commands import regionless_run_lines
from dynamodb_pipeline.settings.run_ids import moment_of, new_run_id, run_folder
from dynamodb_pipeline.store.anywhere import object_store


@dataclass(frozen=True)
class Launcher:
    """What every launcher command needs: clients of the run's region and a console."""

    clients: AwsClients
    console: commands.Console


@contextmanager
def launcher(
    region: str | None, *, bucket_owner: str | None, voice: Voice, table_role: TableRole | None = None
) -> Iterator[Launcher]:
    """Clients and a console whose waits end at signals."""
    with SignalClock() as clock:
        console = _console(voice, clock)
        yield Launcher(AwsClients(region, bucket_owner=bucket_owner, table_role=table_role), console)


def launcher_for(settings: JobSettings, *, voice: Voice) -> AbstractContextManager[Launcher]:
    """The same for the account, region and role of a job."""
    common = settings.common
    return launcher(common.region, bucket_owner=common.bucket_owner, voice=voice, table_role=common.table_role)


def _console(voice: Voice, clock: SignalClock) -> commands.Console:
    def confirm(question: str) -> None:
        voice.confirm(question, stopped=lambda: clock.interrupts > 0 or clock.terminated)

    return commands.Console(
        say=voice.say,
        clock=clock,
        attention=clock,
        put=voice.put.say_all,
        confirm=confirm,
        verbose=voice.verbose,
        board=voice.board,
    )


def run_on_cluster(line: CommandLine, settings: JobSettings, *, voice: Voice) -> Any:
    """
    `export`, `import` and `verify` on a cluster, and `plan` and `preflight` of them.

    Args:
        line: the verb, the kind of job, and the options of job and launcher.
        settings: the job's checked settings.
    """
    kind, options = line.kind or line.verb, line.options
    command = {"plan": commands.run_plan, "preflight": commands.run_preflight}.get(line.verb, commands.run_launch)
    with launcher_for(settings, voice=voice) as here, built_bundle() as bundle:
        by_pattern = isinstance(settings, ExportSettings) and settings.by_pattern
        if isinstance(settings, ExportSettings) and by_pattern:
            options = with_matching_tables(options, settings, here.clients)
            settings = SETTINGS_OF[kind](options, program=line.program)
            here.console.say(f"{counted(len(settings.table_names), 'table')}: {', '.join(settings.table_names)}")
        tables = described(settings, here.clients, skip_missing=command is commands.run_preflight)
        _try_parts(settings, here.clients, tables, say=voice.say)
        source = import_source(settings, here.clients) if kind == "import" else None
        start = run_start(kind, settings, here.clients, tables)
        start = replace(start, by_pattern=by_pattern, backup=backup_of(settings, source))
        launch = launch_of(kind, options, start=start)
        facts = tuple(run_facts(kind, settings, tables, source=source, clients=here.clients))
        question = import_question(settings, source)
        m5 = command_line(line.program, options.given.without(own.CONFIG) + Given.of({own.CONFIG: "m5"}))
        chosen = source and ImportInput(source, partial(sample_of, source, settings=settings, clients=here.clients))
        prices = prices_of(options, region=launch.region)
        inputs = commands.LaunchInputs(facts, bundle, prices, chosen, question, m5)
        return command(launch, inputs, here.clients, here.console)


def _try_parts(
    settings: JobSettings, clients: AwsClients, tables: Sequence[TableDescription], *, say: Callable[[str], None]
) -> None:
    """Raises as `try_part`; whoever may launch need not be one who may read tables: then the job asks, first of all."""
    if not isinstance(settings, ExportSettings):
        return
    for table in tables:
        try:
            try_part(Tables.of(clients), table, settings)
        except Denied:
            say(f"note: {table.name}: this caller may not Scan it; the job tries its expressions before it reads")


def with_matching_tables(options: Options, settings: ExportSettings, clients: AwsClients) -> Options:
    """
    The options with the tables that a pattern means now, each by its name: every one is a job of its own.

    Raises:
        PreconditionError, DeniedError: see `matching_tables`.
    """
    names = matching_tables(clients, settings.tables, exclude=settings.exclude, tags=settings.table_tag)
    given = options.given.without(TABLES, EXCLUDE, TABLE_TAG) + Given(((TABLES, names),))
    values = {**options.values, TABLES.name: names, EXCLUDE.name: (), TABLE_TAG.name: ()}
    return Options(given, values)


def import_source(settings: Any, clients: AwsClients) -> Callable[[], ImportSource]:
    """Return what finds the files of an import as its job does, once for all who ask."""
    return cache(lambda: find_source(object_store(clients), settings))


def sample_of(source: Callable[[], ImportSource], keys: KeySchema, *, settings: Any, clients: AwsClients) -> ItemSample:
    """One item of what an import will read, judged by the keys of its target; raises as `item_sample`."""
    return item_sample(object_store(clients), source(), keys, settings=settings)


def print_schedule(line: CommandLine, settings: JobSettings, *, voice: Voice) -> Any:
    """Render a schedule of a job; its run id and moment are those of each firing."""
    kind, options = line.kind or line.verb, line.options
    with launcher_for(settings, voice=voice) as here, built_bundle() as bundle:
        start = RunStart(new_run_id(datetime.now(timezone.utc)), here.clients.region)
        launch = launch_of(kind, options, start=start)
        schedule = schedule_of(options, kind=kind, table=launch.jobs[0].table_name)
        prices = prices_of(options, region=launch.region)
        query = commands.ScheduleQuery(schedule, launch, bundle, prices, upload=not options[own.NO_UPLOAD])
        return commands.run_schedule(query, here.clients, here.console)


def refresh_schedule(line: CommandLine, *, voice: Voice) -> Any:
    """
    Render a deployed schedule anew with the code of this version.

    Raises:
        UsageError: which schedule is not said.
    """
    options = line.options
    name = options[own.SCHEDULE_NAME]
    if name is None:
        msg = f"{own.REFRESH} needs {own.SCHEDULE_NAME}, the name of the stack it was deployed as"
        raise UsageError(msg)
    owner = options[BUCKET_OWNER]
    with launcher(options[REGION], bucket_owner=owner, voice=voice) as here, built_bundle() as bundle:
        query = commands.RefreshQuery(name, line.kind or line.verb, bundle, owner)
        return commands.run_refresh(query, here.clients, here.console)


@contextmanager
def _launcher_of_run(run: str, region: str | None, *, verb: str, voice: Voice) -> Iterator[Launcher]:
    """
    The same for a command about a run.

    Raises:
        UsageError: no region; with what the id says, and the command in full.
    """
    with ExitStack() as stack:
        try:
            here = stack.enter_context(launcher(region, bucket_owner=None, voice=voice))
        except NoRegionError as err:
            raise UsageError.of_lines(regionless_run_lines(verb, run)) from err
        yield here


def run_run_verb(line: CommandLine, *, voice: Voice) -> Any:
    """`wait`, `status`, `logs`, `cancel` and `terminate` of a run, found without local state."""
    verbs = {
        "wait": commands.run_wait,
        "status": commands.run_status,
        "logs": commands.run_logs,
        "cancel": commands.run_cancel,
        "terminate": commands.run_terminate,
    }
    options = line.options
    query = commands.RunQuery(options[own.RUN], options[own.RUN_CLUSTER], follow=bool(options.get(own.FOLLOW)))
    with _launcher_of_run(query.run, options[own.RUN_REGION], verb=line.verb, voice=voice) as here:
        return verbs[line.verb](query, here.clients, here.console)


def found_records(line: CommandLine, *, voice: Voice) -> tuple[str, ...]:
    """Where the records of a run on a cluster lie, by its id or the cluster's."""
    query = commands.RunQuery(line.options[own.REPORT_RUN])
    with _launcher_of_run(query.run, line.options[own.REPORT_REGION], verb=line.verb, voice=voice) as here:
        return commands.record_places(query, here.clients, here.console)


def list_cluster_runs(line: CommandLine, *, voice: Voice) -> commands.CommandResult:
    """The runs of a region, by its clusters."""
    with launcher(line.options[own.RUNS_REGION], bucket_owner=None, voice=voice) as here:
        return commands.run_runs(here.clients, here.console)


def print_policy(line: CommandLine, *, voice: Voice) -> Any:
    """Print a policy; the account is asked of STS only when no option names it and the document holds one."""
    options, kind = line.options, line.options[own.POLICY_KIND]
    tables = options[own.POLICY_TABLES]
    by_arn = regions_of(tables)
    accountless = kind in ACCOUNTLESS or (kind == TABLE_RESOURCE and bool(by_arn))
    with launcher(options[own.POLICY_REGION] or next(iter(by_arn), None), bucket_owner=None, voice=voice) as here:
        region = here.clients.region
        query = policy_query(options, account=CLOUDFORMATION_ACCOUNT, region=region)
        if not accountless and not options[own.ACCOUNT]:
            query = policy_query(options, account=_account(here.clients), region=region)  # all else was in order
        return commands.run_policy(query, here.console)


def _account(clients: AwsClients) -> str:
    """
    Raises:
        DeniedError: no credentials, or expired ones; `--account` needs none.
    """
    try:
        return str(clients.client("sts").get_caller_identity()["Account"])
    except Exception as err:
        if not is_denied(err):
            raise
        msg = f"{denied_error(err, call='sts:GetCallerIdentity')}; or name the account: {own.ACCOUNT} 123456789012"
        raise DeniedError(msg) from err


def run_migrate(line: CommandLine, *, voice: Voice) -> Any:
    """Translate a Data Pipeline definition."""
    with SignalClock() as clock:
        console = _console(voice, clock)
        rows = LauncherRows(own.CRON, own.SET, own.SUBNET)
        return commands.run_migrate_config(Path(line.options[own.DEFINITION]), console, rows=rows)


@contextmanager
def built_bundle() -> Iterator[Path]:
    """The bundle zip, built into a folder that goes away again."""
    with tempfile.TemporaryDirectory(prefix="dynamodb-pipeline-") as folder:
        yield build_bundle(Path(folder) / "dynamodb_pipeline.zip").path


def described(settings: Any, clients: AwsClients, *, skip_missing: bool = False) -> list[TableDescription]:
    """
    The tables of a job, as they are now.

    Args:
        skip_missing: leave out what does not exist, or another account does not show: preflight says so among others.

    Raises:
        PreconditionError, DeniedError: see `table.describe`.
    """
    tables = (_described(clients, name, settings, skip_missing=skip_missing) for name in settings.table_names)
    return [table for table in tables if table is not None]


def _described(clients: AwsClients, name: str, settings: Any, *, skip_missing: bool) -> TableDescription | None:
    across = name != table_name(name) or settings.common.table_role is not None  # preflight says whose policy lacks it
    skipped = (TableMissingError, *((DeniedError,) if across else ())) if skip_missing else ()
    with suppress(*skipped):
        return Tables.of(clients).describe(name)
    return None


def run_start(kind: str, settings: Any, clients: AwsClients, tables: Sequence[TableDescription]) -> RunStart:
    """
    Run id and the one moment that names all folders of the run; a resumed run keeps that of its id, or of its record.

    Raises:
        PreconditionError: the run id is that of another command.
    """
    scheduled = getattr(settings, "scheduled_time", None)
    known = settings.common.run_id or _resumed(kind, settings, clients, tables)
    run_id = known or new_run_id(scheduled or datetime.now(timezone.utc))
    before = _folder_moment(kind, run_id, settings, clients) if known and settings.common.logs else None
    moment = scheduled or moment_of(run_id, began=before)
    sizes = {table.name: table.size_bytes for table in tables}
    return RunStart(run_id, clients.region, f"{moment:%Y-%m-%dT%H:%M:%SZ}", sizes)


def _folder_moment(kind: str, run_id: str, settings: Any, clients: AwsClients) -> datetime | None:
    """What the records of the run's earlier attempts say that its folders are named by."""
    store, names, moments = object_store(clients), settings.table_names, []
    for name in names or ("export",):
        job_id = table_run_id(run_id, name, several=kind == "export" and len(names) > 1)
        earlier = read_state(store, run_folder(str(settings.common.logs), job_id))
        if earlier is not None:
            refuse_other_command(earlier, RunState(run_id, kind, (name,) if names else ()))
            moments.append(earlier.folder_moment)
    return next(filter(None, moments), None)


def _resumed(kind: str, settings: Any, clients: AwsClients, tables: Sequence[TableDescription]) -> str | None:
    """The run that `--resume latest` means, None without it."""
    if not settings.common.resume:
        return None
    if len(tables) > 1:
        msg = f"{RESUME} latest takes one {TABLE} on a cluster, where each table has a run of its own; give {RUN_ID}"
        raise UsageError(msg)
    return latest_unfinished(object_store(clients), str(settings.common.logs), kind=kind, tables=settings.table_names)


def run_facts(
    kind: str,
    settings: Any,
    tables: Sequence[TableDescription],
    *,
    source: Callable[[], ImportSource] | None,
    clients: AwsClients,
) -> Iterator[TableFacts]:
    """What the plan needs of each table; an import's size is that of its input, whatever the target holds."""
    for table in tables:
        facts = table_facts(kind, table, settings)
        yield imported(facts, import_size(object_store(clients), source)) if source else facts


def imported(facts: TableFacts, size: ImportSize) -> TableFacts:
    """The facts of a target with the size of what comes into it."""
    return replace(
        facts,
        size_bytes=size.text_bytes,
        item_count=size.item_count,
        basis=size.basis,
        is_known=size.is_known,
        held_bytes=facts.size_bytes,
    )


def table_facts(kind: str, table: TableDescription, settings: Any) -> TableFacts:
    """What the plan needs of one table."""
    target = table.scanned(getattr(settings, "index", None))
    rate = _rate(kind, table, settings.rate, target)
    return TableFacts(
        table_name=table.name,
        size_bytes=target.size_bytes,
        item_count=target.item_count,
        units_per_s=rate.tightest,
        rate_text=rate.derivation,
        on_demand=table.on_demand,
        written_copies=1 + len(table.index_capacities) if kind == "import" else 1,
        strong=getattr(settings, "consistent_read", False),
        vector_indexes=table.vector_indexes if kind == "import" else (),
        scan_units_per_s=read_rate(table.capacity, settings.rate.of_capacity).tightest if kind == "import" else 0.0,
        is_scanned=kind == "import" and (settings.mirror or settings.only_changes),
        basis=f"of index {target.index}" if target.index else "",
    )


def _rate(kind: str, table: TableDescription, choice: RateChoice, target: ScanTarget) -> AllowedRate:
    if kind == "import":
        return write_rate(table.capacity, choice, indexes=table.index_capacities)
    return read_rate(target.capacity, choice, index=target.rated_index)
