"""
The sockets of the coordinator: accept, prove the key, cut lines, write answers; decisions are the dispatcher's.

One thread, never blocked by a peer. Bounds: connections, connections without proof, time for the proof, bytes of a line
and of answers that a peer does not read. A connection that breaks a bound, or sends what is no message, is closed, with
the same end for its worker's grants and work as any other closed connection (`end_session` in dispatcher.py). So is
one at which our own code fails: no connection can end the loop that serves all others.
"""

from __future__ import annotations

import logging
import math
import resource
import selectors
import socket
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Callable

from dynamodb_pipeline.workers import protocol as messages
from dynamodb_pipeline.workers.dispatcher import Dispatcher, Session
from dynamodb_pipeline.workers.protocol import Message, ProtocolError, keep_alive, message_field


@dataclass(frozen=True)
class PeerLimits:
    """
    What a peer may take.

    Attributes:
        peers_max: connections at once; never more than half of the files this process may open.
        strangers_max: connections that have not proved the key yet, never more than half of all; then the one longest
            silent is dropped. The workers of a job come all at once, and each is a stranger for a moment.
        handshake_s: seconds until the key must be proved.
        unread_bytes_max: answers kept for a peer that does not read.
    """

    peers_max: int = 4096
    strangers_max: int = 2048
    handshake_s: float = 5.0
    unread_bytes_max: int = 1024 * 1024

    @property
    def connections(self) -> int:
        """`peers_max`, as far as this process may open files; it takes leave to open as many as it needs, if it may."""
        files, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * self.peers_max if files_max == resource.RLIM_INFINITY else min(2 * self.peers_max, files_max)
        if resource.RLIM_INFINITY != files < wanted:
            files = wanted
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files_max))
        return self.peers_max if files == resource.RLIM_INFINITY else min(self.peers_max, files // 2)


DEFAULT_LIMITS = PeerLimits()


@dataclass(eq=False)
class Peer:
    """One connection."""

    connection: socket.socket
    deadline_s: float
    asked: str = field(default_factory=messages.challenge)
    lines: messages.LineBuffer = field(default_factory=lambda: messages.LineBuffer(messages.HELLO_BYTES_MAX))
    unsent: bytearray = field(default_factory=bytearray)
    session: Session | None = None
    watches_writing: bool = False


_CHUNK_BYTES = 65536
_LOGGED_CHARS_MAX = 200

logger = logging.getLogger(__name__)


class CoordinatorServer:
    """Moves messages between connections and the dispatcher until `close`."""

    def __init__(self, dispatcher: Dispatcher, *, key: bytes, host: str, limits: PeerLimits = DEFAULT_LIMITS) -> None:
        self._dispatcher = dispatcher
        self._key = key
        self._limits = limits
        self._listener = socket.create_server((host, 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._peers: set[Peer] = set()
        self._peers_max = limits.connections
        self._strangers_max = min(limits.strangers_max, self._peers_max // 2)
        self._strangers: dict[Peer, None] = {}  # oldest first
        self._outbox: deque[tuple[Peer, Message]] = deque()
        self._thread_id = 0
        self._wakes_at_s = 0.0
        self._closing = False
        self._bug_logged = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)

    def serve(self) -> None:
        """The loop; returns after `close`."""
        self._thread_id = threading.get_ident()
        try:
            while not self._closing:
                self._wakes_at_s = math.inf  # what changes while we look must wake us
                wait_s = self._timeout(self._dispatcher.pump())
                self._wakes_at_s = time.monotonic() + (math.inf if wait_s is None else wait_s)
                self._flush()
                for key, _ in self._selector.select(wait_s):
                    self._on_ready(key.fileobj, key.data)
                self._drop_silent_strangers()
        finally:
            self._release()

    def wake(self, *, within_s: float = 0.0) -> None:
        """Make the loop look again in at most `within_s` seconds: another thread changed something."""
        if time.monotonic() + within_s < self._wakes_at_s:
            self._rouse()

    def close(self) -> None:
        """End the loop."""
        self._closing = True
        self._rouse()

    def _rouse(self) -> None:
        try:
            self._wake_out.send(b"\0")
        except OSError:
            return  # it is awake already, or gone

    def _timeout(self, wait_s: float | None) -> float | None:
        if not self._strangers:
            return wait_s
        left_s = next(iter(self._strangers)).deadline_s - time.monotonic()
        return max(0.0, left_s if wait_s is None else min(left_s, wait_s))

    def _on_ready(self, ready: object, peer: Peer | None) -> None:
        if peer is not None:
            self._attend(peer, lambda: self._serve_peer(peer))
        elif ready is self._listener:
            self._accept()
        else:
            self._wake_in.recv(4096)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it is gone again
        if len(self._peers) >= self._peers_max:
            connection.close()
            return
        if len(self._strangers) >= self._strangers_max:
            self._drop(next(iter(self._strangers)))
        peer = Peer(connection, time.monotonic() + self._limits.handshake_s)
        self._attend(peer, lambda: self._welcome(peer))

    def _welcome(self, peer: Peer) -> None:
        self._peers.add(peer)
        self._strangers[peer] = None
        peer.connection.setblocking(False)
        keep_alive(peer.connection)
        self._selector.register(peer.connection, selectors.EVENT_READ, peer)
        self._answer(peer, {"protocol": messages.PROTOCOL, "challenge": peer.asked})

    def _attend(self, peer: Peer, action: Callable[[], None]) -> None:
        """Do something for one peer; whatever that raises ends its connection and nothing else."""
        try:
            action()
        except (OSError, ProtocolError):
            self._drop(peer)
        except Exception as err:
            if peer.session is not None:
                self._log_bug(err)
            self._drop(peer)

    def _log_bug(self, err: Exception) -> None:
        """Once in a run: a worker that is dropped comes back and may meet the same again."""
        if not self._bug_logged:
            self._bug_logged = True
            place = traceback.extract_tb(err.__traceback__)[-1]
            text = f"{type(err).__name__}: {err}"[:_LOGGED_CHARS_MAX]
            logger.error("a bug: a worker is dropped: %r (%s, line %s)", text, place.name, place.lineno)

    def _serve_peer(self, peer: Peer) -> None:
        try:
            data = peer.connection.recv(_CHUNK_BYTES)
        except BlockingIOError:
            data = None  # ready for writing only
        if data == b"":
            self._drop(peer)
        for message in peer.lines.feed(data or b""):
            self._on_message(peer, message)
        if peer.watches_writing:
            self._write(peer)

    def _on_message(self, peer: Peer, message: Message) -> None:
        if peer.session is None:
            self._shake_hands(peer, message)
        else:
            self._dispatcher.handle(peer.session, message)

    def _shake_hands(self, peer: Peer, message: Message) -> None:
        asked, worker = message_field(message, "challenge", str), message_field(message, "worker", str)
        attempt = message_field(message, "attempt", int)
        if not 0 <= attempt <= messages.ATTEMPT_MAX:
            msg = "no number of an attempt"
            raise ProtocolError(msg)
        proof = messages.worker_proof(self._key, asked=peer.asked, own=asked, worker=worker, attempt=attempt)
        if not messages.is_proof(message.get("proof"), proof):
            msg = "a wrong proof"
            raise ProtocolError(msg)
        self._strangers.pop(peer, None)
        peer.lines.limit_bytes = messages.LINE_BYTES_MAX
        own = {"proof": messages.driver_proof(self._key, asked=asked, own=peer.asked)}
        peer.session = self._dispatcher.open_session(
            worker, attempt, lambda answer: self._answer(peer, {**own, **answer})
        )
        peer.session.deliver = lambda answer: self._answer(peer, answer)

    def _answer(self, peer: Peer, message: Message) -> None:
        """Queue an answer, from any thread."""
        self._outbox.append((peer, message))
        if threading.get_ident() != self._thread_id:
            self.wake()

    def _flush(self) -> None:
        while self._outbox:
            peer, message = self._outbox.popleft()
            self._attend(peer, lambda peer=peer, message=message: self._send(peer, message))  # type: ignore[misc]

    def _send(self, peer: Peer, message: Message) -> None:
        peer.unsent += messages.encode_message(message)
        self._write(peer)

    def _write(self, peer: Peer) -> None:
        if not peer.unsent or peer not in self._peers:
            return
        with suppress(BlockingIOError):  # its window is full: wait until it is ready
            del peer.unsent[: peer.connection.send(peer.unsent)]
        if len(peer.unsent) > self._limits.unread_bytes_max:
            self._drop(peer)
        elif bool(peer.unsent) != peer.watches_writing:
            peer.watches_writing = bool(peer.unsent)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.unsent else 0)
            self._selector.modify(peer.connection, events, peer)

    def _drop_silent_strangers(self) -> None:
        while self._strangers and (oldest := next(iter(self._strangers))).deadline_s <= time.monotonic():
            self._drop(oldest)

    def _drop(self, peer: Peer) -> None:
        if peer in self._peers:
            self._peers.discard(peer)
            self._strangers.pop(peer, None)
            with suppress(KeyError, ValueError):  # it may have failed before it was registered
                self._selector.unregister(peer.connection)
            peer.connection.close()
            if peer.session is not None:
                self._end_session(peer.session)

    def _end_session(self, session: Session) -> None:
        try:
            self._dispatcher.end_session(session)
        except Exception as err:  # its work may be lost to the run, which therefore must not end as done
            self._log_bug(err)
            self._dispatcher.stop("the work of a lost worker could not be put back, a bug; resume the run")

    def _release(self) -> None:
        self._flush()
        for peer in list(self._peers):
            self._drop(peer)
        self._selector.close()
        for each in (self._listener, self._wake_in, self._wake_out):
            each.close()
