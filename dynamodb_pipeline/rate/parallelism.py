"""Into how many segments a scan is cut, and how many workers a rate keeps busy. Pure."""

from __future__ import annotations

WRITE_UNITS_PER_WORKER = 500.0  # write units/s one worker can move at least

ONE_WRITER_BELOW = 25.0

# AWS's advice for parallel scans starts at one segment per 2 GB; finer ones keep the tail short.
SEGMENT_BYTES = 512 * 2**20
SEGMENTS_PER_WORKER = 4
MAX_SEGMENTS = 1_000_000
UNITS_PER_WORKER = 400.0  # read units/s one worker can move at least: 3 MiB/s
ONE_WORKER_BELOW = 25.0  # units/s; below this more workers only add requests


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
