"""Benchmark items have exactly the size they claim, whatever their number."""

from __future__ import annotations

import json

import pytest

from benchmarks.replay_items import MAKERS, key_of, kilobyte_item, number_of
from sandbox.faults.item_sizes import item_size_bytes

NUMBERS = (0, 1, 2, 3, 10, 999, 1000, 123_456, 999_999_999, 10**11)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_claimed_size_is_the_size_by_the_rule(maker):
    assert [maker(number).size_bytes for number in NUMBERS] == [
        item_size_bytes(json.loads(maker(number).json)) for number in NUMBERS
    ]


def test_kilobyte_item_has_ten_attributes_and_is_compact():
    item = json.loads(kilobyte_item(7).json)
    assert len(item) == 10
    assert json.dumps(item, separators=(",", ":")).encode() == kilobyte_item(7).json


def test_items_differ_and_can_be_made_again():
    assert kilobyte_item(5) == kilobyte_item(5)
    assert len({kilobyte_item(number).json for number in range(500)}) == 500


def test_key_tells_the_number():
    assert [number_of(key_of(number)) for number in NUMBERS] == list(NUMBERS)


@pytest.mark.parametrize("key", ["", "item-", "item-12", "other-000000000001", "item-00000000000x"])
def test_foreign_key_is_refused(key):
    with pytest.raises(ValueError, match=r"not a replay key|invalid literal"):
        number_of(key)
