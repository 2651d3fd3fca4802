from __future__ import annotations

import json
from typing import Any

import pytest

from dynamodb_pipeline.aws.request_errors import BadReply, Throttled
from dynamodb_pipeline.dynamodb.requests import (
    BATCH_COUNT_MAX,
    BatchReply,
    ScanRequest,
    WriteReply,
    batch_write,
    delete_item,
    key_absent,
    put_item,
    scan_page,
    scan_words,
)
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from tests.unit.dynamodb.scripted_server import Answer, error, reply
from tests.unit.dynamodb.wire_fixtures import consumed, wire_to

SCHEMA = KeySchema((KeyAttribute("Id", "HASH", "S"), KeyAttribute("n", "RANGE", "N")))


def item(name: str, **more: Any) -> bytes:
    return json.dumps({"Id": {"S": name}, "n": {"N": "1"}, **more}).encode()


def put(raw: bytes) -> dict[str, Any]:
    return {"PutRequest": {"Item": json.loads(raw)}}


def delete(raw: bytes) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": json.loads(raw)}}


def batch_reply(*unprocessed: dict[str, Any], units: Any = None) -> Answer:
    fields = {"UnprocessedItems": {"orders": list(unprocessed)} if unprocessed else {}}
    return reply({**fields, "ConsumedCapacity": [consumed(2.0)] if units is None else units})


def written(answer: Answer, *, puts: list[bytes], deletes: list[bytes] | None = None) -> BatchReply:
    with wire_to(answer) as (wire, _):
        return batch_write(wire, "orders", puts=puts, deletes=deletes or [], key_of=SCHEMA.key_of)


def test_scan_request_holds_what_it_was_given():
    request = ScanRequest(
        "orders", segment=3, total_segments=8, start_key=b'{"Id":{"S":"\xc3\xa9"}}', limit=7, consistent=True
    )
    assert json.loads(request.body()) == {
        "TableName": "orders",
        "Segment": 3,
        "TotalSegments": 8,
        "ExclusiveStartKey": {"Id": {"S": "é"}},
        "Limit": 7,
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_scan_request_asks_for_nothing_that_was_not_given():
    assert json.loads(ScanRequest("orders").body()) == {
        "TableName": "orders",
        "Segment": 0,
        "TotalSegments": 1,
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_words_of_a_scan_are_members_of_its_request():
    words = scan_words({"IndexName": "i", "ExpressionAttributeValues": {":a": {"S": '\u00e9"'}}})
    for key in (None, b'{"Id":{"S":"x"}}'):
        body = json.loads(ScanRequest("orders", start_key=key, words=words).body())
        assert body["ExpressionAttributeValues"] == {":a": {"S": 'é"'}}
        assert (body["IndexName"], body["Segment"]) == ("i", 0)
        assert ("ExclusiveStartKey" in body) == (key is not None)


def test_last_key_of_a_page_is_the_start_of_the_next():
    pages = [
        reply({"Count": 1, "ScannedCount": 1, "Items": [{}], "ConsumedCapacity": consumed(0.5), **more})
        for more in ({"LastEvaluatedKey": json.loads(item("é\u2028"))}, {})
    ]
    with wire_to(*pages) as (wire, server):
        first = scan_page(wire, ScanRequest("orders"))
        last = scan_page(wire, ScanRequest("orders", start_key=first.last_evaluated_key))
    assert json.loads(server.requests[1].body)["ExclusiveStartKey"] == json.loads(item("é\u2028"))
    assert last.last_evaluated_key is None


def test_batch_sends_the_very_bytes_of_its_items():
    raw = b'{"Id":{"S":"\xe2\x82\xac"},"n":{"N":"1.0"},"x":{"N":"0.10000000000000000000000000000000000001"}}'
    with wire_to(batch_reply()) as (wire, server):
        batch_write(wire, "orders", puts=[raw, item("b")], deletes=[item("c")], key_of=SCHEMA.key_of)
    sent = server.requests[0]
    assert raw in sent.body
    assert sent.headers["x-amz-target"].endswith(".BatchWriteItem")
    assert json.loads(sent.body) == {
        "RequestItems": {"orders": [put(raw), put(item("b")), delete(item("c"))]},
        "ReturnConsumedCapacity": "INDEXES",
    }


def test_batch_that_was_written_leaves_nothing():
    units = [consumed(25.0, byDate=25.0)]
    reply_ = written(batch_reply(units=units), puts=[item(str(n)) for n in range(BATCH_COUNT_MAX)])
    assert reply_ == BatchReply([], [], {"table": 25.0, "index:byDate": 25.0})


@pytest.mark.parametrize("named", ["orders", "arn:aws:dynamodb:eu-west-1:210987654321:table/orders"])
def test_of_a_table_that_is_named_by_its_arn_items_come_back_by_either_name(named: str) -> None:
    arn, puts = "arn:aws:dynamodb:eu-west-1:210987654321:table/orders", [item("a"), item("b")]
    answer = reply({"UnprocessedItems": {named: [put(puts[1])]}, "ConsumedCapacity": [consumed(1.0)]})
    with wire_to(answer) as (wire, server):
        left = batch_write(wire, arn, puts=puts, key_of=SCHEMA.key_of)
        assert list(json.loads(server.requests[0].body)["RequestItems"]) == [arn]
    assert left.unprocessed_puts == [puts[1]]


def test_unprocessed_items_are_given_back_as_they_were_sent():
    """DynamoDB may write their members in another order and their numbers in another way."""
    puts = [item(str(n), text={"S": "é"}) for n in range(4)]
    deletes = [item("x"), item("y")]
    twisted = {"text": {"S": "é"}, "n": {"N": "1.0"}, "Id": {"S": "2"}}
    answer = batch_reply(put(puts[0]), {"PutRequest": {"Item": twisted}}, delete(deletes[1]))
    reply_ = written(answer, puts=puts, deletes=deletes)
    assert (reply_.unprocessed_puts, reply_.unprocessed_deletes) == ([puts[0], puts[2]], [deletes[1]])


def test_batch_of_which_nothing_was_written_may_have_consumed_nothing():
    reply_ = written(batch_reply(put(item("a")), units=[]), puts=[item("a")])
    assert reply_ == BatchReply([item("a")], [], {"table": 0.0})


@pytest.mark.parametrize(
    "broken",
    [
        reply({"ConsumedCapacity": [consumed(1)]}),
        reply({"UnprocessedItems": None, "ConsumedCapacity": [consumed(1)]}),
        reply({"UnprocessedItems": []}),
        reply({"UnprocessedItems": {}}),
        batch_reply(units=[]),
        batch_reply(units=[consumed(1), consumed(1)]),
        batch_reply(units=[{}]),
        batch_reply(put(item("never sent"))),
        batch_reply(put(item("a")), put(item("a"))),
        batch_reply(delete(item("a"))),
        batch_reply({"PutRequest": {}}),
        batch_reply({"PutRequest": {"Item": {"Id": {"N": "1"}}}}),
        batch_reply({}),
        reply({"UnprocessedItems": {"others": [put(item("a"))]}, "ConsumedCapacity": [consumed(1)]}),
        reply({"UnprocessedItems": {"orders": {}}, "ConsumedCapacity": [consumed(1)]}),
        reply({"UnprocessedItems": {"orders": 5}, "ConsumedCapacity": [consumed(1)]}),
    ],
    ids=[
        "no-unprocessed",
        "null-unprocessed",
        "list-unprocessed",
        "no-units",
        "empty-units-though-written",
        "two-units",
        "units-without-number",
        "not-sent",
        "twice",
        "deleted-not-put",
        "no-item",
        "another-key-type",
        "neither-put-nor-delete",
        "another-table",
        "no-list",
        "unprocessed-is-a-number",
    ],
)
def test_batch_reply_that_does_not_account_for_every_item_is_bad(broken: Answer):
    with pytest.raises(BadReply, match="BatchWriteItem: bad reply"):
        written(broken, puts=[item("a"), item("b")])


def test_throttled_batch_raises():
    with pytest.raises(Throttled):
        written(error("ProvisionedThroughputExceededException"), puts=[item("a")])


def test_put_without_a_condition_sends_none():
    with wire_to(reply({"ConsumedCapacity": consumed(1.0, g=2.0)})) as (wire, server):
        reply_ = put_item(wire, "orders", item=item("a"))
    assert reply_ == WriteReply(applied=True, consumed={"table": 1.0, "index:g": 2.0})
    assert json.loads(server.requests[0].body) == {
        "TableName": "orders",
        "Item": json.loads(item("a")),
        "ReturnConsumedCapacity": "INDEXES",
    }


def test_put_on_condition_that_the_key_is_absent():
    """The name goes through a placeholder, so that reserved words and odd characters are no matter."""
    with wire_to(error("ConditionalCheckFailedException")) as (wire, server):
        reply_ = put_item(wire, "orders", item=item("a"), condition=key_absent("size-of.it"))
    assert reply_ == WriteReply(applied=False, consumed=None)
    sent = json.loads(server.requests[0].body)
    assert sent["ConditionExpression"] == "attribute_not_exists(#k)"
    assert sent["ExpressionAttributeNames"] == {"#k": "size-of.it"}


def test_delete_sends_its_key():
    with wire_to(reply({"ConsumedCapacity": consumed(1.0)})) as (wire, server):
        assert delete_item(wire, "orders", key=item("a")).applied
    sent = server.requests[0]
    assert sent.headers["x-amz-target"].endswith(".DeleteItem")
    assert json.loads(sent.body)["Key"] == json.loads(item("a"))


@pytest.mark.parametrize("fields", [{}, {"ConsumedCapacity": []}, {"ConsumedCapacity": {}}])
def test_write_reply_without_units_is_bad(fields: dict[str, Any]):
    with wire_to(reply(fields)) as (wire, _), pytest.raises(BadReply, match="PutItem"):
        put_item(wire, "orders", item=item("a"))
