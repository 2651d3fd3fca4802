"""
Deletes what the mirror's plan names, under the write budget, in rounds that keep the driver's memory bounded.

Deleting a key twice changes nothing, so a stopped run is continued by planning anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Callable

from dynamodb_pipeline.formats.items.item_rules import write_units
from dynamodb_pipeline.formats.items.key_schema import KeySchema, key_item
from dynamodb_pipeline.importing.job import ImportPlan, ImportRun
from dynamodb_pipeline.importing.mirror_plan import DeletionPlan
from dynamodb_pipeline.importing.table_writer import TableWriter, batches
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED, Consumed, Rated, RatedRun
from dynamodb_pipeline.rate.page_size import average_item_bytes
from dynamodb_pipeline.rate.parallelism import write_worker_count
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.key_rows import key_row, key_rows
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.store.spill import PARTS, Spill
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import Tools, Unit, UnitWorker

# What a stopped worker deleted of its last unit is not known to the ledger, and so not to the cap of a resumed run.
KEYS_PER_UNIT = 100
UNITS_PER_ROUND = 2000


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
        deleted[0] += int(record["deleted"])

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
