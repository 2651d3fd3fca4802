"""
Interim replies for HTTP clients whose request waits its turn.

A client reads with a timeout (the AWS SDK for Java: 30 s) and would close the connection of a request that waits for
the budget longer than that. An interim reply, HTTP status 102, is passed over by every HTTP/1.1 client (RFC 9110 15.2)
and starts its timeout anew.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
INTERVAL_S = 8.0


@dataclass(eq=False)
class _Waiting:
    connection: socket.socket
    rounds: int = 0


class WaitingClients:
    """
    Clients that wait for their answer; a thread of its own tells each that it is not forgotten.

    Args:
        interval_s: between interim replies; the first comes after one to two intervals.
    """

    def __init__(self, *, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._waiting: set[_Waiting] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="interim-replies", daemon=True)
        self._thread.start()

    @contextmanager
    def waiting(self, connection: socket.socket) -> Iterator[None]:
        """While this block runs the client gets interim replies; after it none, so that the answer can be sent."""
        client = _Waiting(connection)
        with self._lock:
            self._waiting.add(client)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(client)

    def send_interim_replies(self) -> None:
        """One round: send an interim reply to each client that was there in the round before."""
        with self._lock:
            for client in list(self._waiting):
                client.rounds += 1
                if client.rounds > 1 and not _sent(client.connection):
                    self._waiting.discard(client)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self.send_interim_replies()


def _sent(connection: socket.socket) -> bool:
    try:
        connection.sendall(INTERIM)
    except OSError:
        return False  # its own thread will notice
    return True
