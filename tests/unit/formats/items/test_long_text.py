"""Long texts of items: the verdict and value they have at once, in pieces of any size, and no more than an item."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json, scan_json
from dynamodb_pipeline.formats.items.long_text import (
    MOST_HELD_BYTES,
    LongText,
    parse_item_json,
)
from dynamodb_pipeline.formats.items.tags import NumberLiteral
from tests.unit.formats.item_texts import texts

values = st.recursive(
    st.none() | st.booleans() | texts | st.integers(-1000, 10**6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)
pieces = st.integers(9, 40)


def at_once(data: bytes):
    try:
        return parse_json(data), None
    except JsonTextError as err:
        return None, err


@given(values, pieces, st.booleans(), st.sampled_from([None, 1]))
def test_a_text_in_pieces_is_the_same_value(value, piece_bytes, ascii_only, indent):
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    expected, refused = at_once(data)
    if refused is None:
        read = LongText(data, piece_bytes=piece_bytes).whole()
        assert read == expected
        assert json.dumps(read) == json.dumps(expected)
    else:
        with pytest.raises(JsonTextError):
            LongText(data, piece_bytes=piece_bytes).whole()


@given(values, pieces, st.data())
def test_a_damaged_text_in_pieces_is_refused_as_at_once(value, piece_bytes, data):
    text = json.dumps({"a": value}, ensure_ascii=False).encode("utf-8", "replace")
    place = data.draw(st.integers(0, len(text) - 1))
    text = text[:place] + data.draw(st.sampled_from([b"", b"\xff", b'"', b",", b"1", b"}", b"\\"])) + text[place + 1 :]
    expected, refused = at_once(text)
    if refused is None:
        assert LongText(text, piece_bytes=piece_bytes).whole() == expected
    else:
        with pytest.raises(JsonTextError):
            LongText(text, piece_bytes=piece_bytes).whole()


def test_numbers_stay_literals_and_are_not_taken_for_texts():
    read = LongText(b'[{"N":"1"},{"N":1},{"N":"1"},{"N":1},{"S":"1"}]', piece_bytes=12).whole()
    assert [type(next(iter(one.values()))) for one in read] == [str, NumberLiteral, str, NumberLiteral, str]
    assert read[0] is read[2]


@pytest.mark.parametrize("piece_bytes", [5, 16, 1000])
@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (b'{"x":[{},{"y":{"a":1,"a":2}}]}', ("x", 1, "y")),
        (b'{"a":1,"b":[1,2,3,4,5,6,7,8,9],"a":2}', ()),
        (b'{"x":{"y":[0,0,0,0,0,0,{"a":1,"b":"0123456789","a":2}]}}', ("x", "y", 6)),
    ],
)
def test_a_repeated_member_is_found_with_its_place(text, steps, piece_bytes):
    with pytest.raises(JsonTextError, match='"a" stands there twice') as caught:
        LongText(text, piece_bytes=piece_bytes).whole()
    assert caught.value.steps == steps


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":[1,2,3,4,5,6,7,8,9 10]}', "Expecting ',' delimiter (byte 24)"),
        (b'{"a":[1,2,3,4,5,6,7,8,9,}', "Expecting value (byte 24)"),
        (b'{"a":["0123456789","0123456789"],b:1}', "Expecting property name enclosed in double quotes (byte 33)"),
        (b'{"a":["0123456789","0123456789"],"b" 1}', "Expecting ':' delimiter (byte 37)"),
        ('{"a":["éééééééé","éééééééé"]} x'.encode(), "other text follows the JSON value (byte 46)"),
        (b'{"a":"01234567890123456789', "does not end"),
        (b'["0123456789012",NaN]', "NaN is no JSON number"),
        (b'["01234567890123456789\\ud800"]', "lone surrogate"),
        (b'["0123456789012",' + b"[" * 100_000, "nested too deep"),
        (b"[1,2,3,4,5,6," + b"7" * 40 + b"]", "more digits than any"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, reason):
    with pytest.raises(JsonTextError) as caught:
        LongText(text, piece_bytes=16).whole()
    assert reason in str(caught.value)


def test_values_among_other_text_are_read_one_by_one():
    text = LongText('é\x03[1,2,3,4,5,6,7,8]\x02b\x03"\x02\x03"'.encode(), strict=False, piece_bytes=8)
    assert text.text_before("\x03") == "é"
    assert text.value() == list("12345678")
    assert text.took("\x02")
    assert text.text_before("\x03") == "b"
    assert text.value() == "\x02\x03" == scan_json('"\x02\x03"', 0)[0]
    assert text.peek() == ""


MANY = 40_000
HELD_BYTES = 1_000_000
HOSTILE = {
    "empty lists": b"[%s]" % b",".join([b"[]"] * MANY),
    "empty objects": b"[%s]" % b",".join([b"{}"] * MANY),
    "objects": b"[%s]" % b",".join(b'{"%x":{}}' % n for n in range(MANY)),
    "nulls in objects": b"[%s]" % b",".join(b'{"%x":null,"S":null}' % n for n in range(MANY)),
    "texts": b"[%s]" % b",".join(b'"%x"' % n for n in range(MANY)),
    "numbers": b"[%s]" % b",".join(b"%d" % n for n in range(MANY)),
    "members": b"{%s}" % b",".join(b'"%x":1' % n for n in range(MANY)),
    "wide arrays in a row": b"[%s]" % b",".join([b"[%s]" % b",".join([b"1"] * 1000)] * 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_text_makes_of_itself_is_counted(name):
    """Against Python's own count of what is held, so that no other part of the process disturbs."""
    text = LongText(HOSTILE[name], piece_bytes=4096, most_held_bytes=HELD_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(JsonTextError, match="more in it than an item"):
            text.whole()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert HELD_BYTES * 0.5 < peak < HELD_BYTES * 1.5  # a piece is parsed before it is counted


def test_a_repeated_member_behind_a_wide_array_deep_inside_takes_no_path_for_each_element():
    data = b'{"x":%s%s{"a":1,"a":2}%s}' % (b"[" * 300, b"1," * 100_000, b"]" * 300)
    tracemalloc.start()
    try:
        with pytest.raises(JsonTextError, match="stands there twice") as caught:
            parse_item_json(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.steps == ("x", *[0] * 299, 100_000)
    assert peak < 100 * len(data)


def test_the_largest_items_are_read():
    """A tenth of the most that Python can make of 400 KB, with a tenth of the memory: see MOST_HELD_BYTES."""
    texts_of_two = [chr(33 + n // 90 % 90) + chr(33 + n % 90) for n in range(13_653)]
    wide = {"a": {"L": [{"S": text} for text in texts_of_two]}}
    binary = {"a": {"B": {str(n): n % 256 for n in range(40_960)}}}
    for item in (wide, binary):
        read = LongText(json.dumps(item).encode(), piece_bytes=4096, most_held_bytes=MOST_HELD_BYTES // 10).whole()
        assert len(json.dumps(read)) >= len(json.dumps(item))  # numbers are kept as texts
