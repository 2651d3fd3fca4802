"""Strict JSON: everything Python's parser would let through without a word is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.json_text import JsonTextError, integer, parse_json, scan_json
from dynamodb_pipeline.formats.items.tags import NumberLiteral
from tests.unit.formats.item_texts import texts

json_values = st.recursive(
    st.none() | st.booleans() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@given(json_values, st.booleans(), st.sampled_from(["", " ", "\r\n\t "]))
def test_parse_json_gives_the_value_when_the_text_is_strict(value, ascii_only, space):
    value = json.loads(json.dumps(value, ensure_ascii=True)) if ascii_only else value
    text = space + json.dumps(value, ensure_ascii=ascii_only) + space
    assert parse_json(text.encode("utf-8")) == value


@given(json_values.map(lambda value: json.dumps({"a": value}, ensure_ascii=False).encode()), st.data())
def test_parse_json_refuses_every_truncation(text, data):
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(JsonTextError):
        parse_json(text[:cut])


@pytest.mark.parametrize("text", ["1.50", "1E+2", "-0", "9" * 5000, "123456789012345678901234567890.1234567890"])
def test_parse_json_keeps_numbers_as_their_literal_text(text):
    """No float and no int: 38 digits survive, and 5000 digits cost nothing."""
    assert parse_json(b'{"n":%s}' % text.encode()) == {"n": text}
    assert isinstance(parse_json(text.encode()), NumberLiteral)
    assert not isinstance(parse_json(b'"%s"' % text.encode()), NumberLiteral)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":1,"b":2,"a":3}', 'member "a" stands there twice'),
        (b'{"x":[{"a":1,"\\u0061":3}]}', 'member "a" stands there twice'),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udc00\\ud800":1}', "lone surrogate"),
        (b'"\\uD83D\\u0041"', "lone surrogate"),
        (b'"\xff"', "not UTF-8 (byte 1)"),
        (b'"\xed\xa0\x80"', "not UTF-8 (byte 1)"),
        (b'"\xc0\xaf"', "not UTF-8 (byte 1)"),
        (b'{"a":1} x', "other text follows the JSON value (byte 7)"),
        (b'{"a":1}{"a":1}', "other text follows the JSON value (byte 7)"),
        (b"\xef\xbb\xbf{}", "malformed JSON: Expecting value (byte 0)"),
        (b'{"a":1,}', "malformed JSON"),
        (b"{'a':1}", "malformed JSON"),
        (b"[01]", "malformed JSON"),
        (b'"\x02"', "malformed JSON: Invalid control character at (byte 1)"),
        ('{"é":"'.encode(), "malformed JSON: Unterminated string starting at (byte 6)"),
        (b"", "malformed JSON"),
        (b"  ", "malformed JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_parse_json_refuses_what_is_not_strict(text, reason):
    with pytest.raises(JsonTextError) as error:
        parse_json(text)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (b'{"a":1,"a":2}', ()),
        (b' {"x":[{},{"y":{"a":1,"a":2}}]}', ("x", 1, "y")),
        (b'{"x":{"a":1,"a":2}},,', ("x",)),
        (b'{"x":{"a":1,"a":2},,', ()),
    ],
)
def test_a_repeated_member_is_found_where_the_text_can_be_read_once_more(text, steps):
    with pytest.raises(JsonTextError, match='"a" stands there twice') as caught:
        parse_json(text)
    assert caught.value.steps == steps


def test_parse_json_takes_a_whole_surrogate_pair():
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"
    assert parse_json(b'"\\\\ud800"') == "\\ud800"


def test_parse_json_never_puts_values_into_its_message():
    with pytest.raises(JsonTextError) as error:
        parse_json(b'{"a":"secret" "b"}')
    assert "secret" not in str(error.value)


def test_parse_json_cuts_a_long_member_name_in_its_message():
    with pytest.raises(JsonTextError) as error:
        parse_json(b'{"%s":1,"%s":2}' % (b"n" * 500, b"n" * 500))
    assert len(str(error.value)) < 120


def test_scan_json_takes_raw_control_characters_and_stops_at_the_value():
    assert scan_json('x {"a":"\x02\x03"}\x02rest', 1) == ({"a": "\x02\x03"}, 12)


@pytest.mark.parametrize("text", [b"0", b"7", b"9223372036854775807"])
def test_integer_takes_whole_numbers(text):
    assert integer(parse_json(text)) == int(text)


@pytest.mark.parametrize(
    "text", [b"-1", b"1.0", b"1e3", b"9223372036854775808", b'"7"', b"true", b"null", b"99999999999999999999999"]
)
def test_integer_refuses_everything_else(text):
    with pytest.raises(ValueError, match="whole number"):
        integer(parse_json(text))
