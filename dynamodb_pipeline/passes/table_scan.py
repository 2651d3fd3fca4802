"""Reads a whole table at its allowed rate into something else than files: digests, rows, keys."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import Callable

from dynamodb_pipeline.documents import Facts, base64_text, member
from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.dynamodb.table import TableDescription
from dynamodb_pipeline.formats.items.key_schema import Item
from dynamodb_pipeline.passes.rated_run import Consumed, Rated, RatedRun
from dynamodb_pipeline.passes.scan import Scanned, ScanPlan, Sink, page_items, segment_unit, start_scan
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, read_rate
from dynamodb_pipeline.rate.work_size import average_item_bytes, segment_count, worker_count
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import Tools, UnitWorker, WorkerContext

SinkFactory = Callable[[Tools], Sink]
Row = Callable[[Item], bytes]

# Rows of one unit of work travel in its report as base64, below the coordinator's longest message of 4 MiB: a unit
# ends at this many bytes, and one more page adds less than 2 MiB to them (PAGE_UNITS).
UNIT_BYTES = 512 * 1024
# Read units of a page: 256 KiB of items, the smallest of which (5 bytes) has a row of 26 bytes.
PAGE_UNITS = 32.0


@dataclass(frozen=True)
class ScannedRows(Scanned):
    """A part of a segment, and the rows of its items in base64."""

    rows: str = member(base64_text)


class RowSink:
    """A table's items as rows (reading/key_spill.py); `row` makes an item's, empty for one that is left out."""

    def __init__(self, row: Row):
        self._row = row
        self._rows = bytearray()

    def add(self, page: ScanPage) -> bool:
        for item in page_items(page):
            self._rows += self._row(item)
        return len(self._rows) < UNIT_BYTES

    def record(self) -> Facts:
        rows = base64.b64encode(self._rows).decode("ascii")
        self._rows.clear()
        return {"rows": rows}

    def abandon(self) -> None:
        self._rows.clear()


def row_sink(_tools: Tools, *, row: Row) -> RowSink:
    """A worker's `RowSink`; `row` is picklable."""
    return RowSink(row)


@dataclass(frozen=True)
class TableScan:
    """
    A table to be read.

    Attributes:
        label: of the progress lines.
        attributes: names of those wanted, empty for all.
        max_page_units: read units of the largest page to ask for.
    """

    table: TableDescription
    choice: RateChoice
    worker: WorkerContext
    label: str
    consistent: bool = False
    attributes: tuple[str, ...] = ()
    max_page_units: float = float("inf")

    def rate_of(self, table: TableDescription, choice: RateChoice | None = None) -> AllowedRate:
        """The rate at which `table` may be read, as it is described now; `choice` in place of its own."""
        return read_rate(table.capacity, choice or self.choice)

    @property
    def rate(self) -> AllowedRate:
        return self.rate_of(self.table)

    def run(
        self, ctx: RunContext, engine: Engine, *, sink: SinkFactory, on_record: Callable[[Facts], None]
    ) -> Consumed:
        """
        Scan once; `on_record` gets what the sinks recorded, on the driver, one at a time, every page exactly once.

        Raises:
            PipelineError: see rated_run.py.
        """
        table, allowed = self.table, self.rate.units_per_s["table"]
        workers = worker_count(allowed, slots=engine.slots)
        segments = segment_count(table.size_bytes, workers=workers)
        rated = Rated(table, self.rate_of, Goal(self.label, allowed, "read units", table.item_count or None))
        run = RatedRun(ctx, engine, rated, units=_units(segments), on_finished=lambda _, record: on_record(record))
        start = partial(start_scan, plan=self._plan(segments), sink=sink)
        return run.run(
            lambda connect: UnitWorker(self.worker, connect, start), count=workers, group=f"scan-{table.name}"
        )

    def _plan(self, segments: int) -> ScanPlan:
        item_bytes = average_item_bytes(table_bytes=self.table.size_bytes, item_count=self.table.item_count)
        return ScanPlan(self.table.address, segments, self.consistent, item_bytes, self.max_page_units, self.attributes)


def _units(segments: int) -> list[WorkUnit]:
    units = (segment_unit(segment=segment, pages=0, next_key=None) for segment in range(segments))
    return [unit for unit in units if unit is not None]
