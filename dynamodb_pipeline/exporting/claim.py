"""Who writes into a run folder: a put-if-absent object, before the first data file."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.exports.layout import CLAIM, MANIFEST, MARKER_SUFFIX
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore, put_once


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
    foreign = next((o.uri for o in store.list(str(folder)) if not _is_marker(o.uri, folder)), None)
    if foreign is None:
        return
    if store.head(str(folder.child(MANIFEST))) is not None:
        msg = f"{folder} already holds a finished export; choose another --output"
        raise PreconditionError(msg)
    msg = f"{folder} is not empty (it holds {foreign}); choose another --output"
    raise PreconditionError(msg)


def _is_marker(uri: str, folder: S3Uri) -> bool:
    return uri == str(folder) or uri.endswith(MARKER_SUFFIX)
