"""Who writes into a run folder: a put-if-absent object, before the first data file."""

from __future__ import annotations

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.exports.layout import CLAIM, MANIFEST, MARKER_SUFFIX, UNKNOWN_CLAIM, Claim
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore, put_once


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
        held = _held_by(store, folder) or UNKNOWN_CLAIM
    if held.run_id != claim.run_id:
        raise PreconditionError(_occupied(store, folder, held))
    if held.table_id != claim.table_id:
        msg = f"{folder} holds run {claim.run_id} of another table of that name (TableId differs); choose a new folder"
        raise PreconditionError(msg)
    return True


def _held_by(store: ObjectStore, folder: S3Uri) -> Claim | None:
    """Who has claimed the folder; what is no claim of ours is as good as somebody else's."""
    try:
        data = store.get(str(folder.child(CLAIM)))
    except ObjectMissingError:
        return None
    try:
        return Claim.from_json(read_object(data))
    except DocumentError:
        return UNKNOWN_CLAIM


def _occupied(store: ObjectStore, folder: S3Uri, held: Claim) -> str:
    owner = f"run {held.run_id} (table {held.table_name}, {held.claimed_at})"
    if store.head(str(folder.child(MANIFEST))) is not None:
        return f"{folder} already holds the finished export of {owner}; choose another --output"
    if held is UNKNOWN_CLAIM:
        return f"{folder} is claimed by an object {CLAIM} that is none of ours; choose another --output"
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
