"""Hive text: separators count between values and names, never inside a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.files.dialects import Dialect, detect
from dynamodb_pipeline.formats.files.hive_text import parse_hive_line
from dynamodb_pipeline.formats.items.item_error import ItemError
from tests.unit.formats.item_texts import CONNECTOR, fits_hive, hive_text, items, retagged


@given(items.filter(fits_hive), st.booleans())
def test_every_item_survives_hive_text(item, raw_controls):
    expected = {name: retagged(value, CONNECTOR) for name, value in item.items()}
    assert parse_hive_line(hive_text(item, raw_controls=raw_controls)) == expected


@pytest.mark.parametrize(
    "name", ["a b", "a:b", "a/b", "{a", "}", '"', " a ", "a,b=c;d", "#", "été", "x\\u0002", "\x01"]
)
def test_names_are_raw(name):
    """The connector's lenient parse refuses most of these."""
    line = name.encode() + b'\x03{"s":"v"}\x02b\x03{"n":"1"}'
    assert parse_hive_line(line) == {name: {"s": "v"}, "b": {"n": "1"}}


@pytest.mark.parametrize(
    "text", ["\x02", "\x03", "a\x02b\x03c", '\x02b\x03{\\"s\\":\\"x\\"}', "\\u0002\\u0003", "\x01\x1f"]
)
def test_separators_inside_a_string_are_text(text):
    line = b'a\x03{"s":"%s"}\x02b\x03{"n":"1"}' % text.encode()
    parsed = parse_hive_line(line)
    assert parsed["b"] == {"n": "1"}
    assert parsed["a"]["s"] == text.encode().decode("unicode_escape")


@pytest.mark.parametrize(
    ("line", "reason", "path"),
    [
        (b"plain text", "without 0x03", ""),
        (b'a\x03{"s":"x"}\x02', "without 0x03", ""),
        (b'a\x03{"s":"x"}\x02b', "without 0x03", ""),
        (b'a\x02b\x03{"s":"x"}', "without 0x03", ""),
        (b'\x03{"s":"x"}', "without a name", ""),
        (b'a\x03{"s":"x"}\x02a\x03{"s":"y"}', "twice", "a"),
        (b'a\x03{"s":"x","s":"y"}', "twice", "a"),
        (b'a\x03{"m":{"b":{"l":[{"n":"1","n":"1"}]}}}', "twice", "a.b[0]"),
        (b"a\x03", "malformed JSON", "a"),
        (b'a\x03{"s":"x"', "malformed JSON", "a"),
        (b'a\x03{"s":"x"}{"s":"y"}', "between the value and the next attribute", "a"),
        (b'a\x03{"s":"x"}\x03b', "between the value and the next attribute", "a"),
        (b"a\x03\\N", "Hive's null", "a"),
        (b'a\xff\x03{"s":"x"}', "not UTF-8", ""),
        (b'a\x03{"s":"\\ud800"}', "lone surrogate", "a"),
        (b"a\x03" + b'{"l":[' * 50_000, "nested too deep", "a"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_malformed_line_is_refused_with_its_place(line, reason, path):
    with pytest.raises(ItemError) as error:
        parse_hive_line(line)
    assert reason in error.value.reason
    assert error.value.path == path


@given(items.filter(fits_hive), st.data())
def test_no_truncation_passes_for_the_whole_line(item, data):
    line = hive_text(item)
    cut = data.draw(st.integers(0, len(line) - 1))
    try:
        shorter = parse_hive_line(line[:cut])
    except ItemError:
        return
    assert len(shorter) < len(item), "a cut between two attributes: only a hash or size finds it"
    assert line[cut : cut + 1] == b"\x02"


def outcome(line: bytes, **options: int) -> object:
    try:
        return parse_hive_line(line, **options)
    except ItemError as err:
        return err.path


@given(items.filter(fits_hive), st.booleans(), st.data())
def test_a_long_line_is_read_like_any_other(item, raw_controls, data):
    line = hive_text(item, raw_controls=raw_controls)
    place = data.draw(st.integers(0, len(line)))
    line = line[:place] + data.draw(st.sampled_from([b"", b"", b" ", b"\x02", b"\x03", b'"', b"\\N"])) + line[place:]
    assert outcome(line, most_bytes=0) == outcome(line)


def test_a_first_name_like_the_beginning_of_another_format_beside_a_zero_byte_is_a_name():
    for name in (b"[", b"<a", b"[a"):
        line = name + b'\x03{"s":"x"}\x02\x00\x03{"s":"y"}\n'
        assert detect(line) is Dialect.HIVE
