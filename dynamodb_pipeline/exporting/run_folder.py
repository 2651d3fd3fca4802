"""
The run folder of an export: claimed by a put-if-absent object before the first data file, published at the end.

Publishing is `_export.json`, then `manifest` (of a part of a table its own: `ExportRecord.manifest_name`), last and
put-if-absent, then the empty `_SUCCESS`. Until the manifest is
there the folder is no export; once it is there the export is whole. So a kill at any moment leaves no manifest or a
complete one.
"""

from __future__ import annotations

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports import manifest as manifests
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import (
    CLAIM,
    EXPORT_RECORD,
    MANIFEST,
    MARKER_SUFFIX,
    PART_MANIFEST,
    SUCCESS,
    UNKNOWN_CLAIM,
    Claim,
)
from dynamodb_pipeline.run.lifetime import RunLifetime
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
    if _is_finished(store, folder):
        return f"{folder} already holds the finished export of {owner}; choose another --output"
    if held is UNKNOWN_CLAIM:
        return f"{folder} is claimed by an object {CLAIM} that is none of ours; choose another --output"
    return f"{folder} is in use by {owner}, not finished; resume it with --run-id, or choose another --output"


def _refuse_foreign_files(store: ObjectStore, folder: S3Uri) -> None:
    foreign = next((o.uri for o in store.list(str(folder)) if not _is_marker(o.uri, folder)), None)
    if foreign is None:
        return
    if _is_finished(store, folder):
        msg = f"{folder} already holds a finished export; choose another --output"
        raise PreconditionError(msg)
    msg = f"{folder} is not empty (it holds {foreign}); choose another --output"
    raise PreconditionError(msg)


def _is_finished(store: ObjectStore, folder: S3Uri) -> bool:
    return any(store.head(str(folder.child(name))) is not None for name in (MANIFEST, PART_MANIFEST))


def _is_marker(uri: str, folder: S3Uri) -> bool:
    return uri == str(folder) or uri.endswith(MARKER_SUFFIX)


def publish(store: ObjectStore, folder: S3Uri, record: ExportRecord, *, lifetime: RunLifetime) -> ExportRecord:
    """
    Make the export in `folder` a finished one and return its record.

    That is `record`, or the one which an attempt of the same run had written before it died: all its files were whole
    by then, so the manifest is made from it.

    Raises:
        IntegrityError: another run finished an export there meanwhile ("lost race"); a data file is no longer there.
        PipelineError: the run must stop; nothing was published.
    """
    lifetime.check()
    kept = _keep_record(store, folder, record)
    refuse_missing_files(store, folder, kept)
    lifetime.check()
    if not put_once(store, str(folder.child(kept.manifest_name)), _manifest(folder, kept)):
        raise _lost_race(folder, kept.manifest_name)
    store.put(str(folder.child(SUCCESS)), b"")
    return kept


def refuse_missing_files(store: ObjectStore, folder: S3Uri, record: ExportRecord) -> None:
    """
    One listing before the manifest: files of earlier attempts may have been deleted since (`clean`, a lifecycle rule).

    Raises:
        IntegrityError: a listed file is gone or has another size.
    """
    there = {info.uri: info.bytes for info in store.list(str(folder))}
    lost = [f.name for f in record.files if there.get(str(folder.child(f.name))) != f.bytes]
    if lost:
        msg = f"{folder}: {len(lost)} stored data files are gone or changed, such as {lost[0]}; start a new run"
        raise IntegrityError(msg)


def mark_success(store: ObjectStore, folder: S3Uri) -> None:
    """Store `_SUCCESS` of a finished export whose run was killed right before."""
    if store.head(str(folder.child(SUCCESS))) is None:
        store.put(str(folder.child(SUCCESS)), b"")


def _keep_record(store: ObjectStore, folder: S3Uri, record: ExportRecord) -> ExportRecord:
    uri = str(folder.child(EXPORT_RECORD))
    if put_once(store, uri, record.to_bytes()):
        return record
    kept = ExportRecord.from_bytes(store.get(uri), where=uri)
    if kept.run_id != record.run_id:
        raise _lost_race(folder, EXPORT_RECORD)
    return kept


def _lost_race(folder: S3Uri, name: str) -> IntegrityError:
    return IntegrityError(
        f"lost race: another run has written {folder.child(name)}; this run's files are orphans, choose a new --output"
    )


def finished_record(store: ObjectStore, folder: S3Uri) -> ExportRecord | None:
    """
    The record of a finished export in `folder`, None while there is none (manifest or record absent).

    Raises:
        IntegrityError: the manifest is not the one of the record: another writer's.
    """
    record_uri = str(folder.child(EXPORT_RECORD))
    try:
        record = ExportRecord.from_bytes(store.get(record_uri), where=record_uri)
        manifest = store.get(str(folder.child(record.manifest_name)))
    except ObjectMissingError:
        return None
    if manifest != _manifest(folder, record):
        raise _lost_race(folder, record.manifest_name)
    return record


def _manifest(folder: S3Uri, record: ExportRecord) -> bytes:
    return manifests.render(str(folder.child(f.name)) for f in record.files)
