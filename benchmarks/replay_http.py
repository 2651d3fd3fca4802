"""
Just enough HTTP/1.1 to be cheap: requests cut out of received bytes, reply heads. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_CONTINUE = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_REASONS = {200: b"OK", 204: b"No Content", 400: b"Bad Request", 404: b"Not Found", 412: b"Precondition Failed"}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LIMIT_BYTES = 17 << 20  # DynamoDB refuses requests above 16 MB


@dataclass(frozen=True)
class WireRequest:
    """`operation` is the name in X-Amz-Target; None for an ordinary HTTP request, such as the server's own pages."""

    method: str
    path: str
    operation: str | None
    head: bytes
    body: bytes

    def header(self, name: bytes) -> str | None:
        """The value of a header, None without it."""
        found = re.search(rb"\r\n%b: *([^\r]*)" % re.escape(name), self.head, re.IGNORECASE)
        return found[1].decode("latin-1") if found else None


class NotReplayable(ValueError):
    """The bytes are no request with a stated length."""


def cut_request(received: bytearray, *, limit_bytes: int = LIMIT_BYTES) -> WireRequest | None:
    """
    Take the first whole request out of `received`; None when more bytes are needed.

    Raises NotReplayable, also for a body above `limit_bytes`.
    """
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = bytes(received[:head_end])
    end = head_end + 4 + _body_length(head, limit_bytes=limit_bytes)
    if len(received) < end:
        return None
    body = bytes(memoryview(received)[head_end + 4 : end])
    del received[:end]
    method, path, *_ = head.split(b" ", 2)
    target = _TARGET.search(head)
    return WireRequest(method.decode(), path.decode(), target[1].decode() if target else None, head, body)


def awaits_continue(received: bytearray) -> bool:
    """Whether the client has sent a head alone and waits for `100 Continue`."""
    return received.endswith(b"\r\n\r\n") and _CONTINUE.search(received) is not None


def reply_head(
    status: int,
    *,
    length_bytes: int,
    crc32: int | None = None,
    content_type: bytes = b"application/x-amz-json-1.0",
    now_s: float | None = None,
    extra: bytes = b"",
) -> bytes:
    """Status line and headers of a kept-alive reply; `now_s` is the wall clock for Date, `extra` whole lines."""
    head = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n" % (
        status,
        _REASONS[status],
        content_type,
        length_bytes,
    )
    if crc32 is not None:
        head += b"x-amzn-RequestId: REPLAY\r\nx-amz-crc32: %d\r\n" % crc32
    return head + extra + b"Date: %b\r\n\r\n" % formatdate(now_s, usegmt=True).encode()


def _body_length(head: bytes, *, limit_bytes: int) -> int:
    length = _LENGTH.search(head)
    if length is None:
        if head.startswith((b"GET ", b"HEAD ", b"DELETE ")):
            return 0
        raise NotReplayable("a request without Content-Length")
    if int(length[1]) > limit_bytes:
        raise NotReplayable(f"a body of {int(length[1])} bytes; at most {limit_bytes} are taken")
    return int(length[1])
