"""The pass before the first write: counts, bad items, and the places of all keys."""

from __future__ import annotations

import base64
import hashlib
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeyAttribute
from dynamodb_pipeline.importing.check import OTHER_REASONS, TEXTS_OF_A_FILE, add_reason, check_file
from dynamodb_pipeline.importing.job import ImportPlan, refuse_several_tables
from dynamodb_pipeline.importing.set_aside import SetAside
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.key_spill import PLACE, key_hash
from tests.unit.reading.item_lines import KEYS, key_of, line, lines
from tests.unit.store.memory_store import MemoryStore
from tests.unit.workers.fake_work import FakeWork, unit

PLAN = ImportPlan("orders", KEYS, (), ("table",))
NO_KEY = b'{"n":{"n":"1"}}\n'


def check(data: bytes, *, plan: ImportPlan = PLAN, collect: bool = True, number: int = 0, **known: object) -> FakeWork:
    store, work = MemoryStore(), FakeWork()
    reader = FileReader(store, plan.keys, plan.index_keys, plan.fast and not collect, plan.wanted)
    check_file(
        unit(store.file("s3://b/f", data, **known), number), reader=reader, grants=work, plan=plan, collect_keys=collect
    )
    return work


def places(work: FakeWork) -> list[tuple[bytes, int, int]]:
    rows = b"".join(base64.b64decode(block) for blocks in work.kept.values() for block in blocks)
    return list(PLACE.iter_unpack(rows))


def test_counts_and_places_of_keys_are_reported() -> None:
    work = check(line("a") + b"\n" + line("b"), number=7)
    assert work.records == {"file-7": {"items": 2, "bad": 0}}
    assert places(work) == [(key_hash(key_of("a")), 7, 1), (key_hash(key_of("b")), 7, 3)]


@pytest.mark.parametrize(
    ("data", "regular"),
    [
        (lines("ab"), True),
        (b'{"id":{"S":"a"}}\n{"id":{"S":"b"}}\n', True),
        (b'{"Item":{"id":{"S":"a"}}}\n{"Item":{"id":{"S":"b"}}}', True),
        (lines("a") + b"\n" + lines("b"), False),
        (lines("a") + b'{"id":{"s":"b"},"n":{"n":5}}\n', False),
        (b'{"id":{"S":"a"},"n":{"N":5}}\n{"id":{"S":"b"}}\n', False),
        (b'id\x03{"s":"a"}\nid\x03{"s":"b"}\n', False),
        (lines("ab").replace(b"\n", b"\r\n"), False),
    ],
    ids=["connector", "DynamoDB", "native", "blank line", "bare number", "bare number, DynamoDB", "Hive", "CRLF"],
)
def test_a_text_is_vouched_for_when_no_line_of_it_needs_a_look_of_its_own(data: bytes, regular: bool) -> None:
    expected = {"checked_sha256": hashlib.sha256(data).hexdigest()} if regular else {}
    assert check(data).records == {"file-0": {"items": 2, "bad": 0, **expected}}


def test_keys_stay_where_nobody_asks_for_them() -> None:
    assert check(lines("ab"), collect=False).kept == {}


def test_the_first_bad_item_is_named_with_how_many_there_are() -> None:
    with pytest.raises(IntegrityError) as error:
        check(line("a") + NO_KEY + NO_KEY)
    text = str(error.value)
    assert text.startswith("s3://b/f: line 2 (byte 31): id: HASH key is missing")
    assert "(2 bad items in this file); nothing was written. --set-aside" in text


def test_bad_items_are_counted_where_they_can_be_set_aside() -> None:
    plan = ImportPlan("orders", KEYS, (), ("table",), set_aside=SetAside("s3://aside"))
    work = check(line("a") + NO_KEY, plan=plan)
    reasons = {"HASH key is missing; the table's key is id (S, HASH)": 1}
    assert work.records == {"file-0": {"items": 2, "bad": 1, "reasons": reasons}}
    assert len(places(work)) == 1


def test_reasons_are_counted_and_of_many_the_rare_ones_together() -> None:
    counts: dict[str, int] = {}
    for number in range(30):
        add_reason(counts, f"rule {number}", number + 1)
    add_reason(counts, "rule 0", 5)
    assert len(counts) == TEXTS_OF_A_FILE + 1
    assert (counts["rule 0"], counts[OTHER_REASONS]) == (6, sum(range(21, 31)))


def test_an_index_judges_items_too() -> None:
    index = IndexKeys("by-n", (KeyAttribute("n", "HASH", "S"),))
    with pytest.raises(IntegrityError, match=r"n: HASH key must be of type S \(index by-n\)"):
        check(line("a"), plan=ImportPlan("orders", KEYS, (index,), ("table",)))


@pytest.mark.parametrize("collect", [True, False])
def test_a_known_good_file_is_parsed_only_for_its_keys(collect: bool) -> None:
    """The second line is no item, which the hash cannot know: only a parse finds it."""
    data = line("a") + b'{"id":{"s":"b"},"n":{"n":"no number"}}\n'
    known = {"sha256": hashlib.sha256(data).hexdigest(), "item_count": 2}
    plan = ImportPlan("orders", KEYS, (), ("table",), fast=True)
    if collect:
        with pytest.raises(IntegrityError, match="line 2"):
            check(data, plan=plan, collect=True, **known)
    else:
        assert check(data, plan=plan, collect=False, **known).records == {"file-0": {"items": 2, "bad": 0}}


def test_many_keys_are_sent_in_messages_that_fit() -> None:
    work = check(b"".join(line(f"key-{n}") for n in range(45_000)))
    blocks = work.kept["file-0"]
    assert len(blocks) == 2
    assert max(map(len, blocks)) < 2 * 1024 * 1024
    assert len(places(work)) == 45_000


REQUESTS = (
    b'{"a":[{"PutRequest":{"Item":{"id":{"S":"1"}}}}],"orders":[{"PutRequest":{"Item":{"id":{"S":"2"}}}},'
    b'{"PutRequest":{"Item":{"id":{"S":"3"}}}}]}'
)


@pytest.mark.parametrize(
    ("wanted", "items", "said"),
    [
        (None, 3, {"tables": ["a", "orders"]}),
        (WantedTable("orders"), 2, {"tables": ["orders"], "passed_over": ["a"]}),
        (WantedTable("a", strictly=True), 1, {"tables": ["a"], "passed_over": ["orders"]}),
        (WantedTable("z", strictly=True), 0, {"passed_over": ["a", "orders"]}),
    ],
)
def test_a_document_says_whose_items_were_taken(wanted: WantedTable | None, items: int, said: dict) -> None:
    (record,) = check(REQUESTS, plan=replace(PLAN, wanted=wanted), number=3).records.values()
    record.pop("checked_sha256", None)
    assert record == {"items": items, "bad": 0, "document": 3, **said}


def test_keys_of_a_document_stand_at_its_items() -> None:
    work = check(b'[{"id":{"S":"a"}},\n{"id":{"S":"b"}}]', number=7)
    assert places(work) == [(key_hash(key_of("a")), 7, 1), (key_hash(key_of("b")), 7, 2)]


def test_a_part_of_a_scan_is_told() -> None:
    (record,) = check(b'{"Items":[{"id":{"S":"a"}}],"Count":1,"NextToken":"x"}').records.values()
    assert record["notes"] == ["s3://b/f: it is a part of a Scan's output: its token says that more items follow"]


@pytest.mark.parametrize(
    ("tables", "passed_over", "refused"),
    [
        (["a"], [], None),
        ([], [], None),
        (["a"], ["b"], None),
        (["a", "b"], [], r"s3://b holds items of tables 'a', 'b'; --from-table NAME takes those of one"),
        ([], ["a", "b"], r"s3://b holds items of 'a', 'b' and none of 'z'"),
    ],
)
def test_items_of_several_tables_are_never_taken_for_one(tables: list, passed_over: list, refused: str | None) -> None:
    job = SimpleNamespace(source=SimpleNamespace(folder="s3://b"), settings=SimpleNamespace(from_table="z"))
    with pytest.raises(PreconditionError, match=refused) if refused else nullcontext():
        refuse_several_tables(job, tables, passed_over=passed_over)  # type: ignore[arg-type]
