"""DynamoDB's rules: verdicts of the service where they are recorded, the developer guide elsewhere."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.item_rules import (
    MAX_ITEM_BYTES,
    ItemError,
    check_item,
    item_size_bytes,
    validate_item,
    write_units,
)
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeyAttribute, KeySchema
from dynamodb_pipeline.formats.items.scalars import decode_base64
from dynamodb_pipeline.formats.items.tags import NumberLiteral
from tests.unit.formats.strategies import items, names, values

KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"),))


def nested(levels: int, *, kind: str, leaf: dict | None = None) -> dict:
    """`leaf` inside `levels` lists or maps."""
    value = {"S": "leaf"} if leaf is None else leaf
    for _ in range(levels):
        value = {"L": [value]} if kind == "L" else {"M": {"n": value}}
    return value


def refusal(value: object) -> ItemError:
    with pytest.raises(ItemError) as caught:
        validate_item({"a": value})
    return caught.value


@given(items)
def test_valid_items_pass_and_stay_as_they_are(item):
    before = json.dumps(item)
    validate_item(item)
    assert json.dumps(item) == before


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""},
        {"B": ""},
        {"L": []},
        {"M": {}},
        {"L": [{"L": []}, {"M": {}}]},
        {"SS": [""]},
        {"BS": [""]},
        {"SS": ["a", "A", "\u00e1", "a\u0301"]},
        {"NULL": True},
        {"BOOL": False},
        {"S": "\x00\x02\x03\x85\u2028\ufeff\U0001f600"},
    ],
)
def test_empty_and_odd_contents_are_kept(value):
    validate_item({"a": value})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"S": 5}, "a"),
        ({"S": NumberLiteral("5")}, "a"),
        ({"S": None}, "a"),
        ({"S": "\ud83d"}, "a"),
        ({"N": 5}, "a"),
        ({"N": NumberLiteral("5")}, "a"),
        ({"N": ""}, "a"),
        ({"N": "NaN"}, "a"),
        ({"N": "1" * 39}, "a"),
        ({"BOOL": "true"}, "a"),
        ({"BOOL": 1}, "a"),
        ({"BOOL": None}, "a"),
        ({"NULL": False}, "a"),
        ({"NULL": "true"}, "a"),
        ({"NULL": 1}, "a"),
        ({"SS": []}, "a"),
        ({"NS": []}, "a"),
        ({"BS": []}, "a"),
        ({"SS": "x"}, "a"),
        ({"SS": {"x": 1}}, "a"),
        ({"SS": ["a", "b", "a"]}, "a.SS[2]"),
        ({"SS": ["", ""]}, "a.SS[1]"),
        ({"SS": ["\u00e9", "\u00e9"]}, "a.SS[1]"),
        ({"SS": ["a", 1]}, "a.SS[1]"),
        ({"SS": ["a", NumberLiteral("1")]}, "a.SS[1]"),
        ({"SS": ["a", "\udc00"]}, "a.SS[1]"),
        ({"NS": ["1", "x"]}, "a.NS[1]"),
        ({"NS": ["1", "1.0"]}, "a.NS[1]"),
        ({"NS": ["0", "3", "-0"]}, "a.NS[2]"),
        ({"NS": ["100", "1E+2"]}, "a.NS[1]"),
        ({"BS": ["AA==", "AA=="]}, "a.BS[1]"),
        ({"BS": ["", ""]}, "a.BS[1]"),
        ({"BS": ["AA"]}, "a.BS[0]"),
        ({"L": {}}, "a"),
        ({"L": "x"}, "a"),
        ({"L": None}, "a"),
        ({"L": [{"S": "x"}, "x"]}, "a[1]"),
        ({"L": [{"S": "x"}, {}]}, "a[1]"),
        ({"M": []}, "a"),
        ({"M": {"b": {"L": [{"S": "x"}, {"SS": ["y", "y"]}]}}}, "a.b[1].SS[1]"),
        ({"M": {"": {"S": "x"}}}, 'a.""'),
        ({"M": {"\ud800": {"S": "x"}}}, 'a."\\ud800"'),
        ({}, "a"),
        ({"S": "x", "N": "1"}, "a"),
        ({"s": "x"}, "a"),
        ({"X": "x"}, "a"),
        ([], "a"),
        ("x", "a"),
        (None, "a"),
    ],
    ids=repr,
)
def test_what_the_service_refuses_is_refused_with_its_place(value, path):
    assert refusal(value).path == path


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AAAAA",
        "=",
        "====",
        "A===",
        "AA=A",
        "AA==AAAA",
        "AAA ",
        " AAA",
        "AA==\n",
        "AAA\n",
        "AA-_",
        "AAA*",
        "ÄÄÄÄ",
        "23456",
        "=+/=",
        "+/+=",
        "AB==",
        "AAB=",
        "fakebase64",
    ],
)
def test_base64_must_be_the_one_spelling(text):
    """`23456`, `=+/=` and `+/+=` are what dynalite's tests recorded of the service."""
    assert "base64" in refusal({"B": text}).reason


@given(st.binary(max_size=40))
def test_every_binary_is_taken_and_measured(raw):
    text = base64.b64encode(raw).decode()
    assert decode_base64(text) == raw
    assert item_size_bytes({"a": {"B": text}}) == 1 + len(raw)


@given(st.text("ABQgw048+/= \n-", max_size=8))
def test_base64_is_taken_exactly_when_encoding_it_again_gives_the_same(text):
    try:
        same = base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        same = False
    if same:
        validate_item({"a": {"B": text}})
    else:
        refusal({"B": text})


@pytest.mark.parametrize("kind", ["L", "M"])
def test_nesting_limit_is_where_the_service_has_it(kind):
    """31 maps around a text are taken, 32 refused (dynamodb-conformance, limits/nestingDepth)."""
    validate_item({"a": nested(31, kind=kind)})
    assert "32 levels" in refusal(nested(32, kind=kind)).reason
    assert refusal(nested(5000, kind=kind)).steps


@given(values, names)
def test_a_bad_value_is_found_wherever_it_is(value, name):
    item = {name: value, f"{name}2": {"L": [value, {"M": {"x": {"BOOL": "yes"}}}]}}
    with pytest.raises(ItemError) as caught:
        validate_item(item)
    assert caught.value.steps == (f"{name}2", 1, "x")


def test_messages_hold_no_contents():
    secret = "hunter2"
    for value in ({"N": secret}, {"B": secret}, {"SS": [secret, secret]}, {secret: "x"}, {"BOOL": secret}):
        assert secret not in str(refusal(value))


def test_attribute_names_have_1_to_65535_bytes():
    validate_item({"é" * 32767 + "x": {"S": ""}})
    with pytest.raises(ItemError, match="65536 bytes"):
        validate_item({"é" * 32768: {"S": ""}})
    with pytest.raises(ItemError, match="0 bytes"):
        validate_item({"": {"S": ""}})


# Sizes. S, N, B and the limit: measured to the byte (dynamodb-conformance, limits/itemSizeBySurface and
# numberByteSize); lists, maps and sets: ExtendDB pull request 217, asked of the service; the rest: developer guide,
# "DynamoDB item sizes and formats".
@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "é"}, 2),
        ({"S": "\U0001f600"}, 4),
        ({"N": "3.14159"}, 5),
        ({"N": "-42"}, 3),
        ({"B": "AAA="}, 2),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "é", "c"]}, 5),
        ({"NS": ["1", "3.14159"]}, 7),
        ({"BS": ["AA==", "AAAA", ""]}, 4),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "aa"}]}, 3 + 1 + 2),
        ({"M": {"é": {"S": "aa"}}}, 3 + 1 + 2 + 2),
        ({"L": [{"L": []}, {"M": {"k": {"N": "1"}}}]}, 3 + 1 + 3 + 1 + (3 + 1 + 1 + 2)),
    ],
    ids=repr,
)
def test_size_by_the_services_rule(value, size_bytes):
    assert item_size_bytes({"né": value}) == 3 + size_bytes


def test_capacity_the_service_charged_for_a_list():
    """A put of 500 elements `{"S":"aa"}` consumed 2 units (ExtendDB pull request 217)."""
    item = {"pk": {"S": "list-500"}, "l": {"L": [{"S": "aa"}] * 500}}
    assert write_units(item_size_bytes(item)) == 2


@pytest.mark.parametrize(("size_bytes", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (1536, 2), (409_600, 400)])
def test_write_units(size_bytes, units):
    assert write_units(size_bytes) == units


def test_item_limit_is_exact():
    """409,600 bytes are taken, one more is refused, names and key counted (dynamodb-conformance)."""
    item = {"Id": {"S": "k"}, "n": {"N": "3.14159"}, "p": {"S": "x" * (MAX_ITEM_BYTES - 3 - 6 - 1)}}
    assert check_item(item, keys=KEYS).size_bytes == 409_600
    item["p"]["S"] += "x"
    with pytest.raises(ItemError, match="item has 409601 bytes, DynamoDB takes 409600") as caught:
        check_item(item, keys=KEYS)
    assert caught.value.path == ""
    assert item_size_bytes(item) == 409_601


@given(items)
def test_size_never_exceeds_the_json(item):
    """Why an import may reserve by the length of a line before it has looked into it."""
    assert item_size_bytes(item) <= len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())


def test_keys_are_checked_and_handed_back():
    facts = check_item({"Id": {"S": "x"}}, keys=KEYS)
    assert facts == (3, KEYS.key_of({"Id": {"S": "x"}}))
    for item in ({}, {"Id": {"S": ""}}, {"Id": {"N": "1"}}, {"id": {"S": "x"}}):
        with pytest.raises(ItemError) as caught:
            check_item(item, keys=KEYS)
        assert caught.value.path == "Id"


def test_indexed_attributes_are_checked():
    index = IndexKeys("by-state", (KeyAttribute("State", "HASH", "S"),))
    check_item({"Id": {"S": "x"}}, keys=KEYS, index_keys=(index,))
    with pytest.raises(ItemError, match="index by-state"):
        check_item({"Id": {"S": "x"}, "State": {"N": "1"}}, keys=KEYS, index_keys=(index,))
