"""
How each kind of DynamoDB fault is done. `STRIKES` maps the names of `kinds` to functions of one exchange.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.faults import dynamodb_replies as replies
from sandbox.faults.delivery import Delivery, cut, nothing, whole
from sandbox.faults.dynamodb_call import DynamoDbCall
from sandbox.faults.dynamodb_service import DynamoDbService
from sandbox.faults.http_messages import Reply
from sandbox.faults.plan import FaultRule

CLOCK_SKEW_S = 1200.0  # DynamoDB refuses signatures that are more than 15 minutes off
HOT_SHARE = 3  # of the key space one part in so many is throttled


@dataclass(frozen=True)
class Exchange:
    """One request that is to fail, and all that a fault may use; `hot` names the throttled part of the key space."""

    call: DynamoDbCall
    service: DynamoDbService
    rule: FaultRule
    rng: random.Random
    hot: int = 0

    def carried_out(self) -> Reply:
        """The true reply; the request has been carried out then."""
        return self.service.serve(self.call)


Strike = Callable[[Exchange], Delivery]


def refusal(code: str, message: str, *, status: int = 400) -> Strike:
    """A fault that answers with an error and does nothing."""
    return lambda _: whole(replies.error(code, message, status=status))


def throttle(code: str, *, limit: str, resource: str = "Table") -> Strike:
    """A throttle with its reason."""
    return lambda exchange: whole(replies.throttled(code, exchange.call.operation, limit=limit, resource=resource))


def throttle_key_range(exchange: Exchange) -> Delivery:
    """Hot segments are throttled whole; of a batch, the hot keys come back unwritten."""
    call = exchange.call
    hot = _heat(call.payload.get("Segment", call.payload.get("Item"))) == exchange.hot
    if call.operation == "BatchWriteItem":
        return whole(exchange.service.serve_batch(call, passes=lambda _, write: _heat(write) != exchange.hot))
    if not hot:
        return whole(exchange.carried_out())
    return throttle("ProvisionedThroughputExceededException", limit="KeyRangeThroughputExceeded")(exchange)


def unprocessed_some(exchange: Exchange) -> Delivery:
    """Each write is held back with even chance."""
    return whole(exchange.service.serve_batch(exchange.call, passes=lambda _t, _w: exchange.rng.random() < 0.5))


def unprocessed_all(exchange: Exchange) -> Delivery:
    """Nothing passes, status 200 all the same."""
    return whole(exchange.service.serve_batch(exchange.call, passes=lambda _t, _w: False))


def internal_after(exchange: Exchange) -> Delivery:
    """Carried out, reported as an error."""
    exchange.carried_out()
    return internal_before(exchange)


internal_before = refusal(
    "InternalServerError", "The request processing has failed because of an unknown error.", status=500
)


def unavailable(_exchange: Exchange) -> Delivery:
    """A body no JSON parser takes."""
    return whole(replies.html(503))


def gateway_timeout_after(exchange: Exchange) -> Delivery:
    """Carried out; the load balancer did not wait."""
    exchange.carried_out()
    return whole(replies.html(504))


def reset_before(_exchange: Exchange) -> Delivery:
    """No byte, nothing done."""
    return nothing()


def reset_within(exchange: Exchange) -> Delivery:
    """Some of the reply, then RST."""
    return cut(exchange.carried_out(), at=exchange.rng.random(), reset=True)


def reset_after(exchange: Exchange) -> Delivery:
    """Carried out, no byte."""
    exchange.carried_out()
    return nothing()


def silence(exchange: Exchange) -> Delivery:
    """Neither done nor answered; the connection closes in order after the wait."""
    return nothing(wait_s=exchange.rule.wait_s, reset=False)


def slow(exchange: Exchange) -> Delivery:
    """The true reply, late."""
    return whole(exchange.carried_out(), wait_s=exchange.rule.wait_s)


def hang_up(exchange: Exchange) -> Delivery:
    """The true reply with Connection: close."""
    return whole(exchange.carried_out(), close=True)


def truncated(exchange: Exchange) -> Delivery:
    """A shorter body that looks whole to HTTP; the CRC-32 is that of the whole."""
    reply = exchange.carried_out()
    return whole(reply.with_body(reply.body[: exchange.rng.randrange(len(reply.body))]))


def truncated_on_wire(exchange: Exchange) -> Delivery:
    """The stream ends in order before Content-Length bytes came."""
    return cut(exchange.carried_out(), at=exchange.rng.random(), reset=False)


def bit_flip(exchange: Exchange) -> Delivery:
    """One bit is another; the CRC-32 is that of the right body."""
    reply = exchange.carried_out()
    return whole(reply.with_body(flipped(reply.body, exchange.rng)))


def not_json(exchange: Exchange) -> Delivery:
    """Carried out, answered 200 by something else."""
    exchange.carried_out()
    return whole(replies.html(200))


def fields_missing(exchange: Exchange) -> Delivery:
    """A reply that passes the CRC and JSON and lacks what a client must read."""
    return _changed(
        exchange,
        lambda payload: {
            name: value for name, value in payload.items() if name not in ("Items", "Count", "UnprocessedItems")
        },
    )


def count_wrong(exchange: Exchange) -> Delivery:
    """Count is one more than there are items."""
    return _changed(exchange, lambda payload: {**payload, "Count": payload.get("Count", 0) + 1})


def empty_page(exchange: Exchange) -> Delivery:
    """Nothing read, and a key to go on from."""
    call = exchange.call
    payload: dict[str, Any] = {
        "Count": 0,
        "ScannedCount": 0,
        "Items": [],
        "LastEvaluatedKey": exchange.service.empty_pages.key_for(call),
    }
    if call.payload.get("ReturnConsumedCapacity", "NONE") != "NONE":
        payload["ConsumedCapacity"] = {"TableName": call.table, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}
    return whole(replies.json_reply(payload))


def short_page(exchange: Exchange) -> Delivery:
    """Limit is one, whatever was asked for."""
    return whole(exchange.service.serve(exchange.call.changed(Limit=1)))


def clock_skew(_exchange: Exchange) -> Delivery:
    """The server believes in another time, and tells it in Date."""
    reply = replies.error("InvalidSignatureException", "Signature expired: it is now earlier than allowed")
    return whole(replies.late_clock(reply, now_s=time.time(), skew_s=CLOCK_SKEW_S))


def described(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Strike:
    """DescribeTable's true reply with `change` applied to its Table."""
    return lambda exchange: _changed(
        exchange, lambda payload: {**payload, "Table": {**payload["Table"], **change(payload["Table"])}}
    )


def halved(table: dict[str, Any]) -> dict[str, Any]:
    """Half the provisioned capacity, at least one unit unless on demand."""
    throughput = table["ProvisionedThroughput"]
    units = {
        name: max(min(throughput[name], 1), throughput[name] // 2)
        for name in ("ReadCapacityUnits", "WriteCapacityUnits")
    }
    return {"ProvisionedThroughput": {**throughput, **units}}


def flipped(body: bytes, rng: random.Random) -> bytes:
    """The bytes with one random bit changed; an empty body stays."""
    if not body:
        return body
    at, bit = rng.randrange(len(body)), 1 << rng.randrange(8)
    return body[:at] + bytes([body[at] ^ bit]) + body[at + 1 :]


def emptied(exchange: Exchange) -> Delivery:
    """A reply that passes the CRC and JSON and says nothing."""
    exchange.carried_out()
    return whole(replies.json_reply({}))


def bare(exchange: Exchange) -> Delivery:
    """DescribeTable's reply without one of the members that every table has."""
    member = exchange.rng.choice(("TableName", "TableStatus", "KeySchema", "AttributeDefinitions"))
    return _changed(
        exchange,
        lambda payload: {"Table": {name: value for name, value in payload["Table"].items() if name != member}},
    )


def _changed(exchange: Exchange, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Delivery:
    reply = exchange.carried_out()
    if reply.status != 200:
        return whole(reply)
    return whole(replies.rewritten(reply, change(replies.payload_of(reply))))


def _heat(value: object) -> int:
    return zlib.crc32(repr(value).encode()) % HOT_SHARE


_PROVISIONED, _THROTTLING = "ProvisionedThroughputExceededException", "ThrottlingException"

STRIKES: dict[str, Strike] = {
    "throttle_provisioned": throttle(_PROVISIONED, limit="ProvisionedThroughputExceeded"),
    "throttle_on_demand": throttle(_THROTTLING, limit="MaxOnDemandThroughputExceeded"),
    "throttle_account": throttle(_THROTTLING, limit="AccountLimitExceeded"),
    "throttle_index": throttle(_THROTTLING, limit="ProvisionedThroughputExceeded", resource="Index"),
    "throttle_key_range": throttle_key_range,
    "throttle_request_limit": throttle("RequestLimitExceeded", limit="AccountLimitExceeded"),
    "throttle_describe": refusal(_THROTTLING, "Rate of requests exceeds the allowed throughput."),
    "write_conflict": refusal("ReplicatedWriteConflictException", "One or more items are being modified elsewhere."),
    "unprocessed_some": unprocessed_some,
    "unprocessed_all": unprocessed_all,
    "internal_before": internal_before,
    "internal_after": internal_after,
    "unavailable": unavailable,
    "gateway_timeout_after": gateway_timeout_after,
    "reset_before": reset_before,
    "reset_within": reset_within,
    "reset_after": reset_after,
    "silence": silence,
    "slow": slow,
    "hang_up": hang_up,
    "truncated": truncated,
    "truncated_on_wire": truncated_on_wire,
    "bit_flip": bit_flip,
    "not_json": not_json,
    "fields_missing": fields_missing,
    "count_wrong": count_wrong,
    "empty_page": empty_page,
    "short_page": short_page,
    "expired_token": refusal("ExpiredTokenException", "The security token included in the request is expired"),
    "clock_skew": clock_skew,
    "table_updating": described(lambda _: {"TableStatus": "UPDATING"}),
    "capacity_halved": described(halved),
    "access_denied": refusal("AccessDeniedException", "User is not authorized to perform this action"),
    "key_revoked": refusal("UnrecognizedClientException", "The security token included in the request is invalid."),
    "table_gone": refusal("ResourceNotFoundException", "Requested resource not found"),
    "table_deleting": described(lambda _: {"TableStatus": "DELETING"}),
    "table_recreated": described(lambda _: {"TableId": "00000000-0000-4000-8000-000000000000"}),
    "describe_empty": emptied,
    "describe_bare": bare,
    "describe_other": described(lambda table: {"TableName": table["TableName"] + "-other"}),
    "describe_cut": truncated,
    "describe_cut_on_wire": truncated_on_wire,
    "describe_flip": bit_flip,
    "describe_not_json": not_json,
    "describe_reset": reset_within,
    "describe_silence": silence,
    "describe_internal": internal_before,
    "collection_full": refusal("ItemCollectionSizeLimitExceededException", "Collection size exceeded."),
}
