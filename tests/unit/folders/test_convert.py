"""
Backups written anew: moto's ImportTable and our own readers find every item of the original in them, or nothing counts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shlex
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from dynamodb_pipeline.chain.collapse import CopiedFiles
from dynamodb_pipeline.errors import IntegrityError, PipelineError, PreconditionError, UsageError
from dynamodb_pipeline.folders.convert import ConvertQuery, convert
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.file_puts import ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.finished_runs import backup_in
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.settings.values import parse_key
from dynamodb_pipeline.store.anywhere import object_store
from dynamodb_pipeline.store.local import LocalObjectStore
from tests.unit.emr.aws import DATA, Account, account
from tests.unit.folders.test_listing import native
from tests.unit.reading.export_records import export_record
from tests.unit.reading.item_lines import KEYS, line, lines, put_body
from tests.unit.reading.test_source import manifest
from tests.unit.store.memory_store import MemoryStore

IN, OUT = f"s3://{DATA}/in", f"s3://{DATA}/out"
WIDE = {
    "id": {"S": "w\u2028"}, "num": {"N": "12.50"}, "b": {"B": "aGk="}, "ss": {"SS": ["x", "y"]}, "ns": {"NS": ["1"]},
    "t": {"BOOL": True}, "nothing": {"NULL": True}, "l": {"L": []}, "m": {"M": {"k": {"N": "2"}}}, "e": {"S": ""},
}  # fmt: skip


@pytest.fixture(scope="module")
def made() -> Iterator[Account]:
    with account() as one:
        yield one


def converted(store: Any, **how: Any) -> dict[str, Any]:
    return convert(store, ConvertQuery(**{"input": IN, "output": OUT, "tool_version": "1", **how}), say=lambda _: None)


def items_in(store: Any, folder: str, keys: KeySchema | None = KEYS) -> list[dict[str, Any]]:
    """Every item as an import reads it."""
    source, found = load_source(store, folder), []
    reader = FileReader(store, source.key_schema or keys)
    for file in source.files:
        judged = list(reader.items(reader.open(file)))
        assert all(isinstance(one, ParsedItem) for one in judged)
        found += [one.item for one in judged if isinstance(one, ParsedItem)]
    return found


def ours(**files: bytes) -> dict[str, bytes]:
    records = [FileRecord(n, len(d), len(d), d.count(b"\n"), hashlib.sha256(d).hexdigest()) for n, d in files.items()]
    named = {f"{IN}/{name}": data for name, data in files.items()}
    return {**named, f"{IN}/manifest": manifest(*files, folder=IN), f"{IN}/_export.json": export_record(*records)}


HIVE = b'id\x03{"s":"a"}\x02n\x03{"n":"1"}\n'
LOOSE = {
    "hive": {f"{IN}/000000_0": HIVE},
    "array": {f"{IN}/x.json": json.dumps([put_body("a")]).encode()},
    "gzip": {f"{IN}/x.gz": gzip.compress(line("a"))},
}


def test_dynamodb_makes_a_new_table_of_the_copy_by_the_command_that_is_printed(made: Account) -> None:
    store, dynamodb = object_store(made.clients), made.clients.client("dynamodb")
    store.put(f"{IN}-wide/a", line("a"))
    store.put(f"{IN}-wide/b", json.dumps(WIDE, ensure_ascii=False).encode() + b"\n")
    result = converted(store, input=f"{IN}-wide", keys=KEYS, without_manifest=True)
    words = shlex.split(result["import_table"])
    assert words[:3] == ["aws", "dynamodb", "import-table"]
    given = dict(zip(words[3::2], words[4::2]))
    begun = dynamodb.import_table(
        S3BucketSource=json.loads(given["--s3-bucket-source"]),
        InputFormat=given["--input-format"],
        InputCompressionType=given["--input-compression-type"],
        TableCreationParameters=json.loads(given["--table-creation-parameters"]),
    )["ImportTableDescription"]
    for _ in range(600):  # moto's import is a thread
        seen = dynamodb.describe_import(ImportArn=begun["ImportArn"])["ImportTableDescription"]
        if seen["ImportStatus"] != "IN_PROGRESS":
            break
        time.sleep(0.1)
    assert (seen["ImportStatus"], seen["ImportedItemCount"], seen["ErrorCount"]) == ("COMPLETED", 2, 0)
    stored = dynamodb.scan(TableName="NewTable")["Items"]
    shown = sorted(stored, key=lambda item: item["id"]["S"])
    assert shown == [put_body("a"), {**WIDE, "b": {"B": b"hi"}}]


def test_a_native_copy_says_what_its_original_said_and_has_its_hashes() -> None:
    store = MemoryStore(ours(a=lines("ab"), b=lines("c")))
    result = converted(store)
    folder = result["folder"]
    assert folder.startswith(f"{OUT}/AWSDynamoDB/")
    assert items_in(store, folder) == [put_body("a"), put_body("b"), put_body("c")]
    source, copy = backup_in(store, IN), backup_in(store, folder)
    assert source is not None
    assert copy is not None
    assert (copy.kind, copy.dialect, copy.items, copy.table) == ("full", "native-export", 3, source.table)
    assert copy.moment == source.moment
    for name in ("manifest-summary", "manifest-files"):
        digest = hashlib.md5(store.objects[f"{folder}/{name}.json"]).digest()
        assert store.objects[f"{folder}/{name}.md5"] == b64encode(digest)
    (listed,) = map(json.loads, store.objects[f"{folder}/manifest-files.json"].splitlines())
    stored = store.objects[f"s3://{DATA}/{listed['dataFileS3Key']}"]
    assert (listed["itemCount"], listed["md5Checksum"]) == (3, b64encode(hashlib.md5(stored).digest()).decode())
    assert gzip.decompress(stored).splitlines()[0] == b'{"Item":{"id":{"S":"a"},"n":{"N":"1"}}}'


@pytest.mark.parametrize("files", LOOSE.values(), ids=LOOSE)
@pytest.mark.parametrize("form", ["native", "export"])
def test_every_readable_backup_is_converted(form: str, files: dict[str, bytes]) -> None:
    store = MemoryStore(files)
    result = converted(store, form=form, keys=KEYS, without_manifest=True)
    assert items_in(store, result["folder"]) == [put_body("a")]
    assert result["notes"]


def test_a_copy_in_our_form_is_an_export_of_ours_with_record_and_table() -> None:
    store = MemoryStore(ours(a=line("a"), b=json.dumps(WIDE).encode() + b"\n"))
    first = converted(store, keys=KEYS)
    second = converted(store, input=first["folder"], form="export", keys=KEYS)
    assert items_in(store, second["folder"]) == [put_body("a"), WIDE]
    where = f"{second['folder']}/_export.json"
    record = ExportRecord.from_bytes(store.objects[where], where=where)
    original = ExportRecord.from_bytes(store.objects[f"{IN}/_export.json"], where=IN)
    same = ("table_name", "table_arn", "table_id", "region", "key_schema", "scan_started", "item_count")
    assert [getattr(record, name) for name in same] == [getattr(original, name) for name in same]
    assert (record.reader, record.compression) == ("convert", "gzip")


def test_a_local_copy_is_read_where_it_lies(tmp_path: Any) -> None:
    store = LocalObjectStore()
    store.put(f"{tmp_path}/in/a", lines("ab"))
    result = converted(store, input=f"{tmp_path}/in", output=f"{tmp_path}/out", keys=KEYS, without_manifest=True)
    assert items_in(store, result["folder"]) == [put_body("a"), put_body("b")]
    assert result["import_table"] is None
    with pytest.raises(UsageError, match="in S3"):
        converted(store, input=f"{tmp_path}/in", output=f"{tmp_path}/out", form="export", without_manifest=True)


REFUSED: dict[str, tuple[dict[str, bytes], dict[str, Any], type[PipelineError], str]] = {
    "a key twice": ({f"{IN}/a": lines("aba")}, {"keys": KEYS}, IntegrityError, "same key stands at .* line 1 and at"),
    "a bad item": ({f"{IN}/a": line("a") + b'{"id":{"n":"1"}}\n'}, {"keys": KEYS}, IntegrityError, "line 2"),
    "no key": ({f"{IN}/a": line("a")}, {}, UsageError, "--key NAME:TYPE"),
    "other keys": (ours(a=line("a")), {"keys": parse_key("x:S", option="--key")}, PreconditionError, "--key says"),
    "a part": (
        native(IN, "2026-02-02T00:00:00Z", filterSpecification={}, itemCount=0) | {f"{IN}/manifest-files.json": b""},
        {"keys": KEYS}, IntegrityError, "manifestFilesS3Key",
    ),
    "several tables": (
        {f"{IN}/a": json.dumps({t: [{"PutRequest": {"Item": put_body(t)}}] for t in "xy"}).encode()},
        {"keys": KEYS}, PreconditionError, "--from-table NAME",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "how", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_a_whole_copy_leaves_no_export(
    files: dict[str, bytes], how: dict[str, Any], error: type[PipelineError], text: str
) -> None:
    store = MemoryStore(files)
    with pytest.raises(error, match=text):
        converted(store, without_manifest=f"{IN}/manifest" not in files, **how)
    left = [uri for uri in store.objects if uri.startswith(OUT)]
    assert [uri for uri in left if uri.endswith(("manifest", "manifest-summary.json"))] == []


def test_a_part_of_a_table_is_not_converted_into_a_whole_one() -> None:
    summary = {"manifestFilesS3Key": "k", "filterSpecification": {}, "itemCount": 0}
    store = MemoryStore({**native(IN, "2026-02-02T00:00:00Z", **summary), f"{IN}/manifest-files.json": b""})
    with pytest.raises(PreconditionError, match="would pass for the whole table"):
        converted(store, keys=KEYS)


def test_a_file_ends_at_100_000_items_and_at_128_mib_of_text() -> None:
    with CopiedFiles(MemoryStore(), OUT, is_native=True) as files:
        for number in (60_000, 40_000, 1, 2):
            files.add(b"x\n", number)
        for _ in range(3):
            files.add(bytes(1 << 26), 1)
        files.close_file()
    assert [file.item_count for file in files.files] == [100_000, 5, 1]
    assert len({file.name for file in files.files}) == 3


@pytest.mark.parametrize("text", ["id", "id:X", "a:S,b:N,c:S", "a:S,a:N", ":S", ""])
def test_a_key_is_one_or_two_names_with_types(text: str) -> None:
    with pytest.raises(UsageError, match="NAME:TYPE"):
        parse_key(text, option="--key")
