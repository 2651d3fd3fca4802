"""
HTTP clients whose request waits: because enough pages lie with the connector untaken, or for its turn.

The connector reads ahead by up to 600 pages a task, half a gigabyte as Java objects, when its lines are taken more
slowly than they come (PageResultMultiplexer). Only the relay can hold it back: by letting the next request wait. What
was given it knows itself, what was taken the workers tell.

A client reads with a timeout (the AWS SDK for Java: 30 s) and would close the connection of a request that waits for
the budget longer than that. An interim reply, HTTP status 102, is passed over by every HTTP/1.1 client (RFC 9110 15.2)
and starts its timeout anew.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable

# The connector hands no item on while it holds less than 50 pages, of whose items some may be gone already
# (PSCAN_SEGMENT_BATCH_SIZE); beyond 600 it waits by itself (PSCAN_MULTIPLEXER_CAPACITY).
PAGES_MAX, CONNECTORS_OWN_MAX = 100, 600
# Between the connector and the worker lie Java's and the pipe's buffers and the piece in hand, less than 1 MiB when
# nothing moves: small pages could lie there all.
BYTES_MIN = 16 * 1024 * 1024
STALLED_S, NO_TAKER_S = 2.0, 10.0
LOOK_S = 0.5

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
INTERVAL_S = 8.0


@dataclass
class _Untaken:
    """
    What one partition of the connector was given and no worker has taken.

    It is held back when its items would fill `pages_max` of the largest page it was given: so many pages it then has at
    least, whatever their sizes and whichever item it takes next. Should it starve all the same, which the worker tells
    (or nobody: then there is no worker), the bound is doubled, and lifted where the connector has its own.
    """

    moved_s: float
    items: int = 0
    largest: int = 0
    item_bytes: float = 0.0
    pages_max: float = PAGES_MAX
    taker: object = None

    def is_enough(self, now_s: float) -> bool:
        while self.items >= self.pages_max * self.largest and self.items * self.item_bytes >= BYTES_MIN:
            if now_s - self.moved_s < (STALLED_S if self.taker else NO_TAKER_S):
                return True
            doubled = 2 * self.pages_max
            self.pages_max, self.moved_s = (doubled if doubled < CONNECTORS_OWN_MAX else math.inf), now_s
        return False

    def give(self, items: int, size_bytes: int, now_s: float) -> None:
        if items:
            average = size_bytes / items
            self.item_bytes += (average - self.item_bytes) / (10 if self.items else 1)
        self.items, self.largest, self.moved_s = self.items + items, max(self.largest, items), now_s

    def take(self, items: int, *, is_waiting: bool, now_s: float) -> None:
        self.items = max(0, self.items - items)
        if items or not is_waiting:
            self.moved_s = now_s


@dataclass
class PageBuffers:
    """
    What the connector holds, by its partitions; safe for several threads.

    Args:
        splits: how many partitions there are; the connector deals segments to them in turn (DynamoDBSplitGenerator).
            0: nothing is held back.
    """

    splits: int
    clock: Callable[[], float] = time.monotonic
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _partitions: defaultdict[int, _Untaken] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._partitions = defaultdict(lambda: _Untaken(self.clock()))

    def wait(self, segment: int, *, is_gone: Callable[[], bool]) -> bool:
        """Return when a page of that segment may be given; False when the client has gone meanwhile."""
        if not self.splits:
            return True
        with self._changed:
            while self._partitions[segment % self.splits].is_enough(self.clock()):
                if is_gone():
                    return False
                self._changed.wait(LOOK_S)
        return True

    def give(self, segment: int, *, items: int, size_bytes: int) -> None:
        """A page is on its way."""
        if self.splits:
            with self._changed:
                self._partitions[segment % self.splits].give(items, size_bytes, self.clock())

    @contextmanager
    def taker(self, partition: int) -> Iterator[Callable[[int, bool], None]]:
        """
        A worker that takes a partition's items; when it ends, what was given is forgotten: another begins anew.

        Yields what is to be called with the number of items it has taken since the last call, and whether it waits for
        more (or is busy with what it has).
        """
        own = object()
        with self._changed:
            untaken = self._partitions[partition]
            untaken.taker, untaken.pages_max, untaken.moved_s = own, PAGES_MAX, self.clock()

        def take(items: int, is_waiting: bool) -> None:
            with self._changed:
                if untaken.taker is own:
                    untaken.take(items, is_waiting=is_waiting, now_s=self.clock())
                    self._changed.notify_all()

        try:
            yield take
        finally:
            with self._changed:
                if untaken.taker is own:
                    self._partitions.pop(partition, None)
                    self._changed.notify_all()


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
