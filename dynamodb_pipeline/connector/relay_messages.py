"""
What the relay lets through and how it answers, in DynamoDB's own words. Pure.

Only a Scan of the run's table, made of nothing but the fields below, can be metered and repeated safely; everything
else is refused with an error that no SDK and no retry loop of the connector repeats.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from dynamodb_pipeline.aws.request_errors import WireError
from dynamodb_pipeline.dynamodb.http1 import render_message
from dynamodb_pipeline.dynamodb.requests import ScanRequest
from dynamodb_pipeline.dynamodb.signing import KeyPair
from dynamodb_pipeline.dynamodb.wire import CONTENT_TYPE
from dynamodb_pipeline.errors import PipelineError
from dynamodb_pipeline.workers.failures import failure_line

FINAL = "ValidationException"  # a code that is never repeated
_SCAN_FIELDS = {
    "TableName": str,
    "Segment": int,
    "TotalSegments": int,
    "Limit": int,
    "ConsistentRead": bool,
    "ExclusiveStartKey": dict,
    "ReturnConsumedCapacity": str,
}
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden"}


class Answer(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: bytes

    def render(self) -> bytes:
        """The whole reply with its CRC-32, which the SDK checks."""
        headers = (("Content-Type", CONTENT_TYPE), ("x-amz-crc32", str(zlib.crc32(self.body))))
        return render_message(f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Error')}", headers, self.body)


class RefusedError(ValueError):
    """A request the relay does not forward; the text says why."""


def refusal(message: str, *, code: str = FINAL, status: int = 400) -> Answer:
    """Return an error reply of the relay's own."""
    fields = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Answer(status, json.dumps(fields).encode())


def answer_of(error: PipelineError) -> Answer:
    """
    Return the error reply for what ended a request: DynamoDB's own code where it gave one.

    The text carries the exit code, marked, through the connector and Spark to the driver.
    """
    if isinstance(error, WireError) and error.body.startswith(b"{"):
        return refusal(failure_line(error), code=error.code, status=error.status)
    return refusal(f"run stopped: {failure_line(error)}")


def table_request(body: bytes, *, table: str) -> dict[str, Any]:
    """
    Return the fields of a request about the run's table.

    Raises:
        RefusedError: no JSON object, or about another table.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as err:
        msg = "the request is not JSON"
        raise RefusedError(msg) from err
    if not isinstance(fields, dict) or fields.get("TableName") != table:
        msg = "the relay serves only the run's own table"
        raise RefusedError(msg)
    return fields


def scan_request(fields: Mapping[str, Any]) -> ScanRequest:
    """
    Return the page a Scan asks for.

    Raises:
        RefusedError: a field that is unknown or of another type.
    """
    for name, value in fields.items():
        if type(value) is not _SCAN_FIELDS.get(name):
            msg = f"the relay does not forward a Scan with this {name[:64]}"
            raise RefusedError(msg)
    key = fields.get("ExclusiveStartKey")
    return ScanRequest(
        fields["TableName"],
        fields.get("Segment", 0),
        fields.get("TotalSegments", 1),
        None if key is None else json.dumps(key, separators=(",", ":")).encode(),
        fields.get("Limit"),
        fields.get("ConsistentRead", False),
    )


_PROOF_LINE = re.compile(r"GET /relay/([0-9a-f]{64}) HTTP/1\.1")


def proof_line(challenge: str) -> str:
    """Return the start line of the request to prove that a relay has the keys; `challenge` is 64 random hex digits."""
    return f"GET /relay/{challenge} HTTP/1.1"


def asked_challenge(start_line: str) -> str | None:
    """Return the challenge of a request for the proof, None when it is another request."""
    match = _PROOF_LINE.fullmatch(start_line)
    return match[1] if match else None


def proof_answer(keys: KeyPair, challenge: str, *, where: str) -> Answer:
    """
    Return what shows that this relay belongs to whoever has `keys`, without telling them.

    Nobody can have it from an earlier answer, for each challenge is new, nor from another node's relay.

    Args:
        where: name of the node.
    """
    return Answer(200, json.dumps({"proof": _proof(keys, "relay", where, challenge)}).encode())


def _proof(keys: KeyPair, *words: str) -> str:
    """That whoever answers has the run's keys, for these words and no others."""
    text = "\n".join((f"dynamodb-pipeline {words[0]}", *words[1:]))
    return hmac.digest(keys.secret_key.encode(), text.encode(), "sha256").hex()


# What a worker sends again and again: how many items it has taken since the last time, and whether it waits for more.
TAKEN = struct.Struct("!I?")
_TAKER_LINE = re.compile(r"GET /relay/taker/([0-9]{1,9})/([0-9a-f]{64})/([0-9a-f]{64}) HTTP/1\.1")


def taker_line(keys: KeyPair, partition: int) -> str:
    """Return the start line of the one request of a worker that takes a partition's items; `TAKEN`s follow it."""
    challenge = secrets.token_hex(32)
    return f"GET /relay/taker/{partition}/{challenge}/{_taker_proof(keys, partition, challenge)} HTTP/1.1"


def taken_partition(keys: KeyPair, start_line: str) -> int | None:
    """Return the partition of a worker that has `keys`; None for every other request."""
    match = _TAKER_LINE.fullmatch(start_line)
    if match is None or not hmac.compare_digest(match[3], _taker_proof(keys, int(match[1]), match[2])):
        return None
    return int(match[1])


def _taker_proof(keys: KeyPair, partition: int, challenge: str) -> str:
    return _proof(keys, "taker", str(partition), challenge)
