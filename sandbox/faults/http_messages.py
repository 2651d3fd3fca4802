"""
HTTP/1.1 requests and replies as values, read from and written to a stream.

The standard library's server decides too much (status lines, when to close); a proxy that breaks replies on purpose
must be able to send any byte sequence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

LIMIT_BYTES = 1 << 28
HOP_HEADERS = frozenset(("connection", "keep-alive", "transfer-encoding", "proxy-connection", "expect", "te"))

Headers = tuple[tuple[str, str], ...]


class BadMessage(ValueError):
    """The bytes are no HTTP/1.1 request."""


@dataclass(frozen=True)
class Request:
    """One request; header names as the client wrote them."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return _find(self.headers, name)

    @property
    def url(self) -> SplitResult:
        """Path and query taken apart."""
        return urlsplit(self.target)

    @property
    def access_key(self) -> str | None:
        """The access key id that signed the request, None for an unsigned one."""
        signature = self.header("authorization") or ""
        _, found, rest = signature.partition("Credential=")
        return rest.partition("/")[0] if found else None

    def with_body(self, body: bytes) -> Request:
        """The same request with another body (its signature no longer fits, which no emulator checks)."""
        return replace(self, body=body)


@dataclass(frozen=True)
class Reply:
    """One reply; Content-Length is written from the body unless `stated_length` says otherwise."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    stated_length: int | None = None

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return _find(self.headers, name)

    def with_header(self, name: str, value: str) -> Reply:
        """The same reply with this header set once."""
        return replace(self, headers=(*without(self.headers, name), (name, value)))

    def with_body(self, body: bytes) -> Reply:
        """The same reply, headers untouched (a CRC-32 among them may no longer fit)."""
        return replace(self, body=body)

    def to_bytes(self, *, close: bool = False) -> bytes:
        """Status line, headers and body as they go over the wire."""
        length = len(self.body) if self.stated_length is None else self.stated_length
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in without(self.headers, "content-length")]
        lines += [f"Content-Length: {length}", *(["Connection: close"] if close else []), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


def read_request(stream: BinaryIO, *, on_continue: BinaryIO) -> Request | None:
    """The next request; None when the client has closed. Raises BadMessage."""
    line = stream.readline(65536)
    if not line:
        return None
    try:
        method, target, _ = line.decode("latin-1").split(" ", 2)
    except ValueError as error:
        raise BadMessage(f"not a request line: {line[:64]!r}") from error
    headers = _read_headers(stream)
    if (_find(headers, "expect") or "").lower() == "100-continue":
        on_continue.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        on_continue.flush()
    return Request(method, target, headers, _read_body(stream, headers))


def without(headers: Headers, *names: str) -> Headers:
    """The headers that have none of these names (lower case)."""
    unwanted = {name.lower() for name in names}
    return tuple((name, value) for name, value in headers if name.lower() not in unwanted)


def _read_headers(stream: BinaryIO) -> Headers:
    headers: list[tuple[str, str]] = []
    while line := stream.readline(65536).rstrip(b"\r\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadMessage(f"not a header: {line[:64]!r}")
        headers.append((name, value.strip()))
    return tuple(headers)


def _read_body(stream: BinaryIO, headers: Headers) -> bytes:
    if (_find(headers, "transfer-encoding") or "").lower() == "chunked":
        return _read_chunks(stream)
    length = int(_find(headers, "content-length") or 0)
    if length > LIMIT_BYTES:
        raise BadMessage(f"a body of {length} bytes")
    body = stream.read(length)
    if len(body) < length:
        raise BadMessage(f"body ended after {len(body)} of {length} bytes")
    return body


def _read_chunks(stream: BinaryIO) -> bytes:
    chunks = []
    while size := int(stream.readline(256).partition(b";")[0], 16):
        chunks.append(stream.read(size))
        stream.readline(16)
    _read_headers(stream)  # trailers
    return b"".join(chunks)


def _find(headers: Headers, name: str) -> str | None:
    wanted = name.lower()
    return next((value for found, value in headers if found.lower() == wanted), None)


def _reason(status: int) -> str:
    return {200: "OK", 204: "No Content", 206: "Partial Content"}.get(status, "Fault")
