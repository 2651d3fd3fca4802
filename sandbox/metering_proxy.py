"""
A loopback proxy before DynamoDB that keeps a ledger of every request.

    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        ...                                  # a job whose AWS_ENDPOINT_URL_DYNAMODB is proxy.url
        assert proxy.windows(10).most_units <= limit

Bytes pass unchanged, so signatures and checksums stay right. One thread and one upstream connection per client
connection, both kept open and without Nagle's delay (40 ms per request on loopback).
"""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from urllib.parse import urlsplit

from sandbox.http_upstream import BUFFER_BYTES, LENGTH, Message, Upstream, read_head
from sandbox.metering import TABLE, Call, Windows, consumed_units, most_ahead, table_name, windows

HOST = "127.0.0.1"
_JSON = "content-type: application/x-amz-json-1.0"
_OPERATION = re.compile(rb"(?im)^x-amz-target:[ \t]*\w+\.(\w+)")
_EXPECT = re.compile(rb"(?im)^expect:[^\n]*\n")
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})")


class MeteringProxy:
    """
    Forwards to the DynamoDB at `upstream_url` (http) from `url`, as long as the `with` block.

    `calls` is the ledger so far. Time starts at zero with `clear` or the proxy. To an operation of `answers` it gives
    that reply itself, in place of an emulator that does not know it.
    """

    def __init__(
        self,
        upstream_url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        answers: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.answers = {operation: json.dumps(reply).encode() for operation, reply in answers.items()}
        target = urlsplit(upstream_url)
        self.upstream = (target.hostname or HOST, target.port or 80)
        self.calls: list[Call] = []
        self._clock = clock
        self._zero_s = clock()
        self._server = _Server((HOST, 0), _Connection)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> MeteringProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def now_s(self) -> float:
        """Return the seconds since the ledger began."""
        return self._clock() - self._zero_s

    def clear(self) -> None:
        """Forget the calls so far; time starts at zero."""
        self.calls, self._zero_s = [], self._clock()

    def units(self, *, operation: str | None = None, resource: str = TABLE) -> float:
        """Return the sum of consumed units, of one operation when named."""
        return sum(call.units_of(resource) for call in self.of(operation))

    def windows(self, seconds: float, *, operation: str | None = None, resource: str = TABLE) -> Windows:
        """Return the highest and lowest sums of units over windows of `seconds`."""
        return windows(self.of(operation), seconds, resource=resource)

    def most_ahead(self, units_per_s: float, *, operation: str | None = None) -> float:
        """Return by how many units the calls were ahead of that rate at most, from the beginning of the ledger on."""
        return most_ahead(self.of(operation), units_per_s)

    def of(self, operation: str | None) -> list[Call]:
        """Return the calls of one operation, all when None."""
        return [call for call in list(self.calls) if operation in (None, call.operation)]

    def record(self, request: Message, reply: Message, *, started_s: float) -> None:
        """Append one call to the ledger."""
        operation = _OPERATION.search(request.head)
        status = _STATUS.match(reply.head)
        now = self.now_s()
        self.calls.append(
            Call(
                time_s=now,
                took_s=now - started_s,
                operation=operation[1].decode() if operation else "",
                table=table_name(request.body),
                status=int(status[1]) if status else 0,
                request_bytes=len(request.body),
                reply_bytes=len(reply.body),
                units=consumed_units(reply.body),
            )
        )


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: MeteringProxy

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End the threads of clients that keep their connection open."""
        for request in list(self._open):
            request.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    """One client connection and the one upstream connection that serves it."""

    server: _Server
    disable_nagle_algorithm = True
    rbufsize = BUFFER_BYTES

    def handle(self) -> None:
        with Upstream(self.server.proxy.upstream) as upstream, suppress(ConnectionError):  # client is gone
            while request := self._next_request():
                started_s = self.server.proxy.now_s()
                reply = self._own_answer(request) or upstream.exchange(request)
                self.server.proxy.record(request, reply, started_s=started_s)
                self.connection.sendall(reply.head + reply.body)
                if request.closes or reply.closes:
                    return

    def _own_answer(self, request: Message) -> Message | None:
        operation = _OPERATION.search(request.head)
        body = self.server.proxy.answers.get(operation[1].decode()) if operation else None
        if body is None:
            return None
        lines = (f"content-length: {len(body)}", f"x-amz-crc32: {zlib.crc32(body)}")
        return Message("\r\n".join(("HTTP/1.1 200 OK", _JSON, *lines, "", "")).encode(), body)

    def _next_request(self) -> Message | None:
        head = read_head(self.rfile)
        if not head:
            return None
        if _EXPECT.search(head):  # the Java SDK waits for this before it sends the body
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = _EXPECT.sub(b"", head)
        length = LENGTH.search(head)
        return Message(head, self.rfile.read(int(length[1]) if length else 0))
