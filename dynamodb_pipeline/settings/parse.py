"""
Parsed options become frozen dataclasses (`*_settings`) where they enter, all their problems named together.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from dynamodb_pipeline.addresses import S3Uri, is_s3
from dynamodb_pipeline.durations import duration_s
from dynamodb_pipeline.rate.capacity import parse_percent
from dynamodb_pipeline.settings.checks import (
    Problems,
    check_log_folder,
    check_set_aside,
    check_table_name,
    parse_item_limit,
    parse_scheduled_time,
    parse_units,
)
from dynamodb_pipeline.settings.job import CommonSettings, ExportSettings, ImportSettings, RateSettings, VerifySettings
from dynamodb_pipeline.settings.options import DEFAULT_PERCENT
from dynamodb_pipeline.settings.run_ids import check_run_id

MAX_TASKS = 4096


def common_settings(args: argparse.Namespace, problems: Problems, *, outputs: Sequence[str] = ()) -> CommonSettings:
    """Checked common options; problems go to `problems`."""
    if args.logs is not None:
        problems.attempt(lambda: check_log_folder(args.logs, outputs=outputs))
    if args.run_id is not None:
        problems.attempt(lambda: check_run_id(args.run_id))
    timeout = problems.attempt(lambda: duration_s(args.timeout, option="--timeout"))
    problems.require(
        args.tasks is None or 1 <= args.tasks <= MAX_TASKS, f"--tasks {args.tasks} must be 1 to {MAX_TASKS}"
    )
    problems.require(1 <= args.attempts <= 10, f"--attempts {args.attempts} must be 1 to 10")
    resume = getattr(args, "resume", None) is not None
    problems.require(not (resume and args.run_id), "--resume latest and --run-id exclude each other")
    problems.require(not resume or bool(args.logs), "--resume latest needs --logs, where the runs are recorded")
    owner = args.bucket_owner
    problems.require(
        owner is None or re.fullmatch(r"\d{12}", owner) is not None,
        f"--bucket-owner {owner!r} is not a 12-digit account",
    )
    return CommonSettings(
        region=args.region,
        logs=args.logs.rstrip("/") if args.logs else None,
        run_id=args.run_id,
        timeout_s=timeout,
        tasks=args.tasks,
        bucket_owner=owner,
        attempts=args.attempts,
        connector_jar=args.connector_jar,
        resume=resume,
        words=tuple(getattr(args, "words", ())),
    )


def rate_settings(args: argparse.Namespace, problems: Problems, *, option: str) -> RateSettings:
    """Checked rate options; the percent itself is parsed with the capacity at hand (rate/capacity.py)."""
    if args.units is None:
        text = args.throughput_percent or DEFAULT_PERCENT
        problems.attempt(lambda: parse_percent(text))
        return RateSettings(text, None)
    units = problems.attempt(lambda: parse_units(args.units, option=option))
    return RateSettings(None, units)


def export_settings(args: argparse.Namespace) -> ExportSettings:
    """
    Raises:
        UsageError: every problem of the command line, one a line.
    """
    problems = Problems()
    for name in args.tables:
        problems.attempt(lambda name=name: check_table_name(name))  # type: ignore[misc]
    problems.require(len(set(args.tables)) == len(args.tables), "--table names a table twice")
    problems.attempt(lambda: S3Uri.parse(args.output, option="--output"))
    problems.require(not (args.exact_output and len(args.tables) > 1), "--exact-output takes one --table")
    problems.require(
        not args.consistent_read or args.reader == "direct",
        "--consistent-read needs --reader direct: the connector reads eventually consistent only",
    )
    problems.require(
        args.segments is None or 1 <= args.segments <= 1_000_000, f"--segments {args.segments} must be 1 to 1000000"
    )
    moment = problems.attempt(lambda: parse_scheduled_time(args.scheduled_time)) if args.scheduled_time else None
    settings = ExportSettings(
        common=common_settings(args, problems, outputs=[args.output] if is_s3(args.output) else []),
        rate=rate_settings(args, problems, option="--read-units"),
        tables=tuple(args.tables),
        output=args.output,
        exact_output=args.exact_output,
        reader=args.reader,
        rate_control=args.rate_control,
        compression=args.compression,
        null_tag=args.null_tag,
        consistent_read=args.consistent_read,
        segments=args.segments,
        scheduled_time=moment,
        sse_kms_key_id=args.sse_kms_key_id,
    )
    problems.end()
    return settings


def import_settings(args: argparse.Namespace) -> ImportSettings:
    """
    Raises:
        UsageError: every problem of the command line, one a line.
    """
    problems = Problems()
    problems.attempt(lambda: check_table_name(args.table))
    _check_from_table(args, problems)
    if args.set_aside is not None:
        problems.attempt(lambda: check_set_aside(args.set_aside, source=args.input))
    limit = problems.attempt(lambda: parse_item_limit(args.max_set_aside, option="--max-set-aside"))
    deletions = problems.attempt(lambda: parse_item_limit(args.max_deletions, option="--max-deletions"))
    problems.require(not (args.mirror and args.skip_existing), "--mirror and --skip-existing exclude each other")
    problems.require(not args.mirror or args.yes or args.dry_run, "--mirror deletes items: it always needs --yes")
    problems.require(
        not (args.mirror and args.set_aside),
        "--mirror and --set-aside exclude each other: an item that is bad in the export would be deleted in the table",
    )
    moment = problems.attempt(lambda: parse_scheduled_time(args.scheduled_time)) if args.scheduled_time else None
    problems.require(
        not args.scheduled_time or bool(args.logs), "--scheduled-time of an import needs --logs, where runs are claimed"
    )
    settings = ImportSettings(
        common=common_settings(args, problems, outputs=[args.input] if is_s3(args.input) else []),
        rate=rate_settings(args, problems, option="--write-units"),
        table=args.table,
        input=args.input,
        latest=args.latest,
        without_manifest=args.without_manifest,
        allow_buckets=tuple(args.allow_buckets),
        set_aside=args.set_aside,
        max_set_aside=limit or (None, None),
        duplicates=args.duplicates,
        skip_existing=args.skip_existing,
        mirror=args.mirror,
        max_deletions=deletions or (None, None),
        dry_run=args.dry_run,
        yes=args.yes,
        scheduled_time=moment,
        from_table=args.from_table,
    )
    problems.end()
    return settings


def verify_settings(args: argparse.Namespace) -> VerifySettings:
    """
    Raises:
        UsageError: every problem of the command line, one a line.
    """
    problems = Problems()
    if args.table is not None:
        problems.attempt(lambda: check_table_name(args.table))
    _check_from_table(args, problems)
    problems.require(args.limit >= 0, f"--limit {args.limit} must be 0 or more")
    settings = VerifySettings(
        common=common_settings(args, problems, outputs=[args.export] if is_s3(args.export) else []),
        rate=rate_settings(args, problems, option="--read-units"),
        export=args.export,
        table=args.table,
        latest=args.latest,
        limit=args.limit,
        allow_buckets=tuple(args.allow_buckets),
        consistent_read=args.consistent_read,
        without_manifest=args.without_manifest,
        from_table=args.from_table,
    )
    problems.end()
    return settings


def _check_from_table(args: argparse.Namespace, problems: Problems) -> None:
    if args.from_table is not None:
        problems.attempt(lambda: check_table_name(args.from_table, option="--from-table"))
