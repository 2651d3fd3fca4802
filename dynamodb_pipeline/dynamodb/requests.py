"""
The requests an export or import makes: their bodies built from prepared JSON, their replies checked.

Every field a reply must have is demanded: a missing UnprocessedItems is a damaged reply, never "all was
written". Item bytes are neither parsed nor changed. One call is one request; waiting and repeating is the
caller's affair (`retry`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable, NamedTuple

from dynamodb_pipeline.addresses import table_name
from dynamodb_pipeline.aws.request_errors import ConditionFailed
from dynamodb_pipeline.dynamodb.scan_reply import ScanPage, bad_field, scan_page_of, units_field
from dynamodb_pipeline.dynamodb.table_description import TableDescription
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.rate.budget import Units

__all__ = [
    "BATCH_COUNT_MAX",
    "REQUEST_BYTES_MAX",
    "BatchReply",
    "Condition",
    "ScanPage",
    "ScanRequest",
    "WriteReply",
    "batch_write",
    "delete_item",
    "describe_table",
    "key_absent",
    "put_item",
    "scan_page",
]

BATCH_COUNT_MAX = 25  # puts and deletes in one BatchWriteItem (API reference)
REQUEST_BYTES_MAX = 16 * 1024 * 1024  # of one BatchWriteItem

KeyOf = Callable[[Mapping[str, Any]], bytes]


class ScanRequest(NamedTuple):
    """
    One page to read; `start_key` is the `last_evaluated_key` of the page before.

    With `attributes` only those are sent back; the units consumed are those of whole items all the same. `words` are
    more members of the request, JSON with a comma before each (`scan_words`).
    """

    table: str
    segment: int = 0
    total_segments: int = 1
    start_key: bytes | None = None
    limit: int | None = None
    consistent: bool = False
    attributes: tuple[str, ...] = ()
    words: bytes = b""

    def body(self) -> bytes:
        """The request's JSON."""
        fields: dict[str, Any] = {
            "TableName": self.table,
            "Segment": self.segment,
            "TotalSegments": self.total_segments,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if self.limit is not None:
            fields["Limit"] = self.limit
        if self.consistent:
            fields["ConsistentRead"] = True
        if self.attributes:
            names = {f"#a{number}": name for number, name in enumerate(self.attributes)}
            fields |= {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names}
        text = _json(fields)[:-1] + self.words
        return text + b"}" if self.start_key is None else text + b',"ExclusiveStartKey":' + self.start_key + b"}"


def scan_words(members: Mapping[str, Any]) -> bytes:
    """Members of a Scan (IndexName, FilterExpression and the like) as `ScanRequest.words`."""
    return b"".join(b",%b:%b" % (_json(name), _json(value)) for name, value in members.items())


def scan_page(wire: DynamoDbWire, request: ScanRequest) -> ScanPage:
    """
    Read one page.

    Raises:
        WireError: see `DynamoDbWire.call`; BadReply also when a required field is missing.
    """
    return scan_page_of(wire.call("Scan", request.body()).body)


def scan_with_units(wire: DynamoDbWire, request: ScanRequest) -> tuple[ScanPage, dict[str, float]]:
    """Read a page; returns it with the units that it consumed. Raises as `scan_page`."""
    page = scan_page(wire, request)
    return page, page.consumed


def describe_table(wire: DynamoDbWire, name: str) -> tuple[TableDescription, bytes]:
    """
    Ask DynamoDB about the table of that name or ARN; returns what its reply says, and the reply.

    Raises:
        WireError: see `DynamoDbWire.call`; BadReply also when the reply describes no table, or another one.
    """
    reply = wire.call("DescribeTable", _json({"TableName": name}))
    table = reply.json().get("Table")
    try:
        description = TableDescription.from_description(table)  # type: ignore[arg-type]  # that is what is tried
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as err:
        raise bad_field(operation="DescribeTable", name="Table", problem="is missing or describes no table") from err
    if description.name != table_name(name):
        raise bad_field(operation="DescribeTable", name="Table", problem="is another one than was asked for")
    return replace(description, arn_asked=name if name != description.name else ""), reply.body


def describe_time_to_live(wire: DynamoDbWire, table: str) -> dict[str, Any]:
    """
    `TimeToLiveDescription` of a table, as it was sent.

    Raises:
        WireError: see `DynamoDbWire.call`; BadReply also when the reply does not say it.
    """
    described = wire.call("DescribeTimeToLive", _json({"TableName": table})).json().get("TimeToLiveDescription")
    if not isinstance(described, dict):
        raise bad_field(operation="DescribeTimeToLive", name="TimeToLiveDescription", problem="is missing")
    return described


class BatchReply(NamedTuple):
    """What one BatchWriteItem left undone (the very bytes that were sent) and the units it consumed."""

    unprocessed_puts: list[bytes]
    unprocessed_deletes: list[bytes]
    consumed: Units


def batch_write(
    wire: DynamoDbWire,
    table: str,
    *,
    puts: Sequence[bytes] = (),
    deletes: Sequence[bytes] = (),
    key_of: KeyOf,
) -> BatchReply:
    """
    Put and delete up to 25 items in one request.

    Args:
        puts: each item as DynamoDB JSON; no key twice, in puts and deletes together.
        deletes: each key as DynamoDB JSON.
        key_of: `KeySchema.key_of`; used only to find unprocessed items among those sent.

    Raises:
        WireError: see `DynamoDbWire.call`; BadReply also when the reply does not account for every item.
    """
    fields = wire.call("BatchWriteItem", batch_body(table, puts, deletes)).json()
    left_puts, left_deletes = _unprocessed(fields, table)
    unprocessed_puts = _sent_texts(left_puts, puts, key_of)
    unprocessed_deletes = _sent_texts(left_deletes, deletes, key_of)
    nothing_done = len(left_puts) + len(left_deletes) == len(puts) + len(deletes)
    consumed = _batch_units(fields, nothing_done=nothing_done)
    return BatchReply(unprocessed_puts, unprocessed_deletes, consumed)


def batch_body(table: str, puts: Sequence[bytes], deletes: Sequence[bytes]) -> bytes:
    """Return the JSON of a BatchWriteItem."""
    start = b'{"ReturnConsumedCapacity":"INDEXES","RequestItems":{' + _json(table) + b":["
    requests = [_listed(b'{"PutRequest":{"Item":', puts), _listed(b'{"DeleteRequest":{"Key":', deletes)]
    return b"".join((start, b",".join(filter(None, requests)), b"]}}"))


def _listed(opening: bytes, bodies: Sequence[bytes]) -> bytes:
    return b"".join((opening, (b"}}," + opening).join(bodies), b"}}")) if bodies else b""


def _unprocessed(fields: Mapping[str, Any], table: str) -> tuple[list[Any], list[Any]]:
    by_table = fields.get("UnprocessedItems")
    if not isinstance(by_table, dict):
        raise bad_field(operation="BatchWriteItem", name="UnprocessedItems", problem="is missing")
    if not by_table:
        return [], []
    names = {table, table_name(table)}  # asked for by an ARN it may come back by its name: AWS does not say
    if by_table.keys() - names or not all(isinstance(listed, list) for listed in by_table.values()):
        raise bad_field(operation="BatchWriteItem", name="UnprocessedItems", problem="names another table")
    requests = [one for listed in by_table.values() for one in listed]
    try:
        puts = [r["PutRequest"]["Item"] for r in requests if "PutRequest" in r]
        deletes = [r["DeleteRequest"]["Key"] for r in requests if "PutRequest" not in r]
    except (KeyError, TypeError) as err:
        raise bad_field(
            operation="BatchWriteItem",
            name="UnprocessedItems",
            problem="holds something else than puts and deletes",
        ) from err
    return puts, deletes


def _sent_texts(unprocessed: Sequence[Any], sent: Sequence[bytes], key_of: KeyOf) -> list[bytes]:
    """Match by key: an item may come back with its members in another order; a batch holds no key twice."""
    if not unprocessed:
        return []
    by_key = {key_of(json.loads(text)): text for text in sent}
    try:
        return [by_key.pop(key_of(item)) for item in unprocessed]
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise bad_field(
            operation="BatchWriteItem", name="UnprocessedItems", problem="holds an item that was not sent"
        ) from err


def _batch_units(fields: Mapping[str, Any], *, nothing_done: bool) -> Units:
    listed = fields.get("ConsumedCapacity")
    if isinstance(listed, list) and len(listed) == 1:
        return units_field("BatchWriteItem", {"ConsumedCapacity": listed[0]})
    if listed == [] and nothing_done:
        return {"table": 0.0}
    raise bad_field(operation="BatchWriteItem", name="ConsumedCapacity", problem="is missing")


class Condition(NamedTuple):
    """A ConditionExpression with its `#name` placeholders."""

    expression: str
    names: Mapping[str, str]


def key_absent(hash_key_name: str) -> Condition:
    """Return the condition that no item with this key exists."""
    return Condition("attribute_not_exists(#k)", {"#k": hash_key_name})


class WriteReply(NamedTuple):
    """
    Whether the write was made, and its units: None when the condition was false, for then DynamoDB does not
    say.

    (It charges for the existing item, at least one unit: count the estimate as spent.)
    """

    applied: bool
    consumed: Units | None


def put_item(wire: DynamoDbWire, table: str, *, item: bytes, condition: Condition | None = None) -> WriteReply:
    """
    Put one item (DynamoDB JSON) if `condition` holds.

    After an unanswered attempt that was carried out, the repetition finds the item it wrote itself: with
    `key_absent` that is reported as not applied. The table is right either way, a count of skipped items
    may be one too high.

    Raises:
        WireError: see `DynamoDbWire.call`.
    """
    return _write(wire, "PutItem", table, b'"Item":' + item, condition)


def delete_item(wire: DynamoDbWire, table: str, *, key: bytes, condition: Condition | None = None) -> WriteReply:
    """Delete the item with this key (DynamoDB JSON) if `condition` holds; raises as `put_item`."""
    return _write(wire, "DeleteItem", table, b'"Key":' + key, condition)


def _write(wire: DynamoDbWire, operation: str, table: str, what: bytes, condition: Condition | None) -> WriteReply:
    fields: dict[str, Any] = {"TableName": table, "ReturnConsumedCapacity": "INDEXES"}
    if condition is not None:
        fields["ConditionExpression"] = condition.expression
        fields["ExpressionAttributeNames"] = dict(condition.names)
    try:
        reply = wire.call(operation, _json(fields)[:-1] + b"," + what + b"}")
    except ConditionFailed:
        return WriteReply(applied=False, consumed=None)
    return WriteReply(applied=True, consumed=units_field(operation, reply.json()))


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
