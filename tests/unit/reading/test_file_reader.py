"""A data file is proven before anybody uses it, in blocks, with every line at its place."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import sys
import tracemalloc
from contextlib import nullcontext

import pytest

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.reading.file_puts import BadLine, Put
from dynamodb_pipeline.reading.file_reader import FileReader
from tests.unit.reading.item_lines import KEYS, key_of, line, lines, put_body
from tests.unit.store.memory_store import MemoryStore

URI = "s3://b/part"
LONG = b'{"id":{"s":"long"},"t":{"s":"' + b"x" * 300_000 + b'"}}\n'
PADDING = LONG * 4  # more than a block


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def puts_of(store: MemoryStore, data: bytes, *, fast: bool = False, **known: object) -> list[Put | BadLine]:
    reader = FileReader(store, KEYS, fast=fast)
    return list(reader.puts(reader.open(store.file(URI, data, **known))))


@pytest.mark.parametrize("stored", [lambda d: d, gzip.compress], ids=["plain", "gzip"])
def test_puts_have_body_key_units_and_line(store: MemoryStore, stored) -> None:
    first, second = puts_of(store, stored(line("a", 5) + line("b")))
    assert isinstance(first, Put)
    assert isinstance(second, Put)
    assert json.loads(first.body) == put_body("a", 5)
    assert (first.key, first.units, first.line, second.line) == (key_of("a"), 1, 1, 2)


def test_lines_are_numbered_across_blocks_whichever_way_a_block_was_read(store: MemoryStore) -> None:
    """The second block has a line that the quick way declines, and one that is bad."""
    odd = b'{"id":{"s":"\\ud83d\\ude00"},"n":{"n":"1"}}\n'
    data = line("a") + PADDING + line("b") + odd + b"{}\n" + PADDING + line("c")
    found = puts_of(store, data)
    assert [put.line for put in found if isinstance(put, Put)] == [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13]
    (bad,) = (put for put in found if isinstance(put, BadLine))
    assert (bad.error.line, bad.text) == (8, b"{}")
    assert data[bad.error.offset_bytes :].startswith(b"{}\n")


def test_blank_lines_marks_and_carriage_returns_are_no_items(store: MemoryStore) -> None:
    data = b"\xef\xbb\xbf" + line("a").replace(b"\n", b"\r\n") + b"\n  \n" + line("b").rstrip(b"\n")
    found = puts_of(store, data)
    assert [(put.line, put.key) for put in found] == [(1, key_of("a")), (4, key_of("b"))]  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"\n", b"\xef\xbb\xbf", b"  \r\n\n"])
def test_a_text_of_blank_lines_only_has_lost_its_items(store: MemoryStore, data: bytes) -> None:
    with pytest.raises(IntegrityError, match="holds blank lines and no item"):
        puts_of(store, data)


def test_an_empty_text_in_a_compressed_file_has_no_items(store: MemoryStore) -> None:
    """As a writer leaves it that compresses each part of a table, also an empty one."""
    assert puts_of(store, gzip.compress(b"")) == []


def test_a_known_good_file_needs_no_parse_and_gives_the_same_bodies(store: MemoryStore) -> None:
    data = lines("abc")
    known = {"sha256": sha256(data), "item_count": 3}
    fast, careful = puts_of(store, data, fast=True, **known), puts_of(store, data, **known)
    assert [put.key for put in fast] == [None] * 3  # type: ignore[union-attr]
    assert [(json.loads(p.body), p.line) for p in fast] == [(json.loads(p.body), p.line) for p in careful]  # type: ignore[union-attr]


def test_a_known_good_file_is_parsed_where_the_quick_way_declines(store: MemoryStore) -> None:
    odd = b'{ "id": {"s": "spaces"}, "n": {"n": "1"} }\n'
    data = line("a") + odd
    found = puts_of(store, data, fast=True, sha256=sha256(data), item_count=2)
    assert [json.loads(put.body)["id"] for put in found] == [{"S": "a"}, {"S": "spaces"}]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [
        lines("abc"),
        b'{"id":{"S":"a"},"t":{"S":"\\"\\\\"}}\n{"id":{"S":"b"}}',
        b'{"Item":{"id":{"S":"a"}}}\n{"Item": {"id": {"S":"b"}}}\n',
    ],
    ids=["connector", "DynamoDB", "native"],
)
def test_a_checked_text_gives_the_same_puts_without_a_judgement(store: MemoryStore, data: bytes) -> None:
    known, judged = puts_of(store, data, checked_sha256=sha256(data)), puts_of(store, data)
    assert [(put.body, put.line) for put in known] == [(put.body, put.line) for put in judged]  # type: ignore[union-attr]
    assert {put.key for put in known} == {None}  # type: ignore[union-attr]


def test_a_text_that_is_not_the_checked_one_is_refused(store: MemoryStore) -> None:
    with pytest.raises(IntegrityError, match="not the one that was checked"):
        puts_of(store, gzip.compress(lines("abd")), checked_sha256=sha256(lines("abc")))


@pytest.mark.parametrize("fast", [True, False])
def test_another_count_than_the_exports_is_refused(store: MemoryStore, fast: bool) -> None:
    data = lines("abc")
    with pytest.raises(IntegrityError, match=r"s3://b/part holds 3 items, the export says 4"):
        puts_of(store, data, fast=fast, sha256=sha256(data), item_count=4)


def test_a_known_good_file_with_another_count_is_refused_before_any_put(store: MemoryStore) -> None:
    data = lines("abc")
    with pytest.raises(IntegrityError, match="holds 3 items"):
        FileReader(store, KEYS, fast=True).open(store.file(URI, data, sha256=sha256(data), item_count=2))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"sha256": "0" * 64}, "its SHA-256 is not the one in _export.json"),
        ({"md5": base64.b64encode(bytes(16)).decode()}, "its MD5 is not the one in manifest-files.json"),
        ({"plain_bytes": 1}, "1 expected"),
    ],
    ids=["SHA-256", "MD5", "plain size"],
)
def test_other_bytes_than_the_export_says_are_refused(store: MemoryStore, known: dict, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        puts_of(store, lines("abc"), **known)


def test_an_object_that_changed_since_it_was_listed_is_refused(store: MemoryStore) -> None:
    file = store.file(URI, lines("abc"))
    store.objects[URI] = lines("abd")
    with pytest.raises(IntegrityError, match="replaced"):
        FileReader(store, KEYS).open(file)


def test_a_line_longer_than_any_item_ends_the_file(store: MemoryStore) -> None:
    data = line("a") + b'{"id":{"s":"' + b"x" * (21 * 1024 * 1024) + b'"}}\n'
    with pytest.raises(IntegrityError, match=r"part: line 2 \(byte 31\): longer than"):
        puts_of(store, data)


def test_items_are_judged_like_puts(store: MemoryStore) -> None:
    data = line("a", 7) + b'{"n":{"n":"1"}}\n'
    reader = FileReader(store, KEYS)
    good, bad = reader.items(reader.open(store.file(URI, data)))
    assert (good.item, good.key, good.line) == (put_body("a", 7), key_of("a"), 1)  # type: ignore[union-attr]
    assert isinstance(bad, BadLine)
    assert "HASH key is missing" in str(bad.error)


def test_memory_is_a_few_blocks_whatever_the_file(store: MemoryStore) -> None:
    """12 MB of text: as puts all at once they would take as much again."""
    data = LONG * 40
    reader = FileReader(store, KEYS)
    opened = reader.open(store.file(URI, data))
    tracemalloc.start()
    try:
        assert sum(1 for _ in reader.puts(opened)) == 40
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


ARRAY = b'[{"id":{"S":"a"},"n":{"N":"1"}},\n{"id":{"S":"b"},"n":{"N":"2"}},\n{"id":{"S":"c"},"n":{"N":"3"}}]'


def test_a_documents_items_are_put_like_lines_and_known_like_them(store: MemoryStore) -> None:
    judged, known = puts_of(store, ARRAY), puts_of(store, ARRAY, checked_sha256=sha256(ARRAY))
    assert [(put.line, put.key) for put in judged] == [(n, key_of(key)) for n, key in enumerate("abc", 1)]  # type: ignore[union-attr]
    assert [json.loads(put.body) for put in known] == [put_body(key, n) for n, key in enumerate("abc", 1)]  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"[]", b'{"Items":[],"Count":0}'])
def test_a_document_without_items_has_lost_none(store: MemoryStore, data: bytes) -> None:
    assert puts_of(store, data) == []


def test_a_document_that_is_cut_is_refused_behind_its_last_whole_item(store: MemoryStore) -> None:
    with pytest.raises(
        IntegrityError, match=r"part: item 3 \(byte 65\): malformed JSON.*the document is cut off; nothing"
    ):
        puts_of(store, ARRAY[:-5])


def test_the_same_of_a_large_document_on_disk(store: MemoryStore) -> None:
    """Mapped, in many blocks, each proven at once."""
    items = [{"id": {"S": f"{n}"}, "t": {"S": "x" * 500}} for n in range(4000)]
    data = json.dumps({"Items": items, "Count": 4000}, separators=(",", ":")).encode()
    reader = FileReader(store, KEYS)
    opened = reader.open(store.file(URI, data))
    assert not isinstance(opened.plain, bytes)
    puts = reader.puts(opened)
    assert [json.loads(put.body) for put in puts] == items  # type: ignore[union-attr]
    assert puts.regular


@pytest.mark.parametrize(
    "worthless",
    [b"\n", b" \r\n", b"\t \n", b" " * 5000 + b"\n"],
    ids=["line feeds", "blank lines", "white space", "long blank lines"],
)
@pytest.mark.parametrize("item", [b"", line("a")], ids=["nothing else", "behind an item"])
def test_worthless_text_is_passed_by_the_piece_and_not_by_the_line(
    store: MemoryStore, item: bytes, worthless: bytes
) -> None:
    """Counted in calls of functions, which do not depend on the machine: a call for each line would be 40,000."""
    plain = item + worthless * (8_000_000 // len(worthless))
    calls = [0]

    def count(*event: object) -> None:
        calls[0] += event[1] == "call"

    sys.setprofile(count)
    refused = nullcontext() if item else pytest.raises(IntegrityError, match="holds blank lines and no item")
    found: list[object] = []
    try:
        with refused:
            found += FileReader(store, KEYS).items(FileReader(store, KEYS).open(store.file(URI, plain)))
    finally:
        sys.setprofile(None)
    assert len(found) == (1 if item else 0)
    assert calls[0] < 8000
