"""Verbs that run on this machine alone and need no job: inspect, report, clean, bundle."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import ExitCode, UsageError
from dynamodb_pipeline.job_main import run_and_print
from dynamodb_pipeline.output import standard_error
from dynamodb_pipeline.settings.checks import check_log_folder
from dynamodb_pipeline.settings.run_ids import check_run_id

BUNDLE_PATH = "dist/dynamodb_pipeline.zip"
INSPECT_INTERVAL_S = 10.0
LINES = standard_error()


def add_local_verbs(verbs: Any) -> None:
    """Add their parsers; each sets `run`."""
    for add in (_add_inspect, _add_report, _add_clean, _add_bundle):
        add(verbs)


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


def run_inspect(args: argparse.Namespace) -> ExitCode:
    """Look at files and say what they are."""
    if args.sample < 0 or (args.files is not None and args.files < 1):
        msg = f"--sample {args.sample} must be 0 or more, --files {args.files} 1 or more"
        raise UsageError(msg)

    def work() -> dict[str, Any]:
        from dynamodb_pipeline.folders.inspect import InspectOptions, inspect_path
        from dynamodb_pipeline.folders.inspect_report import inspection_facts, report

        options = InspectOptions(args.sample, args.files, tuple(args.allow_buckets))
        progress = (lambda _: None) if args.json else _inspect_progress(time.monotonic)
        facts = inspection_facts(inspect_path(_store_for(args), args.path, options, progress=progress))
        if not args.json:
            LINES.say_all(report(facts))
        return facts

    return run_and_print("inspect", work, lines=LINES)


def _store_for(args: argparse.Namespace) -> Any:
    """Where the path lies; a local one needs neither boto3 nor credentials."""
    from dynamodb_pipeline.addresses import is_s3
    from dynamodb_pipeline.store.local import LocalObjectStore

    return _s3_store(args) if is_s3(args.path) else LocalObjectStore()


def _s3_store(args: argparse.Namespace) -> Any:
    from dynamodb_pipeline.aws.clients import AwsClients
    from dynamodb_pipeline.store.anywhere import object_store

    return object_store(AwsClients(args.region, bucket_owner=args.bucket_owner))


def _inspect_progress(clock: Callable[[], float]) -> Callable[[Any], None]:
    """Return what prints a line every ten seconds of a long look."""
    last = [clock()]

    def progress(inspection: Any) -> None:
        if clock() - last[0] >= INSPECT_INTERVAL_S:
            last[0] = clock()
            done, total = len(inspection.files), len(inspection.source.files)
            LINES.say(f"{done} of {total} files, {inspection.schema.item_count:,} items")

    return progress


def run_report(args: argparse.Namespace) -> ExitCode:
    """Write a page about a run."""

    def s3() -> Any:
        from dynamodb_pipeline.aws.clients import AwsClients

        return AwsClients(args.region).client("s3")

    def work() -> dict[str, Any]:
        from dynamodb_pipeline.report import command

        query = command.ReportQuery(args.run_id, args.logs, args.to)
        if not query.is_file:
            check_run_id(args.run_id)
        return command.write_report(query, s3=s3, say=LINES.say)

    return run_and_print("report", work, lines=LINES)


def run_clean(args: argparse.Namespace) -> ExitCode:
    """List or delete what dead runs left."""

    def work() -> dict[str, Any]:
        from dynamodb_pipeline.folders.clean import CleanRequest, clean

        check_log_folder(args.logs, outputs=())
        request = CleanRequest(args.folder.rstrip("/"), args.logs.rstrip("/"), args.yes)
        return clean(_s3_store(args), request, say_all=LINES.say_all)

    return run_and_print("clean", work, lines=LINES)


def run_bundle(args: argparse.Namespace) -> ExitCode:
    """Build the bundle zip."""
    from dynamodb_pipeline.emr.request.bundle import build_bundle

    def work() -> dict[str, Any]:
        built = build_bundle(Path(args.to))
        LINES.say(f"built {built.path}, SHA-256 {built.sha256}")
        return {"kind": "bundle", "exit_code": 0, "path": str(built.path), "sha256": built.sha256}

    return run_and_print("bundle", work, lines=LINES)
