"""
Verifies an export: by itself, or against a table.

Fails closed: whatever is wrong or cannot be decided ends with exit code 4. What an export cannot prove because it does
not carry it (hashes, a key schema, a manifest) is said in the result as `not_proven`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.dynamodb.table import TableDescription, describe_again
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.passes.rated_run import Rated, RatedRun
from dynamodb_pipeline.passes.table_scan import TableScan
from dynamodb_pipeline.rate.capacity import RateChoice
from dynamodb_pipeline.reading.key_rows import PAGE_UNITS
from dynamodb_pipeline.reading.key_spill import KeySpill
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import VerifySettings
from dynamodb_pipeline.verifying.differences import RowFilter, SecondReading
from dynamodb_pipeline.verifying.files import FileFindings, start_verify_files
from dynamodb_pipeline.verifying.job import Verification, resolve_verification
from dynamodb_pipeline.verifying.result import (
    NO_DIFFERENCES,
    difference_facts,
    difference_text,
    export_facts,
    problem_text,
    reading_line,
    verified_line,
)
from dynamodb_pipeline.verifying.table import second_look, table_digest
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.worker import UnitWorker

if TYPE_CHECKING:
    from dynamodb_pipeline.workers.engine import Engines


class VerificationError(IntegrityError):
    """The export, or its comparison with a table, is not right; `facts` is the whole result."""

    def __init__(self, message: str, facts: dict[str, Any]):
        super().__init__(message)
        self.facts = facts


def verify(ctx: RunContext, settings: VerifySettings, engines: Engines) -> dict[str, Any]:
    """
    Verify and return the result.

    Raises:
        VerificationError: any doubt about the export or the table.
        IntegrityError: manifest, record and files contradict each other, so that nothing could be read.
        PreconditionError: nothing there to verify, no such table, or a table with another key schema.
    """
    started = time.monotonic()
    job = resolve_verification(ctx, settings)
    source = job.source
    ctx.reporter.note(reading_line(source))
    engine = engines.get()
    findings = read_files(ctx, job, engine)
    result = export_facts(job, findings)
    if findings.problem_count:
        raise VerificationError(problem_text(job, findings), _timed(result, started))
    if job.table is not None:
        result = {**result, **_against_table(ctx, job, job.table, engine, findings)}
    result = _timed(result, started)
    if result.get("differing_buckets"):
        raise VerificationError(difference_text(result), result)
    ctx.reporter.note(verified_line(result))
    return result


def read_files(ctx: RunContext, job: Verification, engine: Engine) -> FileFindings:
    """Read every byte and item of the export; raises as rated_run.py, but collects what is wrong with files."""
    findings, units = FileFindings(), job.source.units()
    with KeySpill() as keys:
        run = RatedRun(
            ctx,
            engine,
            Rated.files_only(f"verify {job.source.folder}", items=job.source.item_count),
            units=units,
            on_finished=lambda _, record: findings.add(record),
            on_kept=lambda _, block: keys.add_block(block),
        )
        if units:
            count = min(engine.slots, len(units))
            start = partial(start_verify_files, keys=job.keys)
            run.run(lambda connect: UnitWorker(job.worker, connect, start), count=count, group="verify")
        for collision in keys.collisions():
            places = (f"{job.source.files[file].uri} line {line}" for file, line in collision.first)
            findings.add_problem(f"the same key stands at {' and at '.join(places)}")
    return findings


def _against_table(
    ctx: RunContext, job: Verification, table: TableDescription, engine: Engine, findings: FileFindings
) -> dict[str, Any]:
    choice = RateChoice.of(job.settings.rate.percent, job.settings.rate.units)
    scan = TableScan(table, choice, job.worker, f"verify {table.name}", consistent=job.settings.consistent_read)
    ctx.reporter.note(f"{table.name}: {scan.rate.derivation}")
    digest, consumed = table_digest(ctx, scan, engine)
    again, differences = second_look(findings.digest, digest), NO_DIFFERENCES
    if again.buckets:
        scan = replace(scan, label=f"look again at {table.name}", max_page_units=PAGE_UNITS)
        rows = RowFilter(table.key_schema, again.buckets)
        reading = SecondReading(ctx, engine, job.source.units(), scan)
        differing, more = reading.compare(rows, limit=job.settings.limit)
        consumed = consumed.plus(more)
        differences = difference_facts(differing, table.key_schema, complete=again.complete)
    describe_again(ctx.clients.client("dynamodb"), table)
    return {
        "table": table.name,
        "table_items": digest.item_count,
        "table_digest": digest.total(),
        "differing_buckets": len(findings.digest.differing_buckets(digest)),
        "rate": scan.rate.derivation,
        "read_units_consumed": consumed.units.get("table", 0.0),
        **differences,
    }


def _timed(result: dict[str, Any], started: float) -> dict[str, Any]:
    return {**result, "seconds": round(time.monotonic() - started, 3)}
