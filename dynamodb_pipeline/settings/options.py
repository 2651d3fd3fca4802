"""Every option of the jobs, defined once: `jobs/*.py` and the command line build their parsers from here."""

from __future__ import annotations

import argparse
from typing import NoReturn

from dynamodb_pipeline.errors import UsageError

DEFAULT_PERCENT = "25"
DEFAULT_TIMEOUT = "12h"
DEFAULT_ATTEMPTS = 2


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours, so that exit code and form are those of the product."""

    def error(self, message: str) -> NoReturn:
        msg = f"{message}; see {self.prog} --help"
        raise UsageError(msg)


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
    _add_source(parser, folder="--input")
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
    _add_source(parser, folder="EXPORT")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="differing keys to list (default 20)")
    parser.add_argument(
        "--consistent-read", action="store_true", help="read the table with strong consistency, at twice the units"
    )
    add_rate(parser, absolute="--read-units", what="read")
    add_common(parser)


def _add_source(parser: argparse.ArgumentParser, *, folder: str) -> None:
    """Which files are read; `folder` is what the help calls the place they lie in."""
    parser.add_argument(
        "--latest", action="store_true", help=f"of the table's finished exports below {folder} take the newest"
    )
    parser.add_argument(
        "--from-table", metavar="NAME",
        help="the exported table, where it is not --table; unknown: of an export that names none",
    )  # fmt: skip
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
