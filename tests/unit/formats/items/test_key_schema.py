"""Key schemas from DescribeTable, and keys as canonical bytes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import canonical_number, check_item
from dynamodb_pipeline.formats.items.key_schema import (
    SHOWN_CHARS,
    IndexKeys,
    KeyAttribute,
    KeySchema,
    index_keys_from_description,
    key_item,
    shown_key,
)
from tests.unit.formats.strategies import binaries, numbers, texts

ID = KeyAttribute("Id", "HASH", "S")
SORT = KeyAttribute("Sort", "RANGE", "N")
SCHEMA = KeySchema((ID, SORT))

# As DescribeTable answers; it may list the RANGE element first.
TABLE = {
    "TableName": "Reply",
    "KeySchema": [
        {"AttributeName": "ReplyDateTime", "KeyType": "RANGE"},
        {"AttributeName": "Id", "KeyType": "HASH"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "Id", "AttributeType": "S"},
        {"AttributeName": "PostedBy", "AttributeType": "B"},
        {"AttributeName": "ReplyDateTime", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {"IndexName": "PostedBy-index", "KeySchema": [{"AttributeName": "PostedBy", "KeyType": "HASH"}]}
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "local",
            "KeySchema": [
                {"AttributeName": "Id", "KeyType": "HASH"},
                {"AttributeName": "PostedBy", "KeyType": "RANGE"},
            ],
        }
    ],
}


VECTORS = {
    **TABLE,
    "VectorIndexes": [{"IndexName": "close", "VectorAttribute": {"AttributeName": "Embedding"}, "Dimensions": 2}],
}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"L": [{"N": "1"}, {"N": "-3.4e38"}]}, None),
        ({"L": [{"N": "1e-120"}, {"N": "0"}]}, None),
        ({"L": [{"N": "1"}]}, r"vector has 1 components, the index takes 2 \(index close\)"),
        ({"L": []}, "vector has 0 components"),
        ({"NS": ["1", "2"]}, r"vector must be a list \(L\) of 2 numbers"),
        ({"B": "AAAA"}, "vector must be a list"),
        ({"NULL": True}, "vector must be a list"),
        ({"L": [{"N": "1"}, {"S": "2"}]}, r"Embedding\[1\]: component of a vector must be a number"),
        ({"L": [{"N": "1"}, {"N": "4e38"}]}, "component of a vector must be .* 32 bits"),
    ],
)
def test_a_vector_is_what_its_index_takes(value, reason):
    index = index_keys_from_description(VECTORS)[-1]
    index.check({"Id": {"S": "no vector at all"}})
    if reason is None:
        index.check({"Embedding": value})
        return
    with pytest.raises(ItemError, match=reason) as caught:
        check_item({"Id": {"S": "a"}, "Embedding": value}, index_keys=(index,))
    assert caught.value.steps[0] == "Embedding"


def test_from_description_puts_hash_first():
    schema = KeySchema.from_description(TABLE)
    assert schema.names == ("Id", "ReplyDateTime")
    assert schema.describe() == "Id (S, HASH), ReplyDateTime (N, RANGE)"


def test_index_keys_of_both_kinds_of_index():
    assert index_keys_from_description(TABLE) == (
        IndexKeys("local", (KeyAttribute("Id", "HASH", "S"), KeyAttribute("PostedBy", "RANGE", "B"))),
        IndexKeys("PostedBy-index", (KeyAttribute("PostedBy", "HASH", "B"),)),
    )
    assert index_keys_from_description({**TABLE, "GlobalSecondaryIndexes": None, "LocalSecondaryIndexes": []}) == ()


def test_index_with_several_key_attributes_of_one_role():
    """Global indexes may have up to four of each since November 2025."""
    table = {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in "abc"],
        "GlobalSecondaryIndexes": [
            {"IndexName": "i", "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in "abc"]}
        ],
    }
    assert [attribute.name for attribute in index_keys_from_description(table)[0].attributes] == ["a", "b", "c"]


def test_json_round_trip():
    assert KeySchema.from_json(json.loads(json.dumps(SCHEMA.to_json()))) == SCHEMA


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        [{"name": "Id", "role": "RANGE", "type": "S"}],
        [{"name": "Id", "role": "HASH", "type": "BOOL"}],
        [{"name": "Id", "role": "HASH"}],
        [{"name": "Id", "role": "HASH", "type": "S", "more": 1}],
        [{"name": "", "role": "HASH", "type": "S"}],
        [{"name": "x" * 256, "role": "HASH", "type": "S"}],
        [{"name": 5, "role": "HASH", "type": "S"}],
        [{"name": "Id", "role": "HASH", "type": ["S"]}],
        ["Id"],
        [{"name": "a", "role": "HASH", "type": "S"}, {"name": "b", "role": "HASH", "type": "S"}],
        [{"name": "a", "role": "HASH", "type": "S"}, {"name": "a", "role": "RANGE", "type": "S"}],
    ],
)
def test_what_is_no_key_schema_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is of no concern, the export record's reader adds its own
        KeySchema.from_json(data)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({}, "Id"),
        ({"Id": {"S": "x"}}, "Sort"),
        ({"Id": {"N": "1"}, "Sort": {"N": "1"}}, "Id"),
        ({"Id": {"L": [{"S": "x"}]}, "Sort": {"N": "1"}}, "Id"),
        ({"Id": {"NULL": True}, "Sort": {"N": "1"}}, "Id"),
        ({"Id": {"S": ""}, "Sort": {"N": "1"}}, "Id"),
        ({"Id": {"S": "\ud800"}, "Sort": {"N": "1"}}, "Id"),
        ({"Id": {"S": "é" * 1025}, "Sort": {"N": "1"}}, "Id"),
        ({"Id": {"S": "x"}, "Sort": {"N": "one"}}, "Sort"),
        ({"Id": {"S": "x"}, "Sort": {"N": 1}}, "Sort"),
        ({"Id": {"S": "x"}, "Sort": "1"}, "Sort"),
        ({"Id": None, "Sort": {"N": "1"}}, "Id"),
    ],
)
def test_key_of_refuses_what_cannot_be_a_key(item, path):
    with pytest.raises(ItemError) as caught:
        SCHEMA.key_of(item)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (ID, "x" * 2048),
        (KeyAttribute("Id", "HASH", "B"), "AAAA" * 682 + "AAA="),
        (KeyAttribute("Id", "HASH", "N"), "9" * 38),
    ],
)
def test_hash_key_of_full_length_is_taken(attribute, text):
    assert KeySchema((attribute,)).key_of({"Id": {attribute.type: text}})


def test_range_key_has_its_own_limit():
    """Developer guide, quotas: 2048 bytes for the partition key, 1024 for the sort key."""
    schema = KeySchema((ID, KeyAttribute("Sort", "RANGE", "S")))
    item = {"Id": {"S": "x" * 2048}, "Sort": {"S": "é" * 512}}
    assert schema.key_of(item)
    with pytest.raises(ItemError, match="1025 bytes, allowed are 1 to 1024"):
        schema.key_of({**item, "Sort": {"S": "é" * 512 + "x"}})


def test_one_number_in_two_spellings_is_one_key():
    keys = {SCHEMA.key_of({"Id": {"S": "x"}, "Sort": {"N": text}}) for text in ("1", "1.0", "10E-1", "+01")}
    assert len(keys) == 1


def test_key_bytes_do_not_run_into_each_other():
    schema = KeySchema((ID, KeyAttribute("Sort", "RANGE", "S")))
    pairs = [("a", "bc"), ("ab", "c"), ("a\x00\x00\x00\x01b", "c"), ("abc", "abc")]
    assert len({schema.key_of({"Id": {"S": one}, "Sort": {"S": two}}) for one, two in pairs}) == len(pairs)


_KEY_TEXTS = {"S": texts.filter(bool), "N": numbers(), "B": binaries.filter(bool)}
_VALUE_OF = {"S": str, "N": Decimal, "B": str}


@given(st.data(), st.sampled_from("SNB"), st.sampled_from("SNB"))
def test_keys_are_equal_exactly_when_their_values_are(data, hash_type, range_type):
    schema = KeySchema((KeyAttribute("h", "HASH", hash_type), KeyAttribute("r", "RANGE", range_type)))
    pairs = [(data.draw(_KEY_TEXTS[hash_type]), data.draw(_KEY_TEXTS[range_type])) for _ in range(2)]
    one, two = (schema.key_of({"h": {hash_type: h}, "r": {range_type: r}}) for h, r in pairs)
    values = [(_VALUE_OF[hash_type](h), _VALUE_OF[range_type](r)) for h, r in pairs]
    assert (one == two) == (values[0] == values[1])


INDEX = IndexKeys("by-state", (KeyAttribute("State", "HASH", "S"), KeyAttribute("Since", "RANGE", "N")))


@pytest.mark.parametrize("item", [{}, {"State": {"S": "new"}}, {"Since": {"N": "1"}}, {"Other": {"N": "x"}}])
def test_an_item_may_lack_an_indexs_attributes(item):
    INDEX.check(item)


@pytest.mark.parametrize("value", [{"N": "1"}, {"S": ""}, {"L": []}, {"NULL": True}, {"S": "x" * 2049}])
def test_an_indexed_attribute_must_be_fit_to_be_a_key(value):
    """The service: "Type mismatch for Index Key", and no empty string or binary (dynalite issue 184)."""
    with pytest.raises(ItemError, match=r"\(index by-state\)$") as caught:
        INDEX.check({"State": value})
    assert caught.value.path == "State"


CONTENTS = {"S": texts.filter(bool), "N": numbers(), "B": binaries.filter(bool)}


@st.composite
def keys_and_items(draw: st.DrawFn) -> tuple[KeySchema, dict]:
    types = draw(st.lists(st.sampled_from("SNB"), min_size=1, max_size=2))
    attributes = tuple(KeyAttribute(n, r, t) for n, r, t in zip(("h", "r"), ("HASH", "RANGE"), types))
    return KeySchema(attributes), {a.name: {a.type: draw(CONTENTS[a.type])} for a in attributes}


@given(keys_and_items())
def test_a_key_comes_back_as_the_same_key(drawn: tuple[KeySchema, dict]) -> None:
    keys, item = drawn
    back = key_item(keys, keys.key_of(item))
    assert keys.key_of(back) == keys.key_of(item)
    assert back == {
        name: {tag: canonical_number(content) if tag == "N" else content}
        for name, value in item.items()
        for tag, content in value.items()
    }


@pytest.mark.parametrize(("length", "shown"), [(SHOWN_CHARS, SHOWN_CHARS), (SHOWN_CHARS + 1, SHOWN_CHARS + 3)])
def test_a_shown_key_is_cut_at_64_characters(length: int, shown: int) -> None:
    keys = KeySchema((KeyAttribute("id", "HASH", "S"), KeyAttribute("n", "RANGE", "N")))
    key = keys.key_of({"id": {"S": "k" * length}, "n": {"N": "1.50"}})
    found = shown_key(keys, key)
    assert (len(found["id"]), found["n"]) == (shown, "1.5")
