"""Verification without a table server: what is counted, which buckets are looked at again, what is said of it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.aws.request_errors import BadReply
from dynamodb_pipeline.dynamodb.scan_reply import ScanPage
from dynamodb_pipeline.formats.items.digest import SHORT_DIGEST_BYTES, BucketDigest, bucket_of
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.passes.scan import page_items
from dynamodb_pipeline.passes.table_scan import RowSink
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.reading.key_spill import PLACE, key_rows
from dynamodb_pipeline.store.local_disk import Spill
from dynamodb_pipeline.verifying.differences import RowFilter, compare, keep_rows, send_rows
from dynamodb_pipeline.verifying.files import PROBLEMS_OF_A_FILE, FileFindings, verify_file
from dynamodb_pipeline.verifying.table import PAGES_OF_A_UNIT, DigestSink, second_look
from dynamodb_pipeline.verifying.verify import (
    ComparedTable,
    DifferenceFacts,
    VerifyResult,
    difference_facts,
    difference_text,
    export_facts,
)
from dynamodb_pipeline.workers.protocol import LINE_BYTES_MAX
from tests.unit.reading.item_lines import KEYS, key_of, line, lines, put_body
from tests.unit.store.memory_store import MemoryStore
from tests.unit.workers.fake_work import FakeWork, unit

NO_KEY = b'{"n":{"n":"1"}}\n'
ALL = frozenset(range(4096))
Sides = dict[str, int]


def page(items: list[dict[str, Any]], *, count: int | None = None) -> ScanPage:
    body = json.dumps({"Items": items}).encode()
    return ScanPage(body, len(items) if count is None else count, len(items), None, {"table": 1.0})


def verified(data: bytes, *, keys: KeySchema | None = KEYS, **known: object) -> FakeWork:
    store, work = MemoryStore(), FakeWork()
    verify_file(unit(store.file("s3://b/f", data, **known), 3), reader=FileReader(store, keys), grants=work)
    return work


def findings(*files: bytes) -> FileFindings:
    found, store = FileFindings(), MemoryStore()
    for number, data in enumerate(files):
        work = FakeWork()
        verify_file(unit(store.file(f"s3://b/{number}", data), number), reader=FileReader(store, KEYS), grants=work)
        found.add(work.records[f"file-{number}"])
    return found


def test_a_good_file_is_counted_and_digested() -> None:
    work = verified(line("a") + line("b"))
    record = work.records["file-3"]
    expected = BucketDigest()
    for name in "ab":
        expected.add(put_body(name), key_of(name))
    assert BucketDigest.from_json(record["digest"]).total() == expected.total()
    assert (record["items"], record["problems"], record["dialect"]) == (2, [], "connector-json")
    places = [PLACE.unpack(base64.b64decode(work.kept["file-3"][0])[n : n + PLACE.size])[1:] for n in (0, PLACE.size)]
    assert places == [(3, 1), (3, 2)]


def test_every_problem_is_counted_and_some_are_named() -> None:
    work = verified(line("a") + NO_KEY * 9)
    record = work.records["file-3"]
    assert (record["items"], record["problem_count"], len(record["problems"])) == (10, 9, PROBLEMS_OF_A_FILE)
    assert record["problems"][0].startswith("s3://b/f: line 2 (byte 31): id: HASH key is missing")


@pytest.mark.parametrize(
    ("data", "known", "said"),
    [
        (lines("ab"), {"sha256": "0" * 64}, "its SHA-256 is not the one"),
        (lines("ab"), {"item_count": 3}, "holds 2 items, the export says 3"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), {}, "zstd"),
        (b"id,n\na,1\n", {}, "CSV"),
    ],
    ids=["hash", "count", "codec", "format"],
)
def test_a_file_that_is_not_what_it_claims_is_a_problem_and_not_the_end(
    data: bytes, known: dict[str, Any], said: str
) -> None:
    (problem,) = verified(data, **known).records["file-3"]["problems"]
    assert said in problem


def test_without_a_key_schema_everything_else_is_checked() -> None:
    work = verified(NO_KEY + b'{"n":{"x":"1"}}\n', keys=None)
    record = work.records["file-3"]
    assert (record["items"], record["problem_count"], work.kept) == (2, 1, {})
    assert record["digest"] == BucketDigest().to_json()


def test_findings_add_up_over_files_and_name_problems_in_the_manifests_order() -> None:
    found = findings(lines("ab"), line("c") + NO_KEY, NO_KEY)
    found.add_problem("the same key stands twice")
    assert (found.items, found.problem_count, found.digest.item_count) == (5, 3, 3)
    assert [text.split(":")[1] for text in found.problems(2)] == ["//b/1", "//b/2"]
    assert found.problems(9)[-1] == "the same key stands twice"
    assert found.dialects == {"connector-json": 3}


def test_order_files_and_spelling_do_not_matter_but_items_do() -> None:
    one = findings(lines("abc"))
    other = findings(line("c"), b'{"n": {"n": "1.0"}, "id": {"s": "b"}}\n' + line("a"))
    assert one.digest.total() == other.digest.total()
    assert one.digest.total() != findings(lines("abcc")).digest.total()
    assert one.digest.total() != findings(line("a") + line("b") + line("c", 2)).digest.total()


def test_a_record_of_all_buckets_fits_into_a_message() -> None:
    digest = BucketDigest()
    for number in range(40_000):
        digest.add(put_body(str(number)), key_of(str(number)))
    assert len(digest.to_json()["filled"]) > 4000
    assert len(json.dumps(digest.to_json())) < LINE_BYTES_MAX / 4


def test_a_tables_pages_are_digested_like_files() -> None:
    sink = DigestSink(KEYS)
    assert all(sink.add(page([put_body("a")])) for _ in range(PAGES_OF_A_UNIT - 1))
    assert not sink.add(page([put_body("b")]))
    digest = BucketDigest.from_json(sink.record()["digest"])
    assert digest.item_count == PAGES_OF_A_UNIT
    assert BucketDigest.from_json(sink.record()["digest"]).item_count == 0


def test_a_page_that_holds_fewer_items_than_it_says_is_refused() -> None:
    with pytest.raises(BadReply, match="holds 1 items and says 2"):
        page_items(page([put_body("a")], count=2))


def digest_of(items: Iterable[tuple[str, int]]) -> BucketDigest:
    digest = BucketDigest()
    for key, number in items:
        digest.add(put_body(key, number), key_of(key))
    return digest


def test_equal_sides_need_no_second_look() -> None:
    items = [(str(n), n) for n in range(50)]
    again = second_look(digest_of(items), digest_of(reversed(items)))
    assert (again.buckets, again.complete) == (frozenset(), True)


def test_a_second_look_is_bounded_but_never_at_nothing() -> None:
    items = [(str(n), n) for n in range(50)]
    everything = second_look(digest_of(items), BucketDigest())
    assert (everything.buckets, everything.complete) == (frozenset(bucket_of(key_of(k)) for k, _ in items), True)
    some = second_look(digest_of(items), BucketDigest(), max_items=10)
    assert (0 < len(some.buckets) <= 10, some.complete) == (True, False)
    assert len(second_look(digest_of(items), BucketDigest(), max_items=0).buckets) == 1


def sides(export: Sides, table: Sides, *, buckets: frozenset[int] = ALL) -> tuple[Spill, Spill]:
    """Both sides as the second look collects them: the export from a file, the table from pages."""
    rows, store, work = RowFilter(KEYS, buckets), MemoryStore(), FakeWork()
    data = b"".join(line(key, number) for key, number in export.items()) or gzip.compress(b"")
    send_rows(unit(store.file("s3://b/f", data)), reader=FileReader(store, KEYS), grants=work, rows=rows)
    sink = RowSink(rows.of_item)
    sink.add(page([put_body(key, number) for key, number in table.items()]))
    mine, theirs = Spill(), Spill()
    keep_rows(mine)(work.records["file-0"]["rows"])
    keep_rows(theirs)(sink.record()["rows"])
    return mine, theirs


some_items = st.dictionaries(st.sampled_from([f"k{n}" for n in range(12)]), st.integers(0, 3))


@given(some_items, some_items)
def test_the_second_look_finds_what_differs(export: Sides, table: Sides) -> None:
    """Against plain Python sets."""
    found = compare(*sides(export, table), limit=100)
    missing, extra = export.keys() - table.keys(), table.keys() - export.keys()
    different = {key for key in export.keys() & table.keys() if export[key] != table[key]}
    assert found.counts == {"missing": len(missing), "extra": len(extra), "different": len(different)}
    expected = {("missing", key_of(k)) for k in missing} | {("extra", key_of(k)) for k in extra}
    assert set(found.examples) == expected | {("different", key_of(k)) for k in different}


def test_only_items_of_the_chosen_buckets_are_sent() -> None:
    chosen = bucket_of(key_of("a"))
    mine, theirs = sides({"a": 1, "b": 1}, {"a": 2, "c": 1}, buckets=frozenset([chosen]))
    found = compare(mine, theirs, limit=9)
    assert (found.count, found.examples) == (1, [("different", key_of("a"))])


def test_examples_are_limited_and_counts_are_not() -> None:
    found = compare(*sides({f"k{n}": 1 for n in range(30)}, {}), limit=4)
    assert (found.counts["missing"], len(found.examples)) == (30, 4)
    again = compare(*sides({f"k{n}": 1 for n in reversed(range(30))}, {}), limit=4)
    assert again.examples == found.examples


def test_rows_hold_half_of_the_items_digest() -> None:
    rows = RowFilter(KEYS, ALL).row(put_body("a"), key_of("a"))
    ((key, tail),) = key_rows(rows, tail_bytes=SHORT_DIGEST_BYTES)
    assert key == key_of("a")
    assert tail == hashlib.sha256(b"M2:2:idS1:a1:nN1:1").digest()[:16]


def text_of(export: Sides, table: Sides, *, complete: bool = True) -> str:
    found = compare(*sides(export, table), limit=5)
    facts = difference_facts(found, KEYS, complete=complete)
    return difference_text(facts, table="orders", export="s3://b/x")


def test_the_message_counts_and_names_one_key() -> None:
    text = text_of({"a": 1, 'quote"': 1}, {"a": 2})
    assert text.startswith("table 'orders' and s3://b/x are not the same: 1 missing, 1 different; first: ")
    assert "at least 1 missing" in text_of({"a": 1}, {}, complete=False)


def test_a_difference_that_is_gone_at_the_second_look_is_still_a_doubt() -> None:
    text = text_of({"a": 1}, {"a": 1})
    assert "a second look found no difference; the table is being written to, verify again" in text


def test_every_member_of_the_result_is_documented() -> None:
    section = (Path(__file__).parents[3] / "docs/formats.md").read_text("utf-8").partition("## 13. ")[2]
    job: Any = SimpleNamespace(
        source=ImportSource("s3://b", "folder", ()), keys=KEYS, settings=SimpleNamespace(limit=5)
    )
    compared = ComparedTable("t", 0, "", 0, "", 0.0, DifferenceFacts())
    members = VerifyResult(export_facts(job, FileFindings()), compared).to_json()
    assert members.keys() - set(re.findall(r"`([a-z_]+)`", section)) == set()
