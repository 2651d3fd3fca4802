"""Manifests of DynamoDB's own export: counts and MD5 used, other kinds of export refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports.native_manifest import (
    NativeFile,
    check_item_total,
    current_uri,
    identity,
    parse_files,
    parse_summary,
)
from dynamodb_pipeline.formats.files.foreign import FormatError
from dynamodb_pipeline.formats.files.text import MAX_LINE_BYTES, md5_base64

EXPORT = "AWSDynamoDB/01234567890123-a1b2c3d4"
# The developer guide's example of the summary ("DynamoDB table export output format"), ids shortened.
SUMMARY = {
    "version": "2020-06-30",
    "exportArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog/export/{EXPORT[-23:]}",
    "startTime": "2020-11-04T07:28:34.028Z",
    "endTime": "2020-11-04T07:33:43.897Z",
    "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog",
    "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
    "exportTime": "2020-11-04T07:28:34.028Z",
    "s3Bucket": "ddb-productcatalog-export",
    "s3Prefix": "2020-Nov",
    "s3SseAlgorithm": "AES256",
    "s3SseKmsKeyId": None,
    "manifestFilesS3Key": f"{EXPORT}/manifest-files.json",
    "billedSizeBytes": 0,
    "itemCount": 8,
    "outputFormat": "DYNAMODB_JSON",
}
EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="  # of no bytes, RFC 1321's first test vector


def summary_bytes(**changes) -> bytes:
    return json.dumps({**SUMMARY, **changes}).encode()


def file_line(key: str = f"{EXPORT}/data/a.json.gz", **changes) -> bytes:
    line = {"itemCount": 8, "md5Checksum": EMPTY_MD5, "etag": "x-1", "dataFileS3Key": key}
    return json.dumps({**line, **changes}).encode() + b"\n"


@pytest.mark.parametrize(
    ("changes", "odd"),
    [
        ({}, ()),
        ({"exportType": "FULL_EXPORT", "outputView": None}, ()),
        ({"somethingNew": {"KeyCondition": "x"}}, ("somethingNew",)),
        ({"somethingNew": None}, ()),
        ({"filterSpecification": {}}, ("filterSpecification",)),
        ({"b": 1, "a": 0}, ("a", "b")),
    ],
)
def test_what_nobody_knows_of_a_summary_may_make_it_a_part(changes, odd):
    """How a filtered export says so is not documented: whatever is new may be it."""
    found = identity(summary_bytes(**changes), where="m")
    assert found.odd_members == odd
    assert (found.part is not None) is bool(odd)


def test_parse_summary_gives_what_an_import_needs():
    found = parse_summary(summary_bytes(), where="m")
    assert found.table_arn == SUMMARY["tableArn"]
    assert found.table_id == SUMMARY["tableId"]
    assert found.export_time == SUMMARY["exportTime"]
    assert found.item_count == 8


@pytest.mark.parametrize("changes", [{"exportType": "FULL_EXPORT"}, {"tableArn": None, "tableId": None}], ids=str)
def test_parse_summary_takes_a_full_export(changes):
    assert parse_summary(summary_bytes(**changes), where="m").item_count == 8


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"exportType": "INCREMENTAL_EXPORT", "outputView": "NEW_AND_OLD_IMAGES"}, "incremental export"),
        ({"exportFromTime": "2023-09-26T00:00:00Z"}, "incremental export"),
        ({"outputFormat": "CSV"}, "FULL_EXPORT in CSV is not read"),
        ({"outputFormat": None}, "is not read"),
        ({"exportType": "OTHER"}, "OTHER in DYNAMODB_JSON is not read"),
    ],
    ids=str,
)
def test_parse_summary_refuses_other_exports_by_name(changes, name):
    with pytest.raises(FormatError, match=name):
        parse_summary(summary_bytes(**changes), where="m")


@pytest.mark.parametrize(
    "changes", [{"itemCount": "8"}, {"itemCount": -1}, {"manifestFilesS3Key": 1}, {"tableId": 5}], ids=str
)
def test_parse_summary_refuses_a_member_of_another_type(changes):
    with pytest.raises(IntegrityError, match=f"m: {next(iter(changes))} is not"):
        parse_summary(summary_bytes(**changes), where="m")


def test_parse_summary_refuses_every_truncation():
    data = summary_bytes()
    for length in range(len(data)):
        with pytest.raises(IntegrityError):
            parse_summary(data[:length], where="m")


def test_parse_files_gives_one_file_a_line():
    data = file_line() + b"\n" + file_line(f"{EXPORT}/data/b.json.gz", itemCount=0)
    assert parse_files(data, where="m") == (
        NativeFile(f"{EXPORT}/data/a.json.gz", 8, EMPTY_MD5, "x-1"),
        NativeFile(f"{EXPORT}/data/b.json.gz", 0, EMPTY_MD5, "x-1"),
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (file_line() + file_line(itemCount=7), "twice, with different hashes or counts"),
        (file_line()[:-5], "line 1 is not complete JSON"),
        (file_line() + b"[]", "line 2: the whole is not a JSON object"),
        (file_line(itemCount=None), "line 1: itemCount"),
        (file_line(md5Checksum="d41d8cd98f00b204e9800998ecf8427e"), "line 1: md5Checksum"),
        (file_line(md5Checksum=EMPTY_MD5[:-1]), "line 1: md5Checksum"),
        (file_line("AWSDynamoDB/x/../../secret"), "line 1: dataFileS3Key"),
        (file_line("/x"), "line 1: dataFileS3Key"),
        (file_line("a/%2e%2e/x"), "line 1: dataFileS3Key"),
        (file_line(""), "line 1: dataFileS3Key"),
        (b" " * (MAX_LINE_BYTES + 1), "line 1 .* longer than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parse_files_fails_closed(data, reason):
    with pytest.raises(IntegrityError, match=reason):
        parse_files(data, where="m")


def test_a_file_that_is_listed_again_alike_is_one_file():
    assert len(parse_files(file_line() * 2, where="m")) == 1


@given(st.integers(0, 3))
def test_check_totals_finds_a_missing_line(kept):
    summary = parse_summary(summary_bytes(itemCount=24), where="m")
    lines = [file_line(f"{EXPORT}/data/{number}.json.gz") for number in range(3)][:kept]
    files = parse_files(b"".join(lines), where="m")
    if kept == 3:
        check_item_total(summary, files, where="m")
        return
    with pytest.raises(IntegrityError, match=f"says 24 items, manifest-files.json lists {8 * kept}"):
        check_item_total(summary, files, where="m")


def test_md5_base64_is_spelled_as_in_the_manifest():
    assert md5_base64(b"") == EMPTY_MD5


@pytest.mark.parametrize(
    ("key", "below"),
    [
        (f"{EXPORT}/data/a.json.gz", "data/a.json.gz"),
        (f"2020-Nov/{EXPORT}/data/a.json.gz", "data/a.json.gz"),
        (f"AWSDynamoDB/old/x/{EXPORT}/data/a.json.gz", "data/a.json.gz"),
        (f"{EXPORT}/a.json.gz", "a.json.gz"),
        ("somewhere/else/a.json.gz", "data/a.json.gz"),
        ("a.json.gz", "data/a.json.gz"),
    ],
)
def test_resolve_looks_relative_to_the_folder_of_the_manifests(key, below):
    assert current_uri(key, folder="s3://copy/here") == f"s3://copy/here/{below}"
    assert current_uri(key, folder="s3://copy/here/") == f"s3://copy/here/{below}"
