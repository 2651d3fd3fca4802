"""Verbs that run on this machine alone and need no job, from list and inspect to init, doctor and help."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline import __version__
from dynamodb_pipeline.background import Background
from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.cli.command_line import CommandLine
from dynamodb_pipeline.cli.voice import Voice, somebody_is_there
from dynamodb_pipeline.errors import ExitCode, counted
from dynamodb_pipeline.output import Result, Say
from dynamodb_pipeline.settings.rows import Given, Options, command_line
from dynamodb_pipeline.settings.run_ids import check_run_id

if TYPE_CHECKING:
    from dynamodb_pipeline.aws.clients import AwsClients
    from dynamodb_pipeline.report.figures import RunFigures

INSPECT_INTERVAL_S = 10.0


def run_inspect(line: CommandLine, voice: Voice) -> ExitCode:
    """Look at files and say what they are."""
    given, path = line.options, line.options[own.PATH]

    def work() -> Result:
        from dynamodb_pipeline.folders.inspect import InspectOptions, inspect_path
        from dynamodb_pipeline.folders.inspect_report import inspection_facts, report

        options = InspectOptions(given[own.SAMPLE], given[own.FILES], given[own.INSPECT_BUCKETS])
        with InspectProgress(voice.say) as progress:
            looked = inspect_path(_store_for(given, path), path, options, progress=progress.note)
        facts = inspection_facts(looked)
        return Result(facts, tuple(report(facts)))

    return voice.end("inspect", work)


def run_list(line: CommandLine, voice: Voice) -> ExitCode:
    """Show the backups below a place."""
    given = line.options

    def work() -> Result:
        from dynamodb_pipeline.folders.listing import ListQuery, list_backups, list_facts, list_lines

        logs = given[own.LIST_LOGS]
        query = ListQuery(given[own.LISTED], str(logs) if logs else None)
        backups = list_backups(_store_for(given, query.place, query.logs), query)
        facts = list_facts(query, backups)
        words, narrow = (tuple(list_lines(facts, backups, narrow=narrow)) for narrow in (False, True))
        return Result(facts, words, narrow=narrow)

    return voice.end("list", work)


def run_convert(line: CommandLine, voice: Voice) -> ExitCode:
    """Write a backup anew in another form."""
    given = line.options

    def work() -> Result:
        from dynamodb_pipeline.folders.convert import ConvertQuery, convert, converted_words

        anyway = given.given.without(own.CONVERT_LATEST) + Given(((own.CONVERT_WITHOUT_MANIFEST, ()),))
        query = ConvertQuery(
            input=given[own.CONVERT_INPUT],
            output=given[own.CONVERT_OUTPUT],
            tool_version=__version__,
            form=given[own.AS],
            keys=given[own.KEY],
            from_table=given[own.CONVERT_TABLE],
            latest=given[own.CONVERT_LATEST],
            without_manifest=given[own.CONVERT_WITHOUT_MANIFEST],
            allow_buckets=given[own.INSPECT_BUCKETS],
            without_manifest_command=command_line(line.program, anyway),
        )
        facts = convert(_store_for(given, query.input, query.output), query, say=voice.say)
        return Result(facts, converted_words(facts))

    return voice.end("convert", work)


def run_definition(line: CommandLine, voice: Voice) -> ExitCode:
    """Print what makes an exported table again."""
    given = line.options

    def work() -> Result:
        from dynamodb_pipeline.folders.listing import read_table_definition
        from dynamodb_pipeline.formats.exports import table_definition as definitions

        definition = read_table_definition(_store_for(given, given[own.DEFINED]), given[own.DEFINED])
        for note in definitions.notes(definition):
            voice.say(f"note: {note}")
        if given[own.DEFINED_AS] == "cloudformation":
            return Result(definitions.cloudformation(definition), bare=True)
        commands = tuple(definitions.cli_commands(definition))
        return Result({"kind": "definition", "status": "done", "exit_code": 0, "commands": list(commands)}, commands)

    return voice.end("definition", work)


def _store_for(given: Options, *places: str | None) -> Any:
    """Where all of these places lie; local ones need neither boto3 nor credentials."""
    from dynamodb_pipeline.addresses import is_s3
    from dynamodb_pipeline.store.local import LocalObjectStore

    return _s3_store(given) if any(is_s3(place) for place in places if place) else LocalObjectStore()


def _s3_store(given: Options) -> Any:
    from dynamodb_pipeline.aws.clients import regionless_clients
    from dynamodb_pipeline.store.anywhere import object_store

    return object_store(regionless_clients(given[own.FIRST_REGION], bucket_owner=given[own.FOUND_OWNER]))


class InspectProgress(Background):
    """
    Says every ten seconds how far a look has come, whatever it is at: a file may be long, and worth nothing.

    Args:
        say: prints a line.
    """

    def __init__(self, say: Say) -> None:
        super().__init__(name="inspect")
        self._say = say
        self._inspection: Any = None

    def note(self, inspection: Any) -> None:
        """The look, which goes on to change."""
        self._inspection = inspection

    def run(self, wait: Callable[[float], bool]) -> None:
        """Speak until `wait` says True."""
        while not wait(INSPECT_INTERVAL_S):
            self._say(self._line())

    def _line(self) -> str:
        look = self._inspection
        if look is None or look.source is None:
            return "looking for files"
        at = f", reading {look.files[-1].name}" if look.files else ""
        total = counted(len(look.source.files), "file")
        return f"{len(look.files):,} of {total}, {counted(look.schema.item_count, 'item')}{at}"


def run_report(line: CommandLine, voice: Voice) -> ExitCode:
    """Write a page about a run."""
    given = line.options

    def s3() -> Any:
        from dynamodb_pipeline.aws.clients import regionless_clients

        return regionless_clients(given[own.REPORT_REGION]).client("s3")

    def cost(run: RunFigures) -> dict[str, Any] | None:
        from dynamodb_pipeline.aws.clients import AwsClients

        return _cost_of_run(run, AwsClients(run.region or given[own.REPORT_REGION]), say=voice.say)

    def find() -> tuple[str, ...]:
        from dynamodb_pipeline.cli.launcher import found_records

        return found_records(line, voice=voice)

    def work() -> Result:
        from dynamodb_pipeline.report import command

        logs = given[own.REPORT_LOGS]
        query = command.ReportQuery(given[own.REPORT_RUN], str(logs) if logs else None, given[own.TO])
        if not query.is_file and not query.is_found:
            check_run_id(query.run)
        said: list[str] = []
        document = command.write_report(query, s3=s3, find=find, say=said.append, cost=cost, completed=_completed())
        return Result(document, tuple(said))

    return voice.end("report", work)


def _completed() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What completes records of runs that ended without a word of their own; EMR is asked for no other."""
    from dynamodb_pipeline.aws.clients import AwsClients
    from dynamodb_pipeline.emr.calls.clock import SignalClock
    from dynamodb_pipeline.emr.watch.run_end import RunEnds

    clock = SignalClock()  # not entered: Ctrl-C ends a look, as it ends any other verb
    return RunEnds(AwsClients, clock=clock, attention=clock).completed


def _cost_of_run(run: RunFigures, clients: AwsClients, *, say: Say) -> dict[str, Any] | None:
    """What a run was planned to cost and came to; None where it had no cluster, or EMR does not say."""
    from botocore.exceptions import BotoCoreError, ClientError

    from dynamodb_pipeline.aws.keys import without_secrets
    from dynamodb_pipeline.emr.watch.spent import cluster_of_run, is_on_standing, spent, spent_on_standing

    if run.started is None or run.ended is None:
        return None
    if is_on_standing(run.records):
        return spent_on_standing(run.records)
    try:
        started = datetime.fromisoformat(run.started.replace("Z", "+00:00"))
        cluster = cluster_of_run(
            clients.client("emr", attempts=1), clients.client("s3", attempts=1), run.run_id, started=started
        )
    except ValueError:
        return None
    except (BotoCoreError, ClientError) as err:
        say(f"note: the page says nothing of the run's cost: {without_secrets(str(err))}")
        return None
    return None if cluster is None else spent(cluster, run.records)


def run_clean(line: CommandLine, voice: Voice) -> ExitCode:
    """List or delete what dead runs left."""

    def work() -> Result:
        from dynamodb_pipeline.folders.clean import CleanRequest, clean

        given = line.options
        request = CleanRequest(given[own.CLEANED].rstrip("/"), str(given[own.CLEAN_LOGS]), given[own.CLEAN_YES])
        said: list[object] = []
        return Result(clean(_s3_store(given), request, say_all=said.extend), tuple(map(str, said)))

    return voice.end("clean", work)


def show_runs(line: CommandLine, voice: Voice) -> ExitCode:
    """List runs, by their records or by their clusters."""
    given = line.options

    def work() -> Result:
        from dynamodb_pipeline.aws.clients import regionless_clients
        from dynamodb_pipeline.folders.runs import list_runs, run_lines
        from dynamodb_pipeline.store.anywhere import object_store

        logs = given[own.RUNS_LOGS]
        if logs is None:
            from dynamodb_pipeline.cli.launcher import list_cluster_runs

            done = list_cluster_runs(line, voice=voice)
            return Result(done.to_json(), done.words, narrow=done.narrow)
        store = object_store(regionless_clients(given[own.RUNS_REGION]))
        document = list_runs(store, str(logs), completed=_completed(), now=datetime.now(timezone.utc))
        words, narrow = (tuple(run_lines(document, narrow=narrow)) for narrow in (False, True))
        return Result(document, words, narrow=narrow)

    return voice.end("runs", work)


def run_rate(line: CommandLine, voice: Voice) -> ExitCode:
    """Say another speed to a run that is at work."""

    def work() -> Result:
        from dynamodb_pipeline.aws.clients import regionless_clients
        from dynamodb_pipeline.folders.speed import OrderedBy, SpeedRequest, order_speed
        from dynamodb_pipeline.store.anywhere import object_store

        given = line.options
        clients = regionless_clients(given[own.FIRST_REGION], bucket_owner=given[own.FOUND_OWNER])

        def caller() -> OrderedBy:
            return OrderedBy(clients.client("sts").get_caller_identity()["Arn"], datetime.now(timezone.utc))

        request = SpeedRequest(given[own.RATED_RUN], str(given[own.RATE_LOGS]), given[own.SPEED])
        said: list[str] = []
        return Result(order_speed(object_store(clients), request, caller=caller, say=said.append), tuple(said))

    return voice.end("rate", work)


def run_bundle(line: CommandLine, voice: Voice) -> ExitCode:
    """Build the bundle zip."""
    from dynamodb_pipeline.emr.request.bundle import build_bundle

    def work() -> Result:
        built = build_bundle(Path(line.options[own.BUNDLE_TO]))
        document = {"kind": "bundle", "exit_code": 0, "path": str(built.path), "sha256": built.sha256}
        return Result(document, (f"built {built.path}, SHA-256 {built.sha256}",))

    return voice.end("bundle", work)


def run_init(line: CommandLine, voice: Voice) -> ExitCode:
    """Write the first settings file."""
    given = line.options

    def work() -> Result:
        from dynamodb_pipeline.aws.clients import AwsClients
        from dynamodb_pipeline.cli.doctor import FirstSettings, write_settings

        clients = AwsClients(given[own.MACHINE_REGION])
        output, logs = (str(given[row]) if given[row] else None for row in (own.INIT_OUTPUT, own.INIT_LOGS))
        first = FirstSettings(clients.region, given[own.INIT_TABLE], output, logs)
        ask = voice.answer if somebody_is_there() else None
        return write_settings(Path(given[own.INIT_TO]), first, clients, voice.lines, ask=ask)

    return voice.end("init", work)


def run_doctor(line: CommandLine, voice: Voice) -> ExitCode:
    """Check this machine."""
    from dynamodb_pipeline.cli.doctor import examine

    return voice.end("doctor", lambda: examine(line.options[own.MACHINE_REGION]))


def run_completion(line: CommandLine, voice: Voice) -> ExitCode:
    """Print a shell's script."""
    from dynamodb_pipeline.cli.completion import script

    return voice.end("completion", lambda: _text("completion", script(line.options[own.SHELL])))


def run_help(line: CommandLine, voice: Voice) -> ExitCode:
    """Explain a verb."""
    from dynamodb_pipeline.cli.completion import help_text

    return voice.end("help", lambda: _text("help", help_text(line.options[own.EXPLAINED])))


def _text(kind: str, text: str) -> Result:
    return Result({"kind": kind, "exit_code": 0, "text": text}, tuple(text.splitlines()))


LOCAL_VERBS: dict[str, Callable[[CommandLine, Voice], ExitCode]] = {
    "list": run_list,
    "convert": run_convert,
    "definition": run_definition,
    "inspect": run_inspect,
    "rate": run_rate,
    "runs": show_runs,
    "report": run_report,
    "clean": run_clean,
    "bundle": run_bundle,
    "init": run_init,
    "doctor": run_doctor,
    "completion": run_completion,
    "help": run_help,
}
