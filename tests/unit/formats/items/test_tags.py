"""Tags of every dialect to upper case, and items back to the connector's own lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import parse_json
from dynamodb_pipeline.formats.items.tags import (
    CONNECTOR_TAGS,
    NumberLiteral,
    dynamodb_tag,
    item_to_connector_line,
    to_dynamodb,
)
from tests.unit.formats.strategies import items


def parsed(text: str):
    """As a parser that keeps bare numbers as their literals."""
    return json.loads(text, parse_int=NumberLiteral, parse_float=NumberLiteral)


# A line that the connector's own writer (5.0.0) made of this item, kept as it came.
CONNECTOR_LINE = (
    '{"s":{"s":"a<b>&\'=\\u2028\\u0001\\"é\\n"},"n":{"n":"1E+2"},"b":{"b":"aGk="},"ss":{"sS":["x"]},'
    '"bool":{"bOOL":false},"null":{"nULL":true},"m":{"m":{}},"l":{"l":[]},"es":{"s":""}}\n'
)
ITEM = {
    "s": {"S": "a<b>&'=\u2028\x01\"é\n"},
    "n": {"N": "1E+2"},
    "b": {"B": "aGk="},
    "ss": {"SS": ["x"]},
    "bool": {"BOOL": False},
    "null": {"NULL": True},
    "m": {"M": {}},
    "l": {"L": []},
    "es": {"S": ""},
}


def test_the_connectors_own_line_is_read_and_written_again():
    assert to_dynamodb(parsed(CONNECTOR_LINE)) == ITEM
    assert item_to_connector_line(ITEM) == CONNECTOR_LINE.encode()


def test_null_tag_of_the_old_templates():
    """As in a template's export of 2019 (aws-sdk-js issue 2486)."""
    assert item_to_connector_line({"url": {"NULL": True}}, null_tag="nULLValue") == b'{"url":{"nULLValue":true}}\n'


@pytest.mark.parametrize("character", [chr(code) for code in range(0x20)] + list("\"\\\x7f\x85\u2028\u2029\ufeff<&'"))
def test_only_what_gson_escapes_is_escaped(character):
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\"}
    escaped = character < " " or character in "\u2028\u2029"
    written = short.get(character, f"\\u{ord(character):04x}" if escaped else character)
    assert item_to_connector_line({character: {"S": character}}).decode() == f'{{"{written}":{{"s":"{written}"}}}}\n'


def test_attributes_stay_in_order():
    names = ["z", "a", "é", "M", "0"]
    assert list(parsed(item_to_connector_line({name: {"S": ""} for name in names}).decode())) == names


@pytest.mark.parametrize("null_tag", ["NULL", "nULL", "null", "nULLValue", "NULLVALUE", "nullvalue"])
def test_every_name_of_null_is_null(null_tag):
    assert to_dynamodb({"a": {null_tag: True}}) == {"a": {"NULL": True}}


@pytest.mark.parametrize("tag", CONNECTOR_TAGS)
def test_tags_are_compared_without_case(tag):
    spellings = {tag, tag.lower(), tag[0].lower() + tag[1:], tag.capitalize()}
    assert {dynamodb_tag(spelling) for spelling in spellings} == {tag}


@pytest.mark.parametrize("tag", ["", "X", "SSS", "NULLVAL", " S", "ſ", "ｓ", "ß", "boolean", "Item"])
def test_anything_else_is_no_tag(tag):
    """The capital of `ſ` is S and that of `ß` is SS: only ASCII letters make tags."""
    assert dynamodb_tag(tag) is None
    with pytest.raises(ItemError, match="unknown type tag"):
        to_dynamodb({"a": {tag: "x"}})


def test_bare_numbers_keep_their_literal_text():
    tree = parsed('{"n":{"n":12345678901234567890123456789012345678.0},"s":{"nS":[1e2,"3",-0]}}')
    item = to_dynamodb(tree)
    assert item == {"n": {"N": "12345678901234567890123456789012345678.0"}, "s": {"NS": ["1e2", "3", "-0"]}}
    assert {type(number) for number in [item["n"]["N"], *item["s"]["NS"]]} == {str}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"a":{"s":5}}', "a"),
        ('{"a":{"b":5}}', "a"),
        ('{"a":{"sS":["x",5]}}', "a.SS[1]"),
        ('{"a":{"bS":[5]}}', "a.BS[0]"),
        ('{"a":{"sS":"x"}}', "a.SS"),
        ('{"a":{"n":true}}', "a"),
        ('{"a":{"nS":[true]}}', "a.NS[0]"),
        ('{"a":{"bOOL":"true"}}', "a"),
        ('{"a":{"bOOL":1}}', "a"),
        ('{"a":{"nULL":null}}', "a"),
        ('{"a":{"nULL":"true"}}', "a"),
        ('{"a":{"s":null}}', "a"),
        ('{"a":{"s":["x"]}}', "a"),
        ('{"a":{"l":{"s":"x"}}}', "a"),
        ('{"a":{"m":[{"s":"x"}]}}', "a"),
        ('{"a":null}', "a"),
        ('{"a":"text"}', "a"),
        ('{"a":[]}', "a"),
        ('{"a":{}}', "a"),
        ('{"a":{"s":"x","n":"1"}}', "a"),
        ('{"a":{"s":"x","S":"x"}}', "a"),
        ('{"a":{"m":{"b":{"l":[{"s":""},{"x":""}]}}}}', "a.b[1]"),
        ('{"a":{"l":[{"m":{"b c":{"sS":[null]}}}]}}', 'a[0]."b c".SS[0]'),
        ('{"a":{"l":["x"]}}', "a[0]"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_place(text, path):
    with pytest.raises(ItemError) as caught:
        to_dynamodb(parsed(text))
    assert caught.value.path == path


@pytest.mark.parametrize("tree", [[], "x", None, NumberLiteral("5"), True])
def test_an_item_is_an_object(tree):
    with pytest.raises(ItemError, match="object") as caught:
        to_dynamodb(tree)
    assert caught.value.path == ""


def test_endless_nesting_is_refused_and_not_a_crash():
    tree: dict = {"s": ""}
    for _ in range(5000):
        tree = {"l": [tree]}
    with pytest.raises(ItemError, match="nested deeper"):
        to_dynamodb({"a": tree})


def test_a_lone_surrogate_cannot_be_written():
    with pytest.raises(ItemError, match="surrogate"):
        item_to_connector_line({"a": {"S": "\ud800"}})


def test_messages_hold_no_contents():
    secret = "hunter2"
    for tree in ({"a": {"n": [secret]}}, {"a": {secret: secret}}, {"a": {"bOOL": secret}}, {"a": secret}):
        with pytest.raises(ItemError) as caught:
            to_dynamodb(tree)
        assert secret not in str(caught.value)


def test_odd_names_are_escaped_and_cut_in_paths():
    with pytest.raises(ItemError) as caught:
        to_dynamodb({"\n" * 100: {"s": []}})
    assert caught.value.path == '"' + "\\n" * 64 + '..."'


@given(items)
def test_items_come_back_from_their_lines(item):
    for null_tag in ("nULL", "nULLValue"):
        line = item_to_connector_line(item, null_tag=null_tag)
        assert line.count(b"\n") == 1
        assert to_dynamodb(json.loads(line)) == item
    assert to_dynamodb(item) == item


@given(items)
def test_the_input_is_not_changed(item):
    before = json.dumps(item)
    to_dynamodb(item)
    item_to_connector_line(item)
    assert json.dumps(item) == before


NULLS = dict.fromkeys(("B", "BOOL", "BS", "L", "M", "N", "NS", "NULL", "S", "SS"))
UNSET = {
    **{"B": None, "BOOL": False, "IsBOOLSet": False, "BS": [], "L": [], "IsLSet": False, "M": {}, "IsMSet": False},
    **{"N": None, "NS": [], "NULL": False, "S": None, "SS": []},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({**NULLS, "S": "x"}, {"S": "x"}),
        ({**NULLS, "M": {"a": {**NULLS, "L": [{**NULLS, "NULL": True}]}}}, {"M": {"a": {"L": [{"NULL": True}]}}}),
        ({"s": "x", "sS": None, "nULLValue": None}, {"S": "x"}),
        ({**UNSET, "S": ""}, {"S": ""}),
        ({**UNSET, "IsLSet": True}, {"L": []}),
        ({**UNSET, "IsMSet": True}, {"M": {}}),
        ({**UNSET, "IsBOOLSet": True}, {"BOOL": False}),
        ({**UNSET, "NULL": True}, {"NULL": True}),
        ({**UNSET, "SS": ["x"]}, {"SS": ["x"]}),
        ({"B": {"type": "Buffer", "data": [0, 255]}}, {"B": "AP8="}),
        ({"B": {"type": "Buffer", "data": []}}, {"B": ""}),
        ({"b": {"0": 104, "1": 105}}, {"B": "aGk="}),
        ({"BS": [{"type": "Buffer", "data": [104]}, "aQ=="]}, {"BS": ["aA==", "aQ=="]}),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_a_dump_that_can_mean_one_thing_is_read(value, expected):
    tree = parse_json(json.dumps({"a": value}).encode())
    assert to_dynamodb(tree) == {"a": expected}


@pytest.mark.parametrize(
    "value",
    [
        NULLS,
        {**NULLS, "S": "x", "N": "1"},
        {"S": None},
        {"S": "x", "other": None},
        {"S": "x", "N": "1"},
        UNSET,
        {**UNSET, "S": "x", "N": "1"},
        {**UNSET, "S": "x", "IsLSet": True},
        {"S": "x", "IsLSet": "no"},
        {"B": {}},
        {"B": {"1": 104, "0": 105}},
        {"B": {"0": 104, "2": 105}},
        {"B": {"0": 256}},
        {"B": {"0": -1}},
        {"B": {"0": "1"}},
        {"B": {"0": 1.0}},
        {"B": [104]},
        {"B": {"type": "Blob", "data": [1]}},
        {"B": {"type": "Buffer", "data": {"0": 1}}},
        {"S": {"type": "Buffer", "data": [1]}},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_a_dump_that_can_mean_two_things_is_refused(value):
    with pytest.raises(ItemError):
        to_dynamodb(parse_json(json.dumps({"a": value}).encode()))


def test_dumps_are_read_and_never_written():
    for value in ({**NULLS, "S": "x"}, {"B": {"0": 104}}):
        with pytest.raises(ItemError):
            item_to_connector_line({"a": value})
