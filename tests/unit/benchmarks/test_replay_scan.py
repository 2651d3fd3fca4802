"""A scan of the replayed table gives every item once, in pages as DynamoDB cuts them."""

from __future__ import annotations

import json
import zlib

import pytest

from benchmarks.replay_items import key_of, kilobyte_item, large_item, small_item
from benchmarks.replay_scan import RefusedScan, ReplayScan
from benchmarks.replay_table import ReplayTable, Skew

ITEM_COUNT = 3000


@pytest.fixture(scope="module")
def table():
    return ReplayTable(kilobyte_item, ITEM_COUNT)


def page_of(scan, **request):
    reply = scan.reply(json.dumps({"TableName": "items", **request}).encode())
    body = reply.answer.body()
    assert zlib.crc32(body) == reply.answer.crc32
    return json.loads(body), reply


def scan_all(scan, **request):
    """Keys and units of one segment, page after page."""
    keys, units, calls = [], 0.0, 0
    while True:
        page, reply = page_of(scan, **request)
        assert page["Count"] == page["ScannedCount"] == len(page["Items"]) == reply.item_count
        keys += [item["Id"]["S"] for item in page["Items"]]
        units, calls = units + reply.units, calls + 1
        if "LastEvaluatedKey" not in page:
            return keys, units, calls
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@pytest.mark.parametrize("total", [1, 4, 7, 100])
@pytest.mark.parametrize("skew", [Skew(), Skew(0.5), Skew(0.9, width=0.25)], ids=["even", "point", "range"])
def test_segments_together_hold_every_item_once(total, skew):
    scan = ReplayScan(ReplayTable(small_item, 500, skew=skew), table_name="items")
    keys = [key for segment in range(total) for key in scan_all(scan, Segment=segment, TotalSegments=total)[0]]
    assert keys == [key_of(number) for number in range(500)]


@pytest.mark.parametrize("total", [2, 5, 32])
def test_skew_puts_half_of_all_items_into_one_segment(total):
    table = ReplayTable(small_item, 1000, skew=Skew(0.5))
    counts = [end - start for start, end in (table.segment(index, of=total) for index in range(total))]
    assert max(counts) >= 500
    assert sum(counts) == 1000


def test_full_page_ends_with_the_item_that_crosses_one_mib(table):
    page, reply = page_of(ReplayScan(table, table_name="items"), ReturnConsumedCapacity="TOTAL")
    assert page["Count"] == 1049  # 1,048 items of 1,000 bytes are below 1,048,576 bytes
    assert reply.units == page["ConsumedCapacity"]["CapacityUnits"] == 128.5  # what AWS reports for a full page


def test_strong_read_costs_double(table):
    scan = ReplayScan(table, table_name="items")
    eventual, strong = (page_of(scan, Limit=10, ConsistentRead=strong)[1].units for strong in (False, True))
    assert (eventual, strong) == (1.5, 3.0)  # 10,000 bytes are three blocks of 4 KiB


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_limit_is_honoured_and_nothing_is_lost(table, limit):
    scan = ReplayScan(table, table_name="items")
    assert page_of(scan, Limit=limit)[0]["Count"] == limit
    assert len(set(scan_all(scan, Limit=limit)[0])) == ITEM_COUNT


def test_limit_at_the_very_end_leaves_an_empty_last_page(table):
    """DynamoDB cannot know that nothing follows when a limit stopped it."""
    _, _, calls = scan_all(ReplayScan(table, table_name="items"), Limit=ITEM_COUNT // 3)
    assert calls == 4


def test_item_near_the_page_limit_makes_pages_of_three():
    page, _ = page_of(ReplayScan(ReplayTable(large_item, 7), table_name="items"))
    assert page["Count"] == 3


def test_capacity_forms(table):
    scan = ReplayScan(table, table_name="items")
    assert "ConsumedCapacity" not in page_of(scan, Limit=1)[0]
    assert page_of(scan, Limit=1, ReturnConsumedCapacity="TOTAL")[0]["ConsumedCapacity"] == {
        "CapacityUnits": 0.5,
        "TableName": "items",
    }
    assert page_of(scan, Limit=1, ReturnConsumedCapacity="INDEXES")[0]["ConsumedCapacity"] == {
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.5},
        "TableName": "items",
    }


def test_count_only_sends_no_items(table):
    page, _ = page_of(ReplayScan(table, table_name="items"), Select="COUNT", Limit=5)
    assert page["Count"] == 5
    assert "Items" not in page


@pytest.mark.parametrize(
    "request_fields",
    [
        {"Segment": 1},
        {"Segment": 4, "TotalSegments": 4},
        {"FilterExpression": "a = b"},
        {"ExclusiveStartKey": {"Id": {"S": "who"}}},
        {"Segment": 0, "TotalSegments": 2, "ExclusiveStartKey": {"Id": {"S": key_of(2999)}}},
    ],
    ids=["half a segmentation", "segment out of range", "filter", "foreign key", "key of another segment"],
)
def test_wrong_request_is_refused(table, request_fields):
    with pytest.raises(RefusedScan):
        page_of(ReplayScan(table, table_name="items"), **request_fields)


def test_warm_up_builds_every_full_page(table):
    scan = ReplayScan(table, table_name="items")
    scan.warm_up(total_segments=2)
    assert len(scan._replies) == 4  # two segments of 1,500 items, two pages each
