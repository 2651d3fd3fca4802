"""
`--mirror`: deletes the keys of the table that the export does not have, planned and counted before the first write.

The export's keys are known from the check of its files (as hashes, on the driver's disk); the table's come from a Scan
under a read rate of its own. Only keys of this plan are deleted: what an application adds later stays. They are deleted
under the write budget, in rounds that keep the driver's memory bounded; deleting a key twice changes nothing, so a
stopped run is continued by planning anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Callable

from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.items.item_rules import write_units
from dynamodb_pipeline.formats.items.key_schema import KeySchema, key_item
from dynamodb_pipeline.importing.job import (
    DeletedKeys,
    ImportPlan,
    ImportRun,
    MirroredTable,
    TableImport,
    key_scan_line,
)
from dynamodb_pipeline.importing.table_writer import TableWriter, batches
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED, Consumed, Rated, RatedRun
from dynamodb_pipeline.passes.table_scan import TableScan
from dynamodb_pipeline.rate.work_size import average_item_bytes, write_worker_count
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.key_spill import PAGE_UNITS, UNIT_BYTES, KeySpill, key_hash, key_row, key_rows
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger, entries_of
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.settings.values import ItemLimit
from dynamodb_pipeline.store.local_disk import PARTS, Spill
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import Tools, Unit, UnitWorker

PLAN_ENTRY = "plan"
# What a stopped worker deleted of its last unit is not known to the ledger, and so not to the cap of a resumed run.
KEYS_PER_UNIT = 100
UNITS_PER_ROUND = 2000


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
    """A table's keys as rows (key_spill.py)."""

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
    first = entries_of(MirroredTable, {name: entry for name, entry in entries.items() if name == PLAN_ENTRY})
    deleted = entries_of(DeletedKeys, {name: entry for name, entry in entries.items() if name != PLAN_ENTRY})
    before = sum(entry.deleted for entry in deleted.values())
    scan = _key_scan(job)
    note(key_scan_line(job.table.name, scan.rate))
    with Spill() as table_keys:
        table_items, consumed = _collect(run.ctx, scan, run.engine, table_keys)
        planned = subtract(table_keys, export_keys, unwanted)
    mirrored = first.get(PLAN_ENTRY, MirroredTable(table_items))
    if not first:
        ledger.add(PLAN_ENTRY, mirrored.to_json())
    plan = DeletionPlan(mirrored.table_items, planned, before, consumed, scan.rate.derivation)
    limit = job.settings.max_deletions
    note(plan_text(plan, limit, table=job.table.name))
    refuse_too_many(plan, limit, table=job.table.name)
    return plan


def _key_scan(job: TableImport) -> TableScan:
    """The import's percent goes for reading too; an absolute write rate says nothing about reads: then 25 %."""
    table = job.table
    choice = job.choice.of_capacity
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


def start_delete(tools: Tools, *, plan: ImportPlan, item_units: int) -> Callable[[Unit], None]:
    """Return what deletes the keys of one unit; `item_units` is what one is likely to cost."""
    writer = TableWriter(tools.wire(), tools.grants, table=plan.table, keys=plan.keys, resources=plan.resources)
    return partial(delete_unit, writer=writer, grants=tools.grants, keys=plan.keys, item_units=item_units)


def delete_unit(
    unit: Mapping[str, Any], *, writer: TableWriter, grants: CoordinatorClient, keys: KeySchema, item_units: int
) -> None:
    """Delete one unit's keys and report how many."""
    count = 0
    for batch in batches(_deletions(unit["keys"], keys, item_units), max_units=grants.units_cap()):
        writer.delete({deletion.body: deletion.units for deletion in batch})
        grants.progress(items=len(batch))
        count += len(batch)
    grants.finished(unit["work_id"], {"deleted": count})


def _deletions(rows: str, keys: KeySchema, item_units: int) -> Iterator[Put]:
    for key, _ in key_rows(base64.b64decode(rows)):
        body = json.dumps(key_item(keys, key), ensure_ascii=False, separators=(",", ":")).encode()
        yield Put(body, item_units, key, 0)


def delete_planned(run: ImportRun, *, deletions: DeletionPlan, unwanted: Spill, ledger: Ledger) -> tuple[int, Consumed]:
    """
    Delete the items whose keys are in `unwanted`; return how many, and what it consumed.

    Raises:
        PipelineError: see rated_run.py; what was deleted stays deleted, and with --logs the run can be resumed.
    """
    deleted, consumed = [0], NOTHING_CONSUMED

    def on_finished(work_id: str, record: dict[str, Any]) -> None:
        ledger.add(work_id, record)
        deleted[0] += DeletedKeys.from_json(record).deleted

    job, table, allowed = run.job, run.job.table, run.job.rate.tightest
    goal = Goal(f"mirror {table.name}", allowed, "write units", deletions.planned)
    size = average_item_bytes(table_bytes=table.size_bytes, item_count=table.item_count)
    start = partial(start_delete, plan=run.plan, item_units=write_units(int(size)))
    for units in rounds(unwanted):
        run.ctx.lifetime.check()
        rated = Rated(table, job.rate_of, goal)
        deleting = RatedRun(run.ctx, run.engine, rated, units=units, on_finished=on_finished)
        used = deleting.run(
            lambda connect: UnitWorker(job.worker, connect, start),
            count=write_worker_count(allowed, slots=run.engine.slots, files=len(units)),
            group="mirror",
        )
        consumed = consumed.plus(used)
    return deleted[0], consumed


def rounds(unwanted: Spill) -> Iterator[list[WorkUnit]]:
    """Units of work, as many at a time as the driver's memory should hold."""
    keys = (key for part in range(PARTS) for key, _ in key_rows(unwanted.part(part)))
    while units := [_unit(some) for some in islice(_chunks(keys), UNITS_PER_ROUND)]:
        yield units


def _chunks(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    while some := list(islice(keys, KEYS_PER_UNIT)):
        yield some


def _unit(keys: Iterable[bytes]) -> WorkUnit:
    rows = b"".join(map(key_row, keys))
    work_id = f"delete-{hashlib.sha256(rows).hexdigest()[:32]}"  # by content: a plan made anew has other chunks
    return WorkUnit(work_id, {"keys": base64.b64encode(rows).decode("ascii")})
