"""
Replies in DynamoDB's words: JSON with a fitting CRC-32, and its errors.
"""

from __future__ import annotations

import json
import zlib
from email.utils import formatdate
from typing import Any

from sandbox.faults.http_messages import Reply

CONTENT_TYPE = "application/x-amz-json-1.0"
_OPERATIONS_WORD = {"Scan": "Read", "BatchWriteItem": "Write", "PutItem": "Write", "DeleteItem": "Write"}
_COMMON = frozenset(
    (
        "ThrottlingException",
        "AccessDeniedException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
        "InvalidSignatureException",
    )
)


def json_reply(value: object, *, status: int = 200) -> Reply:
    """A reply whose CRC-32 is right."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return Reply(
        status,
        (("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", "FAULT"), ("x-amz-crc32", str(zlib.crc32(body)))),
        body,
    )


def rewritten(reply: Reply, value: object) -> Reply:
    """The reply with another JSON body and the CRC-32 of that."""
    fresh = json_reply(value, status=reply.status)
    return reply.with_body(fresh.body).with_header("x-amz-crc32", fresh.header("x-amz-crc32") or "")


def error(code: str, message: str, *, status: int = 400, **fields: object) -> Reply:
    """An error reply; the common ones of all AWS services have another name space than DynamoDB's own."""
    space = "com.amazon.coral.service#" if code in _COMMON else "com.amazonaws.dynamodb.v20120810#"
    return json_reply({"__type": space + code, "message": message, **fields}, status=status)


def throttled(code: str, operation: str, *, limit: str, resource: str = "Table") -> Reply:
    """
    A throttle with its documented reason.

    Reasons are resource + operation + limit, such as TableReadProvisionedThroughputExceeded (ThrottlingReason API).
    """
    reason = f"{resource}{_OPERATIONS_WORD.get(operation, 'Read')}{limit}"
    reasons = [{"reason": reason, "resource": f"arn:aws:dynamodb:eu-west-1:123456789012:{resource.lower()}/fault"}]
    return error(code, "Throughput exceeds the current capacity of your table or index.", ThrottlingReasons=reasons)


def provisioned_throttle(operation: str) -> Reply:
    """ProvisionedThroughputExceededException."""
    return throttled("ProvisionedThroughputExceededException", operation, limit="ProvisionedThroughputExceeded")


def html(status: int, *, body: bytes = b"<html><body>a load balancer's page</body></html>") -> Reply:
    """What stands before DynamoDB answers when DynamoDB itself cannot."""
    return Reply(status, (("Content-Type", "text/html"),), body)


def late_clock(reply: Reply, *, now_s: float, skew_s: float) -> Reply:
    """The reply with a Date that differs from ours by `skew_s`."""
    return reply.with_header("Date", formatdate(now_s + skew_s, usegmt=True))


def payload_of(reply: Reply) -> dict[str, Any]:
    """The reply's JSON object."""
    value: dict[str, Any] = json.loads(reply.body)
    return value
