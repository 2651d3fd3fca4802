"""Digests that depend on values and on nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.digest import BucketDigest, bucket_of, canonical_item
from dynamodb_pipeline.formats.items.item_error import ItemError
from tests.unit.formats.strategies import items, values


def value_of(value: dict[str, Any]) -> Any:
    """The value as Python compares it, made without the library."""
    ((tag, content),) = value.items()
    if tag == "N":
        content = Decimal(content) + 0
    if tag in {"SS", "BS"}:
        content = frozenset(content)
    if tag == "NS":
        content = frozenset(map(Decimal, content))
    if tag == "L":
        content = tuple(map(value_of, content))
    if tag == "M":
        content = frozenset((name, value_of(inner)) for name, inner in content.items())
    return tag, content


def respelled(value: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The same value in other words: other order, other spelling of numbers."""
    ((tag, content),) = value.items()
    if tag == "N":
        content = spelled(content, draw)
    if tag in {"SS", "BS"}:
        content = draw.sample(content, len(content))
    if tag == "NS":
        content = [spelled(number, draw) for number in draw.sample(content, len(content))]
    if tag == "L":
        content = [respelled(element, draw) for element in content]
    if tag == "M":
        content = shuffled(content, draw)
    return {tag: content}


def shuffled(members: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    return {name: respelled(members[name], draw) for name in draw.sample(sorted(members), len(members))}


def spelled(number: str, draw: random.Random) -> str:
    exact = Decimal(number)
    return draw.choice([number, f"{exact:f}", f"{exact:E}", f"{exact:e}"])


@given(items, st.randoms(use_true_random=False))
def test_other_words_for_the_same_value_change_nothing(item, draw):
    assert canonical_item(shuffled(item, draw)) == canonical_item(item)


@pytest.mark.parametrize("tag", ["SS", "NS", "BS"])
def test_a_set_has_no_order(tag):
    elements = ["AAAA", "BBBB", "CCCC"] if tag == "BS" else ["1", "10", "2"]
    assert canonical_item({"a": {tag: elements}}) == canonical_item({"a": {tag: elements[::-1]}})


@given(values, values)
def test_values_share_a_form_only_when_they_are_equal(one, other):
    assert (canonical_item({"a": one}) == canonical_item({"a": other})) == (value_of(one) == value_of(other))


# Pairs that a careless form confuses.
DIFFERENT = [
    {"a": {"S": "1"}},
    {"a": {"N": "1"}},
    {"a": {"B": "AAAA"}},
    {"a": {"S": "AAAA"}},
    {"a": {"SS": ["1"]}},
    {"a": {"NS": ["1"]}},
    {"a": {"L": [{"S": "1"}]}},
    {"a": {"L": []}},
    {"a": {"M": {}}},
    {"a": {"S": ""}},
    {"a": {"B": ""}},
    {"a": {"BOOL": True}},
    {"a": {"BOOL": False}},
    {"a": {"NULL": True}},
    {"a": {"S": "true"}},
    {"a": {"SS": ["a", "b"]}},
    {"a": {"SS": ["ab"]}},
    {"a": {"SS": ["a1:b"]}},
    {"a": {"L": [{"S": "a"}, {"S": "b"}]}},
    {"a": {"L": [{"S": "b"}, {"S": "a"}]}},
    {"a": {"L": [{"L": [{"S": "a"}]}, {"S": "b"}]}},
    {"a": {"M": {"b": {"S": "c"}, "d": {"S": "e"}}}},
    {"a": {"M": {"b": {"S": "c"}}}, "d": {"S": "e"}},
    {"a": {"S": "1:bS1:c"}},
    {"a": {"S": ""}, "b": {"S": ""}},
    {"b": {"S": ""}},
    {"aS0:": {"S": ""}},
    {},
]


def test_different_values_have_different_forms():
    forms = [canonical_item(item) for item in DIFFERENT]
    assert len(set(forms)) == len(forms)


def test_the_documented_example():
    assert canonical_item({"n": {"N": "1.0"}, "a": {"L": [{"BOOL": True}]}}) == b"M2:1:aL1:BOOL:true1:nN1:1"


@pytest.mark.parametrize("value", [{"X": "x"}, {"N": "one"}, {"B": "AA"}, {"BS": ["AA"]}, {"S": "\ud800"}])
def test_what_has_no_value_has_no_form(value):
    with pytest.raises(ItemError):
        canonical_item({"a": value})


# ---- buckets


def key(number: int) -> bytes:
    return f"key-{number}".encode()


def digest_of(numbers, *, buckets: int = 16, changed: int | None = None) -> BucketDigest:
    digest = BucketDigest(buckets)
    for number in numbers:
        digest.add({"Id": {"N": str(number)}, "v": {"BOOL": number == changed}}, key(number))
    return digest


def test_bucket_is_what_the_text_says():
    assert bucket_of(b"x", 4096) == int(hashlib.sha256(b"x").hexdigest()[:16], 16) % 4096


def test_total_is_what_the_text_says():
    """Worked out here by hand for one item in two buckets."""
    digest = BucketDigest(2)
    digest.add({"Id": {"S": "x"}}, b"k")
    item_digest = hashlib.sha256(b"M1:2:IdS1:x").digest()
    filled, empty = (1).to_bytes(8, "big") + item_digest, bytes(40)
    halves = [filled, empty] if bucket_of(b"k", 2) == 0 else [empty, filled]
    assert digest.total() == hashlib.sha256((2).to_bytes(8, "big") + b"".join(halves)).hexdigest()


@given(st.permutations(range(12)), st.integers(0, 12))
def test_order_and_split_do_not_matter(numbers, cut):
    one, other = digest_of(numbers[:cut]), digest_of(numbers[cut:])
    one.merge(other)
    assert one.total() == digest_of(range(12)).total()
    assert one.item_count == 12
    assert one.differing_buckets(digest_of(range(12))) == []


@pytest.mark.parametrize(
    ("other", "number"),
    [
        (digest_of(range(30), changed=7), 7),
        (digest_of([*range(7), *range(8, 30)]), 7),
        (digest_of(range(31)), 30),
        (digest_of([*range(30), 7]), 7),
        (digest_of([*range(30), 7, 7]), 7),
    ],
    ids=["changed", "missing", "extra", "twice", "three times"],
)
def test_a_difference_is_in_the_bucket_of_its_key(other, number):
    digest = digest_of(range(30))
    assert digest.differing_buckets(other) == other.differing_buckets(digest) == [bucket_of(key(number), 16)]
    assert digest.total() != other.total()


def test_items_of_two_keys_exchanged_are_seen():
    """The same items, but each under the other's key, in another bucket."""
    one, other = BucketDigest(4096), BucketDigest(4096)
    for digest, keys in ((one, (1, 2)), (other, (2, 1))):
        for value, number in enumerate(keys):
            digest.add({"v": {"N": str(value)}}, key(number))
    assert one.differing_buckets(other) == sorted({bucket_of(key(1)), bucket_of(key(2))})


def test_json_round_trip_and_merge_afterwards():
    digest = digest_of(range(100))
    back = BucketDigest.from_json(json.loads(json.dumps(digest.to_json())))
    assert back.total() == digest.total()
    back.merge(digest)
    assert back.item_count == 200
    assert back.differing_buckets(digest) == list(range(16))


def test_sums_stay_below_two_to_the_256():
    digest = digest_of(range(50), buckets=1)
    ((number, count, total),) = digest.to_json()["filled"]
    assert (number, count, len(total)) == (0, 50, 64)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"buckets": 4},
        {"buckets": "4", "filled": []},
        {"buckets": 4, "filled": None},
        {"buckets": 4, "filled": [[4, 1, "0" * 64]]},
        {"buckets": 4, "filled": [[-1, 1, "0" * 64]]},
        {"buckets": 4, "filled": [[0, 0, "0" * 64]]},
        {"buckets": 4, "filled": [[0, -1, "0" * 64]]},
        {"buckets": 4, "filled": [[0, 1.5, "0" * 64]]},
        {"buckets": 4, "filled": [[0, 1, "1" + "0" * 64]]},
        {"buckets": 4, "filled": [[0, 1, "x"]]},
        {"buckets": 4, "filled": [[0, 1, 5]]},
        {"buckets": 4, "filled": [[0, 1, "00"], [0, 1, "00"]]},
        {"buckets": 0, "filled": []},
        {"buckets": -4, "filled": []},
        {"buckets": True, "filled": []},
    ],
)
def test_what_is_no_digest_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - several rules, one verdict
        BucketDigest.from_json(data)


def test_different_bucket_counts_cannot_be_compared():
    for compare in (BucketDigest(4).merge, BucketDigest(4).differing_buckets):
        with pytest.raises(ValueError, match="4 and of 8 buckets"):
            compare(BucketDigest(8))
