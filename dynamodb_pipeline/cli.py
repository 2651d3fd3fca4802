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
from dynamodb_pipeline.errors import ExitCode, PreconditionError, UsageError
from dynamodb_pipeline.job_main import KINDS, guarded, run_settings
from dynamodb_pipeline.options import Parser, refuse_secrets

DESCRIPTION = "Export DynamoDB tables to S3 and import them back, at a throughput percentage that holds."
BUNDLE_PATH = "dist/dynamodb_pipeline.zip"
HELP = {
    "export": "export one or several tables to S3",
    "import": "import an export into an existing table",
    "verify": "check every byte and item of an export, or compare it with a table",
}

Command = Callable[[argparse.Namespace], ExitCode]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        refuse_secrets(words)
        args = build_parser().parse_args(words)
        code = args.run(args)
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
        job.set_defaults(run=lambda args, kind=kind: run_job(kind, args))
    _add_bundle(verbs)
    return parser


def _add_local(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where")
    group.add_argument("--local", action="store_true", help="run on this machine instead of an EMR cluster")
    group.add_argument(
        "--engine", choices=("spark", "process"), default="spark",
        help="of a --local run: spark (default), or process, which needs no Java and starts at once",
    )  # fmt: skip


def _add_bundle(verbs: Any) -> None:
    bundle = verbs.add_parser("bundle", help="build the zip that spark-submit --py-files takes", allow_abbrev=False)
    bundle.add_argument("--to", metavar="FILE", default=BUNDLE_PATH, help=f"where to write it (default {BUNDLE_PATH})")
    bundle.set_defaults(run=run_bundle)


def run_job(kind: str, args: argparse.Namespace) -> ExitCode:
    """Run a job here (`--local`) or on a cluster."""
    settings = KINDS[kind][1](args)
    if not args.local:
        msg = f"{kind} on a cluster is not built yet; add --local (make: LOCAL=1)"
        raise UsageError(msg)
    terminal = sys.stderr.isatty()
    return guarded(
        kind,
        lambda: run_settings(
            kind, _agreed(kind, settings), write=write, local=True, engine=args.engine, terminal=terminal
        ),
        write=write,
    )


def _agreed(kind: str, settings: Any) -> Any:
    """Ask for a yes before an import, but only where a person is there to answer."""
    if kind != "import" or settings.yes or settings.dry_run or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return settings
    write(f"Import {settings.input} into table {settings.table}: items with the same key are replaced. Go on? [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        msg = "not confirmed; nothing was written"
        raise PreconditionError(msg)
    return settings


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
