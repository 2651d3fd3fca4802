"""Mirror: exactly the keys the export lacks are deleted, never more than the cap, in bounded rounds."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.dynamodb.scan_reply import ScanPage
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.importing.mirror import (
    KEYS_PER_UNIT,
    DeletionPlan,
    delete_unit,
    plan_text,
    refuse_too_many,
    rounds,
    subtract,
)
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED
from dynamodb_pipeline.passes.table_scan import PAGE_UNITS, UNIT_BYTES, RowSink
from dynamodb_pipeline.rate.work_size import EVENTUAL_BYTES_PER_UNIT
from dynamodb_pipeline.reading.key_spill import (
    KeySpill,
    key_hash,
    key_row,
    key_rows,
    place_bytes,
)
from dynamodb_pipeline.selection.table_rows import RowKind, TableRows
from dynamodb_pipeline.settings.values import ItemLimit
from dynamodb_pipeline.store.local_disk import PARTS, Spill
from dynamodb_pipeline.workers.protocol import LINE_BYTES_MAX
from tests.unit.reading.item_lines import COMPOSITE, KEYS, key_of, put_body
from tests.unit.workers.fake_work import FakeWork


def page(items: list[dict[str, Any]]) -> ScanPage:
    return ScanPage(json.dumps({"Items": items}).encode(), len(items), len(items), None, {"table": 1.0})


def keys_in(spill: Spill) -> list[bytes]:
    return sorted(key for part in range(PARTS) for key, _ in key_rows(spill.part(part)))


def add_keys(spill: Spill, names: Iterable[str]) -> None:
    for name in names:
        key = key_of(name)
        spill.add(key_hash(key)[0], key_row(key))


class FakeDeleter:
    """A `TableWriter` of which only `delete` is asked."""

    def __init__(self) -> None:
        self.requests: list[dict[bytes, float]] = []

    def delete(self, keys: Mapping[bytes, float]) -> None:
        self.requests.append(dict(keys))


@given(st.lists(st.binary(min_size=1, max_size=300)), st.integers(0, 16))
def test_rows_come_back_as_they_were_written(keys: list[bytes], tail_bytes: int) -> None:
    tails = [bytes([n % 256]) * tail_bytes for n in range(len(keys))]
    data = b"".join(key_row(key, tail) for key, tail in zip(keys, tails))
    assert list(key_rows(data, tail_bytes=tail_bytes)) == list(zip(keys, tails))


def test_a_unit_of_the_smallest_keys_fits_into_a_message() -> None:
    """5 bytes an item: a name and a value of one character each, and no more than the longest key's row otherwise."""
    smallest = len(key_row(key_of("k"), bytes(16)))
    page_bytes = PAGE_UNITS * EVENTUAL_BYTES_PER_UNIT
    assert (UNIT_BYTES + page_bytes / 5 * smallest) * 4 / 3 < LINE_BYTES_MAX
    assert (UNIT_BYTES + page_bytes * 2) * 4 / 3 < LINE_BYTES_MAX


def rows_of(spill: Spill) -> TableRows:
    return TableRows(RowKind(KEYS), spill, 0, NOTHING_CONSUMED, "25 % of 100")


def test_only_keys_that_the_export_lacks_are_planned() -> None:
    table = [f"k{n}" for n in range(1000)]
    export = [f"k{n}" for n in range(0, 2000, 2)]
    with KeySpill() as export_keys, Spill() as table_keys, Spill() as unwanted:
        rows = b"".join(place_bytes(key_of(name), file=0, line=1) for name in export)
        export_keys.add_block(base64.b64encode(rows).decode())
        add_keys(table_keys, table)
        assert subtract(rows_of(table_keys), export_keys, unwanted) == 500
        assert keys_in(unwanted) == sorted(key_of(f"k{n}") for n in range(1, 1000, 2))


def test_an_empty_export_dooms_every_key_and_an_empty_table_none() -> None:
    with KeySpill() as nothing, Spill() as table_keys, Spill() as unwanted:
        add_keys(table_keys, ["a", "b"])
        assert subtract(rows_of(Spill()), nothing, unwanted) == 0
        assert subtract(rows_of(table_keys), nothing, unwanted) == 2


def test_a_tables_keys_become_rows_until_the_unit_is_full() -> None:
    sink = RowSink(RowKind(KEYS).row)
    assert sink.add(page([put_body("a"), put_body("b")]))
    assert [key for key, _ in key_rows(base64.b64decode(sink.record()["rows"]))] == [key_of("a"), key_of("b")]
    assert sink.record() == {"rows": ""}
    assert not sink.add(page([put_body(f"{n}" + "k" * 2000) for n in range(300)]))
    sink.abandon()
    assert sink.record() == {"rows": ""}


def plan(planned: int, *, before: int = 0, table_items: int = 100) -> DeletionPlan:
    return DeletionPlan(table_items, planned, before)


@pytest.mark.parametrize(
    ("planned", "before", "limit", "refused"),
    [(10, 0, (None, 10.0), False), (11, 0, (None, 10.0), True), (6, 5, (None, 10.0), True), (6, 5, (11, None), False)],
)
def test_the_cap_holds_for_all_attempts_together(
    planned: int, before: int, limit: tuple[int | None, float | None], refused: bool
) -> None:
    found = plan(planned, before=before)
    if not refused:
        refuse_too_many(found, ItemLimit(*limit), table="orders")
        return
    with pytest.raises(PreconditionError, match=r"nothing was deleted or written.*raise --max-deletions"):
        refuse_too_many(found, ItemLimit(*limit), table="orders")


def test_the_plan_says_counts_and_the_cap() -> None:
    text = plan_text(plan(6, before=3), ItemLimit(None, 10.0), table="orders")
    assert "table 'orders' had 100 items, 9 of them are not in the export" in text
    assert "--max-deletions allows 10% (10 items); 3 are deleted already" in text


def test_every_unwanted_key_is_in_exactly_one_unit() -> None:
    with Spill() as unwanted:
        add_keys(unwanted, (f"k{n}" for n in range(1203)))
        units = [unit for some in rounds(unwanted) for unit in some]
        found = [key for unit in units for key, _ in key_rows(base64.b64decode(unit.body["keys"]))]
        assert sorted(found) == keys_in(unwanted)
    assert len(units) == -(-1203 // KEYS_PER_UNIT)
    assert len({unit.work_id for unit in units}) == len(units)


def test_deletions_are_requests_of_25_keys_in_any_type() -> None:
    items = [{"id": {"S": 'a"b'}, "n": {"N": f"{n}.50"}} for n in range(60)]
    rows = b"".join(key_row(COMPOSITE.key_of(item)) for item in items)
    work, writer = FakeWork(), FakeDeleter()
    body = {"work_id": "delete-1", "keys": base64.b64encode(rows).decode()}
    delete_unit(body, writer=writer, grants=work, keys=COMPOSITE, item_units=2)  # type: ignore[arg-type]
    assert [len(request) for request in writer.requests] == [25, 25, 10]
    sent = [json.loads(key) for request in writer.requests for key in request]
    assert sent == [{"id": {"S": 'a"b'}, "n": {"N": f"{n}.5"}} for n in range(60)]
    assert {units for request in writer.requests for units in request.values()} == {2}
    assert (work.records, work.items) == ({"delete-1": {"deleted": 60}}, 60)
