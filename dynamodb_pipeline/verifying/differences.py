"""
The second look of a verification: in the buckets that differ, which keys are missing, extra or different.

Both sides are read once more; of items in those buckets the key and half of the item's digest go to the driver's disk
(local_disk.py), where a 256th of them is compared at a time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from dynamodb_pipeline.documents import Document, Facts, base64_text, member
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.formats.items.digest import SHORT_DIGEST_BYTES, bucket_of, short_digest
from dynamodb_pipeline.formats.items.key_schema import Item, KeySchema
from dynamodb_pipeline.passes.rated_run import Consumed, Rated, RatedRun
from dynamodb_pipeline.passes.table_scan import UNIT_BYTES, ScannedRows, TableScan, row_sink
from dynamodb_pipeline.reading.file_puts import BadLine, ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import FileWork
from dynamodb_pipeline.reading.key_spill import key_row, key_rows, spill_rows
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.store.local_disk import PARTS, Spill
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import Tools, Unit, UnitWorker

DIFFERENCE_KINDS = ("missing", "extra", "different")  # of a key in the table, compared with the export


@dataclass(frozen=True)
class RowFilter:
    """Picklable: makes the row (key_spill.py) of an item that lies in one of `buckets`."""

    keys: KeySchema
    buckets: frozenset[int]

    def row(self, item: Item, key: bytes) -> bytes:
        """The item's row, empty for an item of another bucket."""
        if bucket_of(key) not in self.buckets:
            return b""
        return key_row(key, short_digest(item))

    def of_item(self, item: Item) -> bytes:
        """The row of an item of the table, as of `row`."""
        return self.row(item, self.keys.key_of(item))


@dataclass(frozen=True)
class LastRows(Document):
    """The last rows of a file in base64; others were sent before."""

    rows: str = member(base64_text)


def start_rows(tools: Tools, *, rows: RowFilter, wanted: WantedTable | None = None) -> Callable[[Unit], None]:
    """Return what sends the rows of one file of an export."""
    reader = FileReader(tools.store(), rows.keys, wanted=wanted)
    return partial(send_rows, reader=reader, grants=tools.grants, rows=rows)


def send_rows(unit: Unit, *, reader: FileReader, grants: CoordinatorClient, rows: RowFilter) -> None:
    """Read one file again and send the rows of its items."""
    work = FileWork.from_json(unit)
    judged = reader.items(reader.open(work.file))
    waiting = bytearray()
    for row in _rows_of(judged, rows):
        waiting += row
        if len(waiting) >= UNIT_BYTES:
            grants.keep(work.work_id, base64.b64encode(waiting).decode("ascii"))
            waiting.clear()
    grants.finished(work.work_id, LastRows(base64.b64encode(waiting).decode("ascii")).to_json())


def _rows_of(items: Iterable[ParsedItem | BadLine], rows: RowFilter) -> Iterator[bytes]:
    for judged in items:
        if isinstance(judged, ParsedItem) and judged.key is not None:
            yield rows.row(judged.item, judged.key)


@dataclass
class Differences:
    """How many keys differ, by kind, and the first few as (kind, canonical key)."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIFFERENCE_KINDS, 0))
    examples: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def add(self, kind: str, key: bytes, *, limit: int) -> None:
        self.counts[kind] += 1
        if len(self.examples) < limit:
            self.examples.append((kind, key))


def compare(export: Spill, table: Spill, *, limit: int) -> Differences:
    """Compare two spills of rows; a key that came twice from one side counts as it came last."""
    differences = Differences()
    for part in range(PARTS):
        mine = dict(key_rows(export.part(part), tail_bytes=SHORT_DIGEST_BYTES))
        theirs = dict(key_rows(table.part(part), tail_bytes=SHORT_DIGEST_BYTES))
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in theirs:
                differences.add("missing", key, limit=limit)
            elif key not in mine:
                differences.add("extra", key, limit=limit)
            elif mine[key] != theirs[key]:
                differences.add("different", key, limit=limit)
    return differences


def keep_rows(spill: Spill) -> Callable[[str], None]:
    """Return what takes base64 rows into `spill`."""

    def keep(rows: str) -> None:
        spill_rows(spill, rows, tail_bytes=SHORT_DIGEST_BYTES)

    return keep


@dataclass(frozen=True)
class SecondReading:
    """Both sides once more: the files of `units` and the table of `scan`."""

    ctx: RunContext
    engine: Engine
    units: list[WorkUnit]
    scan: TableScan
    wanted: WantedTable | None = None

    def compare(self, rows: RowFilter, *, limit: int) -> tuple[Differences, Consumed]:
        """
        Compare the buckets of `rows` key by key; `limit` bounds the keys that are named.

        Raises:
            PipelineError: see rated_run.py.
        """
        with Spill() as export, Spill() as table:
            self._read_export(rows, keep_rows(export))
            keep = keep_rows(table)

            def scanned(record: Facts) -> None:
                keep(ScannedRows.from_json(record).rows)

            sink = partial(row_sink, row=rows.of_item)
            consumed = self.scan.run(self.ctx, self.engine, sink=sink, on_record=scanned)
            return compare(export, table, limit=limit), consumed

    def _read_export(self, rows: RowFilter, keep: Callable[[str], None]) -> None:
        run = RatedRun(
            self.ctx,
            self.engine,
            Rated.files_only("look again at the export"),
            units=self.units,
            on_finished=lambda _, record: keep(LastRows.from_json(record).rows),
            on_kept=lambda _, block: keep(block),
        )
        if self.units:
            count = min(self.engine.slots, len(self.units))
            start = partial(start_rows, rows=rows, wanted=self.wanted)
            run.run(lambda connect: UnitWorker(self.scan.worker, connect, start), count=count, group="verify-rows")
