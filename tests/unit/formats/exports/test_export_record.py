"""`_export.json`: the same bytes for the same export, and nothing damaged read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports.export_record import ExportPart, ExportRecord, FileRecord
from dynamodb_pipeline.formats.exports.manifest import parse, render
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema

WHERE = "s3://b/f/_export.json"
HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
KEY_SCHEMA = KeySchema((KeyAttribute("Id", "HASH", "S"), KeyAttribute("Sort", "RANGE", "N")))


def a_file(name: str = "ae10f955-fb2f-4790-9b11-fbfea01a871e_000000", **changes) -> FileRecord:
    values = {"name": name, "bytes": 100, "plain_bytes": 100, "item_count": 2, "sha256": HASH}
    return FileRecord(**{**values, **changes})


def a_record(**changes) -> ExportRecord:
    values = {
        "tool_version": "0.1.0",
        "connector_version": "5.0.0",
        "run_id": "r-1",
        "table_name": "orders",
        "table_arn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        "table_id": "659732b0-5ce6-4e60-a804-f224014bdef3",
        "region": "eu-west-1",
        "key_schema": KEY_SCHEMA,
        "reader": "connector",
        "scan_started": "2026-11-23T03:00:00Z",
        "scan_ended": "2026-11-23T03:10:00.5Z",
        "consistency": "eventual",
        "compression": "none",
        "null_tag": "nULLValue",
        "files": (a_file(), a_file("b_000000", bytes=60, plain_bytes=60, item_count=1)),
    }
    return ExportRecord(**{**values, **changes})


def changed(record: ExportRecord, **changes) -> bytes:
    """The record's JSON with members changed and its own hash left as it was."""
    return json.dumps({**json.loads(record.to_bytes()), **changes}).encode()


file_records = st.builds(
    FileRecord,
    name=st.text("abc-_.0é 日", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."}),
    bytes=st.integers(0, 2**40),
    plain_bytes=st.integers(10**6, 2**40),
    item_count=st.integers(0, 60_000),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)


@given(st.lists(file_records, max_size=4, unique_by=lambda file: file.name), st.randoms())
def test_a_record_survives_its_bytes_whatever_the_order_of_files(files, random):
    record = a_record(files=tuple(files), compression="gzip")
    random.shuffle(files)
    again = ExportRecord.from_bytes(record.to_bytes(), where=WHERE)
    assert again == record == a_record(files=tuple(files), compression="gzip")
    assert again.to_bytes() == record.to_bytes()
    assert record.item_count == sum(file.item_count for file in files)
    assert record.bytes == sum(file.bytes for file in files)
    assert record.plain_bytes == sum(file.plain_bytes for file in files)


def test_the_record_of_an_empty_table_is_whole():
    record = a_record(files=(), connector_version=None, reader="direct")
    assert ExportRecord.from_bytes(record.to_bytes(), where=WHERE) == record
    assert (record.item_count, record.bytes, record.plain_bytes) == (0, 0, 0)


def test_the_record_says_that_it_is_no_point_in_time():
    assert json.loads(a_record().to_bytes())["point_in_time"].startswith("not a point in time")


def test_from_bytes_refuses_every_truncation():
    """The last byte is a newline, which means nothing."""
    data = a_record().to_bytes()
    for length in range(len(data) - 1):
        with pytest.raises(IntegrityError):
            ExportRecord.from_bytes(data[:length], where=WHERE)


def test_no_flipped_bit_gives_another_record():
    """Unlike the manifest the record carries a hash of itself."""
    record = a_record()
    data = record.to_bytes()
    refused = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert ExportRecord.from_bytes(bytes(damaged), where=WHERE) == record, bit
        except IntegrityError:
            refused += 1
    assert refused > 0.9 * 8 * len(data), "only white space may change unseen"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 3}, "format_version: expected 1 or 2, found 3"),
        ({"format_version": True}, "format_version: expected 1 or 2, found true"),
        ({"format_version": 2}, "missing ['items_read', 'part']"),
        ({"format_version": 2, "part": {}, "items_read": None}, "part: expected its members"),
        ({"part": None, "items_read": None}, "unknown ['items_read', 'part']"),
        ({"run_id": ""}, "run_id: expected a text of 1 to 4096 characters"),
        ({"table_name": 5}, "table_name: expected a text"),
        ({"reader": "spark"}, 'reader: expected "connector" or "direct" or "convert", found "spark"'),
        ({"reader": None}, "reader: expected"),
        ({"consistency": "point in time"}, "consistency: expected"),
        ({"compression": "zstd"}, "compression: expected"),
        ({"null_tag": "NULL"}, "null_tag: expected"),
        ({"point_in_time": "yes"}, "point_in_time: expected"),
        ({"scan_started": "2026-11-23 03:00:00"}, "scan_started: expected ISO 8601 in UTC"),
        ({"scan_started": "2026-11-23T03:00:00+01:00"}, "scan_started: expected ISO 8601 in UTC"),
        ({"scan_started": "2026-13-23T03:00:00Z"}, "scan_started: expected ISO 8601 in UTC"),
        ({"scan_ended": "2026-11-23T02:59:59Z"}, "scan_ended: expected not before scan_started"),
        ({"key_schema": []}, "key_schema: "),
        ({"key_schema": [{"name": "Id", "role": "HASH", "type": "BOOL"}]}, "key_schema: "),
        ({"key_schema": [{"name": 5, "role": "HASH", "type": "S"}]}, "key_schema: "),
        ({"key_schema": None}, "key_schema: "),
        ({"files": {}}, "files: expected a list"),
        ({"files": ["x"]}, "files[0]: expected an object"),
        ({"extra": 1}, "unknown ['extra']"),
        ({"table_name": "other"}, "record_sha256: expected"),
        ({"record_sha256": "0" * 64}, "record_sha256: expected"),
        ({"totals": {}}, "totals: expected"),
        ({"totals": {"file_count": 2, "item_count": 4, "bytes": 160, "plain_bytes": 160}}, "totals: expected"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_from_bytes_names_field_expected_and_found(changes, message):
    with pytest.raises(IntegrityError) as error:
        ExportRecord.from_bytes(changed(a_record(), **changes), where=WHERE)
    assert message in str(error.value)
    assert str(error.value).startswith(f"export record {WHERE}: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "files[0].name: expected a file name"),
        ({"name": ".."}, "files[0].name: expected a file name"),
        ({"name": ""}, "files[0].name: expected a file name"),
        ({"name": 5}, "files[0].name: expected a file name"),
        ({"bytes": -1}, "files[0].bytes: expected a whole number"),
        ({"bytes": 1.5}, "files[0].bytes: expected a whole number"),
        ({"bytes": "100"}, "files[0].bytes: expected a whole number"),
        ({"item_count": True}, "files[0].item_count: expected a whole number"),
        ({"plain_bytes": 99}, "files[0].plain_bytes: expected 100 (the file is not compressed), found 99"),
        ({"item_count": 100}, "files[0].plain_bytes: expected at least 1600 (one item a line), found 100"),
        ({"sha256": HASH.upper()}, "files[0].sha256: expected 64 hex digits"),
        ({"sha256": HASH[:-1]}, "files[0].sha256: expected 64 hex digits"),
        ({"sha256": None}, "files[0].sha256: expected 64 hex digits"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_from_bytes_checks_every_file(changes, message):
    files = json.loads(a_record().to_bytes())["files"]
    with pytest.raises(IntegrityError) as error:
        ExportRecord.from_bytes(changed(a_record(), files=[{**files[0], **changes}, *files[1:]]), where=WHERE)
    assert message in str(error.value)


def test_from_bytes_refuses_a_file_twice_missing_or_with_other_members():
    files = json.loads(a_record().to_bytes())["files"]
    without_hash = {name: value for name, value in files[0].items() if name != "sha256"}
    for wrong, message in (
        ([*files, files[0]], "files: expected each name once"),
        (files[:1], "totals: expected"),
        ([without_hash], "files[0]: expected its members (missing ['sha256'], unknown [])"),
        ([{**files[0], "etag": "x"}], "unknown ['etag']"),
    ):
        with pytest.raises(IntegrityError) as error:
            ExportRecord.from_bytes(changed(a_record(), files=wrong), where=WHERE)
        assert message in str(error.value)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{}", b'{"format_version":1}', b"\xff", b'{"a":1,"a":1}'], ids=repr
)
def test_from_bytes_refuses_what_is_no_record(data):
    with pytest.raises(IntegrityError, match="export record"):
        ExportRecord.from_bytes(data, where=WHERE)


def test_a_record_that_was_only_printed_differently_is_the_same():
    record = a_record()
    assert ExportRecord.from_bytes(json.dumps(json.loads(record.to_bytes())).encode(), where=WHERE) == record


def test_making_a_record_checks_it():
    with pytest.raises(ValueError, match="scan_ended"):
        a_record(scan_ended="yesterday")
    with pytest.raises(ValueError, match="each name once"):
        a_record(files=(a_file(), a_file()))


def test_check_manifest_finds_a_damaged_or_foreign_manifest():
    record = a_record()
    addresses = [f"s3://b/f/{file.name}" for file in record.files]
    record.check_manifest(parse(render(addresses), where="m"), where="m")
    moved = [f"s3://elsewhere/x/{file.name}" for file in record.files]
    record.check_manifest(parse(render(moved), where="m"), where="m")
    for wrong in (addresses[:1], [*addresses, "s3://b/f/c"], [addresses[0], "s3://b/f/c_000000"], []):
        with pytest.raises(IntegrityError, match=r"m: manifest and _export\.json name different files"):
            record.check_manifest(parse(render(wrong), where="m"), where="m")
    twice = parse(render([*addresses, f"s3://b/g/{record.files[0].name}"]), where="m")
    with pytest.raises(IntegrityError, match="a file listed twice"):
        record.check_manifest(twice, where="m")


def test_a_part_is_read_back_and_names_its_manifest() -> None:
    values = {":x": {"M": {"n": {"N": "1.50"}, "b": {"BOOL": True}, "l": {"L": [{"NULL": True}]}}}}
    part = ExportPart("by-date", "#a = :x", "a", {"#a": "é"}, values, "expires", 1_700_000_000)
    record = a_record(part=part, items_read=9)
    read = ExportRecord.from_bytes(record.to_bytes(), where=WHERE)
    assert (read, read.format_version, read.manifest_name) == (record, 2, "_part_manifest")
    assert read.to_bytes() == record.to_bytes()
    assert (a_record().format_version, a_record().manifest_name) == (1, "manifest")
    for mine, other in ((record, "manifest"), (a_record(), "_part_manifest")):
        with pytest.raises(IntegrityError, match=f"must be {mine.manifest_name}, not {other}"):
            mine.check_name(other, where=WHERE)


def test_a_part_that_leaves_nothing_out_is_none() -> None:
    with pytest.raises(ValueError, match="part: expected at least 1"):
        ExportPart(names={"#a": "b"})
