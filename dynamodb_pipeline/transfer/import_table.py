"""
Imports one export into one existing table: everything checked before the first write, then file by file.

Items of the same key are replaced, other items of the table stay, new ones are added.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.errors import ExitCode, IntegrityError
from dynamodb_pipeline.options import ImportSettings
from dynamodb_pipeline.transfer.capacity import AllowedRate, RateChoice, write_rate
from dynamodb_pipeline.transfer.check_pass import CheckWorker
from dynamodb_pipeline.transfer.context import RunContext
from dynamodb_pipeline.transfer.engine import Engine
from dynamodb_pipeline.transfer.import_source import ImportSource, load_source
from dynamodb_pipeline.transfer.import_worker import ImportPlan, ImportWorker
from dynamodb_pipeline.transfer.key_spill import Collision, KeySpill
from dynamodb_pipeline.transfer.ledger import Ledger
from dynamodb_pipeline.transfer.progress import Goal
from dynamodb_pipeline.transfer.rated_run import Consumed, Rated, RatedRun
from dynamodb_pipeline.transfer.run_folder import choose_finished_run, join
from dynamodb_pipeline.transfer.set_aside import SetAside, SetAsideLimit
from dynamodb_pipeline.transfer.table import TableDescription, describe, refuse_changed, refuse_unusable
from dynamodb_pipeline.transfer.target_check import may_skip_parsing, refuse_other_keys
from dynamodb_pipeline.transfer.work_queue import WorkUnit
from dynamodb_pipeline.transfer.worker_context import WorkerContext

if TYPE_CHECKING:
    from dynamodb_pipeline.transfer.run import Engines

UNITS_PER_WORKER = 500.0  # write units/s one worker can move at least
ONE_WORKER_BELOW = 25.0
COLLISIONS_SHOWN = 5
MAX_COLLISIONS = 100_000  # more are no accident; keeps the driver's memory bounded


@dataclass(frozen=True)
class TableImport:
    """One import, resolved: source, target, rate."""

    source: ImportSource
    table: TableDescription
    choice: RateChoice
    settings: ImportSettings
    worker: WorkerContext

    def rate_of(self, table: TableDescription) -> AllowedRate:
        """The rate that this run may write `table` at, as it is described now."""
        return write_rate(table.capacity, self.choice, indexes=table.index_capacities)

    @property
    def rate(self) -> AllowedRate:
        return self.rate_of(self.table)


def import_table(ctx: RunContext, settings: ImportSettings, engines: Engines) -> dict[str, Any]:
    """
    Import and return the result.

    Raises:
        PipelineError: see errors.py; exit codes 2, 3, 4 and 7 of the checks mean that nothing was written.
    """
    started = time.monotonic()
    job = resolve(ctx, settings)
    _announce(ctx, job)
    plan = import_plan(ctx, job)
    engine = engines.get()
    ledger = Ledger(ctx.store, ctx.subfolder(f"ledger/import/{job.table.name}"))
    done = ledger.open(ledger_header(job))
    facts = check(ctx, job, plan, engine)
    if settings.dry_run:
        return _result(job, facts, {}, None, seconds=time.monotonic() - started)
    ctx.lifetime.check()
    written = write(ctx, job, replace(plan, colliding=facts.colliding), engine, ledger=ledger, done=done)
    refuse_changed(job.table, describe(ctx.clients.client("dynamodb"), job.table.name))
    return _result(job, facts, written.totals, written.consumed, seconds=time.monotonic() - started)


def resolve(ctx: RunContext, settings: ImportSettings) -> TableImport:
    """
    Find the files and the table and compare their keys; no item is read, nothing is started.

    Raises:
        PreconditionError: nothing to import, no such table, a status that cannot be written, another key schema.
        IntegrityError: the export contradicts itself.
    """
    table = describe(ctx.clients.client("dynamodb"), settings.table)
    refuse_unusable(table, purpose="import")
    folder = settings.input
    if not settings.without_manifest:
        folder = choose_finished_run(ctx.store, folder, latest=settings.latest, table=settings.table)
    source = load_source(
        ctx.store, folder, without_manifest=settings.without_manifest, allow_buckets=settings.allow_buckets
    )
    refuse_other_keys(source.key_schema, table.key_schema, table=table.name)
    choice = RateChoice.of(settings.rate.percent, settings.rate.units)
    return TableImport(source, table, choice, settings, WorkerContext(ctx.clients.settings()))


def _announce(ctx: RunContext, job: TableImport) -> None:
    source, note = job.source, ctx.reporter.note
    about = f"{len(source.files)} files, {source.bytes:,} bytes"
    note(f"{job.table.name}: {job.rate.derivation}; from {source.folder} ({source.kind}, {about})")
    for text in (*source.notes, *job.table.import_warnings):
        note(f"note: {text}")
    if source.orphans:
        note(f"note: {len(source.orphans)} files that the manifest does not list are left out")
    if ctx.folder is None:
        note("note: without --logs a stopped import cannot be resumed")


def import_plan(ctx: RunContext, job: TableImport) -> ImportPlan:
    """What every worker must know."""
    table, source, settings = job.table, job.source, job.settings
    attributes = frozenset(a.name for index in table.index_keys for a in index.attributes)
    aside = SetAside(join(settings.set_aside, ctx.run_id)) if settings.set_aside else None
    fast = source.record is not None and may_skip_parsing(
        source.key_schema, table.key_schema, index_attributes=attributes
    )
    return ImportPlan(
        table=table.name,
        keys=table.key_schema,
        index_keys=table.index_keys,
        resources=tuple(job.rate.units_per_s),
        fast=fast,
        skip_existing=settings.skip_existing,
        set_aside=aside,
    )


def ledger_header(job: TableImport) -> dict[str, Any]:
    """What a resume depends on: the table itself, the very objects, the mode."""
    settings = job.settings
    return {
        "kind": "import",
        "table": job.table.name,
        "table_id": job.table.table_id,
        "input": job.source.folder,
        "files": {f.name: f.etag for f in job.source.files},
        "skip_existing": settings.skip_existing,
        "duplicates": settings.duplicates,
        "set_aside": settings.set_aside,
        "mirror": settings.mirror,
    }


@dataclass(frozen=True)
class Checked:
    """What the pass before the first write found."""

    items: int
    bad: int
    colliding: frozenset[bytes]


def check(ctx: RunContext, job: TableImport, plan: ImportPlan, engine: Engine) -> Checked:
    """
    Read every file once before the first write.

    Raises:
        IntegrityError: a damaged file, a bad item without --set-aside, too many of them, or a key that stands twice.
    """
    counts = {"items": 0, "bad": 0}

    def on_finished(_work_id: str, record: dict[str, Any]) -> None:
        for name in counts:
            counts[name] += record[name]

    collect = not job.source.cannot_repeat_keys
    units = [_unit(number, file.to_json()) for number, file in enumerate(job.source.files)]
    goal = Goal(f"check {job.source.folder}", float("inf"), "read units", job.source.item_count)
    with KeySpill() as spill:
        rated = Rated(job.table, lambda _: AllowedRate({}, "no units"), goal)
        run = RatedRun(
            ctx, engine, rated, units=units, on_finished=on_finished, on_kept=lambda _, data: spill.add(data)
        )
        if units:
            run.run(
                lambda connect: CheckWorker(job.worker, connect, plan, collect),
                count=min(engine.slots, len(units)),
                group=f"check-{job.table.name}",
            )
        colliding = _collisions(ctx, job, spill) if collect else frozenset()
    _refuse_too_many_bad(job.settings, counts["bad"], total=counts["items"])
    return Checked(counts["items"], counts["bad"], colliding)


def _unit(number: int, file: dict[str, Any]) -> WorkUnit:
    return WorkUnit(f"file-{number:07d}", {"file": file, "number": number})


def _refuse_too_many_bad(settings: ImportSettings, bad: int, *, total: int) -> None:
    limit = SetAsideLimit(*settings.max_set_aside)
    if bad and limit.exceeded(bad, total=total):
        msg = f"{bad} of {total} items are bad, --max-set-aside allows {limit}; nothing was written"
        raise IntegrityError(msg)


def _collisions(ctx: RunContext, job: TableImport, spill: KeySpill) -> frozenset[bytes]:
    found: list[Collision] = []
    for collision in spill.collisions():
        found.append(collision)
        if job.settings.duplicates == "refuse" or len(found) > MAX_COLLISIONS:
            raise IntegrityError(_collision_text(job, collision))
    if found:
        ctx.reporter.note(f"note: {len(found)} keys stand more than once; the last in the manifest's order wins")
    return frozenset(c.key_hash for c in found)


def _collision_text(job: TableImport, collision: Collision) -> str:
    places = [f"{job.source.files[file].uri} line {line}" for file, line in collision.places[:COLLISIONS_SHOWN]]
    return f"the same key stands at {' and at '.join(places)}; nothing was written. --duplicates last-wins takes the last"


@dataclass(frozen=True)
class Written:
    """What the writing pass did."""

    totals: dict[str, int]
    consumed: Consumed


def write(
    ctx: RunContext,
    job: TableImport,
    plan: ImportPlan,
    engine: Engine,
    *,
    ledger: Ledger,
    done: dict[str, dict[str, Any]],
) -> Written:
    """
    Write every file that the ledger does not have as done.

    Raises:
        PipelineError: see rated_run.py; what was written stays, and with --logs the run can be resumed.
    """
    totals = {"items": 0, "written": 0, "skipped": 0, "set_aside": 0}

    def on_finished(work_id: str, record: dict[str, Any]) -> None:
        ledger.add(work_id, record)
        _add(totals, record)

    for record in done.values():
        _add(totals, record)
    units = [_unit(n, f.to_json()) for n, f in enumerate(job.source.files)]
    units = [u for u in units if u.work_id not in done]
    allowed = job.rate.tightest
    rated = Rated(job.table, job.rate_of, Goal(f"import {job.table.name}", allowed, "write units", job.source.item_count))
    run = RatedRun(ctx, engine, rated, units=units, on_finished=on_finished)
    if not units:
        return Written(totals, Consumed({}, 0.0, 0))
    workers = worker_count(allowed, slots=engine.slots, files=len(units))
    consumed = run.run(
        lambda connect: ImportWorker(job.worker, connect, plan), count=workers, group=f"import-{job.table.name}"
    )
    return Written(totals, consumed)


def _add(totals: dict[str, int], record: dict[str, Any]) -> None:
    for name in totals:
        totals[name] += int(record[name])


def worker_count(rate: float, *, slots: int, files: int) -> int:
    """As many workers as the rate can keep busy, at most all slots and one a file."""
    if rate < ONE_WORKER_BELOW:
        return 1
    return max(1, min(slots, files, 1 + int(rate / UNITS_PER_WORKER)))


def _result(
    job: TableImport, facts: Checked, totals: dict[str, int], consumed: Consumed | None, *, seconds: float
) -> dict[str, Any]:
    aside = totals.get("set_aside", 0)
    return {
        "table": job.table.name,
        "input": job.source.folder,
        "source": job.source.kind,
        "items": facts.items,
        "items_written": totals.get("written", 0),
        "items_skipped": totals.get("skipped", 0),
        "items_set_aside": aside,
        "files": len(job.source.files),
        "bytes": job.source.bytes,
        "write_units_consumed": consumed.units.get("table", 0.0) if consumed else 0.0,
        "index_units_consumed": {k: v for k, v in consumed.units.items() if k != "table"} if consumed else {},
        "write_units_per_s_allowed": job.rate.units_per_s["table"],
        "rate": job.rate.derivation,
        "throttles": consumed.throttles if consumed else 0,
        "dry_run": job.settings.dry_run,
        "seconds": round(seconds, 3),
        "exit_code": int(ExitCode.SET_ASIDE if aside else ExitCode.DONE),
    }
