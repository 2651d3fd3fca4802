"""Which items have expired, by DynamoDB's rule; and a hint from a few of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.item_rules import Expiry, ExpirySample

NOW = 1_800_000_000
DAY, FIVE_YEARS = 86_400, 5 * 365 * 86_400
NUMBERS = {
    str(NOW - 1): True,
    str(NOW): False,  # "less than the current time"
    f"{NOW - 1}.999": True,
    str(NOW - FIVE_YEARS): True,
    str(NOW - FIVE_YEARS - 1): False,
    "1.79999E+9": True,
    "0": False,
    "-1": False,
    "1E+400": False,
    "no number": False,
}


def line(item: dict[str, Any], *, wrapped: bool = False) -> bytes:
    return json.dumps({"Item": item} if wrapped else item).encode() + b"\n"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("tag", ["N", "n"])
def test_a_number_has_expired_within_five_years_only(number: str, tag: str) -> None:
    item = {"id": {"S": "x"}, "ttl": {tag: number}}
    expiry = Expiry("ttl", NOW)
    found = (
        expiry.has_expired(item),
        expiry.has_expired_text(line(item)),
        expiry.has_expired_text(line(item, wrapped=True)),
    )
    assert found == (NUMBERS[number],) * 3


PAST = {"N": str(NOW - DAY)}


@pytest.mark.parametrize(
    ("text", "expired"),
    [
        (b'{"id":{"S":"x"},"a":{"M":{"ttl":{"N":"%d"}}}}' % (NOW - 1), False),
        (b'{"id":{"S":"\\"ttl\\":{\\"N\\":\\"%d\\"}"}}' % (NOW - 1), False),
        (b'{"id":{"S":"x"},"\\u0074tl":{"N":"%d"}}' % (NOW - 1), True),
        (b'{"id":{"S":"x"}, "ttl" : { "N" : "%d" } }' % (NOW - 1), True),
        (b'{"ttl":{"S":"%d"}}' % (NOW - 1), False),
        (b'{"xttl":{"N":"%d"}}' % (NOW - 1), False),
    ],
    ids=["in a map", "in a text", "escaped", "spaced", "a text", "another name"],
)
def test_only_the_attribute_of_the_item_itself_counts(text: bytes, expired: bool) -> None:
    assert Expiry("ttl", NOW).has_expired_text(text) is expired


names = st.text(min_size=1, max_size=4) | st.sampled_from(["ttl", "a/b", 'a"b', "\u00e9", "a.b", "\n", "\\"])


@given(names, st.integers(NOW - 10, NOW + 10), st.booleans(), st.text(max_size=5))
def test_text_and_item_say_the_same_whatever_the_name(name: str, value: int, ascii_only: bool, other: str) -> None:
    item = {"id": {"S": other}, "m": {"M": {name: PAST}}, name: {"N": str(value)}}
    text = json.dumps(item, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert (
        Expiry(name, NOW).has_expired_text(text) == Expiry(name, NOW).has_expired(item) == (item[name]["N"] < str(NOW))
    )


def test_a_sample_says_how_many_of_all_there_are() -> None:
    sample = ExpirySample(Expiry("ttl", NOW))
    soon, late = {"ttl": {"n": str(NOW + DAY - 1)}}, {"ttl": {"n": str(NOW + DAY)}}
    sample.add(line(soon) + line(late) * 2 + line({"m": {"m": soon}}))
    assert (sample.items, sample.expiring) == (4, 1)
    assert "note: 1 of 4 items expire within a day, or have (TTL attribute 'ttl')" in str(sample.line(4))
    assert "note: about 1,000 of 4,000 items" in str(sample.line(4000))
    assert ExpirySample(Expiry("ttl", NOW)).line(4) is None


def test_what_is_no_item_is_left_to_whoever_reads_it() -> None:
    sample = ExpirySample(Expiry("t/l", NOW))  # a name for which every line is parsed
    sample.add(b'[1]\n"x"\n{"a"\n\n' + line({"t/l": PAST}))
    assert (sample.items, sample.expiring) == (5, 1)
