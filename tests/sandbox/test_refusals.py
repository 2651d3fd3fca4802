"""
Broken backups, one trap each: the right exit code, a message that names the spot, and not one write.

Beside each stands what must be in the message: object, line, byte and the place inside the item where there is one.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.active_table import create_active_table
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_line, connector_lines, manifest, put_objects
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, Table, make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

WRITES = ("BatchWriteItem", "PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems")
GOOD = connector_lines(numbered(3))
SECOND = len(connector_line(numbered(1)[0]))  # byte where the second line of GOOD begins


@dataclass(frozen=True)
class Case:
    """Files of a backup, what a refusal must say, and its exit code; without a manifest it is written for `files`."""

    files: dict[str, bytes]
    said: tuple[str, ...]
    code: int = ExitCode.INTEGRITY
    more: tuple[str, ...] = ()
    extra: dict[str, bytes] = field(default_factory=dict)


def bad_line(line: bytes, *said: str) -> Case:
    """A backup whose second line of the second file is bad."""
    first, *rest = GOOD.splitlines(keepends=True)
    return Case({"good": connector_lines(numbered(9)[5:]), "bad": first + line + b"\n" + rest[1]}, ("/bad", *said))


def bad_value(value: bytes, *said: str) -> Case:
    line = b'{"id":{"s":"x"},"a":{"m":{"b":{"l":[{"s":"ok"},' + value + b"]}}}}"
    return bad_line(line, f"line 2 (byte {SECOND})", "a.b[1]", *said)


def whole_file(data: bytes, *said: str) -> Case:
    return Case({"good": GOOD, "bad": data}, ("/bad", *said))


def bad_manifest(data: bytes, *said: str, code: int = ExitCode.INTEGRITY) -> Case:
    return Case({"one": GOOD}, said, code=code, extra={"manifest": data})


def entry(url: str) -> bytes:
    return f'{{"name":"DynamoDB-export","version":3,"entries":[{{"url":"{url}","mandatory":true}}]}}'.encode()


def nested(depth: int) -> bytes:
    return b'{"l":[' * depth + b'{"s":"x"}' + b"]}" * depth


LINES = {
    "cut": bad_line(b'{"id":{"s":"x"},"n":{"n":"1"', f"line 2 (byte {SECOND})"),
    "no object": bad_line(b"[1,2]", f"line 2 (byte {SECOND})"),
    "text behind": bad_line(b'{"id":{"s":"x"}} x', "line 2"),
    "member twice": bad_line(b'{"id":{"s":"x"},"a":{"s":"1"},"a":{"s":"2"}}', "line 2", "twice"),
    "not UTF-8": bad_line(b'{"id":{"s":"x\xff"}}', "line 2", "UTF-8"),
    "lone surrogate": bad_line(rb'{"id":{"s":"x"},"a":{"s":"\ud800"}}', "line 2", "surrogate"),
    "NaN": bad_line(b'{"id":{"s":"x"},"a":{"n":NaN}}', "line 2"),
    "no tags": bad_line(b'{"id":"x"}', "line 2", "id"),
    "other dialect": bad_line(b'{"id":{"S":"x"},"t":{"SS":["a"]}}', "dynamodb-json"),
    "key missing": bad_line(b'{"n":{"n":"1"}}', "line 2", "id: HASH key is missing"),
    "key of another type": bad_line(b'{"id":{"n":"1"}}', "line 2", "id: HASH key must be of type S"),
    "key empty": bad_line(b'{"id":{"s":""}}', "line 2", "id: HASH key has 0 bytes"),
    "key too long": bad_line(b'{"id":{"s":"' + b"k" * 2049 + b'"}}', "line 2", "2049 bytes"),
    "item too large": bad_line(b'{"id":{"s":"x"},"a":{"s":"' + b"a" * 409_600 + b'"}}', "line 2", "409600"),
    "unknown tag": bad_value(b'{"x":"1"}'),
    "two tags": bad_value(b'{"s":"1","n":"1"}'),
    "no tag": bad_value(b"{}"),
    "wrong JSON type": bad_value(b'{"s":1}'),
    "no number": bad_value(b'{"n":"1x"}'),
    "39 digits": bad_value(b'{"n":"' + b"1" * 39 + b'"}', "38"),
    "number too large": bad_value(b'{"n":"1e126"}'),
    "number too small": bad_value(b'{"n":"1e-131"}'),
    "empty set": bad_value(b'{"sS":[]}'),
    "set with a double": bad_value(b'{"nS":["1","1.0"]}'),
    "null that is false": bad_value(b'{"nULL":false}'),
    "bad base64": bad_value(b'{"b":"aGk"}'),
    "nested too deep": bad_value(nested(31)),
}
FILES = {
    "gzip cut": whole_file(gzip.compress(GOOD)[:-3], "gzip", "truncated"),
    "gzip damaged": whole_file(gzip.compress(GOOD)[:-8] + b"\x00" * 8, "gzip"),
    "gzip with more behind": whole_file(gzip.compress(GOOD) + b"rubbish", "gzip"),
    "bzip2 cut": whole_file(bz2.compress(GOOD)[:-3], "bzip2", "truncated"),
    "deflate cut": whole_file(zlib.compress(GOOD)[:-2], "deflate", "truncated"),
    "zstd": whole_file(b"\x28\xb5\x2f\xfd" + b"\x00" * 20, "zstd"),
    "xz": whole_file(lzma.compress(GOOD), "xz"),
    "twice compressed": whole_file(gzip.compress(gzip.compress(GOOD)), "compressed twice"),
    "empty": whole_file(b"", "empty"),
    "two dialects": whole_file(GOOD + b'{"id":{"S":"x"},"t":{"SS":["a"]}}\n', "line 1", "line 4", "dynamodb-json"),
    "JSON without tags": whole_file(b'{"id":"x","n":1}\n', "type tags"),
    "CSV": whole_file(b"id,n\nx,1\n", "CSV"),
    "incremental export": whole_file(
        b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"id":{"S":"x"}},"NewImage":{"id":{"S":"x"}}}\n',
        "incremental",
    ),
    "key in two files": Case(
        {"one": GOOD, "two": connector_lines(numbered(2)[1:])}, ("/one line 2", "/two line 1", "last-wins")
    ),
}
MANIFESTS = {
    "missing": Case({}, ("has no manifest", "--without-manifest"), ExitCode.PRECONDITION, extra={"one": GOOD}),
    "nothing there": Case({}, ("holds nothing",), ExitCode.PRECONDITION, extra={}),
    "cut": bad_manifest(entry("s3://b/one")[:-5], "manifest", "JSON"),
    "version 2": bad_manifest(entry("s3://b/one").replace(b"3", b"2", 1), "version"),
    "of something else": bad_manifest(b'{"files":[]}', "manifest"),
    "entry twice": bad_manifest(manifest("s3://b", ["one", "one"]), "one"),
    "file missing": bad_manifest(manifest("s3://b", ["one", "two"]), "s3://b/two", "incomplete"),
    "leads out": bad_manifest(entry("s3://b/../one"), "'..'"),
    "leads out, encoded": bad_manifest(entry("s3://b/%2e%2e/one"), "'..'"),
    "other scheme": bad_manifest(entry("file:///etc/passwd"), "scheme"),
    "foreign bucket": bad_manifest(entry("s3://other-bucket/two"), "s3://other-bucket/two", "incomplete"),
}


def native(*, count: int = 3, md5: bytes = GOOD, kind: str = "FULL_EXPORT", data: str = "data/a.json.gz") -> Case:
    lines = b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in numbered(3))
    stored = gzip.compress(lines)
    digest = hashlib.md5(stored if md5 == GOOD else md5, usedforsecurity=False).digest()
    listed = {"itemCount": count, "md5Checksum": base64.b64encode(digest).decode(), "dataFileS3Key": f"p/{data}"}
    summary = {
        "manifestFilesS3Key": "p/manifest-files.json",
        "itemCount": count,
        "outputFormat": "DYNAMODB_JSON",
        "exportType": kind,
    }
    files = {
        "manifest-files.json": json.dumps(listed).encode() + b"\n",
        "manifest-summary.json": json.dumps(summary).encode(),
        "data/a.json.gz": stored,
    }
    return Case({}, (), extra=files)


def expecting(case: Case, *said: str) -> Case:
    return Case(case.files, said, case.code, case.more, case.extra)


NATIVE = {
    "wrong MD5": expecting(native(md5=b"other"), "data/a.json.gz", "MD5"),
    "wrong count": expecting(native(count=4), "data/a.json.gz holds 3 items, the export says 4"),
    "incremental": expecting(native(kind="INCREMENTAL_EXPORT"), "incremental"),
    "file missing": expecting(native(data="data/b.json.gz"), "data/b.json.gz", "incomplete"),
}
CASES = {
    f"{group}: {name}": case
    for group, cases in (("line", LINES), ("file", FILES), ("manifest", MANIFESTS), ("native", NATIVE))
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture(scope="module")
def proxy(sandbox: Sandbox) -> Iterator[MeteringProxy]:
    with MeteringProxy(sandbox.dynamodb_url) as running:
        yield running


@pytest.fixture(scope="module")
def table(sandbox: Sandbox) -> Table:
    """One table for all cases: nothing may ever be written into it."""
    return make_table(sandbox)


def put_case(sandbox: Sandbox, folder: str, case: Case) -> None:
    listed = {"manifest": manifest(folder, case.files)} if case.files else {}
    put_objects(sandbox, folder, {**case.files, **listed, **case.extra})


@pytest.mark.parametrize("name", CASES)
def test_a_broken_backup_is_refused_before_the_first_write(
    sandbox: Sandbox, bucket: str, proxy: MeteringProxy, table: Table, name: str
) -> None:
    case, folder = CASES[name], f"s3://{bucket}/case-{list(CASES).index(name)}"
    put_case(sandbox, folder, case)
    proxy.clear()

    done = Pipeline(sandbox, proxy.url).import_into(table, folder, *case.more)

    assert [call for call in proxy.calls if call.operation in WRITES] == []
    assert done.code == case.code, done.text
    assert [text for text in case.said if text not in done.result["error"]] == [], done.result["error"]
    assert table.by_key() == {}


def test_the_same_files_without_the_trap_are_imported(sandbox: Sandbox, bucket: str) -> None:
    """Otherwise all refusals above could have one other reason."""
    for number, case in enumerate((Case({"one": GOOD}, ()), native())):
        fresh, folder = make_table(sandbox), f"s3://{bucket}/fine-{number}"
        put_case(sandbox, folder, case)
        done = Pipeline(sandbox).import_into(fresh, folder)
        assert done.code == ExitCode.DONE, done.text
        assert fresh.differences(numbered(3)) == NONE


DOCUMENTS = {
    "pretty JSON": (b'{\n  "id": {\n    "S": "x"\n  }\n}\n', 1),
    "two items on a line": (b'{"id":{"S":"x"}} {"id":{"S":"y"}}\n{"id":{"S":"z"}}\n', 3),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_items_that_are_no_lines_are_imported_whole(sandbox: Sandbox, bucket: str, name: str) -> None:
    data, count = DOCUMENTS[name]
    fresh, folder = make_table(sandbox), f"s3://{bucket}/document-{list(DOCUMENTS).index(name)}"
    put_case(sandbox, folder, Case({"one": data}, ()))
    done = Pipeline(sandbox).import_into(fresh, folder)
    assert done.code == ExitCode.DONE, done.text
    assert len(fresh.by_key()) == count


def test_an_index_that_would_refuse_an_item_refuses_it_before_the_first_write(
    sandbox: Sandbox, bucket: str, proxy: MeteringProxy
) -> None:
    """The table's own export fits its keys, but here `n` is the key of an index and a string there."""
    source = make_table(sandbox)
    source.put([*numbered(3), {"id": {"S": "x"}, "n": {"S": "no number"}}])
    Pipeline(sandbox).export(source, f"s3://{bucket}/indexed")
    name = f"{source.name}-indexed"
    create_active_table(
        source.client,
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": t} for a, t in (("id", "S"), ("n", "N"))],
        ProvisionedThroughput={"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-n",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
            }
        ],
    )
    target = Table(source.client, name, source.keys)
    proxy.clear()

    done = Pipeline(sandbox, proxy.url).import_into(target, f"s3://{bucket}/indexed")

    assert [call for call in proxy.calls if call.operation in WRITES] == []
    assert done.code == ExitCode.INTEGRITY
    assert "n: HASH key must be of type N (index by-n)" in done.result["error"]


def test_a_composite_backup_does_not_collapse_into_a_hash_only_table(
    sandbox: Sandbox, bucket: str, proxy: MeteringProxy, table: Table
) -> None:
    items = [{"id": {"S": "one"}, "sort": {"N": str(n)}} for n in range(3)]
    folder = f"s3://{bucket}/composite"
    put_case(sandbox, folder, Case({"a": connector_lines(items)}, ()))
    proxy.clear()
    done = Pipeline(sandbox, proxy.url).import_into(table, folder)
    assert [call for call in proxy.calls if call.operation in WRITES] == []
    assert done.code == ExitCode.INTEGRITY
    assert f"{folder}/a line 1 and at {folder}/a line 2" in done.result["error"]
