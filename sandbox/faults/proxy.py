"""
The socket side of a fault proxy: threads, kept connections, a clean end. What happens to a request is not known here.

    with FaultProxy(handler) as proxy:
        client = boto3.client("dynamodb", endpoint_url=proxy.url, ...)
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import BinaryIO, Protocol, cast

from sandbox.faults.delivery import Delivery
from sandbox.faults.http_messages import BadMessage, Request, read_request

HOST = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST
_JOIN_TIMEOUT_S = 10.0


class Handler(Protocol):
    """Decides what each request gets; called by one thread per connection."""

    def handle(self, request: Request) -> Delivery:
        """The delivery for one request."""

    def release(self) -> None:
        """This thread's connection has ended: let go of what was kept for it."""


class FaultProxy:
    """Listens on a free port of 127.0.0.1 while the `with` block runs; every thread has ended after it."""

    def __init__(self, handler: Handler, *, port: int = 0) -> None:
        self.handler = handler
        self._listener = socket.create_server((HOST, port), backlog=256)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._streams: dict[socket.socket, threading.Thread] = {}
        self._acceptor = threading.Thread(target=self._accept, name="fault-proxy-accept")

    @property
    def port(self) -> int:
        """The port that was taken."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """What a client uses as its endpoint."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> FaultProxy:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        _shut(self._listener)
        self._acceptor.join(_JOIN_TIMEOUT_S)
        self._listener.close()
        with self._lock:
            open_streams = dict(self._streams)
        for stream in open_streams:
            _shut(stream)
        for thread in open_streams.values():
            thread.join(_JOIN_TIMEOUT_S)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                stream, _ = self._listener.accept()
            except OSError:  # the listener was shut: the end
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(stream,), name="fault-proxy-connection")
            with self._lock:
                self._streams[stream] = thread
            thread.start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            with contextlib.suppress(ConnectionError, BadMessage), stream.makefile("rb") as received:
                while self._answer_one(stream, cast(BinaryIO, received)):
                    pass
        finally:
            self.handler.release()
            with self._lock:
                self._streams.pop(stream, None)
            stream.close()

    def _answer_one(self, stream: socket.socket, received: BinaryIO) -> bool:
        """Answer the next request; False when the connection is at its end."""
        with stream.makefile("wb") as sent:
            request = read_request(received, on_continue=cast(BinaryIO, sent))
        if request is None or self._over.is_set():
            return False
        delivery = self.handler.handle(request)
        self._over.wait(delivery.wait_s)
        stream.sendall(delivery.data)
        if delivery.reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        return not delivery.close


def _shut(stream: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be closed already
        stream.shutdown(socket.SHUT_RDWR)
