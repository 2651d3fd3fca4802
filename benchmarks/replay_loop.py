"""
A single-threaded socket loop: one `answer(request)` for each request, optional latency, keep-alive.

One thread and no locks, because the server shares two cores with the client it measures.
"""

from __future__ import annotations

import gc
import heapq
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from itertools import count
from typing import Union

from benchmarks.replay_http import (
    CONTINUE,
    LIMIT_BYTES,
    NotReplayable,
    WireRequest,
    awaits_continue,
    cut_request,
    reply_head,
)

HOST = "127.0.0.1"
_RECEIVE_BYTES = 1 << 18

Parts = list[Union[bytes, memoryview]]
Respond = Callable[[WireRequest], Parts]


class _Connection:
    """One client: what it has sent and what it has yet to be sent."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = stream
        self.received = bytearray()
        self.unsent: Parts = []

    def send(self) -> bool:
        """Send what the socket takes; True when nothing is left."""
        while self.unsent:
            try:
                sent = self.stream.sendmsg(self.unsent)
            except BlockingIOError:
                return False
            self._drop(sent)
        return True

    def _drop(self, sent: int) -> None:
        while sent and sent >= len(self.unsent[0]):
            sent -= len(self.unsent.pop(0))
        if sent:
            self.unsent[0] = memoryview(self.unsent[0])[sent:]


class ReplayLoop:
    """Listens on 127.0.0.1; `run` serves until `stop` is called (from a signal handler or a request)."""

    def __init__(
        self, respond: Respond, *, port: int = 0, latency_s: float = 0.0, limit_bytes: int = LIMIT_BYTES
    ) -> None:
        self._limit_bytes = limit_bytes
        self._respond = respond
        self._latency_s = latency_s
        self._late: list[tuple[float, int, _Connection, Parts]] = []
        self._order = count()
        self._stopped = False
        self._wake_up, wakes = socket.socketpair()
        self._listener = socket.create_server((HOST, port), backlog=256)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(wakes, selectors.EVENT_READ, self._leave)

    @property
    def port(self) -> int:
        """The port that was taken."""
        port: int = self._listener.getsockname()[1]
        return port

    def stop(self) -> None:
        """Leave `run` after the current request; may be called from a signal handler or another thread."""
        self._wake_up.send(b".")

    def run(self) -> None:
        """Serve until stopped, then close every socket."""
        while not self._stopped:
            for key, events in self._selector.select(self._wait_s()):
                self._handle(key.data, events)
            self._send_late()
        self._wake_up.close()
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
        self._selector.close()

    def _leave(self) -> None:
        self._stopped = True

    def _handle(self, connection: _Connection | Callable[[], None], events: int) -> None:
        if not isinstance(connection, _Connection):
            connection()
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._flush(connection)
            if events & selectors.EVENT_READ:
                self._receive(connection)
        except (ConnectionError, NotReplayable):
            self._close(connection)

    def _accept(self) -> None:
        stream, _ = self._listener.accept()
        self._selector.register(stream, selectors.EVENT_READ, _Connection(stream))

    def _receive(self, connection: _Connection) -> None:
        data = connection.stream.recv(_RECEIVE_BYTES)
        if not data:
            self._close(connection)
            return
        connection.received += data
        while request := cut_request(connection.received, limit_bytes=self._limit_bytes):
            self._reply(connection, self._respond(request))
        if awaits_continue(connection.received):
            self._reply(connection, [CONTINUE])

    def _reply(self, connection: _Connection, parts: Parts) -> None:
        if self._latency_s:
            heapq.heappush(self._late, (time.monotonic() + self._latency_s, next(self._order), connection, parts))
        else:
            connection.unsent += parts
            self._flush(connection)

    def _flush(self, connection: _Connection) -> None:
        done = connection.send()
        interest = selectors.EVENT_READ if done else selectors.EVENT_READ | selectors.EVENT_WRITE
        if self._selector.get_key(connection.stream).events != interest:
            self._selector.modify(connection.stream, interest, connection)

    def _wait_s(self) -> float | None:
        return max(0.0, self._late[0][0] - time.monotonic()) if self._late else None

    def _send_late(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, connection, parts = heapq.heappop(self._late)
            if connection.stream.fileno() >= 0:
                connection.unsent += parts
                self._handle(connection, selectors.EVENT_WRITE)

    def _close(self, connection: _Connection) -> None:
        self._selector.unregister(connection.stream)
        connection.stream.close()


def json_reply(status: int, body: bytes) -> Parts:
    """A reply of the server's own pages."""
    return [reply_head(status, length_bytes=len(body), content_type=b"application/json"), body]


def serve(loop: ReplayLoop, *, about: dict[str, object]) -> None:
    """Run the loop as a process: one line of JSON on stdout tells port, pid and `about`; SIGTERM or SIGINT ends it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    gc.freeze()
    gc.disable()  # rows and replies hold no cycles; a collection would only walk the whole ledger
    print(json.dumps({"port": loop.port, "pid": os.getpid(), **about}), flush=True)
    loop.run()
