"""
`--mirror`: deletes the keys of the table that the export does not have, planned and counted before the first write.

The export's keys are known from the check of its files (as hashes, on the driver's disk); the table's come from a scan
under a read rate of its own (selection/table_rows.py). Only keys of this plan are deleted: what an application adds
later stays. They are deleted under the write budget, in rounds that keep the driver's memory bounded; deleting a key
twice changes nothing, so a stopped run is continued by planning anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Callable

from dynamodb_pipeline.chain.collapse import Collapsed, deleted_keys
from dynamodb_pipeline.documents import Document, Facts, base64_text, member, natural
from dynamodb_pipeline.errors import PreconditionError, counted
from dynamodb_pipeline.formats.items.item_rules import write_units
from dynamodb_pipeline.formats.items.key_schema import KeySchema, key_item
from dynamodb_pipeline.importing.job import ImportPlan, ImportRun
from dynamodb_pipeline.importing.table_writer import TableWriter, batches
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED, Consumed, Rated, RatedRun
from dynamodb_pipeline.rate.work_size import average_item_bytes, write_worker_count
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.key_spill import KeySpill, key_hash, key_row, key_rows
from dynamodb_pipeline.run.ledger import Ledger, entries_of
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.selection.table_rows import TableRows
from dynamodb_pipeline.settings.values import ItemLimit
from dynamodb_pipeline.store.local_disk import PARTS, Spill
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.work_queue import Work, WorkUnit
from dynamodb_pipeline.workers.worker import Tools, Unit, UnitWorker

PLAN_ENTRY = "plan"
# What a stopped worker deleted of its last unit is not known to the ledger, and so not to the cap of a resumed run.
KEYS_PER_UNIT = 100
UNITS_PER_ROUND = 2000


@dataclass(frozen=True)
class DeletedKeys(Document):
    """How many keys a unit of work of a mirror deleted."""

    deleted: int = member(natural)


@dataclass(frozen=True)
class MirroredTable(Document):
    """How many items the table held when the mirror was planned first; limits in percent are of it."""

    table_items: int = member(natural)


@dataclass(frozen=True)
class DeletionPlan:
    """
    How many items the table has that the export has not.

    `deleted_before` were deleted by earlier attempts of the run, `table_items` counts the table before the first of
    them; `done_units` need not be done again.
    """

    table_items: int
    planned: int
    deleted_before: int
    done_units: Collection[str] = ()

    @property
    def total(self) -> int:
        """Deletions of the whole run, all its attempts together."""
        return self.deleted_before + self.planned


@dataclass(frozen=True)
class DeleteWork(Work):
    """Keys to delete, as rows in base64."""

    keys: str = member(base64_text)


def plan_deletions(
    run: ImportRun, *, table: TableRows, export_keys: KeySpill, unwanted: Spill, ledger: Ledger
) -> DeletionPlan:
    """
    Put those of the table's keys that are to be deleted into `unwanted`, as rows.

    Raises:
        PreconditionError: they are more than --max-deletions allows; nothing was written or deleted by this attempt.
    """
    job, note = run.job, run.ctx.reporter.note
    entries = ledger.open({"kind": "mirror", "table": job.table.name, "table_id": job.table.table_id})
    first = entries_of(MirroredTable, {name: entry for name, entry in entries.items() if name == PLAN_ENTRY})
    deleted = entries_of(DeletedKeys, {name: entry for name, entry in entries.items() if name != PLAN_ENTRY})
    before = sum(entry.deleted for entry in deleted.values())
    planned = subtract(table, export_keys, unwanted)
    mirrored = first.get(PLAN_ENTRY, MirroredTable(table.items))
    if not first:
        ledger.add(PLAN_ENTRY, mirrored.to_json())
    plan = DeletionPlan(mirrored.table_items, planned, before)
    limit = job.settings.max_deletions
    note(plan_text(plan, limit, table=job.table.name))
    refuse_too_many(plan, limit, table=job.table.name)
    return plan


def plan_chain_deletions(run: ImportRun, chain: Collapsed, *, unwanted: Spill, ledger: Ledger) -> DeletionPlan:
    """
    Put the keys that a chain's exports say were deleted into `unwanted`, as rows; raises as `plan_deletions`.

    They count against all keys that the chain knows; a resumed run has the same plan again.
    """
    job = run.job
    done = ledger.open({"kind": "mirror", "table": job.table.name, "table_id": job.table.table_id})
    for key in deleted_keys(run.ctx.store, chain.folder):
        unwanted.add(key_hash(key)[0], key_row(key))
    plan = DeletionPlan(chain.items + chain.deleted, chain.deleted, 0, done.keys())
    limit = job.settings.max_deletions
    text = chain_text(plan, limit, dry_run=job.settings.dry_run)
    run.ctx.reporter.note(text)
    if limit.exceeded(plan.total, total=plan.table_items):
        msg = f"{text}; nothing was deleted or written. Raise --max-deletions if that is meant"
        raise PreconditionError(msg)
    return plan


def chain_text(plan: DeletionPlan, limit: ItemLimit, *, dry_run: bool) -> str:
    """A chain's deletions in words, before anything is done."""
    are = "would be" if dry_run else "are"
    return (
        f"chain: of {plan.table_items} keys {plan.total} were deleted by its end, and {are} deleted in the table; "
        f"--max-deletions allows {limit} ({limit.most(plan.table_items)} items)"
    )


def subtract(table: TableRows, export_keys: KeySpill, unwanted: Spill) -> int:
    """Put the rows of the table's keys that the export does not have into `unwanted`; return how many they are."""
    count = 0
    for part in range(PARTS):
        kept = export_keys.key_hashes(part)
        for key, _ in table.part(part):
            if key_hash(key) not in kept:
                unwanted.add(part, key_row(key))
                count += 1
    return count


def plan_text(plan: DeletionPlan, limit: ItemLimit, *, table: str) -> str:
    """The plan in words, before anything is done."""
    text = (
        f"mirror: table {table!r} had {counted(plan.table_items, 'item')}, {plan.total:,} of them are not in the "
        f"export; --max-deletions allows {limit} ({limit.most(plan.table_items)} items)"
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
    unit: Unit, *, writer: TableWriter, grants: CoordinatorClient, keys: KeySchema, item_units: int
) -> None:
    """Delete one unit's keys and report how many."""
    count, work = 0, DeleteWork.from_json(unit)
    for batch in batches(_deletions(work.keys, keys, item_units), max_units=grants.units_cap()):
        writer.delete({deletion.body: deletion.units for deletion in batch})
        grants.progress(items=len(batch))
        count += len(batch)
    grants.finished(work.work_id, DeletedKeys(count).to_json())


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

    def on_finished(work_id: str, record: Facts) -> None:
        ledger.add(work_id, record)
        deleted[0] += DeletedKeys.from_json(record).deleted

    job, table, allowed = run.job, run.job.table, run.job.rate.tightest
    goal = Goal(f"mirror {table.name}", allowed, "write units", deletions.planned)
    size = average_item_bytes(table_bytes=table.size_bytes, item_count=table.item_count)
    start = partial(start_delete, plan=run.plan, item_units=write_units(int(size)))
    for planned in rounds(unwanted):
        units = [unit for unit in planned if unit.work_id not in deletions.done_units]
        if not units:
            continue
        run.ctx.begin_writing()
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
    return DeleteWork(work_id, base64.b64encode(rows).decode("ascii")).unit()
