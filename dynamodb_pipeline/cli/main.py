"""
The `dynamodb-pipeline` command: picks the verb, checks its options, runs it here or hands it to the launcher.

stdout carries one JSON result, stderr everything for people; the exit code is the table in errors.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dynamodb_pipeline import __version__
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.cli.cluster_options import add_launcher_options, add_verb_parsers
from dynamodb_pipeline.cli.local_verbs import LINES, add_local_verbs
from dynamodb_pipeline.cli.settings_file import FILE_NAME, read_settings_file, words_with_settings
from dynamodb_pipeline.errors import ExitCode, PreconditionError, UsageError
from dynamodb_pipeline.job_main import KINDS, run_and_print, run_settings
from dynamodb_pipeline.output import Lines
from dynamodb_pipeline.run.progress import Reporter
from dynamodb_pipeline.secret_patterns import refuse_access_keys
from dynamodb_pipeline.settings.options import Parser

DESCRIPTION = "Export DynamoDB tables to S3 and import them back, at a throughput percentage that holds."
HELP = {
    "export": "export one or several tables to S3",
    "import": "import an export into an existing table",
    "verify": "check every byte and item of an export, or compare it with a table",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        refuse_access_keys(words)
        parser = build_parser()
        words = with_settings_file(parser, words)
        args = parser.parse_args(words)
        args.words = words
        code = getattr(args, "run", run_launcher)(args)
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


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog="dynamodb-pipeline", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"dynamodb-pipeline {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    for kind, (add, _) in KINDS.items():
        job = verbs.add_parser(kind, help=HELP[kind], allow_abbrev=False)
        add(job)
        _add_local(job)
        add_launcher_options(job)
        job.set_defaults(run=run_job, kind=kind, command=kind)
    add_verb_parsers(verbs, job_options={kind: add for kind, (add, _) in KINDS.items()}, parser_class=Parser)
    add_local_verbs(verbs)
    return parser


def with_settings_file(parser: Parser, words: list[str]) -> list[str]:
    """
    The words with the options of `pipeline.toml` (or `--settings FILE`) added where the user gave none.

    Raises:
        UsageError: the named file is missing, not TOML, or holds something that is no option or a secret.
    """
    given = _value_of("--settings", words)
    path = Path(given or FILE_NAME)
    if not words or words[0].startswith("-") or (given is None and not path.is_file()):
        return words
    options = options_by_verb(parser)
    return list(words_with_settings(tuple(words), read_settings_file(path), options=options, where=str(path)))


def options_by_verb(parser: argparse.ArgumentParser) -> dict[str, frozenset[str]]:
    """Every verb's options; of `plan`, `preflight` and `schedule` those of all their kinds."""
    return {name: frozenset(_options(verb)) for name, verb in _subparsers(parser).items()}


def _options(parser: argparse.ArgumentParser) -> set[str]:
    own = {word for action in parser._actions for word in action.option_strings if word.startswith("--")}
    return own.union(*(_options(inner) for inner in _subparsers(parser).values()))


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: inner for action in actions for name, inner in action.choices.items()}


def _value_of(option: str, words: Sequence[str]) -> str | None:
    for number, word in enumerate(words):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and number + 1 < len(words):
            return words[number + 1]
    return None


def _add_local(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where")
    group.add_argument("--local", action="store_true", help="run on this machine instead of an EMR cluster")
    group.add_argument(
        "--engine", choices=("spark", "process"), default="spark",
        help="of a --local run: spark (default), or process, which needs no Java and starts at once",
    )  # fmt: skip


def run_job(args: argparse.Namespace) -> ExitCode:
    """Run a job here (`--local`) or on a cluster."""
    kind = args.kind
    settings = KINDS[kind][1](args)
    if not args.local:
        return run_launcher(args)
    lines, reporter = _voice()
    return run_and_print(
        kind,
        lambda: run_settings(kind, _agreed(kind, settings), reporter=reporter, local=True, engine=args.engine),
        lines=lines,
    )


def _voice() -> tuple[Lines, Reporter]:
    """Lines for people and what tells them of progress, drawn in place where stderr is a terminal."""
    if not sys.stderr.isatty():
        return LINES, Reporter(LINES.say)
    from dynamodb_pipeline.cli.display import terminal_display

    display = terminal_display()
    return display.lines, Reporter(display.lines.say, display=display)


def run_launcher(args: argparse.Namespace) -> ExitCode:
    """Run a command of the launcher and print its document."""
    from dynamodb_pipeline.cli import launcher as launch

    def work() -> dict[str, Any]:
        document: dict[str, Any] = _launcher_command(args, launch)().to_json()
        return document

    return run_and_print(args.command, work, lines=LINES)


def _launcher_command(args: argparse.Namespace, launch: Any) -> Callable[[], Any]:
    command = args.command
    if command in KINDS or command in ("plan", "preflight", "schedule"):
        settings = _agreed(args.kind, KINDS[args.kind][1](args)) if command in KINDS else KINDS[args.kind][1](args)
        words = args.words[1:] if command in KINDS else args.words[2:]
        run = launch.print_schedule if command == "schedule" else launch.run_on_cluster
        return lambda: run(args.kind, args, settings, words=words, say=LINES.say)
    if command == "policy":
        return lambda: launch.print_policy(args, say=LINES.say)
    if command == "migrate-config":
        return lambda: launch.run_migrate(args, say=LINES.say)
    return lambda: launch.run_run_verb(args, say=LINES.say)


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
