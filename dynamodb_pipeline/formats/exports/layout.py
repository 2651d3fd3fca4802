"""
Where an export goes: folders, stamps, claims.

Layout (as AWS Data Pipeline's template made it): one table `OUTPUT/<stamp>/`, several `OUTPUT/<table>/<stamp>/`,
stamp `yyyy-MM-dd-HH-mm-ss` in UTC; a bucket alone means `s3://bucket/<region>/<table>/<stamp>/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from dynamodb_pipeline.addresses import S3Uri, is_s3
from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore, put_once

MANIFEST = "manifest"
NATIVE_SUMMARY = "manifest-summary.json"  # of DynamoDB's own export to S3
EXPORT_RECORD = "_export.json"
CLAIM = "_claim.json"
SUCCESS = "_SUCCESS"
STAMP_FORMAT = "%Y-%m-%d-%H-%M-%S"
STAMP = re.compile(r"^\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d$")
TABLE_NAME = re.compile(r"^[A-Za-z0-9_.-]{3,255}$")  # DynamoDB naming rules
MARKER_SUFFIX = "_$folder$"


def stamp(moment: datetime) -> str:
    """`yyyy-MM-dd-HH-mm-ss` of a moment, in UTC."""
    return moment.astimezone(timezone.utc).strftime(STAMP_FORMAT)


def parse_scheduled_time(text: str) -> datetime:
    """
    A moment given as ISO 8601 (EventBridge Scheduler's form, `2026-11-23T03:00:00Z`) or as a folder stamp, in UTC.

    Raises:
        UsageError: neither of the two.
    """
    if STAMP.match(text):
        return datetime.strptime(text, STAMP_FORMAT).replace(tzinfo=timezone.utc)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as err:
        msg = f"--scheduled-time {text!r} is neither ISO 8601 (2026-11-23T03:00:00Z) nor yyyy-MM-dd-HH-mm-ss"
        raise UsageError(msg) from err
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def output_folder(output: str, *, table: str, region: str, several: bool, moment: datetime, exact: bool) -> S3Uri:
    """
    The run folder of one table's export.

    Raises:
        UsageError: not an s3:// folder, or `exact` with several tables or with a bucket alone.
    """
    base = S3Uri.parse(output, option="--output").folder
    if exact:
        if several or not base.key:
            msg = "--exact-output needs one --table and a folder (s3://bucket/folder)"
            raise UsageError(msg)
        return base
    if not base.key:
        base = base.child(f"{region}/{table}/")
    elif several:
        base = base.child(f"{table}/")
    return base.child(f"{stamp(moment)}/")


@dataclass(frozen=True)
class Claim:
    """Who writes into a run folder; the object is put if absent before the first data file."""

    run_id: str
    table_name: str
    table_id: str
    claimed_at: str

    def to_bytes(self) -> bytes:
        return (json.dumps(self.__dict__, indent=1, sort_keys=True) + "\n").encode()


def claim_folder(store: ObjectStore, folder: S3Uri, claim: Claim) -> bool:
    """
    Take the folder for this run; True when the same run had taken it before (a resume).

    Raises:
        PreconditionError: a finished export, another run's claim or other files lie there; nothing was read or written.
    """
    held = _held_by(store, folder)
    if held is None:
        _refuse_foreign_files(store, folder)
        if put_once(store, str(folder.child(CLAIM)), claim.to_bytes()):
            return False
        held = _held_by(store, folder) or {}
    if held.get("run_id") != claim.run_id:
        raise PreconditionError(_occupied(store, folder, held))
    if held.get("table_id") != claim.table_id:
        msg = f"{folder} holds run {claim.run_id} of another table of that name (TableId differs); choose a new folder"
        raise PreconditionError(msg)
    return True


def _held_by(store: ObjectStore, folder: S3Uri) -> dict[str, str] | None:
    try:
        data = store.get(str(folder.child(CLAIM)))
    except ObjectMissingError:
        return None
    try:
        held = json.loads(data)
    except ValueError:
        held = {}
    return held if isinstance(held, dict) else {}


def _occupied(store: ObjectStore, folder: S3Uri, held: dict[str, str]) -> str:
    owner = f"run {held.get('run_id', 'unknown')} (table {held.get('table_name', '?')}, {held.get('claimed_at', '?')})"
    if store.head(str(folder.child(MANIFEST))) is not None:
        return f"{folder} already holds the finished export of {owner}; choose another --output"
    return f"{folder} is in use by {owner}, not finished; resume it with --run-id, or choose another --output"


def _refuse_foreign_files(store: ObjectStore, folder: S3Uri) -> None:
    found = next((o.uri for o in store.list(str(folder)) if not _is_marker(o.uri, folder)), None)
    if found is None:
        return
    if store.head(str(folder.child(MANIFEST))) is not None:
        msg = f"{folder} already holds a finished export; choose another --output"
        raise PreconditionError(msg)
    msg = f"{folder} is not empty (it holds {found}); choose another --output"
    raise PreconditionError(msg)


def _is_marker(uri: str, folder: S3Uri) -> bool:
    return uri == str(folder) or uri.endswith(MARKER_SUFFIX)


def join(folder: str, name: str) -> str:
    """`folder/name` for an s3:// address or a local path."""
    return f"{folder.rstrip('/')}/{name}"


def check_log_folder(logs: str, *, outputs: Iterable[str]) -> S3Uri:
    """
    The log folder, refused before anything starts when it is a bucket's top or lies inside an export.

    Raises:
        UsageError: names the option and the rule.
    """
    folder = S3Uri.parse(logs, option="--logs").folder
    if not folder.key:
        msg = f"--logs {logs}: name a folder (s3://bucket/logs), never the bucket's top level"
        raise UsageError(msg)
    for output in outputs:
        if S3Uri.parse(output).folder.key and S3Uri.parse(output).holds(folder):
            msg = f"--logs {logs} lies inside the export folder {output}, where an import would read it as data"
            raise UsageError(msg)
    return folder


def check_set_aside(folder: str, *, source: str) -> S3Uri:
    """
    The folder for bad items, refused when it lies inside what is imported.

    Raises:
        UsageError: names the option and the rule.
    """
    where = S3Uri.parse(folder, option="--set-aside").folder
    if is_s3(source) and S3Uri.parse(source).folder.key and S3Uri.parse(source).holds(where):
        msg = f"--set-aside {folder} lies inside {source}, where an import would read it as data"
        raise UsageError(msg)
    return where


def check_table_name(name: str, *, option: str = "--table") -> str:
    """
    Raises:
        UsageError: not a DynamoDB table name (also an ARN: an index or stream cannot be exported).
    """
    if not TABLE_NAME.match(name):
        msg = f"{option} {name!r} is not a table name (3-255 of a-z A-Z 0-9 _ - .); ARNs are not taken"
        raise UsageError(msg)
    return name
