"""A key's canonical bytes and its values are two spellings of one thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.item_rules import canonical_number
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.formats.items.key_values import SHOWN_CHARS, key_item, shown_key
from tests.unit.formats.strategies import binaries, numbers, texts

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
