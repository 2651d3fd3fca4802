"""Export by our own parallel Scan: tight rate, page-level resume, strong consistency on request, no JVM needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Callable

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.exporting.data_files import MAX_PLAIN_BYTES, DataFileWriter
from dynamodb_pipeline.exporting.job import (
    ReadDetails,
    ReadOutcome,
    SegmentEntry,
    TableExport,
    expiry_sample,
    export_header,
)
from dynamodb_pipeline.formats.blocks.retag import scan_page_lines
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.formats.items.item_rules import Expiry, ExpirySample
from dynamodb_pipeline.formats.items.json_text import parse_json
from dynamodb_pipeline.formats.items.tags import item_to_connector_line
from dynamodb_pipeline.passes.rated_run import Rated, RatedRun
from dynamodb_pipeline.passes.scan import ScanPlan, Sink, check_page_count, page_items, segment_unit, start_scan
from dynamodb_pipeline.rate.work_size import (
    EVENTUAL_BYTES_PER_UNIT,
    average_item_bytes,
    segment_count,
    worker_count,
)
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger, entries_of
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import Tools, UnitWorker

UNITS_OF_A_FILE = MAX_PLAIN_BYTES / EVENTUAL_BYTES_PER_UNIT


def page_lines(page: ScanPage, *, null_tag: str) -> bytes:
    """
    The page's items as connector lines, each ended by LF: on bytes where that is certain, else parsed.

    Raises:
        IntegrityError: the page does not hold as many items as its Count says.
    """
    fast = scan_page_lines(page.body, null_tag=null_tag)
    if fast is None:
        items = page_items(page, parse=parse_json)
        return b"".join(item_to_connector_line(item, null_tag=null_tag) for item in items)
    lines, count = fast
    check_page_count(page, count)
    return lines


class FileSink:
    """Pages become one data file per unit of work; the first is looked at for items that expire soon."""

    def __init__(
        self,
        writer_for: Callable[[Callable[[FileRecord], None]], DataFileWriter],
        *,
        null_tag: str,
        expiry: Expiry | None = None,
    ):
        self._files: list[FileRecord] = []
        self._writer = writer_for(self._files.append)
        self._null_tag, self._expiry = null_tag, expiry
        self._sample: ExpirySample | None = None

    def add(self, page: ScanPage) -> bool:
        if page.count:
            lines = page_lines(page, null_tag=self._null_tag)
            self._writer.add(lines, page.count)
            if self._expiry is not None and self._sample is None:
                self._sample = ExpirySample(self._expiry)
                self._sample.add(lines)
        return not self._files

    def record(self) -> Facts:
        self._writer.flush()
        files, self._files[:] = [asdict(f) for f in self._files], []
        sample, self._sample = self._sample, None
        return {"files": files, **({"sampled": sample.items, "expiring": sample.expiring} if sample else {})}

    def abandon(self) -> None:
        self._writer.abandon()
        self._files.clear()
        self._sample = None


class PartSink(FileSink):
    """
    The same of a part of a table, whose pages may hold any share of what was read, or nothing: a unit of work ends when
    as much was read as a whole file may hold, so that a lost worker or a resume repeats no more than that.
    """

    _items_read = 0
    _units_read = 0.0

    def add(self, page: ScanPage) -> bool:
        self._items_read += page.scanned_count
        self._units_read += sum(page.consumed.values())
        return super().add(page) and self._units_read < UNITS_OF_A_FILE

    def record(self) -> Facts:
        record = {**super().record(), "items_read": self._items_read}
        self._items_read, self._units_read = 0, 0.0
        return record

    def abandon(self) -> None:
        super().abandon()
        self._items_read, self._units_read = 0, 0.0


@dataclass(frozen=True)
class SinkFor:
    """Makes a worker's sink, which stores into `folder`; picklable."""

    folder: str
    compression: str
    null_tag: str
    of_a_part: bool = False
    expiry: Expiry | None = None

    def __call__(self, tools: Tools) -> Sink:
        writer_for = partial(_writer, tools.store(), self.folder, self.compression)
        kind = PartSink if self.of_a_part else FileSink
        return kind(writer_for, null_tag=self.null_tag, expiry=self.expiry)


def _writer(store: ObjectStore, folder: str, compression: str, on_file: Callable[[FileRecord], None]) -> DataFileWriter:
    return DataFileWriter(store, folder, compression=compression, on_file=on_file)


def read_direct(ctx: RunContext, export: TableExport, engine: Engine, *, ledger: Ledger) -> ReadOutcome:
    """
    Scan the table at the allowed rate into data files, going on where an earlier attempt of this run stopped.

    Raises:
        PipelineError: see rated_run.py.
    """
    allowed = export.rate.units_per_s["table"]
    workers = worker_count(allowed, slots=engine.slots)
    segments = _segments(export, ledger, workers)
    settings = export.settings
    asked: Facts = {"consistent_read": settings.consistent_read}
    header = export_header(export, kind="export-direct", segments=segments, more=asked)
    entries = entries_of(SegmentEntry, ledger.open(header))
    work = remaining_units(segments, entries.values())
    records = list(entries.values())

    def on_finished(work_id: str, record: Facts) -> None:
        ledger.add(work_id, record)
        records.append(SegmentEntry.from_json(record))

    table, target = export.table, export.target
    rated = Rated(table, export.rate_of, Goal(f"export {table.name}", allowed, "read units", export.expected_items))
    run = RatedRun(ctx, engine, rated, units=work, on_finished=on_finished)
    plan = ScanPlan(
        table.address,
        segments,
        settings.consistent_read,
        average_item_bytes(table_bytes=target.size_bytes, item_count=target.item_count),
        words=export.words,
    )
    of_a_part = export.part is not None
    files = SinkFor(str(export.folder), settings.compression, settings.null_tag, of_a_part, export.expiry)
    start = partial(start_scan, plan=plan, sink=files)
    consumed = run.run(
        lambda connect: UnitWorker(export.worker, connect, start), count=workers, group=f"export-{table.name}"
    )
    details = ReadDetails(segments, workers, bool(entries), consumed.throttles)
    read = tuple(file for entry in records for file in entry.files)
    items_read = sum(entry.items_read for entry in records) if export.part else None
    sample = expiry_sample(export.expiry, records)
    return ReadOutcome(read, consumed.units.get("table", 0.0), False, None, details, items_read, sample)


def _segments(export: TableExport, ledger: Ledger, workers: int) -> int:
    if export.settings.segments is not None:
        return export.settings.segments  # a resume with another number is refused
    before = ledger.pinned_number("segments")
    if before is not None:
        return before
    return segment_count(export.target.size_bytes, workers=workers)


def remaining_units(segments: int, entries: Iterable[SegmentEntry]) -> list[WorkUnit]:
    """
    What is still to be scanned after the ledger's entries: per segment from the furthest position on.

    Raises:
        IntegrityError: an entry of a segment that this scan does not have.
    """
    furthest: dict[int, SegmentEntry] = {}
    for entry in entries:
        if entry.segment >= segments:
            msg = f"the ledger names segment {entry.segment} of {segments}; start a new run"
            raise IntegrityError(msg)
        before = furthest.get(entry.segment)
        if before is None or entry.pages > before.pages:
            furthest[entry.segment] = entry
    units = []
    for segment in range(segments):
        entry = furthest.get(segment, SegmentEntry(segment, 0, None, (), 0))
        unit = segment_unit(segment=segment, pages=entry.pages, next_key=entry.next_key)
        if unit is not None:
            units.append(unit)
    return units
