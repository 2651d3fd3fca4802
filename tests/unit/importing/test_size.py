"""The size of an import is that of what will be imported: recorded, else estimated, else said not to be known."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest

from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.importing.job import find_source
from dynamodb_pipeline.importing.size import SAMPLE_BYTES, ImportSize, import_size
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.settings.parse import import_settings
from dynamodb_pipeline.settings.parser import job_options
from tests.unit.reading.export_records import export_record
from tests.unit.reading.item_lines import lines
from tests.unit.store.memory_store import MemoryStore

FOLDER = "s3://bkt/exports/2026-11-23-03-00-00"


def settings(*words: str) -> ImportSettings:
    return import_settings(job_options("import", ["--table", "Forum", "--input", "s3://bkt/exports", *words]))


def size_of(store: MemoryStore, wanted: ImportSettings) -> ImportSize:
    return import_size(store, lambda: find_source(store, wanted))


def export(**files: bytes) -> MemoryStore:
    """A finished export of these data files, without a record."""
    entries = [{"url": f"{FOLDER}/{name}", "mandatory": True} for name in files]
    manifest = json.dumps({"name": "DynamoDB-export", "version": 3, "entries": entries}).encode()
    return MemoryStore({f"{FOLDER}/manifest": manifest, **{f"{FOLDER}/{n}": data for n, data in files.items()}})


def test_an_export_of_ours_knows_its_items_and_its_text_before_compression() -> None:
    plain = lines("abcdefgh" * 50)
    stored = gzip.compress(plain)
    store = export(**{"x.gz": stored})
    record = FileRecord("x.gz", len(stored), len(plain), 400, hashlib.sha256(stored).hexdigest())
    store.objects[f"{FOLDER}/_export.json"] = export_record(record, compression="gzip")
    found = size_of(store, settings())
    assert (found.item_count, found.text_bytes, found.is_known) == (400, len(plain), True)
    assert "_export.json" in found.basis


def test_an_old_backup_is_estimated_from_its_smallest_file() -> None:
    found = size_of(export(a=lines("ab"), b=lines("abcdef")), settings())
    assert (found.item_count, found.text_bytes) == (8, len(lines("abcdefgh")))
    assert found.basis.startswith(f"{FOLDER}/, estimated")


def test_a_compressed_backup_is_estimated_by_its_text() -> None:
    plain = lines("ab" * 500)
    found = size_of(export(a=gzip.compress(plain), b=gzip.compress(plain)), settings())
    assert (found.item_count, found.text_bytes) == (2000, 2 * len(plain))


def test_a_file_too_large_to_sample_is_not_guessed_at() -> None:
    found = size_of(export(a=b"x" * (SAMPLE_BYTES + 1)), settings())
    assert not found.is_known
    assert "sample" in found.basis


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        (MemoryStore(), "holds nothing"),
        (MemoryStore({f"{FOLDER}/a": lines("a")}), "no manifest"),
        (MemoryStore({f"{FOLDER}/manifest": b"{"}), "manifest"),
    ],
    ids=["empty", "no manifest", "damaged manifest"],
)
def test_what_cannot_be_read_is_not_known_and_says_why(store: MemoryStore, reason: str) -> None:
    found = size_of(store, settings())
    assert (found.item_count, found.text_bytes, found.is_known) == (0, 0, False)
    assert reason in found.basis


def test_a_folder_without_a_manifest_is_sized_when_it_will_be_read() -> None:
    store = MemoryStore({"s3://bkt/exports/a": lines("abc")})
    assert size_of(store, settings("--without-manifest")).item_count == 3
