"""
The direct reader's worker: parallel Scan over our own wire, whole pages, each under a grant of the budget.

A unit of work is one segment from one position on. The worker reads pages until the data file is full or the segment
ends, stores the file, and reports both the file and the position it covers in one message; the driver then queues the
rest of the segment as a new unit. So a file and its pages count together or not at all, whatever dies when.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Callable, Protocol

from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.passes.pages import PageReader, ScanPlan
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.worker import Tools, Unit


class Sink(Protocol):
    """What a segment's pages are turned into, one unit of work at a time."""

    def add(self, page: ScanPage) -> bool:
        """Take a page; False when the unit should end here."""

    def record(self) -> dict[str, Any]:
        """Store what was taken and return what to report of it."""

    def abandon(self) -> None:
        """Forget what was taken."""


def start_scan(tools: Tools, *, plan: ScanPlan, sink: Callable[[Tools], Sink]) -> Callable[[Unit], None]:
    """Return what reads one segment from its position on into the worker's sink."""
    reader = PageReader(tools.wire(), tools.grants, plan)
    return partial(scan_unit, reader=reader, sink=sink(tools), grants=tools.grants)


def scan_unit(unit: Mapping[str, Any], *, reader: PageReader, sink: Sink, grants: CoordinatorClient) -> None:
    """Read one unit of work and report it; nothing is reported of a unit that fails."""
    key = unit["start_key"]
    pages = items = 0
    last: bytes | None = None
    try:
        for page in reader.pages(unit["segment"], key.encode() if key else None):
            pages, last = pages + 1, page.last_evaluated_key
            going_on = sink.add(page)
            items += page.count
            grants.progress(items=page.count, bytes=len(page.body))
            if not going_on:
                break
        record = sink.record()
    except BaseException:
        sink.abandon()
        raise
    position = _position(unit, pages, last)
    grants.finished(unit["work_id"], {**record, **position, "items": items}, rest=segment_unit(**position))


def segment_unit(*, segment: int, pages: int, next_key: str | None) -> dict[str, Any] | None:
    """The unit of work that reads a segment from a position on; None at its end (`next_key` None, pages read)."""
    if next_key is None and pages:
        return None
    body = {"segment": segment, "start_key": next_key, "pages": pages}
    return {"work_id": f"segment-{segment:07d}-{pages:09d}", "body": body}


def _position(unit: Mapping[str, Any], pages: int, last: bytes | None) -> dict[str, Any]:
    next_key = None if last is None else last.decode()
    return {"segment": unit["segment"], "pages": unit["pages"] + pages, "next_key": next_key}
