"""
Where an export goes and where an import finds it: folders, stamps, claims.

Layout (as AWS Data Pipeline's template made it): one table `OUTPUT/<stamp>/`, several `OUTPUT/<table>/<stamp>/`,
stamp `yyyy-MM-dd-HH-mm-ss` in UTC; a bucket alone means `s3://bucket/<region>/<table>/<stamp>/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from shlex import quote

from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.transfer.object_store import ObjectMissingError, ObjectStore, put_once
from dynamodb_pipeline.transfer.s3_uri import S3Uri, is_s3

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


def choose_finished_run(store: ObjectStore, source: str, *, latest: bool, table: str, command: str) -> str:
    """
    The folder to import: `source` itself when it holds a manifest, else the only finished run below it.

    Args:
        latest: take the newest stamp when there are several.
        table: the target's name; narrows a folder of several tables' exports.
        command: what the user would type before the folder, for messages.

    Raises:
        PreconditionError: nothing there, or several runs (all listed) and not `latest`.
    """
    if is_finished(store, source):
        return source
    runs = finished_runs(store, source)
    mine = [r for r in runs if _table_folder(r) == table]
    runs = mine or runs
    if not runs:
        msg = no_manifest_message(store, source, command=command)
        raise PreconditionError(msg)
    if len(runs) > 1 and (not latest or len({_table_folder(r) for r in runs}) > 1):
        listed = "\n  ".join(runs)
        msg = f"{source} holds {len(runs)} finished exports; give one, or the table's folder with --latest:\n  {listed}"
        raise PreconditionError(msg)
    return runs[-1]


def is_finished(store: ObjectStore, folder: str) -> bool:
    """True when the folder itself holds a Data Pipeline manifest or a native export's summary."""
    return any(store.head(join(folder, name)) is not None for name in (MANIFEST, NATIVE_SUMMARY))


def finished_runs(store: ObjectStore, source: str) -> list[str]:
    """Folders at most two levels below `source` that hold a manifest, oldest stamp first."""
    prefix = source.rstrip("/") + "/"
    found = (o.uri for o in store.list(source) if o.uri.rpartition("/")[2] in (MANIFEST, NATIVE_SUMMARY))
    folders = (uri.rpartition("/")[0] + "/" for uri in found)
    return sorted((f for f in folders if f[len(prefix) :].count("/") in (1, 2)), key=lambda f: (_stamp_of(f), f))


def no_manifest_message(store: ObjectStore, source: str, *, command: str) -> str:
    """Why a folder without a manifest is refused, with the command that reads it all the same."""
    if store.head(source) is None and next(iter(store.list(source)), None) is None:
        return f"{source} holds nothing; check its spelling"
    return (
        f"{source} has no manifest: not a finished export. To read every data file in it all the same, at the risk "
        f"of leftovers of failed attempts, run: {command} {quote(source)} --without-manifest"
    )


def join(folder: str, name: str) -> str:
    """`folder/name` for an s3:// address or a local path."""
    return f"{folder.rstrip('/')}/{name}"


def _stamp_of(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def _table_folder(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[0].rpartition("/")[2]


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


def check_table_name(name: str) -> str:
    """
    Raises:
        UsageError: not a DynamoDB table name (also an ARN: an index or stream cannot be exported).
    """
    if not TABLE_NAME.match(name):
        msg = f"--table {name!r} is not a table name (3-255 of a-z A-Z 0-9 _ - .); ARNs are not taken"
        raise UsageError(msg)
    return name
