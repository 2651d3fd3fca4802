"""
How large the pieces of work are at a rate: items of a Scan page, segments of a scan, workers. Pure.

A page never costs more than the budget lets one request take. It is at most 1 MB; read units are counted by its bytes
(8 KiB a unit when eventually consistent), and only `Limit`, a count of items, can make it smaller. So the size of items
seen so far decides, and the first page is small.
"""

from __future__ import annotations

import math

WRITE_UNITS_PER_WORKER = 500.0  # write units/s one worker can move at least

ONE_WRITER_BELOW = 25.0

# AWS's advice for parallel scans starts at one segment per 2 GB; finer ones keep the tail short.
SEGMENT_BYTES = 512 * 2**20
SEGMENTS_PER_WORKER = 4
MAX_SEGMENTS = 1_000_000
UNITS_PER_WORKER = 400.0  # read units/s one worker can move at least: 3 MiB/s
ONE_WORKER_BELOW = 25.0  # units/s; below this more workers only add requests
PAGE_BYTES = 1024 * 1024  # DynamoDB's own limit of a page
EVENTUAL_BYTES_PER_UNIT = 8192  # 2 x 4 KB
STRONG_BYTES_PER_UNIT = 4096
MAX_ITEM_BYTES = 400 * 1024
ROUNDING_BYTES = 4096  # a page's units are those of its bytes rounded up to this
SAFETY = 1.25  # an item may be larger than those before it
SMOOTHING = 0.3


def worker_count(rate: float, *, slots: int) -> int:
    """As many workers as `rate` read units per second can keep busy, at most all slots."""
    if rate < ONE_WORKER_BELOW:
        return 1
    return max(1, min(slots, 1 + int(rate / UNITS_PER_WORKER)))


def segment_count(table_bytes: int, *, workers: int) -> int:
    """Segments of a scan of a table of about that size."""
    by_size = -(-table_bytes // SEGMENT_BYTES)
    return min(MAX_SEGMENTS, max(by_size, workers * SEGMENTS_PER_WORKER))


def write_worker_count(rate: float, *, slots: int, files: int) -> int:
    """As many workers as the rate can keep busy, at most all slots and one a file."""
    if rate < ONE_WRITER_BELOW:
        return 1
    return max(1, min(slots, files, 1 + int(rate / WRITE_UNITS_PER_WORKER)))


def average_item_bytes(*, table_bytes: int, item_count: int) -> float:
    """DescribeTable's average item size, 0 when it knows none; up to six hours old."""
    return table_bytes / item_count if item_count else 0.0


class PageSizer:
    """
    Learns the units an item costs from the pages so far.

    Args:
        consistent: strongly consistent reads, at twice the units.
        item_bytes: average size from DescribeTable, 0 or None when it knows none (it may be hours old).
    """

    def __init__(self, *, consistent: bool = False, item_bytes: float | None = None):
        self._bytes_per_unit = STRONG_BYTES_PER_UNIT if consistent else EVENTUAL_BYTES_PER_UNIT
        known = item_bytes or 0.0
        self._step_units = ROUNDING_BYTES / self._bytes_per_unit
        self._units_per_item = max(known, 1.0) / self._bytes_per_unit if known else None
        self._seen = False

    @property
    def page_units(self) -> float:
        """Units of a full page: 128 eventually consistent, 256 strongly."""
        return PAGE_BYTES / self._bytes_per_unit

    def limit(self, cap_units: float) -> int | None:
        """`Limit` for a page of at most `cap_units`; None when even a full page is below."""
        if cap_units >= self.page_units * SAFETY:
            return None
        per_item = self._units_per_item
        if not self._seen:  # a guess may be wrong by the whole size of an item
            per_item = max(per_item or 0.0, MAX_ITEM_BYTES / self._bytes_per_unit / 16)
        assert per_item is not None
        return max(1, int(cap_units / (per_item * SAFETY)))

    def estimate(self, limit: int | None) -> float:
        """Units a page with that `Limit` is likely to cost, at least half a unit."""
        if limit is None or self._units_per_item is None:
            return self.page_units if limit is None else min(self.page_units, 0.5 + limit * 0.5)
        steps = max(1, math.ceil(limit * self._units_per_item / self._step_units))
        return min(self.page_units, steps * self._step_units)

    def observe(self, items: int, units: float) -> None:
        """
        Learn from a page of `items` items that cost `units`.

        On average half a step of these is rounding. Taken for the items' own cost it would, at a low rate, make the
        next page smaller, its rounding larger, and end in pages of one item that cost eight times their share.
        """
        if items <= 0:
            return
        seen = max(units - self._step_units / 2, self._step_units / 2) / items
        before = self._units_per_item if self._seen and self._units_per_item is not None else seen
        self._units_per_item = before + SMOOTHING * (seen - before)
        self._seen = True
