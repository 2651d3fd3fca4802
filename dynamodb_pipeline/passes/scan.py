"""
A parallel Scan over our own wire: segments in whole pages, each page under a grant of the budget.

A unit of work is one segment from one position on. The worker reads pages until the data file is full or the segment
ends, stores the file, and reports both the file and the position it covers in one message; the driver then queues the
rest of the segment as a new unit. So a file and its pages count together or not at all, whatever dies when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Callable, Protocol

from dynamodb_pipeline.aws.request_errors import BadReply, Throttled, Transient
from dynamodb_pipeline.aws.retry import Pacing, pause
from dynamodb_pipeline.documents import Document, Facts, member, natural, optional, string
from dynamodb_pipeline.dynamodb.requests import ScanPage, ScanRequest, scan_with_units
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.formats.items.key_schema import Item
from dynamodb_pipeline.rate.work_size import PageSizer
from dynamodb_pipeline.workers.contract import CoordinatorClient, metered
from dynamodb_pipeline.workers.work_queue import Work, WorkUnit
from dynamodb_pipeline.workers.worker import Tools, Unit


@dataclass(frozen=True)
class ScanPlan:
    """
    What is scanned and how: the same for every segment; `attributes` are those wanted, empty for all, and `words` those
    of `ScanRequest`.
    """

    table: str
    total_segments: int
    consistent: bool = False
    item_bytes: float = 0.0
    max_page_units: float = float("inf")
    attributes: tuple[str, ...] = ()
    words: bytes = b""


@dataclass(frozen=True)
class SegmentWork(Work):
    """A segment from `start_key` on, None at its beginning; `pages` of it were read before."""

    segment: int = member(natural)
    start_key: str | None = member(optional(string))
    pages: int = member(natural)


@dataclass(frozen=True)
class Scanned(Document):
    """
    What was read of a segment, as it is reported; each use of the scan adds what it made of the items.

    Attributes:
        pages: read from the segment's beginning on.
        next_key: where the next unit starts, None at the segment's end.
    """

    segment: int = member(natural)
    pages: int = member(natural)
    next_key: str | None = member(optional(string))
    items: int = member(natural)


class PageReader:
    """
    Reads a segment's pages, each under a grant, throttles and failures repeated.

    Args:
        wire: the protocol.
        grants: the coordinator.
        plan: what to scan.
    """

    def __init__(self, wire: DynamoDbWire, grants: CoordinatorClient, plan: ScanPlan, *, pacing: Pacing | None = None):
        self._wire, self._grants, self._plan, self._pacing = wire, grants, plan, pacing or Pacing()
        self._sizer = PageSizer(consistent=plan.consistent, item_bytes=plan.item_bytes)

    def pages(self, segment: int, start_key: bytes | None) -> Iterator[ScanPage]:
        """Yield the segment's pages from `start_key` on; an empty page with a key is not the last."""
        key: bytes | None = start_key
        while True:
            page = self._page(segment, key)
            yield page
            key = page.last_evaluated_key
            if key is None:
                return

    def _page(self, segment: int, key: bytes | None) -> ScanPage:
        state = self._pacing.start()
        while True:
            try:
                return self._granted(segment, key)
            except (Throttled, Transient) as err:
                pause(state, err, pacing=self._pacing)

    def _granted(self, segment: int, key: bytes | None) -> ScanPage:
        plan = self._plan
        limit = self._sizer.limit(min(self._grants.units_cap(), plan.max_page_units))
        request = ScanRequest(
            plan.table, segment, plan.total_segments, key, limit, plan.consistent, plan.attributes, plan.words
        )
        page = metered(
            self._grants, {"table": self._sizer.estimate(limit)}, partial(scan_with_units, self._wire, request)
        )
        self._sizer.observe(page.scanned_count, page.consumed.get("table", 0.0))
        return page


def page_items(page: ScanPage, *, parse: Callable[[bytes], Mapping[str, list[Item]]] = json.loads) -> list[Item]:
    """
    The page's items; `parse` is a strict parser where their text is written on.

    Raises:
        BadReply: as `check_page_count`.
    """
    items: list[Item] = parse(page.body)["Items"]
    check_page_count(page, len(items))
    return items


def check_page_count(page: ScanPage, count: int) -> None:
    """
    Raises:
        BadReply: the page does not hold as many items as its Count says; its units are spent, the run can be resumed.
    """
    if count != page.count:
        msg = f"a Scan reply holds {count} items and says {page.count}; resume the run"
        raise BadReply(msg, code="bad reply")


class Sink(Protocol):
    """What a segment's pages are turned into, one unit of work at a time."""

    def add(self, page: ScanPage) -> bool:
        """Take a page; False when the unit should end here."""

    def record(self) -> Facts:
        """Store what was taken and return what to report of it."""

    def abandon(self) -> None:
        """Forget what was taken."""


def start_scan(tools: Tools, *, plan: ScanPlan, sink: Callable[[Tools], Sink]) -> Callable[[Unit], None]:
    """Return what reads one segment from its position on into the worker's sink."""
    reader = PageReader(tools.wire(), tools.grants, plan)
    return partial(scan_unit, reader=reader, sink=sink(tools), grants=tools.grants)


def scan_unit(unit: Unit, *, reader: PageReader, sink: Sink, grants: CoordinatorClient) -> None:
    """Read one unit of work and report it; nothing is reported of a unit that fails."""
    start = SegmentWork.from_json(unit)
    pages = items = 0
    last: bytes | None = None
    try:
        for page in reader.pages(start.segment, start.start_key.encode() if start.start_key else None):
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
    done = Scanned(start.segment, start.pages + pages, None if last is None else last.decode(), items)
    rest = segment_unit(segment=done.segment, pages=done.pages, next_key=done.next_key)
    grants.finished(start.work_id, {**record, **done.to_json()}, rest=rest)


def segment_unit(*, segment: int, pages: int, next_key: str | None) -> WorkUnit | None:
    """The unit of work that reads a segment from a position on; None at its end (`next_key` None, pages read)."""
    if next_key is None and pages:
        return None
    return SegmentWork(f"segment-{segment:07d}-{pages:09d}", segment, next_key, pages).unit()
