"""What an import reads: every file found and named before anything is written, whatever wrote the folder."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any

import pytest

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.reading.source import NO_HASHES, load_source
from tests.unit.reading.export_records import export_record
from tests.unit.reading.item_lines import KEYS, lines
from tests.unit.store.memory_store import MemoryStore

FOLDER = "s3://b/x"
DATA = lines("abc")


def manifest(*names: str, folder: str = FOLDER) -> bytes:
    entries = [{"url": f"{folder}/{name}", "mandatory": True} for name in names]
    return json.dumps({"name": "DynamoDB-export", "version": 3, "entries": entries}).encode()


def backup(*names: str, **extra: bytes) -> MemoryStore:
    files = {f"{FOLDER}/{name}": DATA for name in names}
    return MemoryStore(
        {**files, f"{FOLDER}/manifest": manifest(*names), **{f"{FOLDER}/{n}": d for n, d in extra.items()}}
    )


def record(*names: str) -> bytes:
    files = tuple(FileRecord(name, len(DATA), len(DATA), 3, hashlib.sha256(DATA).hexdigest()) for name in names)
    return export_record(*files)


def test_files_come_in_the_manifests_order_as_numbered_units() -> None:
    source = load_source(backup("b", "a", "c"), FOLDER)
    assert [file.name for file in source.files] == ["b", "a", "c"]
    assert [(u.work_id, u.body["number"]) for u in source.units()] == [
        ("file-0000000", 0),
        ("file-0000001", 1),
        ("file-0000002", 2),
    ]
    assert source.notes == (NO_HASHES,)
    assert (source.key_schema, source.item_count, source.cannot_repeat_keys) == (None, None, False)


def test_our_own_record_tells_hashes_counts_and_keys() -> None:
    source = load_source(backup("a", "b", **{"_export.json": record("a", "b")}), FOLDER)
    assert {file.sha256 for file in source.files} == {hashlib.sha256(DATA).hexdigest()}
    assert (source.key_schema, source.item_count, source.cannot_repeat_keys, source.notes) == (KEYS, 6, True, ())


def test_a_copy_is_read_where_its_manifest_lies_now() -> None:
    store = backup("a")
    store.objects["s3://b/x/manifest"] = manifest("a", folder="s3://old-bucket/2013-01-01")
    source = load_source(store, FOLDER)
    assert [file.uri for file in source.files] == [f"{FOLDER}/a"]
    assert "names bucket old-bucket" in source.notes[0]


def test_files_that_the_manifest_does_not_list_are_orphans() -> None:
    source = load_source(backup("a", leftover=DATA, _SUCCESS=b"", **{".hidden": b"x", "x_$folder$": b""}), FOLDER)
    assert source.orphans == (f"{FOLDER}/leftover",)
    assert [file.name for file in source.files] == ["a"]


def without(store: MemoryStore, name: str) -> MemoryStore:
    del store.objects[f"{FOLDER}/{name}"]
    return store


def with_object(store: MemoryStore, name: str, data: bytes) -> MemoryStore:
    store.objects[f"{FOLDER}/{name}"] = data
    return store


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (without(backup("a", "b"), "b"), r"1 listed files are not there: s3://b/x/b; the export is incomplete"),
        (with_object(backup("a", "b"), "b", b""), r"s3://b/x/b is empty although the manifest lists it"),
        (with_object(backup("a"), "manifest", manifest("a", "a")), "a"),
        (backup("a", **{"_export.json": record("a", "b")}), r"_export.json name different files \(b\)"),
        (with_object(backup("a", **{"_export.json": record("a")}), "a", DATA[:-1]), r"a has 92 of 93 bytes"),
        (backup("a", **{"_export.json": record("a")[:-9]}), r"_export.json is not complete JSON"),
    ],
    ids=["missing", "empty", "twice", "record of other files", "other size", "record cut"],
)
def test_a_contradiction_is_refused_and_named(store: MemoryStore, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        load_source(store, FOLDER)


def test_two_entries_that_mean_one_file_are_refused() -> None:
    store = backup("a")
    store.objects["s3://b/x/manifest"] = manifest("y/a", "z/a", folder="s3://old")
    with pytest.raises(IntegrityError, match="several entries mean the same file: s3://b/x/a"):
        load_source(store, FOLDER)


def native(**changes: Any) -> MemoryStore:
    md5 = b64encode(hashlib.md5(DATA, usedforsecurity=False).digest()).decode()
    listed = {"itemCount": 3, "md5Checksum": md5, "dataFileS3Key": "p/AWSDynamoDB/01-a/data/f.json.gz"}
    summary = {"manifestFilesS3Key": "p/manifest-files.json", "itemCount": 3, "outputFormat": "DYNAMODB_JSON"}
    return MemoryStore(
        {
            f"{FOLDER}/manifest-summary.json": json.dumps({**summary, **changes}).encode(),
            f"{FOLDER}/manifest-files.json": json.dumps(listed).encode(),
            f"{FOLDER}/data/f.json.gz": DATA,
        }
    )


def test_a_native_export_tells_md5_and_counts() -> None:
    source = load_source(native(), FOLDER)
    (file,) = source.files
    assert (file.uri, file.item_count, source.kind, source.orphans) == (f"{FOLDER}/data/f.json.gz", 3, "native", ())
    assert file.md5 == b64encode(hashlib.md5(DATA, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
def test_a_native_manifest_must_have_the_md5_that_lies_beside_it(name: str) -> None:
    store = native()
    digest = hashlib.md5(store.objects[f"{FOLDER}/{name}.json"], usedforsecurity=False)
    for stated in (b64encode(digest.digest()), b64encode(digest.digest()) + b"\n", digest.hexdigest().encode()):
        store.objects[f"{FOLDER}/{name}.md5"] = stated
        assert len(load_source(store, FOLDER).files) == 1
    store.objects[f"{FOLDER}/{name}.json"] += b" "
    with pytest.raises(IntegrityError, match=rf"{name}\.json is damaged: its MD5 is not the one in {name}\.md5"):
        load_source(store, FOLDER)


def test_a_native_export_whose_counts_do_not_add_up_is_refused() -> None:
    with pytest.raises(IntegrityError, match="says 4 items"):
        load_source(native(itemCount=4), FOLDER)


def test_a_folder_without_manifest_is_read_only_when_told_so() -> None:
    store = without(backup("a", "b", _SUCCESS=b"", **{"_logs": b"x", "empty": b"", "sub/c": DATA}), "manifest")
    with pytest.raises(PreconditionError, match="--without-manifest"):
        load_source(store, FOLDER)
    source = load_source(store, FOLDER, without_manifest=True)
    assert [file.name for file in source.files] == ["a", "b"]
    assert "no manifest" in source.notes[0]
    assert all(f"{FOLDER}/{name}" in source.notes[1] for name in ("_SUCCESS", "_logs", "empty", "sub/c"))


def test_a_single_file_is_a_folder_of_one() -> None:
    source = load_source(backup("a", "b"), f"{FOLDER}/a", without_manifest=True)
    assert [file.uri for file in source.files] == [f"{FOLDER}/a"]


def test_a_folder_of_markers_alone_holds_no_data() -> None:
    with pytest.raises(PreconditionError, match=r"holds no data file \(2 objects"):
        load_source(MemoryStore({f"{FOLDER}/_a": b"x", f"{FOLDER}/b_$folder$": b""}), FOLDER, without_manifest=True)
