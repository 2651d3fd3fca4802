"""What stands between the last data file and a manifest."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.exporting.run_folder import finished_record, mark_success, publish
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.run.lifetime import RunLifetime
from tests.unit.store.memory_store import MemoryStore

FOLDER = S3Uri("bucket", "exports/one/")
FILE = FileRecord(name="a_000000", bytes=16, plain_bytes=16, item_count=1, sha256="0" * 64)


def record(**changes: Any) -> ExportRecord:
    facts: dict[str, Any] = {
        "tool_version": "1",
        "connector_version": None,
        "run_id": "one",
        "table_name": "Forum",
        "table_arn": "arn:aws:dynamodb:eu-west-1:123456789012:table/Forum",
        "table_id": "id",
        "region": "eu-west-1",
        "key_schema": KeySchema((KeyAttribute("Id", "HASH", "S"),)),
        "reader": "direct",
        "scan_started": "2026-01-01T00:00:00Z",
        "scan_ended": "2026-01-01T00:00:01Z",
        "consistency": "eventual",
        "compression": "none",
        "null_tag": "nULL",
        "files": (FILE,),
    }
    return ExportRecord(**{**facts, **changes})


def test_export_whose_files_are_there_gets_its_manifest():
    store = MemoryStore({f"{FOLDER}a_000000": b"sixteen bytes ok"})
    publish(store, FOLDER, record(), lifetime=RunLifetime())
    assert {uri.rpartition("/")[2] for uri in store.objects} == {"a_000000", "_export.json", "manifest", "_SUCCESS"}


@pytest.mark.parametrize("there", [{}, {f"{FOLDER}a_000000": b"ite"}], ids=["gone", "shorter"])
def test_no_manifest_lists_a_file_that_is_gone(there):
    store = MemoryStore(there)
    with pytest.raises(IntegrityError, match="gone or changed, such as a_000000"):
        publish(store, FOLDER, record(), lifetime=RunLifetime())
    assert f"{FOLDER}manifest" not in store.objects


def test_a_finished_export_is_known_by_its_record_and_its_own_manifest():
    store = MemoryStore({f"{FOLDER}a_000000": b"sixteen bytes ok"})
    assert finished_record(store, FOLDER) is None
    publish(store, FOLDER, record(), lifetime=RunLifetime())
    assert finished_record(store, FOLDER) == record()
    del store.objects[f"{FOLDER}_export.json"]
    assert finished_record(store, FOLDER) is None


def test_a_manifest_of_somebody_else_beside_our_record_is_no_finished_export():
    """Stored between the two, and met by the next attempt."""
    store = MemoryStore({f"{FOLDER}manifest": b'{"other":1}', f"{FOLDER}_export.json": record().to_bytes()})
    with pytest.raises(IntegrityError, match=r"another run has written .*manifest"):
        finished_record(store, FOLDER)


def test_finished_export_without_its_marker_gets_it_once():
    store = MemoryStore()
    mark_success(store, FOLDER)
    mark_success(store, FOLDER)
    assert store.objects == {f"{FOLDER}_SUCCESS": b""}
