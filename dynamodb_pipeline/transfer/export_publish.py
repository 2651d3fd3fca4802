"""
Publishes a finished export: `_export.json`, then `manifest`, last and put-if-absent, then the empty `_SUCCESS`.

Until the manifest is there the folder is no export; once it is there the export is whole. So a kill at any moment
leaves no manifest or a complete one.
"""

from __future__ import annotations

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats import manifest as manifests
from dynamodb_pipeline.formats.export_record import ExportRecord
from dynamodb_pipeline.transfer.lifetime import RunLifetime
from dynamodb_pipeline.transfer.object_store import ObjectMissingError, ObjectStore, put_once
from dynamodb_pipeline.transfer.run_folder import EXPORT_RECORD, MANIFEST, SUCCESS
from dynamodb_pipeline.transfer.s3_uri import S3Uri


def publish(store: ObjectStore, folder: S3Uri, record: ExportRecord, *, lifetime: RunLifetime) -> str:
    """
    Make the export in `folder` a finished one and return its address.

    Raises:
        PreconditionError: another run finished an export there meanwhile ("lost race").
        PipelineError: the run must stop; nothing was published.
    """
    lifetime.check()
    _put(store, folder, EXPORT_RECORD, record.to_bytes())
    lifetime.check()
    _put(store, folder, MANIFEST, manifests.render(str(folder.child(f.name)) for f in record.files))
    store.put(str(folder.child(SUCCESS)), b"")
    return str(folder)


def _put(store: ObjectStore, folder: S3Uri, name: str, body: bytes) -> None:
    if not put_once(store, str(folder.child(name)), body):
        msg = f"lost race: another run has written {folder.child(name)}; this run's files are orphans, choose a new --output"
        raise PreconditionError(msg)


def finished_record(store: ObjectStore, folder: S3Uri) -> ExportRecord | None:
    """The record of a finished export in `folder`, None while there is none (manifest or record absent)."""
    if store.head(str(folder.child(MANIFEST))) is None:
        return None
    uri = str(folder.child(EXPORT_RECORD))
    try:
        return ExportRecord.from_bytes(store.get(uri), where=uri)
    except ObjectMissingError:
        return None
