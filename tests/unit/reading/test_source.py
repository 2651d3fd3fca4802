"""What an import reads: every file found and named before anything is written, whatever wrote the folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import tracemalloc
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.source import MISSING_ASKED, NO_HASHES, load_source, refuse_unknown_part
from dynamodb_pipeline.store.objects import HEADS_AT_ONCE, ObjectInfo
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
        (with_object(backup("a"), "manifest", manifest("a", "a")), "x/manifest lists a file for the second time: a;"),
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


def test_an_export_that_may_be_a_part_needs_a_word() -> None:
    source = load_source(native(somethingNew="x", filters=[1]), FOLDER)
    assert source.part is not None
    with pytest.raises(PreconditionError, match=r"--accept-member filters --accept-member somethingNew\. Nothing was"):
        refuse_unknown_part(source, ())
    with pytest.raises(PreconditionError, match=r"give --accept-member filters\. Nothing"):
        refuse_unknown_part(source, ("somethingNew",))
    refuse_unknown_part(source, ("somethingNew", "filters"))
    refuse_unknown_part(load_source(native(), FOLDER), ())


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


# ---- folders without a manifest


SCHEMA = json.dumps({"Table": {"TableName": "Test", "KeySchema": []}}).encode()


def folder(**files: bytes) -> MemoryStore:
    return MemoryStore({f"{FOLDER}/{name}": data for name, data in files.items()})


def read_names(store: MemoryStore) -> list[str]:
    source = load_source(store, FOLDER, without_manifest=True)
    return [file.uri.removeprefix(f"{FOLDER}/") for file in source.files]


def test_files_of_partition_folders_are_read_beside_the_folders_own() -> None:
    parts = {"dt=2015-01-01/000000_0": DATA, "dt=2015-01-02/h=3/000000_0": DATA, "a": DATA}
    other = {"other/b": DATA, "dt=2015-01-01/_x": DATA, "_tmp/dt=1/c": DATA, ".d": DATA, "a_$folder$": DATA}
    store = folder(**parts, **other)
    assert sorted(read_names(store)) == sorted(parts)
    source = load_source(store, FOLDER, without_manifest=True)
    assert any(f"files are read from {FOLDER}/, {FOLDER}/dt=2015-01-01/" in note for note in source.notes)
    assert any("skipped: " in note and "other/b" in note for note in source.notes)


def test_the_only_sub_folder_with_files_is_read_and_its_tables_name_kept() -> None:
    """As dynamodump leaves a table: its description, and its items in a folder of their own."""
    store = folder(**{"Test/schema.json": SCHEMA, "Test/data/0001.json": DATA, "Test/data/0002.json": DATA})
    assert read_names(store) == ["Test/data/0001.json", "Test/data/0002.json"]
    source = load_source(store, FOLDER, without_manifest=True)
    assert (source.source_table, source.part) == ("Test", "no list of its files proves it whole")


def test_of_several_sub_folders_one_must_be_given() -> None:
    store = folder(**{"A/schema.json": SCHEMA, "A/data/1": DATA, "B/schema.json": SCHEMA, "B/data/1": DATA})
    with pytest.raises(PreconditionError, match="holds files in 2 sub-folders") as refused:
        read_names(store)
    assert [row.strip() for row in refused.value.rows] == [f"{FOLDER}/A/data/", f"{FOLDER}/B/data/"]


@pytest.mark.parametrize("data", [b"{}", b"[", b'{"Table":{"S":"x"}}', b'{"Table":{"TableName":{"S":"x"}}}'])
def test_only_a_table_that_is_described_is_left_out(data: bytes) -> None:
    assert read_names(folder(**{"schema.json": data})) == ["schema.json"]


@pytest.mark.parametrize("name", ["manifest.txt", "manifest.json", "manifest (1)", "manifest.json.txt", "Manifest.txt"])
def test_a_manifest_under_another_name_is_no_data_and_is_mentioned(name: str) -> None:
    store = folder(**{"a": DATA, name: manifest("a")})
    source = load_source(store, FOLDER, without_manifest=True)
    assert [file.name for file in source.files] == ["a"]
    (note,) = (note for note in source.notes if "under another name" in note)
    old = f"'{FOLDER}/{name}'" if " " in name else f"{FOLDER}/{name}"
    assert note.endswith(f"run: aws s3 mv {old} {FOLDER}/manifest")


# ---- native exports


def exported(*, place: str = "data/", packed: bool = True) -> MemoryStore:
    data = b'{"Item":{"id":{"S":"a"}}}\n'
    stored = gzip.compress(data) if packed else data
    md5 = b64encode(hashlib.md5(gzip.compress(data, mtime=0)).digest()).decode()
    listed = {"itemCount": 1, "md5Checksum": md5, "dataFileS3Key": "p/AWSDynamoDB/1-a/data/x.json.gz"}
    summary = {"manifestFilesS3Key": "k", "itemCount": 1, "outputFormat": "DYNAMODB_JSON"}
    return folder(
        **{
            "manifest-summary.json": json.dumps(summary).encode(),
            "manifest-files.json": json.dumps(listed).encode(),
            f"{place}x.json" + (".gz" if packed else ""): stored,
        }
    )


def test_a_native_export_downloaded_into_one_folder_is_read() -> None:
    (file,) = load_source(exported(place=""), FOLDER).files
    assert (file.uri, file.item_count) == (f"{FOLDER}/x.json.gz", 1)


def test_a_native_export_unpacked_by_hand_is_called_that() -> None:
    store = exported(packed=False)
    with pytest.raises(IntegrityError, match=r"1 listed files were unpacked by hand.*: x\.json\.gz;") as refused:
        load_source(store, FOLDER)
    way_on = str(refused.value).partition("or give ")[2].partition(" with --without-manifest")[0]
    assert [file.name for file in load_source(store, way_on, without_manifest=True).files] == ["x.json"]


# ---- oddities that are explained


class CountingStore(MemoryStore):
    """Counts requests about single objects."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.asked: list[str] = []

    def head(self, uri: str) -> Any:
        self.asked.append(uri)
        return super().head(uri)

    def list(self, folder_uri: str) -> Any:
        found = list(super().list(folder_uri))
        self.asked.clear()  # the double looks each one up
        return iter(found)


@pytest.mark.parametrize("place", [FOLDER, "s3://old-bucket/2013-01-01", "s3n://b/elsewhere/deep"])
def test_what_the_listing_answers_takes_no_request(place: str) -> None:
    """Also what it says is not there: an entry of another folder is looked for beside the manifest under many names."""
    names = [f"{n}" for n in range(50)]
    objects = {f"{FOLDER}/{name}": DATA for name in names}
    store = CountingStore({**objects, f"{FOLDER}/manifest": manifest(*names, folder=place)})
    assert len(load_source(store, FOLDER).files) == 50
    assert [uri for uri in store.asked if uri.startswith(f"{FOLDER}/")] == []


def test_a_file_listed_again_is_read_once_where_a_hash_proves_the_rest() -> None:
    store = backup("a", "b", **{"_export.json": record("a", "b")})
    store.objects[f"{FOLDER}/manifest"] = manifest("a", "b", "a")
    source = load_source(store, FOLDER)
    assert [file.name for file in source.files] == ["a", "b"]
    assert source.notes == ("s3://b/x/manifest lists files again, each is read once: a",)


def test_members_nobody_knows_are_told() -> None:
    store = backup("a")
    known = json.loads(manifest("a"))
    entries = [{**entry, "meta": {"x": 1}} for entry in known["entries"]]
    store.objects[f"{FOLDER}/manifest"] = json.dumps({**known, "entries": entries, "made_by": "x"}).encode()
    source = load_source(store, FOLDER)
    assert source.notes == (NO_HASHES, "s3://b/x/manifest has members that mean nothing here: 'made_by', 'meta'")


def test_an_empty_file_is_taken_where_its_count_says_so() -> None:
    empty = FileRecord("b", 0, 0, 0, hashlib.sha256(b"").hexdigest())
    full = FileRecord("a", len(DATA), len(DATA), 3, hashlib.sha256(DATA).hexdigest())
    store = backup("a", **{"b": b"", "manifest": manifest("a", "b"), "_export.json": export_record(full, empty)})
    source = load_source(store, FOLDER)
    assert source.notes == ("1 listed files are empty, as their counts say: b",)
    reader = FileReader(store, source.key_schema)
    assert [len(list(reader.puts(reader.open(file)))) for file in source.files] == [3, 0]


def test_an_empty_file_of_a_native_export_is_taken_where_its_count_and_hash_say_so() -> None:
    store = exported()
    md5 = b64encode(hashlib.md5(b"", usedforsecurity=False).digest()).decode()
    more = {"itemCount": 0, "md5Checksum": md5, "dataFileS3Key": "p/AWSDynamoDB/1-a/data/y.json.gz"}
    files = f"{FOLDER}/manifest-files.json"
    store.objects[files] += b"\n" + json.dumps(more).encode()
    store.objects[f"{FOLDER}/data/y.json.gz"] = b""
    source = load_source(store, FOLDER)
    assert source.notes == ("1 listed files are empty, as their counts say: y.json.gz",)
    reader = FileReader(store)
    assert list(reader.items(reader.open(source.files[1]))) == []
    store.objects[files] = store.objects[files].replace(md5.encode(), b64encode(bytes(16)))
    with pytest.raises(IntegrityError, match="its MD5 is not"):
        reader.open(load_source(store, FOLDER).files[1])


def test_a_file_of_a_native_export_listed_again_with_the_same_hash_is_read_once() -> None:
    store = exported()
    files = f"{FOLDER}/manifest-files.json"
    store.objects[files] += b"\n" + store.objects[files]
    source = load_source(store, FOLDER)
    assert len(source.files) == 1
    assert source.notes == (f"{files} lists files again, with the same hash; each is read once",)


class ElsewhereStore(MemoryStore):
    """Counts requests for single objects elsewhere, and how many run at once: each waits until another has come."""

    def __init__(self) -> None:
        super().__init__()
        self.heads, self.at_once, self.most_at_once = 0, 0, 0
        self._lock, self._pair = threading.Lock(), threading.Barrier(2)

    def head(self, uri: str) -> ObjectInfo | None:
        if not uri.startswith("s3://b/old/"):
            return super().head(uri)
        with self._lock:
            self.heads, self.at_once = self.heads + 1, self.at_once + 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        with suppress(threading.BrokenBarrierError):
            self._pair.wait(timeout=60)
        with self._lock:
            self.at_once -= 1
        return super().head(uri)


def elsewhere(count: int, *, there: bool) -> ElsewhereStore:
    """A manifest whose files lie in another folder of its bucket, or should."""
    names = [f"f{number:04d}" for number in range(count)]
    store = ElsewhereStore()
    store.objects = {f"{FOLDER}/manifest": manifest(*names, folder="s3://b/old")}
    store.objects |= {f"s3://b/old/{name}": DATA for name in names} if there else {}
    return store


def test_files_that_lie_elsewhere_are_asked_for_a_few_at_a_time_and_come_in_order() -> None:
    store = elsewhere(40, there=True)
    assert [file.name for file in load_source(store, FOLDER).files] == [f"f{number:04d}" for number in range(40)]
    assert store.heads == 40
    assert 2 <= store.most_at_once <= HEADS_AT_ONCE


def test_of_many_missing_files_only_some_are_asked_for() -> None:
    store = elsewhere(1000, there=False)
    with pytest.raises(IntegrityError, match=r"at least 100 listed files are not there: s3://b/old/f0000, "):
        load_source(store, FOLDER)
    assert MISSING_ASKED <= store.heads <= MISSING_ASKED + 2 * HEADS_AT_ONCE


def test_a_manifest_takes_at_most_6_kib_an_entry() -> None:
    names = [f"{number:08d}-0000-0000-0000-000000000000_{number:06d}" for number in range(3000)]
    store = backup(*names)
    tracemalloc.start()
    try:
        source = load_source(store, FOLDER)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(source.files) == len(names)
    assert peak < 6 * 1024 * len(names)


@pytest.mark.parametrize(
    "padding", [b" " * 3_000_000, b'"x":"%s",' % (b"x" * 3_000_000)], ids=["white space", "an unknown member"]
)
@pytest.mark.parametrize("name", ["manifest", "_export.json"])
def test_a_manifest_much_larger_than_its_files_is_refused(name: str, padding: bytes) -> None:
    store = backup("a", **{"_export.json": record("a")})
    store.objects[f"{FOLDER}/{name}"] = store.objects[f"{FOLDER}/{name}"].replace(b"{", b"{" + padding, 1)
    with pytest.raises(
        IntegrityError, match=r"has 3\d{6} bytes for .*at most 1,000,000 files are read, with 4096 bytes"
    ):
        load_source(store, FOLDER)
