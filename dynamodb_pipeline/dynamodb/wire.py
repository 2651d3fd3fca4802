"""
DynamoDB's HTTP/JSON protocol with prepared bodies: one place that signs, sends and checks.

botocore 1.44 returns a damaged or cut reply as a good one in its newer retry modes and costs three times
the CPU of a request; this wire checks length and CRC-32 of every reply, never repeats a request by itself
(repairs of credentials and clock apart: those were refused before they reached the table), and leaves what
a reply means to `requests`.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from dataclasses import dataclass
from typing import Any, Callable

from dynamodb_pipeline.aws.clients import RunClients
from dynamodb_pipeline.aws.request_errors import BadReply, ClockSkewed, ExpiredCredentials, Transient
from dynamodb_pipeline.dynamodb.connection import ConnectionPool, Endpoint, Timeouts
from dynamodb_pipeline.dynamodb.credentials import Credentials, credentials_of
from dynamodb_pipeline.dynamodb.error_replies import error_from_reply
from dynamodb_pipeline.dynamodb.http1 import Message, MessageError, render_message
from dynamodb_pipeline.dynamodb.signing import KeyPair, Signer

__all__ = ["Credentials", "DynamoDbWire", "Endpoint", "Reply", "Timeouts", "wire_of"]

API = "DynamoDB_20120810"
CONTENT_TYPE = "application/x-amz-json-1.0"
USER_AGENT = "dynamodb-pipeline"


@dataclass(frozen=True)
class Reply:
    """A checked reply with status 200: complete, and its CRC-32 is right when it carried one."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> dict[str, Any]:
        """
        Return the parsed body.

        Raises:
            BadReply: not one JSON object.
        """
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError) as err:
            msg = "the reply is not JSON"
            raise BadReply(msg, code="bad reply", status=self.status) from err
        if not isinstance(parsed, dict):
            msg = "the reply is not a JSON object"
            raise BadReply(msg, code="bad reply", status=self.status)
        return parsed


class DynamoDbWire:
    """
    Signed requests to one endpoint over kept-alive connections; thread-safe.

    Args:
        now: seconds since the epoch, UTC.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        timeouts: Timeouts | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._pool = ConnectionPool(endpoint, timeouts=timeouts or Timeouts())
        self._signer = Signer(endpoint.region)
        self._now = now
        self._clock_offset_s = 0.0

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return self._endpoint.region

    def call(self, operation: str, body: bytes) -> Reply:
        """
        Send one request; return its checked reply.

        Raises:
            Throttled, Transient, BadReply: worth sending again (see `retry`).
            WireError: its other classes; sending again cannot help.
        """
        keys = self._credentials()
        try:
            return self._attempt(operation, body, keys)
        except (ExpiredCredentials, ClockSkewed) as refused:
            if not self._repaired(refused, keys):
                raise
        return self._attempt(operation, body, self._credentials())

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _attempt(self, operation: str, body: bytes, keys: KeyPair) -> Reply:
        request = self._request(operation, body, keys)
        try:
            message = self._pool.exchange(request)
        except MessageError as err:
            msg = f"{operation}: bad reply: {err}"
            raise BadReply(msg, code="bad reply") from err
        except OSError as err:
            msg = f"{operation}: no reply from {self._endpoint.authority}: {str(err) or type(err).__name__}"
            raise Transient(msg, code=type(err).__name__) from err
        return checked_reply(operation, message, now_s=self._now())

    def _request(self, operation: str, body: bytes, keys: KeyPair) -> bytes:
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now() + self._clock_offset_s))
        headers = [
            ("content-type", CONTENT_TYPE),
            ("host", self._endpoint.authority),
            ("x-amz-date", timestamp),
        ]
        if keys.token:
            headers.append(("x-amz-security-token", keys.token))
        headers.append(("x-amz-target", f"{API}.{operation}"))
        signed = self._signer.authorization(headers, body, keys=keys, timestamp=timestamp)
        unsigned = [("authorization", signed), ("accept-encoding", "identity"), ("user-agent", USER_AGENT)]
        return render_message("POST / HTTP/1.1", headers + unsigned, body)

    def _repaired(self, refused: ExpiredCredentials | ClockSkewed, keys: KeyPair) -> bool:
        if isinstance(refused, ExpiredCredentials):
            return self._credentials.refresh(keys.access_key)
        if refused.offset_s is None:
            return False
        self._clock_offset_s = refused.offset_s
        return True


def wire_of(clients: RunClients) -> DynamoDbWire:
    """A wire to the DynamoDB of these clients, signed by their credentials; nothing is sent yet."""
    endpoint = Endpoint.from_client(clients.client("dynamodb"))
    return DynamoDbWire(endpoint, credentials_of(clients.session))


def checked_reply(operation: str, message: Message, *, now_s: float) -> Reply:
    """
    Return a message from DynamoDB as a reply, once its status and CRC-32 are good.

    Raises:
        WireError: the class for an error reply; BadReply when the CRC-32 or the status line is wrong.
    """
    status = _status(operation, message.start_line)
    body, headers = message.body, message.headers
    stated = headers.get("x-amz-crc32")
    if stated is not None and stated != str(zlib.crc32(body)):
        msg = f"{operation}: bad reply: the body of {len(body)} bytes does not match its x-amz-crc32"
        raise BadReply(msg, code="bad reply", status=status)
    if status != 200:
        raise error_from_reply(operation, status=status, body=body, headers=headers, now_s=now_s)
    if not (body.startswith(b"{") and body.rstrip().endswith(b"}")):
        msg = f"{operation}: bad reply: not a JSON object"
        raise BadReply(msg, code="bad reply", status=status)
    return Reply(status, body, headers)


def _status(operation: str, start_line: str) -> int:
    version, _, rest = start_line.partition(" ")
    if not version.startswith("HTTP/1.") or not re.match(r"[0-9]{3}", rest):
        msg = f"{operation}: bad reply: no HTTP status line"
        raise BadReply(msg, code="bad reply")
    return int(rest[:3])
