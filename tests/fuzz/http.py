"""
HTTP: the relay's requests before and after their signature is checked, and DynamoDB's replies.

A stranger's request ends in an answer or in a MessageError, nothing else; whoever has the keys gets an answer to
whatever it asks, and only a Scan of the run's own table goes on; a reply is taken, or refused as a WireError.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import zlib
from typing import Any

from dynamodb_pipeline.aws.request_errors import WireError
from dynamodb_pipeline.aws.retry import Pacing, RetryPolicy
from dynamodb_pipeline.connector.relay import HEAD_BYTES_MAX, REQUEST_BYTES_MAX
from dynamodb_pipeline.connector.relay_handler import RelayHandler, RelayPlan
from dynamodb_pipeline.connector.relay_messages import proof_line
from dynamodb_pipeline.dynamodb.connection import REPLY_BYTES_MAX
from dynamodb_pipeline.dynamodb.http1 import Message, MessageError, read_message, render_message
from dynamodb_pipeline.dynamodb.requests import batch_write, put_item, scan_page
from dynamodb_pipeline.dynamodb.wire import Reply, checked_reply
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from tests.fuzz.target import Target
from tests.unit.dynamodb.wire_fixtures import NOW_S, Keys, consumed
from tests.unit.workers.fake_grants import FakeGrants

STRANGER, CLIENT, REPLY, BODY = b"s", b"k", b"r", b"b"  # the first byte; BODY: of a reply that is whole
KEYS = Keys("RELAYKEY", "made-for-the-run")
SCHEMA = KeySchema((KeyAttribute("Id", "HASH", "S"),))
PAGE = {"Count": 1, "ScannedCount": 1, "Items": [{"Id": {"S": "a"}}], "ConsumedCapacity": consumed(0.5)}
LOG = logging.getLogger("dynamodb_pipeline.connector.relay_handler")


class OneReply:
    """A wire on which every request gets one reply."""

    def __init__(self, body: bytes) -> None:
        self.body, self.asked = body, list[tuple[str, bytes]]()

    def call(self, operation: str, body: bytes) -> Reply:
        self.asked.append((operation, body))
        return Reply(200, self.body, {})


class Client:
    """Whoever asked the relay."""

    grants = FakeGrants()

    def is_gone(self) -> bool:
        return False


class BugHandler(logging.Handler):
    """The relay answers a bug of its own politely and logs it; here that is a fault."""

    def emit(self, record: logging.LogRecord) -> None:
        raise AssertionError(record.getMessage()) from (record.exc_info or (None, None))[1]


LOG.addHandler(BugHandler())


def handler_of(wire: Any) -> RelayHandler:
    pacing = Pacing(RetryPolicy(), clock=lambda: 0.0, sleep=lambda _: None)
    return RelayHandler(wire, RelayPlan("orders", KEYS), pacing=pacing)


def run(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    with contextlib.suppress(MessageError):
        if kind == STRANGER:
            strange(rest)
        elif kind == CLIENT:
            known(rest)
        elif kind == BODY:
            replied(render_message("HTTP/1.1 200 OK", [], rest))
        else:
            replied(rest)


def strange(data: bytes) -> None:
    file = io.BytesIO(data)
    handler = handler_of(OneReply(b"{}"))
    while request := read_message(
        file, body_bytes_max=REQUEST_BYTES_MAX, head_bytes_max=HEAD_BYTES_MAX, body_optional=True
    ):
        answer = handler.last_answer(request)
        assert answer is not None, "a stranger's request was let through"
        assert answer.status in (200, 403)
        answer.render()


def known(data: bytes) -> None:
    """The first line is the operation, the rest the body."""
    operation, _, body = data.partition(b"\n")
    wire = OneReply(json.dumps(PAGE).encode())
    target = operation.decode("latin-1")
    answer = handler_of(wire).answer(Message("POST / HTTP/1.1", {"x-amz-target": target}, body), Client())
    answer.render()
    for asked, sent in wire.asked:
        assert asked in ("Scan", "DescribeTable")
        assert json.loads(sent)["TableName"] == "orders"
        assert sent.count(b'"TableName"') == 1 or asked == "Scan"


def replied(data: bytes) -> None:
    """Until the reply is no interim one, as a connection reads it; then as each request reads its own."""
    file = io.BytesIO(data)
    message = read_message(file, body_bytes_max=REPLY_BYTES_MAX)
    while message is not None and message.start_line.startswith("HTTP/1.1 1"):
        message = read_message(file, body_bytes_max=REPLY_BYTES_MAX)
    if message is None:
        return
    for operation in ("Scan", "BatchWriteItem", "PutItem"):
        with contextlib.suppress(WireError):
            wire: Any = OneReply(checked_reply(operation, message, now_s=NOW_S).body)
            if operation == "Scan":
                units = scan_page(wire, _SCAN).consumed.values()
                assert all(0 <= each < math.inf for each in units), f"units {units}"
            elif operation == "PutItem":
                put_item(wire, "orders", item=_ITEM)
            else:
                batch_write(wire, "orders", puts=[_ITEM], key_of=SCHEMA.key_of)


_ITEM = b'{"Id":{"S":"a"}}'
_SCAN: Any = type("AnyScan", (), {"body": lambda self: b"{}"})()


def _request(*headers: tuple[str, str], line: str = "POST / HTTP/1.1", body: bytes = b"{}") -> bytes:
    return STRANGER + render_message(line, [("Host", "127.0.0.1"), *headers], body)


def _reply(body: Any, *headers: tuple[str, str], line: str = "HTTP/1.1 200 OK", crc: bool = False) -> bytes:
    raw = json.dumps(body, separators=(",", ":")).encode()
    checked = (("x-amz-crc32", str(zlib.crc32(raw))),) if crc else ()
    return REPLY + render_message(line, [*headers, *checked], raw)


def _error(code: str, status: int = 400) -> bytes:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no reason"}
    return _reply(body, ("Date", "Tue, 14 Nov 2023 22:13:20 GMT"), line=f"HTTP/1.1 {status} Bad Request")


SCAN = {"TableName": "orders", "Segment": 0, "TotalSegments": 2, "Limit": 50, "ReturnConsumedCapacity": "TOTAL"}
UNPROCESSED = {"UnprocessedItems": {"orders": [{"PutRequest": {"Item": {"Id": {"S": "a"}}}}]}, "ConsumedCapacity": []}
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=RELAYKEY/20231114/eu-west-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
TARGET = Target(
    "http",
    run,
    examples=(
        _request(("Authorization", SIGNED), ("X-Amz-Date", "20231114T221320Z")),
        _request(("Authorization", "Basic " + "A" * 200)),
        _request(line=proof_line("0" * 64)),
        STRANGER + b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        STRANGER + b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        STRANGER + b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 99,
        CLIENT + b"DynamoDB_20120810.Scan\n" + json.dumps(SCAN).encode(),
        CLIENT + b"DynamoDB_20120810.Scan\n" + json.dumps({**SCAN, "ExclusiveStartKey": {"Id": {"S": "a"}}}).encode(),
        CLIENT + b'DynamoDB_20120810.DescribeTable\n{"TableName":"Other","TableName":"orders"}',
        CLIENT + b'DynamoDB_20120810.DeleteTable\n{"TableName":"orders"}',
        _reply(PAGE, crc=True),
        _reply(PAGE),
        _reply({**PAGE, "LastEvaluatedKey": {"Id": {"S": "a"}}}),
        _reply({"UnprocessedItems": {}, "ConsumedCapacity": [consumed(1.0, byDate=2.0)]}),
        _reply(
            {"UnprocessedItems": {"orders": [{"PutRequest": {"Item": {"Id": {"S": "a"}}}}]}, "ConsumedCapacity": []}
        ),
        _reply({"ConsumedCapacity": consumed(1.0)}),
        REPLY + b"HTTP/1.1 102 Processing\r\n\r\n" + _reply(PAGE)[1:],
        *(BODY + json.dumps(body).encode() for body in (PAGE, UNPROCESSED, {"ConsumedCapacity": consumed(1.0, a=1.0)})),
        BODY + json.dumps(PAGE, separators=(",", ":")).encode(),
        *(_error(code) for code in ("ProvisionedThroughputExceededException", "AccessDeniedException", "X")),
        _error("InternalServerError", 500),
    ),
    words=(
        *(
            b"\r\n",
            b": ",
            b"HTTP/1.1 ",
            b"HTTP/1.0 200",
            b"Content-Length: ",
            b"Transfer-Encoding: chunked",
            b"POST / ",
        ),
        *(b"Authorization: ", b"Credential=", b"SignedHeaders=", b"Signature=", b"x-amz-date: ", b"host: ", b"Date: "),
        *(
            b'"TableName"',
            b'"Items":[',
            b'],"',
            b'"Count":',
            b'"ScannedCount":',
            b'"LastEvaluatedKey":',
            b'"CapacityUnits":',
        ),
        *(b'"ConsumedCapacity":', b'"UnprocessedItems":', b'"__type":', b'"message":', b'"GlobalSecondaryIndexes":'),
        *(
            b'"CancellationReasons":',
            b'"ThrottlingReasons":',
            b'"Table":',
            b'"orders"',
            b"{}",
            b"[]",
            b"null",
            b"1e309",
        ),
    ),
    short_count=6_000,
)
