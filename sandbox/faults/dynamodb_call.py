"""
One DynamoDB request, taken apart as far as faults need it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from sandbox.faults.http_messages import Request, without

_TARGET_PREFIX = "DynamoDB_20120810."
_SCAN_IDENTITY = ("TableName", "IndexName", "Segment", "TotalSegments", "ExclusiveStartKey")

Payload = dict[str, Any]


@dataclass(frozen=True)
class DynamoDbCall:
    """`operation` is the name in X-Amz-Target, `payload` the request's JSON."""

    request: Request
    operation: str
    payload: Payload

    @property
    def table(self) -> str:
        """The table's name; for a batch the first one."""
        name = self.payload.get("TableName") or next(iter(self.payload.get("RequestItems", {})), "")
        return str(name).rpartition("/")[2]

    @property
    def fingerprint(self) -> str:
        """Same question, same text; a page's size and the wish for units do not make it another question."""
        payload = self.payload
        if self.operation == "Scan":
            payload = {name: payload[name] for name in _SCAN_IDENTITY if name in payload}
        text = json.dumps({**payload, "ReturnConsumedCapacity": None}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def changed(self, **fields: object) -> DynamoDbCall:
        """The same call with these fields of the payload set, or removed where the value is None."""
        payload = {name: value for name, value in {**self.payload, **fields}.items() if value is not None}
        return replace(self, payload=payload, request=self.request.with_body(json.dumps(payload).encode()))

    def describe_table(self) -> Request:
        """A DescribeTable request for the same table, by the same client."""
        headers = (*without(self.request.headers, "x-amz-target"), ("X-Amz-Target", f"{_TARGET_PREFIX}DescribeTable"))
        return replace(self.request, headers=headers, body=json.dumps({"TableName": self.table}).encode())


def read_call(request: Request) -> DynamoDbCall | None:
    """None for a request that is none of DynamoDB's."""
    target = request.header("x-amz-target") or ""
    if not target.startswith(_TARGET_PREFIX):
        return None
    return DynamoDbCall(request, target[len(_TARGET_PREFIX) :], json.loads(request.body))
