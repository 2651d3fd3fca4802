"""Chains of native exports against a model of the table that they are of: what the model holds is what is read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from dynamodb_pipeline.chain.collapse import (
    Collapsed,
    RowSpill,
    chain_source,
    deleted_keys,
    last_changes,
)
from dynamodb_pipeline.chain.records import Change, change_of, uncollapsed_source
from dynamodb_pipeline.chain.windows import Chain, Window, choose_windows, find_chain
from dynamodb_pipeline.errors import IntegrityError, PipelineError, PreconditionError
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import JsonTextError
from dynamodb_pipeline.reading.file_puts import ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import ImportSource
from tests.unit.chain.histories import Model, at, full, incremental, item, random_model
from tests.unit.reading.item_lines import KEYS
from tests.unit.store.memory_store import MemoryStore

PLACE, COPY = "s3://backups/p", "s3://backups/logs/runs/one/chain"


def joined(parts: Iterable[dict[str, bytes]]) -> MemoryStore:
    return MemoryStore({uri: data for part in parts for uri, data in part.items()})


def read(store: MemoryStore, until: int | None = None, **how: Any) -> tuple[ImportSource, Collapsed, Chain]:
    chain = find_chain(store, PLACE, table="Tab", until=None if until is None else at(until), **how)
    said: list[str] = []
    source, copy = chain_source(store, chain, folder=COPY, keys=KEYS, check=lambda: None, say=said.append)
    assert "chain: table 'Tab' as of" in said[0]
    return source, copy, chain


def items_of(store: MemoryStore, source: ImportSource) -> dict[str, Any]:
    reader = FileReader(store, KEYS)
    found = [one for file in source.files for one in reader.items(reader.open(file))]
    items = [one.item for one in found if isinstance(one, ParsedItem)]
    assert len(items) == len(found) == source.item_count
    assert len({one["id"]["S"] for one in items}) == len(items)
    return {one["id"]["S"]: one for one in items}


def check_against(model: Model, seed: int) -> None:
    """Exports at random moments, windows that overlap as well, both views, several files; restored at every end."""
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(1, 110), chance.randint(1, 6)))
    bases = chance.sample(moments, chance.randint(1, min(2, len(moments))))
    parts = [full(model, base, parts=chance.randint(1, 3)) for base in bases]
    for start, end in zip(moments, moments[1:]):
        view = chance.choice(["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
        early = max(0, start - chance.choice([0, 0, 7]))
        shared = chance.random() < 0.7
        parts.append(incremental(model, early, end, view=view, shared=shared, parts=chance.randint(1, 2)))
    store = joined(parts)
    first = min(bases)
    for until in [moment for moment in moments if moment >= first]:
        source, copy, _ = read(store, until)
        assert items_of(store, source) == model.table(until)
        gone = {key.decode()[4:] for key in deleted_keys(store, copy.folder)}
        known = {key for second, key, _ in model.writes if second < until}
        assert gone <= known - model.table(until).keys()
        base = max(moment for moment in bases if moment <= until)
        assert gone >= model.table(base).keys() - model.table(until).keys()
        assert (copy.items, copy.deleted) == (len(model.table(until)), len(gone))


@pytest.mark.parametrize("seed", range(25))
def test_every_end_of_a_random_chain_is_what_the_table_held(seed: int) -> None:
    check_against(random_model(seed), seed)


@pytest.mark.slow
def test_a_thousand_random_chains_are_what_the_table_held() -> None:
    for seed in range(1000, 2000):
        check_against(random_model(seed), seed)


def test_a_finished_copy_is_taken_again_and_not_made_anew() -> None:
    model = random_model(1)
    store = joined([full(model, 10), incremental(model, 10, 50)])
    first = read(store)[1]
    before = dict(store.objects)
    assert read(store)[1] == first
    assert store.objects == before


def window(start: int | None, end: int) -> Window:
    return Window(f"{start}-{end}", None if start is None else at(start), at(end), 0, "")


def chosen(full_at: list[int], changes: list[tuple[int, int]], until: int | None = None) -> list[str]:
    windows = choose_windows(
        [window(None, end) for end in full_at],
        [window(*pair) for pair in changes],
        until=None if until is None else at(until),
        place=PLACE,
    )
    return [one.folder for one in windows]


def test_the_newest_full_export_that_leads_there_is_the_first() -> None:
    assert chosen([10, 30], [(10, 20), (20, 30), (30, 40)]) == ["None-30", "30-40"]
    assert chosen([10, 30], [(10, 20), (20, 30), (30, 40)], 20) == ["None-10", "10-20"]
    assert chosen([10, 30], [(10, 20), (20, 30)], 30) == ["None-30"]
    assert chosen([10, 30], [(10, 20), (20, 40)], 40) == ["None-30", "20-40"]


def test_of_two_ways_the_one_without_a_gap_is_taken() -> None:
    assert chosen([0], [(0, 10), (0, 12), (10, 20)], 20) == ["None-0", "0-12", "10-20"]
    assert chosen([0], [(0, 10), (5, 20), (12, 18)], 20) == ["None-0", "0-10", "5-20"]


@pytest.mark.parametrize(
    ("full_at", "changes", "until", "text"),
    [
        ([0], [(0, 10), (20, 30)], 30, "no incremental export covers 2026-01-01T00:00:10Z to 2026-01-01T00:00:20Z"),
        ([0], [(0, 10), (20, 30)], None, "00:00:10Z to 2026-01-01T00:00:20Z.*--until 2026-01-01T00:00:10Z"),
        ([5], [(6, 10)], None, "00:00:05Z to 2026-01-01T00:00:06Z"),
        (
            [0],
            [(0, 10), (10, 20)],
            15,
            "nearest ends for --until are 2026-01-01T00:00:10Z and 2026-01-01T00:00:20Z",
        ),
        ([0], [(0, 10)], 99, "the nearest ends for --until are 2026-01-01T00:00:10Z$"),
        ([50], [(0, 10), (10, 20)], 20, "the nearest ends for --until are 2026-01-01T00:00:50Z$"),
    ],
)
def test_a_gap_and_a_moment_that_is_no_end_are_named(full_at: Any, changes: Any, until: Any, text: str) -> None:
    with pytest.raises(PreconditionError, match=text):
        chosen(full_at, changes, until)


MODEL = random_model(3)
BASE = full(MODEL, 20)
OTHER_ID = {"tableId": "99999a12-abcd-123a-ab12-1234abc12345"}
REFUSED: dict[str, tuple[list[dict[str, bytes]], type[PipelineError], str]] = {
    "nothing": ([{}], PreconditionError, "no native export of table 'Tab'"),
    "no full one": ([incremental(MODEL, 0, 20)], PreconditionError, "no full native export of table 'Tab'"),
    "filtered": ([BASE, incremental(MODEL, 20, 50, filterSpecification={})], PreconditionError, "no export .* ends at"),
    "another table": ([BASE, incremental(MODEL, 20, 50, **OTHER_ID)], PreconditionError, "TableId differs"),
    "another view": (
        [BASE, incremental(MODEL, 20, 50, view="KEYS_ONLY")],
        PreconditionError,
        "KEYS_ONLY .* is not read",
    ),
    "Ion": ([BASE, incremental(MODEL, 20, 50, outputFormat="ION")], PreconditionError, "in ION is not read"),
    "an unknown member": ([BASE, incremental(MODEL, 20, 50, newer=1)], PreconditionError, "newer, which is not known"),
    "count": ([BASE, incremental(MODEL, 20, 50, itemCount=1)], IntegrityError, "one of them is incomplete|MD5"),
}


@pytest.mark.parametrize(("parts", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_chain_is_refused(parts: list[dict[str, bytes]], error: type[PipelineError], text: str) -> None:
    with pytest.raises(error, match=text):
        read(joined(parts), 50)


@pytest.mark.parametrize("damage", ["file gone", "file changed", "line cut"])
def test_a_damaged_window_is_refused_and_leaves_no_copy(damage: str) -> None:
    store = joined([BASE, incremental(MODEL, 20, 50)])
    (data,) = (uri for uri in store.objects if uri.startswith(f"{PLACE}/AWSDynamoDB/data/"))
    if damage == "file gone":
        del store.objects[data]
    else:
        store.objects[data] = store.objects[data][: -3 if damage == "line cut" else None] + b"x"
    with pytest.raises(IntegrityError):
        read(store)
    assert [uri for uri in store.objects if uri.startswith(COPY) and uri.endswith("manifest-summary.json")] == []


def test_what_will_be_read_is_known_without_collapsing() -> None:
    store = joined([BASE, incremental(MODEL, 20, 50)])
    chain = find_chain(store, PLACE, table="Tab", until=None)
    source = uncollapsed_source(store, chain)
    assert (source.kind, source.source_table, len(source.files)) == ("chain", "Tab", 3)
    assert [uri for uri in store.objects if uri.startswith(COPY)] == []


GOOD = b'{"Metadata":{"WriteTimestampMicros":"5"},"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"}}}'


def test_a_change_is_read_with_its_time_tagged_or_not() -> None:
    assert change_of(GOOD, KEYS) == Change(KEYS.key_of({"id": {"S": "a"}}), 5, b'{"id":{"S":"a"}}')
    assert change_of(GOOD.replace(b'"5"', b'{"N":"5"}'), KEYS).micros == 5
    assert change_of(GOOD.replace(b',"NewImage":{"id":{"S":"a"}}', b""), KEYS).body == b""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"Keys":{"id":{"S":"a"}},', b""),
        (b'"Metadata":{"WriteTimestampMicros":"5"},', b""),
        (b'"5"', b"5.5"),
        (b'"5"', b'"-5"'),
        (b'"NewImage":{"id":{"S":"a"}', b'"NewImage":{"id":{"S":"b"}'),
        (b'"NewImage":{"id":{"S":"a"}', b'"NewImage":{"id":{"X":"a"}'),
        (b"NewImage", b"NewerImage"),
        (b"}}}", b"}"),
    ],
)
def test_what_is_no_change_is_refused(old: bytes, new: bytes) -> None:
    assert old in GOOD
    with pytest.raises((ItemError, JsonTextError)):
        change_of(GOOD.replace(old, new), KEYS)


def test_the_last_change_wins_by_export_then_by_time_and_a_contradiction_is_refused() -> None:
    def last(*rows: tuple[int, int, bytes], part_bytes: int = 1 << 20) -> list[bytes]:
        with RowSpill() as spill:
            for number, micros, body in rows:
                spill.add_change(number, Change(b"key", micros, body), depth=0)
            lists = (one for part in range(256) for one in last_changes(spill, part, part_bytes=part_bytes))
            return [change.body for one in lists for change in one]

    assert last((1, 5, b"new"), (0, 9, b"old")) == [b"new"]
    assert last((1, 5, b"a"), (1, 7, b"b"), (1, 6, b"c")) == [b"b"]
    assert last((1, 5, b"a"), (1, 5, b"a")) == [b"a"]
    assert last((1, 5, b"a"), (2, 1, b""), part_bytes=1) == [b""]
    with pytest.raises(IntegrityError, match="two different changes"):
        last((1, 5, b"a"), (1, 5, b"b"))


def test_large_parts_are_divided_and_nothing_is_lost() -> None:
    with RowSpill() as spill:
        for number in range(3000):
            spill.add_change(number % 3, Change(str(number // 3).encode(), 0, b"x" * 50), depth=0)
        lists = [one for part in range(256) for one in last_changes(spill, part, part_bytes=200)]
    keys = [change.key for one in lists for change in one]
    assert sorted(keys) == sorted({str(number).encode() for number in range(1000)})
    assert max(len(one) for one in lists) <= 3


def test_items_of_the_model_are_what_a_table_could_hold() -> None:
    """Teeth: the random histories delete, write again, and write several times in one second."""
    writes = random_model(7).writes
    assert any(one is None for _, _, one in writes)
    assert len({second for second, _, _ in writes}) < len(writes)
    assert item("a", 1)["id"] == {"S": "a"}
