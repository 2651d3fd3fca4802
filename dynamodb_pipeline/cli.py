"""
The `dynamodb-pipeline` command: picks the verb, checks its options, runs it here or hands it to the launcher.

stdout carries one JSON result, stderr everything for people; the exit code is the table in errors.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dynamodb_pipeline import __version__
from dynamodb_pipeline.emr.arguments import add_launcher_options, add_verb_parsers
from dynamodb_pipeline.emr.settings_file import FILE_NAME, read_settings_file, words_with_settings
from dynamodb_pipeline.errors import ExitCode, PreconditionError, UsageError
from dynamodb_pipeline.job_main import KINDS, guarded, run_settings
from dynamodb_pipeline.option_checks import refuse_secrets
from dynamodb_pipeline.options import Parser
from dynamodb_pipeline.transfer.run_folder import check_log_folder
from dynamodb_pipeline.transfer.run_record import check_run_id

DESCRIPTION = "Export DynamoDB tables to S3 and import them back, at a throughput percentage that holds."
BUNDLE_PATH = "dist/dynamodb_pipeline.zip"
INSPECT_INTERVAL_S = 10.0
HELP = {
    "export": "export one or several tables to S3",
    "import": "import an export into an existing table",
    "verify": "check every byte and item of an export, or compare it with a table",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        refuse_secrets(words)
        parser = build_parser()
        words = with_settings_file(parser, words)
        args = parser.parse_args(words)
        args.words = words
        code = getattr(args, "run", run_launcher)(args)
    except UsageError as err:
        write(f"ERROR 2 (usage or configuration): {err}\n")
        return int(ExitCode.USAGE)
    except KeyboardInterrupt:
        write("interrupted\n")
        return int(ExitCode.INTERRUPTED)
    return int(code)


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
    _add_inspect(verbs)
    _add_report(verbs)
    _add_clean(verbs)
    _add_bundle(verbs)
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


def _add_inspect(verbs: Any) -> None:
    inspect = verbs.add_parser(
        "inspect", help="look at any folder or file of items, without a table or cluster", allow_abbrev=False
    )
    inspect.add_argument("path", metavar="PATH", help="folder or single file: s3://bucket/... or a local path")
    inspect.add_argument("--sample", metavar="N", type=int, default=0, help="show N items without their contents")
    inspect.add_argument("--files", metavar="N", type=int, help="look into at most N files (default: all)")
    inspect.add_argument("--json", action="store_true", help="only the JSON result, no table on stderr")
    inspect.add_argument(
        "--allow-bucket", metavar="BUCKET", action="append", default=[], dest="allow_buckets",
        help="a manifest may name files in this other bucket",
    )  # fmt: skip
    inspect.add_argument("--region", metavar="REGION", help="of the first request; buckets' own regions are found")
    inspect.add_argument("--bucket-owner", metavar="ACCOUNT", help="12-digit account that must own every bucket used")
    inspect.set_defaults(run=run_inspect)


def _add_report(verbs: Any) -> None:
    report = verbs.add_parser("report", help="write one HTML page about a run", allow_abbrev=False)
    report.add_argument("run_id", metavar="RUN", help="run id (with --logs), or the path of a local run.json")
    report.add_argument("--logs", metavar="S3_FOLDER", help="log folder the run was given")
    report.add_argument("--region", metavar="REGION", help="of the log folder")
    report.add_argument("--to", metavar="FILE", help="where to write it (default RUN.html in this folder)")
    report.set_defaults(run=run_report)


def _add_clean(verbs: Any) -> None:
    clean = verbs.add_parser("clean", help="delete what dead runs left in export folders", allow_abbrev=False)
    clean.add_argument("folder", metavar="FOLDER", help="folder of one run's export, or a folder above several")
    clean.add_argument("--logs", metavar="S3_FOLDER", required=True, help="log folder the runs were given")
    clean.add_argument("--yes", action="store_true", help="delete; without it everything is only listed")
    clean.add_argument("--region", metavar="REGION", help="of the first request; buckets' own regions are found")
    clean.add_argument("--bucket-owner", metavar="ACCOUNT", help="12-digit account that must own every bucket used")
    clean.set_defaults(run=run_clean)


def _add_bundle(verbs: Any) -> None:
    bundle = verbs.add_parser("bundle", help="build the zip that spark-submit --py-files takes", allow_abbrev=False)
    bundle.add_argument("--to", metavar="FILE", default=BUNDLE_PATH, help=f"where to write it (default {BUNDLE_PATH})")
    bundle.set_defaults(run=run_bundle)


def run_job(args: argparse.Namespace) -> ExitCode:
    """Run a job here (`--local`) or on a cluster."""
    kind = args.kind
    settings = KINDS[kind][1](args)
    if not args.local:
        return run_launcher(args)
    terminal = sys.stderr.isatty()
    return guarded(
        kind,
        lambda: run_settings(
            kind, _agreed(kind, settings), write=write, local=True, engine=args.engine, terminal=terminal
        ),
        write=write,
    )


def run_launcher(args: argparse.Namespace) -> ExitCode:
    """Run a command of the launcher and print its document."""
    from dynamodb_pipeline import launcher_cli as launch

    def work() -> dict[str, Any]:
        found: dict[str, Any] = _launcher_command(args, launch)().to_json()
        return found

    return guarded(args.command, work, write=write)


def _launcher_command(args: argparse.Namespace, launch: Any) -> Callable[[], Any]:
    command = args.command
    if command in KINDS or command in ("plan", "preflight", "schedule"):
        settings = _agreed(args.kind, KINDS[args.kind][1](args)) if command in KINDS else KINDS[args.kind][1](args)
        words = args.words[1:] if command in KINDS else args.words[2:]
        run = launch.run_schedule if command == "schedule" else launch.run_on_cluster
        return lambda: run(args.kind, args, settings, words=words, write=write)
    if command == "policy":
        return lambda: launch.run_policy(args, write=write)
    if command == "migrate-config":
        return lambda: launch.run_migrate(args, write=write)
    return lambda: launch.run_run_verb(args, write=write)


def _agreed(kind: str, settings: Any) -> Any:
    """Ask for a yes before an import, but only where a person is there to answer."""
    if kind != "import" or settings.yes or settings.dry_run or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return settings
    write(f"Import {settings.input} into table {settings.table}: items with the same key are replaced. Go on? [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        msg = "not confirmed; nothing was written"
        raise PreconditionError(msg)
    return settings


def run_inspect(args: argparse.Namespace) -> ExitCode:
    """Look at files and say what they are."""
    if args.sample < 0 or (args.files is not None and args.files < 1):
        msg = f"--sample {args.sample} must be 0 or more, --files {args.files} 1 or more"
        raise UsageError(msg)

    def work() -> dict[str, Any]:
        from dynamodb_pipeline.transfer.inspect_files import InspectOptions, inspect_path
        from dynamodb_pipeline.transfer.inspect_report import inspection_facts, report

        options = InspectOptions(args.sample, args.files, tuple(args.allow_buckets))
        progress = (lambda _: None) if args.json else _inspect_progress(time.monotonic)
        facts = inspection_facts(inspect_path(_store_for(args), args.path, options, progress=progress))
        if not args.json:
            write(report(facts))
        return facts

    return guarded("inspect", work, write=write)


def _store_for(args: argparse.Namespace) -> Any:
    """Where the path lies; a local one needs neither boto3 nor credentials."""
    from dynamodb_pipeline.transfer.local_store import LocalObjectStore
    from dynamodb_pipeline.transfer.s3_uri import is_s3

    return _s3_store(args) if is_s3(args.path) else LocalObjectStore()


def _s3_store(args: argparse.Namespace) -> Any:
    from dynamodb_pipeline.aws_clients import AwsClients
    from dynamodb_pipeline.transfer.worker_context import object_store

    return object_store(AwsClients(args.region, bucket_owner=args.bucket_owner))


def _inspect_progress(clock: Callable[[], float]) -> Callable[[Any], None]:
    """Return what prints a line every ten seconds of a long look."""
    last = [clock()]

    def progress(found: Any) -> None:
        if clock() - last[0] >= INSPECT_INTERVAL_S:
            last[0] = clock()
            write(f"{len(found.files)} of {len(found.source.files)} files, {found.schema.item_count:,} items\n")

    return progress


def run_report(args: argparse.Namespace) -> ExitCode:
    """Write a page about a run."""

    def s3() -> Any:
        from dynamodb_pipeline.aws_clients import AwsClients

        return AwsClients(args.region).client("s3")

    def work() -> dict[str, Any]:
        from dynamodb_pipeline.report import command

        query = command.ReportQuery(args.run_id, args.logs, args.to)
        if not query.is_file:
            check_run_id(args.run_id)
        return command.run_report(query, s3=s3, write=write)

    return guarded("report", work, write=write)


def run_clean(args: argparse.Namespace) -> ExitCode:
    """List or delete what dead runs left."""

    def work() -> dict[str, Any]:
        from dynamodb_pipeline.transfer.clean import CleanRequest, clean

        check_log_folder(args.logs, outputs=())
        request = CleanRequest(args.folder.rstrip("/"), args.logs.rstrip("/"), args.yes)
        return clean(_s3_store(args), request, write=write)

    return guarded("clean", work, write=write)


def run_bundle(args: argparse.Namespace) -> ExitCode:
    """Build the bundle zip."""
    from dynamodb_pipeline.emr.bundle import build_bundle

    def work() -> dict[str, Any]:
        built = build_bundle(Path(args.to))
        write(f"built {built.path}, SHA-256 {built.sha256}\n")
        return {"kind": "bundle", "exit_code": 0, "path": str(built.path), "sha256": built.sha256}

    return guarded("bundle", work, write=write)


def write(text: str) -> None:
    """Text for people."""
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
