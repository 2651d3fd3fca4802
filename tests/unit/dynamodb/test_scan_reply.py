"""The members around Items, found without a parse, are compared with what a whole parse finds."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.aws.request_errors import BadReply
from dynamodb_pipeline.dynamodb import scan_reply
from dynamodb_pipeline.dynamodb.scan_reply import members_around_items, scan_page_of, units_field
from tests.unit.dynamodb.wire_fixtures import consumed

KEY = {"Id": {"S": "last"}}
TRAPS = [
    '],"LastEvaluatedKey":{"Id":{"S":"fake"}},"x":{',
    '"Items":[',
    '],"',
    "],",
    "}],",
    "]}",
    "\\",
    '\\"',
    '"',
    ":",
    '\\"],',
    "{[}]",
    "],\\",
    "\u2028\x00",
]


def page(**changes: Any) -> dict[str, Any]:
    """A reply's members; None leaves one out."""
    fields = {
        "Count": 2,
        "Items": [{"Id": {"S": "a"}}, {"Id": {"S": "b"}}],
        "ScannedCount": 2,
        "LastEvaluatedKey": KEY,
        "ConsumedCapacity": consumed(0.5),
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def body_of(fields: Any, **how: Any) -> bytes:
    return json.dumps(fields, **{"separators": (",", ":"), **how}).encode()


def test_page_says_how_many_items_where_to_go_on_and_what_it_cost():
    body = body_of(page())
    found = scan_page_of(body)
    assert (found.body, found.count, found.scanned_count) == (body, 2, 2)
    assert json.loads(found.last_evaluated_key or b"") == KEY
    assert found.consumed == {"table": 0.5}


def test_page_without_last_key_is_the_last_one():
    assert scan_page_of(body_of(page(LastEvaluatedKey=None))).last_evaluated_key is None


def test_empty_page_with_a_last_key_is_not_the_last_one():
    assert scan_page_of(body_of(page(Items=[], Count=0))).last_evaluated_key is not None


@pytest.mark.parametrize("seed", range(60))
def test_members_are_found_in_any_order(seed: int):
    names = list(page())
    random.Random(seed).shuffle(names)
    body = body_of({name: page()[name] for name in names})
    assert members_around_items(body) == {k: v for k, v in page().items() if k != "Items"}


VALUES = st.recursive(
    st.fixed_dictionaries({"S": st.one_of(st.sampled_from(TRAPS), st.text(max_size=6))})
    | st.just({"NULL": True})
    | st.fixed_dictionaries({"SS": st.lists(st.sampled_from(TRAPS), max_size=3)}),
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(st.sampled_from([*TRAPS, "Items", "Count"]), inner, max_size=3)})
    ),
    max_leaves=6,
)
NAMES = st.sampled_from([*TRAPS, "Items", "LastEvaluatedKey", "Count", "L", "a"])
ITEMS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3)
KEYS = st.none() | st.dictionaries(NAMES, st.fixed_dictionaries({"S": st.sampled_from(TRAPS)}), min_size=1, max_size=2)


@settings(max_examples=150, deadline=None)
@given(items=ITEMS, key=KEYS, order=st.permutations(list(page())), ascii_only=st.booleans())
def test_nothing_in_an_item_or_key_passes_for_a_member(items: Any, key: Any, order: list[str], ascii_only: bool):
    """What is found without a parse is what the parse finds, or the parse is asked."""
    fields = page(Items=items, Count=len(items), ScannedCount=len(items), LastEvaluatedKey=key)
    body = body_of({name: fields[name] for name in order if name in fields}, ensure_ascii=ascii_only)
    found = members_around_items(body)
    assert found in (None, {k: v for k, v in fields.items() if k != "Items"})
    last = scan_page_of(body).last_evaluated_key
    assert (json.loads(last) if last else None) == key


def test_traps_are_not_just_declined():
    """Else the speed would be lost unnoticed: of many nasty pages nearly all are read without a parse."""
    chance = random.Random(3)
    declined = 0
    for _ in range(500):
        items = [{chance.choice(TRAPS): {"S": chance.choice(TRAPS)}} for _ in range(3)]
        fields = page(Items=items, Count=3, LastEvaluatedKey={"Id": {"S": chance.choice(TRAPS)}})
        declined += members_around_items(body_of(fields)) is None
    assert declined == 0


def test_page_of_a_megabyte_is_not_parsed(monkeypatch: pytest.MonkeyPatch):
    body = body_of(page(Items=[{"Id": {"S": "x" * 1000}}] * 1000, Count=1000))
    parsed: list[int] = []
    loads = json.loads
    monkeypatch.setattr(scan_reply.json, "loads", lambda text: parsed.append(len(text)) or loads(text))
    assert scan_page_of(body).count == 1000
    assert max(parsed) < 500


@pytest.mark.parametrize("how", [{"separators": (", ", ": ")}, {"indent": 1}], ids=["blanks", "lines"])
def test_reply_in_another_layout_is_parsed_whole(how: dict[str, Any]):
    body = body_of(page(), **how)
    assert members_around_items(body) is None
    assert scan_page_of(body).count == 2


def test_reply_with_an_unknown_list_after_the_items_is_parsed_whole():
    """Taken for the end of Items, that list would hide the key to go on from."""
    fields = {"Count": 1, "ScannedCount": 1, "ConsumedCapacity": consumed(1), "Items": [{}], "LastEvaluatedKey": KEY}
    body = body_of({**fields, "New": []})
    assert scan_page_of(body).last_evaluated_key is not None


@pytest.mark.parametrize(
    "broken",
    [
        body_of(page(Items=None)),
        body_of(page(Count=None)),
        body_of(page(ScannedCount=None)),
        body_of(page(ConsumedCapacity=None)),
        body_of(page(ConsumedCapacity={"TableName": "orders"})),
        body_of(page(ConsumedCapacity=[consumed(1)])),
        body_of(page(ConsumedCapacity={"CapacityUnits": "many"})),
        body_of(page(ConsumedCapacity={"CapacityUnits": -1})),
        body_of(page(ConsumedCapacity={"CapacityUnits": 1, "GlobalSecondaryIndexes": {"i": {"CapacityUnits": 2}}})),
        body_of(page(Count="2")),
        body_of(page(Count=-1)),
        body_of(page(Count=True)),
        body_of(page(Count=2.0)),
        body_of(page(Count=3), indent=1),
        body_of(page(Items={}), indent=1),
        body_of(page(LastEvaluatedKey={})),
        body_of(page(LastEvaluatedKey=[])),
        body_of(page()).replace(b'{"Id":{"S":"last"}}', b"null"),
        body_of([page()]),
        body_of(page())[:-1],
        b"",
        b"{}",
    ],
)
def test_incomplete_reply_is_bad(broken: bytes):
    with pytest.raises(BadReply, match="bad reply"):
        scan_page_of(broken)


def test_member_that_comes_twice_is_left_to_the_parser():
    body = body_of(page())[:-1] + b',"Count":2}'
    assert members_around_items(b'{"Count":2,' + body[1:]) is None


def test_units_of_global_indexes_are_their_own_and_those_of_local_ones_the_tables():
    """The developer guide's rule: a local index uses the table's capacity, a global one has its own."""
    fields = {
        "CapacityUnits": 10.0,
        "Table": {"CapacityUnits": 4.0},
        "LocalSecondaryIndexes": {"l": {"CapacityUnits": 1.0}},
        "GlobalSecondaryIndexes": {"g": {"CapacityUnits": 2.0}, "h": {"CapacityUnits": 3.0}},
    }
    units = units_field("PutItem", {"ConsumedCapacity": fields})
    assert units == {"table": 5.0, "index:g": 2.0, "index:h": 3.0}
