"""The judge of rates: DynamoDB's own units, summed over every window."""

from __future__ import annotations

import json

import pytest

from sandbox.metering import Call, consumed_units, most_ahead, table_name, windows


def calls(*marks: tuple[float, float]) -> list[Call]:
    """Build calls from (time in s, units of the table)."""
    return [Call(time, 0.0, "Scan", "T", 200, 0, 0, {"table": units}) for time, units in marks]


def test_the_fullest_window_is_found_wherever_it_starts() -> None:
    """Windows cut at 0, 10, 20 s would see 60 at most."""
    spread = calls((1.0, 10), (9.0, 50), (11.0, 50), (19.5, 10))
    assert windows(spread, 10).most_units == 100.0


def test_a_window_ends_before_the_call_one_length_later() -> None:
    assert windows(calls((0.0, 7), (10.0, 7)), 10).most_units == 7.0


def test_the_emptiest_window_lies_inside_the_run() -> None:
    """Quiet from 10 to 25 s; what lies before the first and after the last call does not count."""
    run = calls((0.0, 5), (5.0, 5), (10.0, 5), (25.0, 5), (30.0, 5), (35.0, 5))
    assert windows(run, 10).least_units == 0.0
    assert windows(calls((0.0, 5), (5.0, 5), (10.0, 5), (15.0, 5)), 10).least_units == 10.0


def test_a_run_shorter_than_a_window_has_no_emptiest_one() -> None:
    assert windows(calls((0.0, 5), (5.0, 5)), 10).least_units is None
    assert windows([], 10).most_units == 0.0


def test_order_of_arrival_does_not_matter() -> None:
    assert windows(calls((9.0, 1), (1.0, 1), (5.0, 1)), 10).most_units == 3.0


def test_other_resources_are_summed_apart() -> None:
    call = Call(1.0, 0.0, "BatchWriteItem", "T", 200, 0, 0, {"table": 3.0, "index:ByDate": 9.0})
    assert windows([call], 1, resource="index:ByDate").most_units == 9.0


def test_what_is_ahead_of_a_rate_is_counted_from_the_beginning() -> None:
    """Of 10 units a second: 20 too many at 2 s, none at 10 s; what came late leaves no room for more later."""
    assert most_ahead(calls((2.0, 40), (10.0, 60)), 10.0) == 20.0
    assert most_ahead(calls((10.0, 60), (12.0, 40)), 10.0) == 0.0
    assert most_ahead(calls((1.0, 10), (2.0, 10)), 10.0) == 0.0


@pytest.mark.parametrize(
    ("reply", "units"),
    [
        ({"ConsumedCapacity": {"TableName": "T", "CapacityUnits": 128.5}}, {"table": 128.5}),
        (
            {
                "ConsumedCapacity": [
                    {
                        "TableName": "T",
                        "CapacityUnits": 12.0,
                        "Table": {"CapacityUnits": 4.0},
                        "GlobalSecondaryIndexes": {"ByDate": {"CapacityUnits": 8.0}},
                    }
                ],
                "UnprocessedItems": {},
            },
            {"table": 4.0, "index:ByDate": 8.0},
        ),
        (
            {
                "ConsumedCapacity": [
                    {"TableName": "A", "CapacityUnits": 1.0},
                    {"TableName": "B", "CapacityUnits": 2.0},
                ]
            },
            {"table": 3.0},
        ),
        ({"Items": [], "Count": 0}, None),
        ({"Items": [{"ConsumedCapacity": {"M": {"CapacityUnits": {"N": "9"}}}}]}, None),
        ({"Items": [{"t": {"S": '"ConsumedCapacity": {"CapacityUnits": 9}'}}]}, None),
        (
            {
                "Items": [{"ConsumedCapacity": {"N": "9"}}],
                "ConsumedCapacity": {"TableName": "T", "CapacityUnits": 1.0},
            },
            {"table": 1.0},
        ),
    ],
    ids=["scan", "with index", "two tables", "not asked for", "as attribute", "as text", "attribute and real"],
)
def test_units_are_those_of_the_reply(reply: dict[str, object], units: dict[str, float] | None) -> None:
    assert consumed_units(json.dumps(reply).encode()) == units


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"TableName": "Forum", "Limit": 1}, "Forum"),
        ({"RequestItems": {"Thread": [{"PutRequest": {"Item": {"TableName": {"S": "x"}}}}]}}, "Thread"),
        ({"ExclusiveStartKey": {"TableName": {"S": "k"}}, "TableName": "Reply"}, "Reply"),
        ({}, ""),
    ],
    ids=["scan", "batch", "key named so", "list tables"],
)
def test_the_table_is_the_one_the_request_names(body: dict[str, object], name: str) -> None:
    assert table_name(json.dumps(body).encode()) == name
