"""
The `dynamodb-pipeline` command: picks the verb, checks its options, runs it here or hands it to the launcher.

stdout carries one JSON result, stderr everything for people; the exit code is the table in errors.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from dynamodb_pipeline.aws.api_errors import denied_error, is_denied
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.cli.command_line import CommandLine, read_line
from dynamodb_pipeline.cli.launcher_options import ENGINE, LOCAL
from dynamodb_pipeline.cli.local_verbs import LINES, LOCAL_VERBS
from dynamodb_pipeline.errors import ExitCode, PipelineError, PreconditionError, UsageError
from dynamodb_pipeline.job_main import run_and_print, run_settings
from dynamodb_pipeline.output import Lines
from dynamodb_pipeline.run.progress import Reporter
from dynamodb_pipeline.secret_patterns import refuse_access_keys
from dynamodb_pipeline.settings.job import JobSettings
from dynamodb_pipeline.settings.job_options import JOBS, READER
from dynamodb_pipeline.settings.parse import SETTINGS_OF
from dynamodb_pipeline.settings.rows import Problems


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        refuse_access_keys(words)
        code = run_line(read_line(words))
    except UsageError as err:
        return int(print_refusal(words, err))
    except KeyboardInterrupt:
        LINES.say("interrupted")
        return int(ExitCode.INTERRUPTED)
    return int(code)


def print_refusal(words: Sequence[str], err: UsageError) -> ExitCode:
    """Tell a wrong command line as every other failure: a line for people, one JSON result, the exit code."""

    def work() -> dict[str, Any]:
        raise err

    verb = next((word for word in words if not word.startswith("-")), "dynamodb-pipeline")
    return run_and_print(verb, work, lines=LINES)


def run_line(line: CommandLine) -> ExitCode:
    """Do what a command line says."""
    if line.verb in LOCAL_VERBS:
        return LOCAL_VERBS[line.verb](line)
    return run_job(line) if line.verb in JOBS else run_launcher(line)


def run_job(line: CommandLine) -> ExitCode:
    """Run a job here or on a cluster."""
    kind, options = line.verb, line.options
    settings = settings_of(line)
    problems = Problems()
    process = options[ENGINE] == "process"
    problems.require(options[LOCAL] or not process, f"{ENGINE} process runs on this machine: it needs {LOCAL}")
    through_connector = options.given.text(READER) == "connector"
    problems.require(
        not (process and through_connector),
        f"{READER} connector needs Java: it cannot run with {ENGINE} process; leave one of them out",
    )
    problems.end()
    if not options[LOCAL]:
        return run_launcher(line)
    lines, reporter = _voice()
    return run_and_print(
        kind,
        lambda: run_settings(kind, _agreed(kind, settings), reporter=reporter, local=True, engine=options[ENGINE]),
        lines=lines,
    )


def _voice() -> tuple[Lines, Reporter]:
    """Lines for people and what tells them of progress, drawn in place where stderr is a terminal."""
    if not sys.stderr.isatty():
        return LINES, Reporter(LINES.say)
    from dynamodb_pipeline.cli.display import terminal_display

    display = terminal_display()
    return display.lines, Reporter(display.lines.say, display=display)


def settings_of(line: CommandLine) -> JobSettings:
    """
    The checked settings of the job that a line is about.

    Raises:
        UsageError: every problem that single options do not show, one a line.
    """
    return SETTINGS_OF[line.kind or line.verb](line.options, program=line.program)


def run_launcher(line: CommandLine) -> ExitCode:
    """Run a command of the launcher and print its document."""
    from dynamodb_pipeline.cli import launcher as launch

    def work() -> dict[str, Any]:
        try:
            document: dict[str, Any] = _launcher_command(line, launch)().to_json()
        except Exception as err:
            if isinstance(err, PipelineError) or not is_denied(err):
                raise
            raise denied_error(err, call=getattr(err, "operation_name", line.verb)) from err
        return document

    return run_and_print(line.verb, work, lines=LINES)


def _launcher_command(line: CommandLine, launch: Any) -> Callable[[], Any]:
    if line.kind is not None:
        settings = settings_of(line)
        agreed = _agreed(line.kind, settings) if line.verb in JOBS else settings
        run = launch.print_schedule if line.verb == "schedule" else launch.run_on_cluster
        return lambda: run(line, agreed, say=LINES.say)
    verbs = {"policy": launch.print_policy, "migrate-config": launch.run_migrate}
    run = verbs.get(line.verb, launch.run_run_verb)
    return lambda: run(line, say=LINES.say)


def _agreed(kind: str, settings: Any) -> Any:
    """Ask for a yes before an import, but only where a person is there to answer."""
    if kind != "import" or settings.yes or settings.dry_run or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return settings
    source = _source_of(settings)
    about = f"Import {source.folder} ({source.origin}) into table {settings.table}"
    LINES.ask(f"{about}: items with the same key are replaced. Go on? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        msg = "not confirmed; nothing was written"
        raise PreconditionError(msg)
    return settings


def _source_of(settings: Any) -> Any:
    """What the import will read, so that the question can say whose items it is about."""
    ensure_boto3()
    from dynamodb_pipeline.aws.clients import AwsClients
    from dynamodb_pipeline.importing.job import find_source
    from dynamodb_pipeline.store.anywhere import object_store

    common = settings.common
    return find_source(object_store(AwsClients(common.region, bucket_owner=common.bucket_owner)), settings)


if __name__ == "__main__":
    sys.exit(main())
