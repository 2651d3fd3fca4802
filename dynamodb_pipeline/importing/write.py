"""The driver's side of the writing pass: file by file at the allowed rate, then the keys that stand more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.importing.job import Checked, ImportPlan, ImportRun, TableImport, refuse_too_many_bad
from dynamodb_pipeline.importing.write_worker import ImportWorker
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED, Consumed, Rated, RatedRun
from dynamodb_pipeline.rate.parallelism import write_worker_count
from dynamodb_pipeline.reading.key_spill import Collision
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.settings.item_limit import ItemLimit
from dynamodb_pipeline.workers.work_queue import WorkUnit


@dataclass(frozen=True)
class Written:
    """What the writing pass did: sums over files, and units."""

    totals: dict[str, int]
    consumed: Consumed


def write_files(run: ImportRun, *, facts: Checked, ledger: Ledger, done: dict[str, dict[str, Any]]) -> Written:
    """
    Write every file that the ledger does not have as done.

    Raises:
        PipelineError: see rated_run.py; what was written stays, and with --logs the run can be resumed.
    """
    job, totals = run.job, {"items": 0, "written": 0, "skipped": 0, "set_aside": 0}

    def on_finished(work_id: str, record: dict[str, Any]) -> None:
        ledger.add(work_id, record)
        _add(totals, record)
        refuse_too_many_bad(job, totals["set_aside"], total=facts.items, so="stopped part-way")

    for record in done.values():
        _add(totals, record)
    plan = planned_after_check(run.plan, facts, limit=ItemLimit(*job.settings.max_set_aside))
    allowed = job.rate.tightest
    rated = Rated(job.table, job.rate_of, Goal(f"import {job.table.name}", allowed, "write units", facts.items))

    def pass_over(units: list[WorkUnit], *, at_once: int) -> Consumed:
        left = [unit for unit in units if unit.work_id not in done]
        if not left:
            return NOTHING_CONSUMED
        count = write_worker_count(allowed, slots=at_once, files=len(left))
        writing = RatedRun(run.ctx, run.engine, rated, units=left, on_finished=on_finished)
        return writing.run(lambda connect: ImportWorker(job.worker, connect, plan), count=count, group="import")

    consumed = pass_over(facts.units(job.source), at_once=run.engine.slots)
    consumed = consumed.plus(pass_over(winners(job, facts.collisions), at_once=1))
    check_accounted(totals, facts, table=job.table.name)
    return Written(totals, consumed)


def planned_after_check(plan: ImportPlan, facts: Checked, *, limit: ItemLimit) -> ImportPlan:
    """The plan with what only the check could tell: colliding keys, and the limit of bad items as a count."""
    aside = plan.set_aside and replace(plan.set_aside, max_count=limit.most(facts.items))
    return replace(plan, set_aside=aside, colliding=frozenset(c.key_hash for c in facts.collisions))


def winners(job: TableImport, collisions: Iterable[Collision]) -> list[WorkUnit]:
    """Units of work that write the last place of every colliding key, a unit for each file that holds some."""
    lines: dict[int, list[int]] = defaultdict(list)
    for collision in collisions:
        file, line = collision.last
        lines[file].append(line)
    files = job.source.files
    return [
        WorkUnit(f"last-{number:07d}", {"file": files[number].to_json(), "number": number, "lines": sorted(kept)})
        for number, kept in sorted(lines.items())
    ]


def _add(totals: dict[str, int], record: dict[str, Any]) -> None:
    for name in totals:
        totals[name] += int(record[name])


def check_accounted(totals: dict[str, int], facts: Checked, *, table: str) -> None:
    """Every item that the check counted must be accounted for."""
    accounted = totals["written"] + totals["skipped"] + totals["set_aside"] + facts.dropped
    if totals["items"] != facts.items or accounted != facts.items:
        msg = (
            f"table {table!r}: {facts.items} items were checked, but {totals['items']} read and {accounted} accounted "
            "for; do not rely on this import, run verify against the table"
        )
        raise IntegrityError(msg)
