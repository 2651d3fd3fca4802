"""
HTTP/1.1 messages with a Content-Length, read and written on a socket.

Why not `http.client` and `http.server`: they parse headers with the e-mail package and send head and body apart, which
nearly doubles the CPU of a 28-KB request (benchmarks/wire_cost.py). What DynamoDB and its SDKs speak is a small part of
HTTP: bodies have a length, nothing is compressed or chunked. Whatever else arrives is refused by name. This module
knows nothing of AWS.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BufferedIOBase
from typing import NamedTuple

HEAD_BYTES_MAX = 65_536  # start line and headers together
LENGTH_DIGITS_MAX = 18
HEADERS_MAX = 100  # as http.client


class MessageError(ValueError):
    """What arrived is not a complete message of the kind described above; the connection is of no use."""


class Message(NamedTuple):
    """A request or a reply: start line, headers by lower-case name, body."""

    start_line: str
    headers: dict[str, str]
    body: bytes


def read_message(
    file: BufferedIOBase, *, body_bytes_max: int, body_optional: bool = False, head_bytes_max: int = HEAD_BYTES_MAX
) -> Message | None:
    """
    Return the next message of `file`, or None when the peer closed the connection before its first byte.

    Args:
        body_bytes_max: a longer body is refused before it is read.
        head_bytes_max: the same for start line and headers together.
        body_optional: a message without Content-Length has no body (requests: RFC 9112 6.3); else it is refused.

    Raises:
        MessageError: cut off, malformed, chunked, too large or without a length.
        OSError: reset or timed out.
    """
    first = file.readline(head_bytes_max)
    if not first:
        return None
    start_line = _complete_line(first)
    headers = _read_headers(file, bytes_max=head_bytes_max - len(first))
    length = _content_length(headers, optional=body_optional)
    if length > body_bytes_max:
        msg = f"a body of {length} bytes; at most {body_bytes_max} are taken"
        raise MessageError(msg)
    body = file.read(length) if length else b""
    if len(body) != length:
        msg = f"cut off after {len(body)} of {length} body bytes"
        raise MessageError(msg)
    return Message(start_line, headers, body)


def _complete_line(line: bytes) -> str:
    if not line.endswith(b"\n"):
        msg = "cut off or too long: a line of the head has no end"
        raise MessageError(msg)
    return line.rstrip(b"\r\n").decode("latin-1")


def _read_headers(file: BufferedIOBase, *, bytes_max: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(HEADERS_MAX + 1):
        line = file.readline(bytes_max)
        bytes_max -= len(line)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = _complete_line(line).partition(":")
        if not colon or name != name.strip() or not name:
            msg = "malformed header line"
            raise MessageError(msg)
        key, value = name.lower(), value.strip()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    msg = f"more than {HEADERS_MAX} headers"
    raise MessageError(msg)


def _content_length(headers: dict[str, str], *, optional: bool) -> int:
    if "transfer-encoding" in headers:
        msg = f"transfer-encoding {headers['transfer-encoding'][:20]!r} instead of a Content-Length"
        raise MessageError(msg)
    text = headers.get("content-length", "0" if optional else "")
    if not (text.isascii() and text.isdigit()):
        raise MessageError(f"Content-Length is {text[:20]!r}" if text else "no Content-Length")
    if len(text) > LENGTH_DIGITS_MAX:
        msg = f"a body with a length of {len(text)} digits"
        raise MessageError(msg)
    return int(text)


def render_message(start_line: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """
    Return one message with its Content-Length, ready for a single `sendall` (one segment, no delayed-ACK
    wait).

    Raises:
        ValueError: a header holds a line break.
    """
    lines = [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join([start_line, *lines, f"Content-Length: {len(body)}", "", ""])
    if head.count("\n") != len(lines) + 3:
        msg = "a header holds a line break"
        raise ValueError(msg)
    return head.encode("latin-1") + body
