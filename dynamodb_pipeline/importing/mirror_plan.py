"""
What `--mirror` is going to delete: keys of the table that the export does not have, counted before the first write.

The export's keys are known from the check of its files (as hashes, on the driver's disk); the table's come from a Scan
under a read rate of its own. Only keys of this plan are deleted: what an application adds later stays.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.importing.job import ImportRun, TableImport, key_scan_line
from dynamodb_pipeline.passes.rated_run import Consumed
from dynamodb_pipeline.passes.table_scan import TableScan
from dynamodb_pipeline.rate.capacity import RateChoice
from dynamodb_pipeline.reading.key_rows import PAGE_UNITS, UNIT_BYTES, key_row, key_rows
from dynamodb_pipeline.reading.key_spill import KeySpill, key_hash
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.settings.item_limit import ItemLimit
from dynamodb_pipeline.store.spill import PARTS, Spill
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.worker import Tools

PLAN_ENTRY = "plan"


@dataclass(frozen=True)
class DeletionPlan:
    """
    How many items the table has that the export has not.

    `deleted_before` were deleted by earlier attempts of the run, `table_items` counts the table before the first of
    them; `consumed` is what the scan took.
    """

    table_items: int
    planned: int
    deleted_before: int
    consumed: Consumed
    rate: str

    @property
    def total(self) -> int:
        """Deletions of the whole run, all its attempts together."""
        return self.deleted_before + self.planned

    def facts(self) -> dict[str, Any]:
        """For the result."""
        return {
            "table_items_before": self.table_items,
            "deletions_planned": self.total,
            "read_units_consumed": self.consumed.units.get("table", 0.0),
            "read_rate": self.rate,
        }


class KeySink:
    """A table's keys as rows (key_rows.py)."""

    def __init__(self, keys: KeySchema):
        self._keys = keys
        self._rows = bytearray()

    def add(self, page: ScanPage) -> bool:
        for item in json.loads(page.body)["Items"]:
            self._rows += key_row(self._keys.key_of(item))
        return len(self._rows) < UNIT_BYTES

    def record(self) -> dict[str, Any]:
        rows = base64.b64encode(self._rows).decode("ascii")
        self._rows.clear()
        return {"keys": rows}

    def abandon(self) -> None:
        self._rows.clear()


def key_sink(_tools: Tools, *, keys: KeySchema) -> KeySink:
    """A worker's `KeySink`."""
    return KeySink(keys)


def plan_deletions(run: ImportRun, *, export_keys: KeySpill, unwanted: Spill, ledger: Ledger) -> DeletionPlan:
    """
    Scan the table's keys and put those to be deleted into `unwanted`, as rows.

    Raises:
        PreconditionError: they are more than --max-deletions allows; nothing was written or deleted by this attempt.
    """
    job, note = run.job, run.ctx.reporter.note
    entries = ledger.open({"kind": "mirror", "table": job.table.name, "table_id": job.table.table_id})
    before = sum(int(entry["deleted"]) for name, entry in entries.items() if name != PLAN_ENTRY)
    scan = _key_scan(job)
    note(key_scan_line(job.table.name, scan.rate))
    with Spill() as table_keys:
        table_items, consumed = _collect(run.ctx, scan, run.engine, table_keys)
        planned = subtract(table_keys, export_keys, unwanted)
    first = entries.get(PLAN_ENTRY, {"table_items": table_items})
    if PLAN_ENTRY not in entries:
        ledger.add(PLAN_ENTRY, first)
    plan = DeletionPlan(int(first["table_items"]), planned, before, consumed, scan.rate.derivation)
    limit = ItemLimit(*job.settings.max_deletions)
    note(plan_text(plan, limit, table=job.table.name))
    refuse_too_many(plan, limit, table=job.table.name)
    return plan


def _key_scan(job: TableImport) -> TableScan:
    """The import's percent goes for reading too; an absolute write rate says nothing about reads: then 25 %."""
    table = job.table
    choice = RateChoice.of(job.settings.rate.percent, None)
    names = table.key_schema.names
    label = f"keys of {table.name}"
    return TableScan(table, choice, job.worker, label, attributes=names, max_page_units=PAGE_UNITS)


def _collect(ctx: RunContext, scan: TableScan, engine: Engine, table_keys: Spill) -> tuple[int, Consumed]:
    counted = [0]

    def on_record(record: dict[str, Any]) -> None:
        for key, _ in key_rows(base64.b64decode(record["keys"])):
            table_keys.add(key_hash(key)[0], key_row(key))
            counted[0] += 1

    consumed = scan.run(ctx, engine, sink=partial(key_sink, keys=scan.table.key_schema), on_record=on_record)
    return counted[0], consumed


def subtract(table_keys: Spill, export_keys: KeySpill, unwanted: Spill) -> int:
    """Put the rows of the table's keys that the export does not have into `unwanted`; return how many they are."""
    count = 0
    for part in range(PARTS):
        kept = export_keys.key_hashes(part)
        for key, _ in key_rows(table_keys.part(part)):
            if key_hash(key) not in kept:
                unwanted.add(part, key_row(key))
                count += 1
    return count


def plan_text(plan: DeletionPlan, limit: ItemLimit, *, table: str) -> str:
    """The plan in words, before anything is done."""
    text = (
        f"mirror: table {table!r} had {plan.table_items} items, {plan.total} of them are not in the export; "
        f"--max-deletions allows {limit} ({limit.most(plan.table_items)} items)"
    )
    return f"{text}; {plan.deleted_before} are deleted already" if plan.deleted_before else text


def refuse_too_many(plan: DeletionPlan, limit: ItemLimit, *, table: str) -> None:
    """
    Raises:
        PreconditionError: the run as a whole would delete more than the limit.
    """
    if limit.exceeded(plan.total, total=plan.table_items):
        msg = (
            f"{plan_text(plan, limit, table=table)}; nothing was deleted or written. Check that this is the right "
            "export, or raise --max-deletions"
        )
        raise PreconditionError(msg)
