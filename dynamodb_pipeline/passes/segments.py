"""
The direct reader's worker: parallel Scan over our own wire, whole pages, each under a grant of the budget.

A unit of work is one segment from one position on. The worker reads pages until the data file is full or the segment
ends, stores the file, and reports both the file and the position it covers in one message; the driver then queues the
rest of the segment as a new unit. So a file and its pages count together or not at all, whatever dies when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Callable, Protocol

from dynamodb_pipeline.aws.request_errors import Throttled, Transient
from dynamodb_pipeline.aws.retry import Pacing, pause
from dynamodb_pipeline.connector.metered_scan import settled_page
from dynamodb_pipeline.dynamodb.requests import ScanPage, ScanRequest
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.exporting.data_files import DataFileWriter
from dynamodb_pipeline.formats.blocks.retag import scan_page_lines
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.formats.items.json_text import parse_json
from dynamodb_pipeline.formats.items.tags import item_to_connector_line
from dynamodb_pipeline.rate.page_size import PageSizer
from dynamodb_pipeline.workers.client import CoordinatorClient
from dynamodb_pipeline.workers.engine import Connect
from dynamodb_pipeline.workers.failures import reported
from dynamodb_pipeline.workers.worker_context import WorkerContext


@dataclass(frozen=True)
class ScanPlan:
    """What is scanned and how: the same for every segment; `attributes` are those wanted, empty for all."""

    table: str
    total_segments: int
    consistent: bool = False
    item_bytes: float = 0.0
    max_page_units: float = float("inf")
    attributes: tuple[str, ...] = ()


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
        grant = self._grants.reserve({"table": self._sizer.estimate(limit)})
        request = ScanRequest(plan.table, segment, plan.total_segments, key, limit, plan.consistent, plan.attributes)
        page = settled_page(self._wire, request, self._grants, grant)
        self._sizer.observe(page.scanned_count, page.consumed.get("table", 0.0))
        return page


def page_lines(page: ScanPage, *, null_tag: str) -> bytes:
    """
    The page's items as connector lines, each ended by LF: on bytes where that is certain, else parsed.

    Raises:
        IntegrityError: the page does not hold as many items as its Count says.
    """
    fast = scan_page_lines(page.body, null_tag=null_tag)
    if fast is not None:
        lines, count = fast
    else:
        items = page_items(page)
        lines, count = b"".join(item_to_connector_line(i, null_tag=null_tag) for i in items), len(items)
    if count != page.count:
        msg = f"a Scan reply holds {count} items and says {page.count}"
        raise IntegrityError(msg)
    return lines


def page_items(page: ScanPage) -> list[dict[str, Any]]:
    """The page's items, parsed."""
    items: list[dict[str, Any]] = parse_json(page.body)["Items"]
    return items


class Sink(Protocol):
    """What a segment's pages are turned into, one unit of work at a time."""

    def add(self, page: ScanPage) -> bool:
        """Take a page; False when the unit should end here."""

    def record(self) -> dict[str, Any]:
        """Store what was taken and return what to report of it."""

    def abandon(self) -> None:
        """Forget what was taken."""


class FileSink:
    """Pages become one data file per unit of work."""

    def __init__(self, writer_for: Callable[[Callable[[FileRecord], None]], DataFileWriter], *, null_tag: str):
        self._files: list[FileRecord] = []
        self._writer = writer_for(self._files.append)
        self._null_tag = null_tag

    def add(self, page: ScanPage) -> bool:
        if page.count:
            self._writer.add(page_lines(page, null_tag=self._null_tag), page.count)
        return not self._files

    def record(self) -> dict[str, Any]:
        self._writer.flush()
        files, self._files[:] = [asdict(f) for f in self._files], []
        return {"files": files}

    def abandon(self) -> None:
        self._writer.abandon()
        self._files.clear()


@dataclass(frozen=True)
class ScanWorker:
    """Picklable worker: takes segments from the coordinator until none is left."""

    worker: WorkerContext
    connect: Connect
    plan: ScanPlan
    sink: Callable[[WorkerContext, Any], Sink]

    def __call__(self, worker_id: int, attempt: int) -> None:
        clients = self.worker.clients()
        grants = self.connect(worker_id, attempt)
        wire = self.worker.wire(clients)
        try:
            reader = PageReader(wire, grants, self.plan)
            sink = self.sink(self.worker, clients)
            while (unit := grants.take()) is not None:
                with reported(grants, unit):
                    scan_unit(unit, reader, sink, grants)
        finally:
            wire.close()
            grants.close()


@dataclass(frozen=True)
class FileSinkFactory:
    """Picklable: makes a worker's `FileSink`."""

    folder: str
    compression: str
    null_tag: str

    def __call__(self, worker: WorkerContext, clients: Any) -> Sink:
        store = worker.store(clients)

        def writer(on_file: Callable[[FileRecord], None]) -> DataFileWriter:
            return DataFileWriter(store, self.folder, compression=self.compression, on_file=on_file)

        return FileSink(writer, null_tag=self.null_tag)


def scan_unit(unit: Mapping[str, Any], reader: PageReader, sink: Sink, grants: CoordinatorClient) -> None:
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
