"""Requests cut from a stream of puts: DynamoDB's limits of one BatchWriteItem, and the budget's."""

from __future__ import annotations

from dynamodb_pipeline.importing.table_writer import MAX_BYTES, MAX_ITEMS, batches
from dynamodb_pipeline.reading.file_puts import Put


def put(key: str | None, *, units: float = 1, body_bytes: int = 10) -> Put:
    return Put(b"x" * body_bytes, units, key.encode() if key else None, 1)


def test_a_request_holds_at_most_25_items_and_no_item_is_lost() -> None:
    puts = [put(str(n)) for n in range(MAX_ITEMS * 2 + 1)]
    cut = list(batches(puts))
    assert [len(batch) for batch in cut] == [25, 25, 1]
    assert [p for batch in cut for p in batch] == puts


def test_no_key_stands_twice_in_a_request() -> None:
    """DynamoDB refuses the whole request; the later of the two has to come later."""
    cut = list(batches([put("a"), put("b"), put("a"), put("c")]))
    assert [[p.key for p in batch] for batch in cut] == [[b"a", b"b"], [b"a", b"c"]]


def test_puts_of_unknown_keys_are_not_taken_for_one_key() -> None:
    assert [len(batch) for batch in batches([put(None), put(None)])] == [2]


def test_a_request_keeps_to_its_units_and_a_larger_put_goes_alone() -> None:
    cut = list(batches([put("a", units=3), put("b", units=3), put("c", units=9), put("d", units=1)], max_units=5))
    assert [[p.units for p in batch] for batch in cut] == [[3], [3], [9], [1]]


def test_a_request_keeps_below_16_mb() -> None:
    cut = list(batches([put("a", body_bytes=MAX_BYTES - 5), put("b", body_bytes=5), put("c", body_bytes=1)]))
    assert [len(batch) for batch in cut] == [2, 1]
