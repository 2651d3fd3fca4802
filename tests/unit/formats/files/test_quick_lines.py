"""The quick way and the careful way are one: same items, and no line that only one of them takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.files import dialect_lines
from dynamodb_pipeline.formats.files.dialect_lines import Dialect
from dynamodb_pipeline.formats.items.item_error import ItemError
from tests.unit.formats.item_texts import (
    CONNECTOR,
    LOWER,
    TEMPLATE,
    UPPER,
    fits_hive,
    hive_text,
    items,
    json_text,
    native_text,
)

REGULAR = [
    (Dialect.CONNECTOR, lambda item: json_text(item, CONNECTOR)),
    (Dialect.CONNECTOR, lambda item: json_text(item, TEMPLATE)),
    (Dialect.LOWER_CASE, lambda item: json_text(item, LOWER)),
    (Dialect.DYNAMODB_JSON, lambda item: json_text(item, UPPER)),
    (Dialect.NATIVE, native_text),
    (Dialect.HIVE, lambda item: hive_text(item) if fits_hive(item) else b'a\x03{"s":"x"}'),
]


def quick(line: bytes, dialect: Dialect):
    function, tags = dialect_lines._QUICK[dialect]
    return function(line, tags)


def careful(line: bytes, dialect: Dialect):
    try:
        return dialect_lines._careful_item(line, dialect)
    except ItemError:
        return None


@given(items, st.sampled_from(REGULAR))
def test_a_regular_line_goes_the_quick_way(item, written):
    dialect, write = written
    line = write(item)
    assert quick(line, dialect) == careful(line, dialect) != None  # noqa: E711 - a chain of three


@given(items, st.sampled_from(REGULAR), st.data())
def test_the_quick_way_takes_no_line_that_the_careful_way_refuses(item, written, data):
    """Damaged at one place: a byte replaced, removed or doubled."""
    dialect, write = written
    line = bytearray(write(item))
    place = data.draw(st.integers(0, len(line) - 1))
    line[place : place + 1] = data.draw(
        st.sampled_from([b"", b'"', b"{", b"}", b"[", b",", b":", b"\x02", b"\x03", b"1", b"\xff"])
    )
    found = quick(bytes(line), dialect)
    assert found is None or found == careful(bytes(line), dialect)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":{"s":"x"},"a":{"s":"y"}}',
        b'{"a":{"s":"x","s":"y"}}',
        b'{"a":{"m":{"k":{"s":"x"},"k":{"s":"x"}}}}',
        b'{"a":[["s","x"]]}',
        b'{"a":{"l":{"s":"x"}}}',
        b'{"a":{"m":[["k",{"s":"x"}]]}}',
        b'[["a",{"s":"x"}]]',
        b'{"a":{"s":1}}',
        b'{"a":{"n":1}}',
        b'{"a":{"bOOL":"true"}}',
        b'{"a":{"bOOL":1}}',
        b'{"a":{"sS":["x",1]}}',
        b'{"a":{"sS":"x"}}',
        b'{"a":{"s":NaN}}',
        b'{"a":{"S":"x"}}',
        b'{"a":{"s":"\\ud800"}}',
        b'{"a":{"s":"x"}} x',
        b'{"a":{"s":"\xff"}}',
        b'{"a":{"s":"x"}}\x00',
        b'{"a":' * 50_000,
    ],
    ids=lambda line: repr(line)[:40],
)
def test_the_quick_way_declines_what_is_not_regular(line):
    """`n: 1` is taken by the careful way, the rest by none."""
    assert quick(line, Dialect.CONNECTOR) is None


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        (Dialect.HIVE, b'a\x03{"s":"x"},b\x03{"s":"y"}'),
        (Dialect.HIVE, b'a\x03{"s":"x"} \x02b\x03{"s":"y"}'),
        (Dialect.HIVE, b'a\x02b\x03{"s":"x"}'),
        (Dialect.HIVE, b'\x03{"s":"x"}'),
        (Dialect.HIVE, b'a\x03{"s":"x"}\x02a\x03{"s":"x"}'),
        (Dialect.HIVE, b'a\x03{"s":"x"}\x02'),
        (Dialect.NATIVE, b'{"Other":{"Id":{"S":"x"}}}'),
        (Dialect.NATIVE, b'{"Item":{"Id":{"S":"x"}},"b":{"S":"y"}}'),
        (Dialect.NATIVE, b'{"Item":[["Id",{"S":"x"}]]}'),
        (Dialect.NATIVE, b'{"Item":{"Id":{"s":"x"}}}'),
    ],
    ids=repr,
)
def test_the_quick_way_declines_what_another_dialect_would_not_allow(dialect, line):
    assert quick(line, dialect) is None
