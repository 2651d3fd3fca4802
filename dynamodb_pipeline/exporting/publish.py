"""
Publishes a finished export: `_export.json`, then `manifest`, last and put-if-absent, then the empty `_SUCCESS`.

Until the manifest is there the folder is no export; once it is there the export is whole. So a kill at any moment
leaves no manifest or a complete one.
"""

from __future__ import annotations

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports import manifest as manifests
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import EXPORT_RECORD, MANIFEST, SUCCESS
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore, put_once


def publish(store: ObjectStore, folder: S3Uri, record: ExportRecord, *, lifetime: RunLifetime) -> ExportRecord:
    """
    Make the export in `folder` a finished one and return its record.

    That is `record`, or the one which an attempt of the same run had written before it died: all its files were whole
    by then, so the manifest is made from it.

    Raises:
        PreconditionError: another run finished an export there meanwhile ("lost race").
        IntegrityError: a data file is no longer there.
        PipelineError: the run must stop; nothing was published.
    """
    lifetime.check()
    kept = _keep_record(store, folder, record)
    refuse_missing_files(store, folder, kept)
    lifetime.check()
    if not put_once(store, str(folder.child(MANIFEST)), _manifest(folder, kept)):
        raise _lost_race(folder, MANIFEST)
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


def _lost_race(folder: S3Uri, name: str) -> PreconditionError:
    return PreconditionError(
        f"lost race: another run has written {folder.child(name)}; this run's files are orphans, choose a new --output"
    )


def finished_record(store: ObjectStore, folder: S3Uri) -> ExportRecord | None:
    """
    The record of a finished export in `folder`, None while there is none (manifest or record absent).

    Raises:
        PreconditionError: the manifest is not the one of the record: another writer's.
    """
    manifest_uri, record_uri = str(folder.child(MANIFEST)), str(folder.child(EXPORT_RECORD))
    try:
        manifest = store.get(manifest_uri)
        record = ExportRecord.from_bytes(store.get(record_uri), where=record_uri)
    except ObjectMissingError:
        return None
    if manifest != _manifest(folder, record):
        raise _lost_race(folder, MANIFEST)
    return record


def _manifest(folder: S3Uri, record: ExportRecord) -> bytes:
    return manifests.render(str(folder.child(f.name)) for f in record.files)
