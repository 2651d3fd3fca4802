"""
A table's keys, on the driver's disk, each with what was asked for about its item; read by one Scan at a read rate.

The scan's rate is the import's percent, taken of the read capacity; an absolute write rate says nothing about reads:
then it is 25 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.formats.items.digest import SHORT_DIGEST_BYTES, short_digest
from dynamodb_pipeline.formats.items.key_schema import Item, KeySchema
from dynamodb_pipeline.passes.rated_run import Consumed
from dynamodb_pipeline.passes.table_scan import ScannedRows, TableScan, row_sink
from dynamodb_pipeline.reading.key_spill import key_row, key_rows, spill_rows
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.store.local_disk import Spill
from dynamodb_pipeline.workers.engine import Engine


@dataclass(frozen=True)
class RowKind:
    """What a row has beside its key: nothing, or the short digest of the whole item; makes rows, and is picklable."""

    keys: KeySchema
    digests: bool = False

    @property
    def tail_bytes(self) -> int:
        return SHORT_DIGEST_BYTES if self.digests else 0

    @property
    def attributes(self) -> tuple[str, ...]:
        """What a scan has to ask for; empty for whole items."""
        return () if self.digests else self.keys.names

    def row(self, item: Item) -> bytes:
        return key_row(self.keys.key_of(item), short_digest(item) if self.digests else b"")


@dataclass
class TableRows:
    """
    One table's rows in `spill`, sorted by key hash into its parts.

    Attributes:
        items: how many there are.
        consumed: what the scan took.
        rate: how the scan's rate was derived.
    """

    kind: RowKind
    spill: Spill
    items: int
    consumed: Consumed
    rate: str

    def part(self, part: int) -> Iterator[tuple[bytes, bytes]]:
        """Canonical key and tail of every row of a part."""
        return key_rows(self.spill.part(part), tail_bytes=self.kind.tail_bytes)


def read_rows(ctx: RunContext, engine: Engine, scan: TableScan, *, kind: RowKind, spill: Spill) -> TableRows:
    """
    Scan the table once.

    Raises:
        PipelineError: see rated_run.py.
    """
    ctx.reporter.note(f"{scan.label}: {scan.rate.derivation}")
    count = [0]

    def keep(record: Facts) -> None:
        count[0] += spill_rows(spill, ScannedRows.from_json(record).rows, tail_bytes=kind.tail_bytes)

    consumed = scan.run(ctx, engine, sink=partial(row_sink, row=kind.row), on_record=keep)
    return TableRows(kind, spill, count[0], consumed, scan.rate.derivation)
