"""
A loopback relay that makes AWS's connector hold the allowed rate: its sockets and threads.

The connector's own limiter opens with a burst and gives each task a fixed share. So it is given this relay as its
endpoint: each of its Scans waits here for a grant of the run's budget, is signed anew and sent over our wire (which
checks the reply), repeated when throttled, and settled with the units it really consumed. The connector holds a key
pair made for the run, good for nothing but this relay; whoever signs with anything else is turned away.
"""

from __future__ import annotations

import socket
import threading
from typing import Callable

from dynamodb_pipeline.connector.relay_handler import ClientGone, RelayHandler
from dynamodb_pipeline.connector.waiting_clients import INTERVAL_S, WaitingClients
from dynamodb_pipeline.dynamodb.connection import has_news
from dynamodb_pipeline.dynamodb.http1 import MessageError, read_message
from dynamodb_pipeline.workers.contract import CoordinatorClient

HOST = "127.0.0.1"
BACKLOG = 128
REQUEST_BYTES_MAX = 64 * 1024  # a Scan is a start key and little else


def listen(port: int = 0) -> socket.socket:
    """
    Return a socket that listens on this machine's loopback address only; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    return socket.create_server((HOST, port), backlog=BACKLOG)


class Relay:
    """
    Serves connections until closed; a context manager.

    Args:
        connect: opens a connection to the driver's coordinator; each client gets its own, for each may wait.
        listener: see `listen`; closed with the relay.
    """

    def __init__(
        self,
        handler: RelayHandler,
        connect: Callable[[], CoordinatorClient],
        *,
        listener: socket.socket,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._handler = handler
        self._connect = connect
        self._listener = listener
        self._waiting = WaitingClients(interval_s=interval_s)
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def endpoint(self) -> str:
        """For the connector: `dynamodb.endpoint`."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more connections and end those there are."""
        _shut_down(self._listener)
        self._thread.join()
        self._listener.close()
        for connection in list(self._connections):
            _shut_down(connection)
        self._waiting.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._connections.add(connection)
            threading.Thread(target=self._converse, args=(connection,), name="relay-client", daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        client = RelayClient(connection, self._connect)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as file:
                while (request := read_message(file, body_bytes_max=REQUEST_BYTES_MAX, body_optional=True)) is not None:
                    with self._waiting.waiting(connection):
                        answer = self._handler.answer(request, client)
                    connection.sendall(answer.render())
        except (OSError, MessageError, ClientGone):
            return  # it hung up, or does not speak HTTP: nobody is there to be told
        finally:
            self._connections.discard(connection)
            client.close()


class RelayClient:
    """One connection of the connector, and its own line to the driver's coordinator."""

    def __init__(self, connection: socket.socket, connect: Callable[[], CoordinatorClient]) -> None:
        self._connection = connection
        self._connect = connect
        self._grants: CoordinatorClient | None = None

    @property
    def grants(self) -> CoordinatorClient:
        """Connected on first use: a stranger's connection costs the driver nothing."""
        if self._grants is None:
            self._grants = self._connect()
        return self._grants

    def is_gone(self) -> bool:
        """True when the client has closed its connection."""
        if not has_news(self._connection):
            return False
        try:
            return not self._connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def close(self) -> None:
        if self._grants is not None:
            self._grants.close()


def _shut_down(connection: socket.socket) -> None:
    """Wake whoever is blocked on it; its own thread closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
