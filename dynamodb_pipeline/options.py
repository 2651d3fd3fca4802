"""
Every option of the jobs, defined once: `jobs/*.py` and the command line build their parsers from here.

Values are checked where they enter (`*_settings`), all problems together, and become frozen dataclasses.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.transfer.run_folder import (
    check_log_folder,
    check_set_aside,
    check_table_name,
    parse_scheduled_time,
)
from dynamodb_pipeline.transfer.run_record import check_run_id
from dynamodb_pipeline.transfer.s3_uri import S3Uri, is_s3

DEFAULT_PERCENT = "25"
DEFAULT_TIMEOUT = "12h"
DEFAULT_ATTEMPTS = 2
MAX_TASKS = 4096
DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|h|d)?$")
SECONDS_IN = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours, so that exit code and form are those of the product."""

    def error(self, message: str) -> NoReturn:
        msg = f"{message}; see {self.prog} --help"
        raise UsageError(msg)


def parse_duration(text: str, *, option: str) -> float:
    """
    Seconds of `90`, `90s`, `15m`, `12h` or `2d`.

    Raises:
        UsageError: another form, or zero.
    """
    match = DURATION.match(text.strip())
    seconds = float(match[1]) * SECONDS_IN[match[2]] if match else 0.0
    if seconds <= 0:
        msg = f"{option} {text!r} is not a duration; write 90s, 15m, 12h or 2d"
        raise UsageError(msg)
    return seconds


def parse_max_set_aside(text: str) -> tuple[int | None, float | None]:
    """
    `(count, None)` for `100`, `(None, percent)` for `1%`.

    Raises:
        UsageError: neither a whole number nor a percentage of 0 to 100.
    """
    if text.endswith("%"):
        try:
            percent = float(text[:-1])
        except ValueError:
            percent = -1.0
        if 0 <= percent <= 100:
            return None, percent
    elif text.isdigit():
        return int(text), None
    msg = f"--max-set-aside {text!r}: write a number of items (100) or a percentage (1%)"
    raise UsageError(msg)


@dataclass(frozen=True)
class CommonSettings:
    """What every job takes; `words` are the command line, for the command that resumes it."""

    region: str | None
    logs: str | None
    run_id: str | None
    timeout_s: float | None
    tasks: int | None
    bucket_owner: str | None
    attempts: int
    connector_jar: str | None
    resume: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class RateSettings:
    """How the rate was asked for: exactly one of a percent text and absolute units per second."""

    percent: str | None
    units: float | None


@dataclass(frozen=True)
class ExportSettings:
    """One export run: several tables, one output."""

    common: CommonSettings
    rate: RateSettings
    tables: tuple[str, ...]
    output: str
    exact_output: bool
    reader: str
    rate_control: str
    compression: str
    null_tag: str
    consistent_read: bool
    segments: int | None
    scheduled_time: datetime | None
    sse_kms_key_id: str | None


@dataclass(frozen=True)
class ImportSettings:
    """One import run: one input folder, one table."""

    common: CommonSettings
    rate: RateSettings
    table: str
    input: str
    latest: bool
    without_manifest: bool
    allow_buckets: tuple[str, ...]
    set_aside: str | None
    max_set_aside: tuple[int | None, float | None]
    duplicates: str
    skip_existing: bool
    mirror: bool
    max_deletions: tuple[int | None, float | None]
    dry_run: bool
    yes: bool
    scheduled_time: datetime | None = None


@dataclass(frozen=True)
class VerifySettings:
    """One verification: an export alone, or against a table."""

    common: CommonSettings
    rate: RateSettings
    export: str
    table: str | None
    latest: bool
    limit: int
    allow_buckets: tuple[str, ...]
    consistent_read: bool
    without_manifest: bool


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options of every job."""
    group = parser.add_argument_group("run")
    group.add_argument("--region", metavar="REGION", help="the table's (and cluster's) region")
    group.add_argument(
        "--logs",
        metavar="S3_FOLDER",
        help="folder for the run record, ledger and logs (never a bucket's top); without it a run cannot be resumed",
    )
    group.add_argument("--run-id", metavar="ID", help="name of the run; give a stopped run's id to resume it")
    group.add_argument(
        "--timeout",
        metavar="DURATION",
        default=DEFAULT_TIMEOUT,
        help=f"the run's own deadline, such as 90m or 12h (default {DEFAULT_TIMEOUT})",
    )
    group.add_argument(
        "--tasks", metavar="N", type=int, help="tasks that run at once (default: all of the cluster's cores)"
    )
    group.add_argument("--bucket-owner", metavar="ACCOUNT", help="12-digit account that must own every bucket used")
    group.add_argument(
        "--attempts", metavar="N", type=int, default=DEFAULT_ATTEMPTS,
        help=f"attempts inside the job after exit 1 or 5 (default {DEFAULT_ATTEMPTS}; needs --logs)",
    )  # fmt: skip
    group.add_argument(
        "--connector-jar", metavar="JAR", help="connector jar of a --local run (default: the one make setup brought)"
    )


def add_resume(parser: argparse.ArgumentParser) -> None:
    """The option of jobs that can go on where a stopped run was."""
    parser.add_argument(
        "--resume", choices=("latest",), help="go on with the newest unfinished run of these tables below --logs"
    )


def add_rate(parser: argparse.ArgumentParser, *, absolute: str, what: str) -> None:
    """`--throughput-percent` and its absolute counterpart, one of which is used."""
    group = parser.add_argument_group("rate").add_mutually_exclusive_group()
    group.add_argument(
        "--throughput-percent", metavar="PERCENT",
        help=f"percent of the table's {what} capacity to use, 1 to 150 (default {DEFAULT_PERCENT})",
    )  # fmt: skip
    group.add_argument(absolute, metavar="UNITS", dest="units", help=f"{what} units per second instead of a percent")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Options of the export job."""
    parser.add_argument(
        "--table",
        metavar="TABLE",
        action="append",
        required=True,
        dest="tables",
        help="table to export; repeat for several",
    )
    parser.add_argument(
        "--output",
        metavar="S3_FOLDER",
        required=True,
        help="s3://bucket/folder; a folder named by table and time is made in it",
    )
    parser.add_argument(
        "--exact-output", action="store_true", help="write into --output itself (one table, folder must be empty)"
    )
    parser.add_argument(
        "--reader",
        choices=("connector", "direct"),
        default="connector",
        help="connector: AWS's emr-dynamodb-connector (default); direct: own parallel Scan",
    )
    parser.add_argument(
        "--rate-control", choices=("relay", "connector"), default="relay",
        help="who meters the connector's reads: our relay, exact (default), or the connector's own limiter, estimated",
    )  # fmt: skip
    parser.add_argument(
        "--compression",
        choices=("none", "gzip"),
        default="none",
        help="of the data files (default none, as the old template wrote)",
    )
    parser.add_argument(
        "--null-tag",
        choices=("nULL", "nULLValue"),
        default="nULL",
        help="how NULL is written: nULL (connector 5, default) or nULLValue (connector 4)",
    )
    parser.add_argument(
        "--consistent-read", action="store_true", help="strongly consistent reads at twice the units (direct reader)"
    )
    parser.add_argument(
        "--segments", metavar="N", type=int, help="segments of the parallel scan (default: from the table's size)"
    )
    parser.add_argument(
        "--scheduled-time", metavar="TIME", help="moment that names the run folder, ISO 8601 (default: now)"
    )
    parser.add_argument(
        "--sse-kms-key-id", metavar="KEY", help="encrypt the files with this KMS key (default: the bucket's setting)"
    )
    add_rate(parser, absolute="--read-units", what="read")
    add_resume(parser)
    add_common(parser)


def add_import(parser: argparse.ArgumentParser) -> None:
    """Options of the import job."""
    parser.add_argument("--table", metavar="TABLE", required=True, help="existing table to import into")
    parser.add_argument(
        "--input",
        metavar="FOLDER",
        required=True,
        help="folder of an export, or a parent of exactly one finished export",
    )
    parser.add_argument(
        "--latest", action="store_true", help="of several finished exports below --input take the newest"
    )
    parser.add_argument(
        "--without-manifest", action="store_true", help="read every data file of a folder that has no manifest"
    )
    parser.add_argument(
        "--allow-bucket",
        metavar="BUCKET",
        action="append",
        default=[],
        dest="allow_buckets",
        help="a manifest may name files in this other bucket",
    )
    parser.add_argument(
        "--set-aside", metavar="S3_FOLDER", help="put bad items there and go on (default: stop at the first)"
    )
    parser.add_argument(
        "--max-set-aside", metavar="N|P%%", default="1000", help="stop when more items than this are bad (default 1000)"
    )
    parser.add_argument(
        "--duplicates",
        choices=("refuse", "last-wins"),
        default="refuse",
        help="what to do when a key stands twice in the input (default refuse)",
    )
    parser.add_argument("--skip-existing", action="store_true", help="write only items whose key is not in the table")
    parser.add_argument(
        "--mirror", action="store_true", help="afterwards delete items the export does not have (needs --yes)"
    )
    parser.add_argument(
        "--max-deletions",
        metavar="N|P%%",
        default="10%",
        help="stop before deleting more than this (default 10%% of the table)",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    parser.add_argument(
        "--scheduled-time", metavar="TIME",
        help="the schedule's moment, ISO 8601: a second run of the same import for it is refused (needs --logs)",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask on a terminal")
    add_rate(parser, absolute="--write-units", what="write")
    add_resume(parser)
    add_common(parser)


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Options of the verify job."""
    parser.add_argument("export", metavar="EXPORT", help="folder of a finished export")
    parser.add_argument("--table", metavar="TABLE", help="also compare with this table, item by item")
    parser.add_argument(
        "--latest", action="store_true", help="of several finished exports below EXPORT take the newest"
    )
    parser.add_argument(
        "--without-manifest", action="store_true", help="read every data file of a folder that has no manifest"
    )
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="differing keys to list (default 20)")
    parser.add_argument(
        "--allow-bucket",
        metavar="BUCKET",
        action="append",
        default=[],
        dest="allow_buckets",
        help="a manifest may name files in this other bucket",
    )
    parser.add_argument(
        "--consistent-read", action="store_true", help="read the table with strong consistency, at twice the units"
    )
    add_rate(parser, absolute="--read-units", what="read")
    add_common(parser)


class Problems:
    """Collects every problem of a command line so that the user meets them all at once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def attempt(self, check: Callable[[], object]) -> object | None:
        try:
            return check()
        except UsageError as err:
            self.texts.append(str(err))
            return None

    def require(self, holds: bool, text: str) -> None:
        if not holds:
            self.texts.append(text)

    def end(self) -> None:
        """
        Raises:
            UsageError: all problems, one a line.
        """
        if self.texts:
            raise UsageError("\n".join(self.texts))


def refuse_secrets(argv: Sequence[str]) -> None:
    """
    Raises:
        UsageError: an AWS access key id stands in an argument; step arguments are readable by many.
    """
    if any(ACCESS_KEY.search(word) for word in argv):
        msg = "an AWS access key stands in the arguments; remove and rotate it: the usual credential chain is used"
        raise UsageError(msg)


def common_settings(args: argparse.Namespace, problems: Problems, *, outputs: Sequence[str] = ()) -> CommonSettings:
    """Checked common options; problems go to `problems`."""
    if args.logs is not None:
        problems.attempt(lambda: check_log_folder(args.logs, outputs=outputs))
    if args.run_id is not None:
        problems.attempt(lambda: check_run_id(args.run_id))
    timeout = problems.attempt(lambda: parse_duration(args.timeout, option="--timeout"))
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
        timeout_s=timeout if isinstance(timeout, float) else None,
        tasks=args.tasks,
        bucket_owner=owner,
        attempts=args.attempts,
        connector_jar=args.connector_jar,
        resume=resume,
        words=tuple(getattr(args, "words", ())),
    )


def rate_settings(args: argparse.Namespace, problems: Problems, *, option: str) -> RateSettings:
    """Checked rate options; the percent itself is parsed with the capacity at hand (transfer/capacity.py)."""
    from dynamodb_pipeline.transfer.capacity import parse_percent

    if args.units is None:
        text = args.throughput_percent or DEFAULT_PERCENT
        problems.attempt(lambda: parse_percent(text))
        return RateSettings(text, None)
    units = problems.attempt(lambda: _units(args.units, option=option))
    return RateSettings(None, units if isinstance(units, float) else None)


def _units(text: str, *, option: str) -> float:
    try:
        units = float(text)
    except ValueError:
        units = 0.0
    if not 0 < units <= 10_000_000:
        msg = f"{option} {text!r} is not a number of units per second above 0"
        raise UsageError(msg)
    return units


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
        scheduled_time=moment if isinstance(moment, datetime) else None,
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
    if args.set_aside is not None:
        problems.attempt(lambda: check_set_aside(args.set_aside, source=args.input))
    limit = problems.attempt(lambda: parse_max_set_aside(args.max_set_aside))
    deletions = problems.attempt(lambda: parse_max_set_aside(args.max_deletions))
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
        max_set_aside=limit if isinstance(limit, tuple) else (None, None),
        duplicates=args.duplicates,
        skip_existing=args.skip_existing,
        mirror=args.mirror,
        max_deletions=deletions if isinstance(deletions, tuple) else (None, None),
        dry_run=args.dry_run,
        yes=args.yes,
        scheduled_time=moment if isinstance(moment, datetime) else None,
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
    )
    problems.end()
    return settings
