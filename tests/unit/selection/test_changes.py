"""What the table holds just so already: by item, whatever its spelling, and by line of a file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.digest import SHORT_DIGEST_BYTES, short_digest
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED
from dynamodb_pipeline.reading.key_spill import KeySpill, key_hash, key_rows, place_bytes
from dynamodb_pipeline.selection.changes import TEXT_CHARS_MAX, LineSet, Unchanged, unchanged_lines
from dynamodb_pipeline.selection.table_rows import RowKind, TableRows
from dynamodb_pipeline.store.local_disk import Spill
from tests.unit.reading.item_lines import KEYS, key_of, put_body

Item = Mapping[str, Any]
WHOLE = RowKind(KEYS, digests=True)


def exported(*items: tuple[int, int, Item]) -> KeySpill:
    """Items with file and line, as the pass over the files sends them."""
    spill = KeySpill(tail_bytes=SHORT_DIGEST_BYTES)
    rows = (place_bytes(KEYS.key_of(i), file=file, line=line, tail=short_digest(i)) for file, line, i in items)
    spill.add_block(base64.b64encode(b"".join(rows)).decode())
    return spill


def table_of(*items: Item) -> TableRows:
    spill = Spill()
    for row in map(WHOLE.row, items):
        ((key, _),) = key_rows(row, tail_bytes=SHORT_DIGEST_BYTES)
        spill.add(key_hash(key)[0], row)
    return TableRows(WHOLE, spill, len(items), NOTHING_CONSUMED, "")


def test_items_that_are_equal_by_value_are_unchanged() -> None:
    mine, same = {"id": {"S": "a"}, "n": {"N": "1.0"}}, {"n": {"N": "1"}, "id": {"S": "a"}}
    other, absent = put_body("b", 2), put_body("c")
    unchanged = unchanged_lines(
        exported((0, 1, mine), (0, 2, other), (1, 1, absent)), table_of(same, put_body("b")), but=()
    )
    assert len(unchanged) == 1
    lines = LineSet.from_text(unchanged.texts.get(0, ""))
    assert [line in lines for line in (0, 1, 2, 9, 10**9)] == [False, True, False, False, False]
    assert 1 not in unchanged.texts


def test_a_key_that_stands_twice_is_not_taken_for_unchanged() -> None:
    """Of two places the last is written by its line, whatever the table holds."""
    item = put_body("a")
    unchanged = unchanged_lines(exported((0, 1, item), (0, 7, item)), table_of(item), but={key_hash(key_of("a"))})
    assert len(unchanged) == 0


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 2)), st.dictionaries(st.integers(0, 30), st.integers(0, 2)))
def test_unchanged_is_what_both_sides_have(export: dict[int, int], table: dict[int, int]) -> None:
    places = [(key % 3, key + 1, put_body(str(key), value)) for key, value in export.items()]
    unchanged = unchanged_lines(exported(*places), table_of(*(put_body(str(k), v) for k, v in table.items())), but=())
    both = {(key % 3, key + 1) for key, value in export.items() if table.get(key) == value}
    sets = {file: LineSet.from_text(text) for file, text in unchanged.texts.items()}
    assert {(file, line) for file, lines in sets.items() for line in range(40) if line in lines} == both
    assert len(unchanged) == len(both)


def test_a_file_of_too_many_scattered_lines_is_written_whole() -> None:
    """Its unit of work would not fit into a message; a regular pattern of the same length does."""
    bits = bytearray(TEXT_CHARS_MAX)
    assert 0 in Unchanged.of({0: LineSet(bits)}).texts
    state = 1
    for number in range(len(bits)):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        bits[number] = state >> 16 & 0xFF
    scattered = Unchanged.of({0: LineSet(bits)})
    assert (scattered.texts, len(scattered)) == ({}, 0)
