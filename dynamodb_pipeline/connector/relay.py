"""
A loopback relay that makes AWS's connector hold the allowed rate: its sockets and threads.

The connector's own limiter opens with a burst and gives each task a fixed share. So it is given this relay as its
endpoint: each of its Scans waits here for a grant of the run's budget, is signed anew and sent over our wire (which
checks the reply), repeated when throttled, and settled with the units it really consumed. The connector holds a key
pair made for the run, good for nothing but this relay; whoever signs with anything else is turned away.

Every user of the node can reach the port. Until a connection has sent a request signed with the keys it is a
stranger's: strangers are bounded in number, bytes and seconds, get one answer at most and write no line into the log.
Nothing that one connection does, nor a lack of files or threads, ends the thread that accepts the others.
"""

from __future__ import annotations

import logging
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Callable

from dynamodb_pipeline.connector.relay_handler import ClientGone, RelayHandler
from dynamodb_pipeline.connector.relay_messages import TAKEN
from dynamodb_pipeline.dynamodb.connection import has_news
from dynamodb_pipeline.dynamodb.http1 import MessageError, read_message
from dynamodb_pipeline.workers.contract import CoordinatorClient

HOST = "127.0.0.1"
BACKLOG = 128
HEAD_BYTES_MAX = 16 * 1024  # the SDK for Java sends about 1 KB
REQUEST_BYTES_MAX = 64 * 1024  # a Scan is a start key and little else
TURN_S = 5.0  # the accepting thread shows that it lives at least so often
NO_ROOM_PAUSE_S = 0.02
# A client reads with a timeout (the AWS SDK for Java: 30 s) and would close the connection of a request that waits for
# the budget longer than that. An interim reply is passed over by every HTTP/1.1 client (RFC 9110 15.2) and starts its
# timeout anew.
INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
INTERVAL_S = 8.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RelayLimits:
    """
    What connections may take.

    Attributes:
        clients_max: connections at once; each needs two files, and never more than half of this process's are taken.
        strangers_max: of these, connections without a signed request yet; then the oldest is dropped.
        stranger_s: seconds until the first signed request must be complete.
    """

    clients_max: int = 2048
    strangers_max: int = 64
    stranger_s: float = 10.0

    def within(self, files: int) -> RelayLimits:
        """The same, as far as a process may take them that may open `files` files."""
        if files == resource.RLIM_INFINITY:
            return self
        clients = max(2, min(self.clients_max, files // 4))
        return RelayLimits(clients, min(self.strangers_max, clients // 2), self.stranger_s)


DEFAULT_RELAY_LIMITS = RelayLimits()


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
        limits: RelayLimits = DEFAULT_RELAY_LIMITS,
    ) -> None:
        self._handler = handler
        self._connect = connect
        self._listener = listener
        self._waiting = WaitingClients(interval_s=interval_s)
        self._open = OpenConnections(limits.within(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        self._closing = threading.Event()
        self._bug_logged = False
        self.turns = 0  # how often the accepting thread has found its port in order
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
        self._closing.set()
        _shut_down(self._listener)
        self._thread.join()
        self._listener.close()
        self._open.shut_down_all()
        self._waiting.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                self._open.drop_late_strangers()
                self._listener.settimeout(self._open.wait_s())
                connection, _ = self._listener.accept()
                self.turns += 1
                self._welcome(connection)
            except socket.timeout:
                self.turns += 1
            except Exception as err:  # no files or no threads left: it passes, and whoever is served goes on
                self._open.drop_oldest_stranger()
                if not isinstance(err, (OSError, RuntimeError)):
                    self._log_bug(err)
                self._closing.wait(NO_ROOM_PAUSE_S)

    def _welcome(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(None)
            thread = threading.Thread(target=self._converse, args=(connection,), name="relay-client", daemon=True)
            if self._open.add(connection):
                thread.start()
            else:
                connection.close()
        except BaseException:
            self._open.discard(connection)
            connection.close()
            raise

    def _converse(self, connection: socket.socket) -> None:
        client = RelayClient(connection, self._connect)
        try:
            with self._open.present(connection):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(connection, client)
        except (OSError, MessageError, ClientGone):
            return  # it hung up, or does not speak HTTP: nobody is there to be told
        except Exception as err:
            if client.is_known:
                self._log_bug(err)
        finally:
            client.close()

    def _serve(self, connection: socket.socket, client: RelayClient) -> None:
        with connection.makefile("rb") as file:
            while True:
                request = read_message(
                    file, body_bytes_max=REQUEST_BYTES_MAX, head_bytes_max=HEAD_BYTES_MAX, body_optional=True
                )
                if request is None:
                    return
                partition = self._handler.taken_partition(request)
                if partition is not None:
                    self._open.know(connection)
                    self._listen_to_taker(file, partition)
                    return
                last = self._handler.last_answer(request)
                if last is not None:
                    connection.sendall(last.render())
                    return
                client.is_known = True
                self._open.know(connection)
                with self._waiting.waiting(connection):
                    answer = self._handler.answer(request, client)
                connection.sendall(answer.render())

    def _listen_to_taker(self, file: BinaryIO, partition: int) -> None:
        """Hear what a worker takes, as long as it lives."""
        with self._handler.buffers.taker(partition) as take:
            while len(word := file.read(TAKEN.size)) == TAKEN.size:
                take(*TAKEN.unpack(word))

    def _log_bug(self, err: Exception) -> None:
        """Once: a client that is dropped comes back and may meet the same again."""
        if not self._bug_logged:
            self._bug_logged = True
            logger.error("a bug in the relay: a connection is dropped", exc_info=err)


class OpenConnections:
    """The open connections, and which of them are still strangers'; safe for several threads."""

    def __init__(self, limits: RelayLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._all: set[socket.socket] = set()
        self._strangers: dict[socket.socket, float] = {}  # their deadlines, oldest first

    def add(self, connection: socket.socket) -> bool:
        """Take a stranger in; False when there are too many connections."""
        with self._lock:
            if len(self._all) >= self._limits.clients_max:
                return False
            if len(self._strangers) >= self._limits.strangers_max:
                self._drop(next(iter(self._strangers)))
            self._all.add(connection)
            self._strangers[connection] = self._clock() + self._limits.stranger_s
            return True

    def know(self, connection: socket.socket) -> None:
        """It has shown the keys."""
        with self._lock:
            self._strangers.pop(connection, None)

    @contextmanager
    def present(self, connection: socket.socket) -> Iterator[None]:
        """While this block runs it may be shut down by others; then it is closed."""
        try:
            yield
        finally:
            self.discard(connection)
            connection.close()

    def discard(self, connection: socket.socket) -> None:
        with self._lock:
            self._all.discard(connection)
            self._strangers.pop(connection, None)

    def wait_s(self) -> float:
        """Seconds to the next deadline, at most `TURN_S`; more than 0, which would mean "do not wait"."""
        with self._lock:
            first = next(iter(self._strangers.values()), self._clock() + TURN_S)
            return min(TURN_S, max(0.01, first - self._clock()))

    def drop_late_strangers(self) -> None:
        with self._lock:
            now = self._clock()
            for connection in [c for c, deadline_s in self._strangers.items() if deadline_s <= now]:
                self._drop(connection)

    def drop_oldest_stranger(self) -> None:
        with self._lock:
            if self._strangers:
                self._drop(next(iter(self._strangers)))

    def shut_down_all(self) -> None:
        with self._lock:
            for connection in self._all:
                _shut_down(connection)

    def _drop(self, connection: socket.socket) -> None:
        """Its own thread wakes and closes it."""
        del self._strangers[connection]
        _shut_down(connection)


class RelayClient:
    """One connection of the connector, and its own line to the driver's coordinator."""

    def __init__(self, connection: socket.socket, connect: Callable[[], CoordinatorClient]) -> None:
        self._connection = connection
        self._connect = connect
        self._grants: CoordinatorClient | None = None
        self.is_known = False

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
