"""
What the connector holds of the pages it was given: how many there may be, and how much of its heap each may take.

The connector reads ahead by up to 600 pages a task, half a gigabyte as Java objects, when its lines are taken more
slowly than they come (PageResultMultiplexer). Only the relay can hold it back: by letting the next request wait. What
was given it knows itself, what was taken the workers tell.

The size of an item says little about its heap: 200 KB of items of 80 bytes are 1.5 MB of objects, of items of a few
long texts hardly more than 200 KB. Objects go with the number of values, and `Limit` bounds them.
"""

from __future__ import annotations

import math
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

# A value's object, its entry in a map, its name (SDK 1, compressed pointers; 115 to 142 bytes by own measurement of the
# heap after a full collection, 1,194 bytes of text in 18 values and 120 in 4).
VALUE_BYTES = 150
OPENING = b'{"'  # of each value, and of each map: '{"S":"..."}'
SAMPLE_BYTES = 32 * 1024
PAGE_HEAP_BYTES = 840 * 1024  # 200 KB of items of 1 KB in ten attributes are just below
SMOOTHING = 0.1
GUESS_VALUE_TEXT_BYTES = 16  # before the first page: the more values in an item's bytes, the fewer items


def heap_bytes(body: bytes) -> int:
    """About how many bytes of heap the items of a Scan's reply take; of a long reply its beginning stands for all."""
    sample = min(len(body), SAMPLE_BYTES)
    values = body.count(OPENING, 0, sample) * len(body) / sample if sample else 0.0
    return len(body) + int(values * VALUE_BYTES)


class HeapSizer:
    """
    Learns from the pages so far how many items a page of `PAGE_HEAP_BYTES` has; safe for several threads.

    Args:
        item_bytes: average size from DescribeTable, 0 when it knows none.
    """

    def __init__(self, *, item_bytes: float = 0.0) -> None:
        self._per_item = (item_bytes or 1024.0) * (1 + VALUE_BYTES / GUESS_VALUE_TEXT_BYTES) + VALUE_BYTES
        self._seen = False
        self._lock = threading.Lock()

    def limit(self) -> int:
        """`Limit` for the next page."""
        with self._lock:
            return max(1, int(PAGE_HEAP_BYTES / self._per_item))

    def observe(self, scanned_count: int, heap_bytes: int) -> None:
        """Learn from a page; of items that become heavier at once, of lighter ones slowly."""
        if not scanned_count:
            return
        seen = max(1.0, heap_bytes / scanned_count)
        with self._lock:
            before = self._per_item if self._seen else 0.0
            self._per_item = max(seen, before + SMOOTHING * (seen - before))
            self._seen = True


@dataclass
class _Untaken:
    """
    What one partition of the connector was given and no worker has taken.

    It is held back when its items would fill `pages_max` of the largest page it was given: so many pages it then has at
    least, whatever their sizes and whichever item it takes next. Or when they take the heap of so many of the heaviest
    pages: where items differ, `largest` is a page of the light ones. Should it starve all the same, which the worker
    tells (or nobody: then there is no worker), the bound is doubled, and lifted where the connector has its own.
    """

    moved_s: float
    items: int = 0
    largest: int = 0
    item_bytes: float = 0.0
    heap_bytes: float = 0.0
    pages_max: float = PAGES_MAX
    taker: object = None

    def is_enough(self, now_s: float) -> bool:
        while self._is_full():
            if now_s - self.moved_s < (STALLED_S if self.taker else NO_TAKER_S):
                return True
            doubled = 2 * self.pages_max
            self.pages_max, self.moved_s = (doubled if doubled < CONNECTORS_OWN_MAX else math.inf), now_s
        return False

    def _is_full(self) -> bool:
        fill_pages = self.items >= self.pages_max * self.largest and self.items * self.item_bytes >= BYTES_MIN
        return fill_pages or self.heap_bytes >= self.pages_max * PAGE_HEAP_BYTES

    def give(self, items: int, size_bytes: int, heap_bytes: int, now_s: float) -> None:
        if items:
            self.item_bytes += (size_bytes / items - self.item_bytes) * (SMOOTHING if self.items else 1)
        self.heap_bytes += min(heap_bytes, PAGE_HEAP_BYTES)  # a page of one item may take more
        self.items, self.largest, self.moved_s = self.items + items, max(self.largest, items), now_s

    def take(self, items: int, *, is_waiting: bool, now_s: float) -> None:
        left = max(0, self.items - items)
        self.heap_bytes *= left / self.items if self.items else 0
        self.items = left
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

    def give(self, segment: int, *, items: int, size_bytes: int, heap_bytes: int) -> None:
        """A page is on its way."""
        if self.splits:
            with self._changed:
                self._partitions[segment % self.splits].give(items, size_bytes, heap_bytes, self.clock())

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
