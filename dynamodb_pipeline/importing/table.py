"""
Imports one export into one existing table: everything checked before the first write, then file by file.

Items of the same key are replaced, new ones are added; other items of the table stay, unless the table is to become a
mirror of the export.

One scheduled import is done once, although EventBridge Scheduler delivers at least once: a second delivery comes as a
cluster of its own with the same moment, and would overwrite what the application wrote since the first. So the first
run claims the moment below the logs folder by put-if-absent, and every other is refused.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import DocumentError, Facts, read_object
from dynamodb_pipeline.dynamodb.table import Tables
from dynamodb_pipeline.errors import ExitCode, PreconditionError, counted
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.formats.exports.layout import stamp
from dynamodb_pipeline.formats.items.key_schema import shown_key
from dynamodb_pipeline.importing.check import check
from dynamodb_pipeline.importing.job import (
    Checked,
    ImportedFile,
    ImportPlan,
    ImportResult,
    ImportRun,
    TableImport,
    import_header,
    import_plan,
    resolve_import,
)
from dynamodb_pipeline.importing.mirror import DeletionPlan, delete_planned, plan_chain_deletions, plan_deletions
from dynamodb_pipeline.importing.write import COUNTS, Written, write_files
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED
from dynamodb_pipeline.passes.table_scan import PAGE_UNITS, TableScan
from dynamodb_pipeline.reading.key_spill import KeySpill
from dynamodb_pipeline.reading.source import first_few
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger, entries_of
from dynamodb_pipeline.selection.table_rows import RowKind, TableRows, read_rows
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.store.local_disk import Spill
from dynamodb_pipeline.store.objects import put_once

if TYPE_CHECKING:
    from dynamodb_pipeline.reading.input_files import ImportSource
    from dynamodb_pipeline.workers.engine import Engines


DIGEST_CHARACTERS = 16
NOTHING_WRITTEN = Written(dict.fromkeys(COUNTS, 0), NOTHING_CONSUMED)


def claim_moment(ctx: RunContext, settings: ImportSettings) -> None:
    """
    Claim the scheduled time for this run, which may be a resumed one; without a scheduled time there is nothing to do.

    Raises:
        PreconditionError: another run has it; nothing was written.
    """
    uri = claim_uri(settings)
    if uri is None or settings.dry_run:
        return
    claim = (json.dumps({"run_id": ctx.run_id, "table": settings.table, "input": settings.input}) + "\n").encode()
    if not put_once(ctx.store, uri, claim):
        owner = _owner(ctx.store.get(uri))
        again = f"to resume it give --run-id {owner}" if owner else "its claim is not one of ours, look at it"
        msg = f"run {owner or '?'} does this scheduled import already ({uri}); {again}"
        raise PreconditionError(msg)


def claim_uri(settings: ImportSettings) -> str | None:
    """Where the claim lies: one for each table, moment and input."""
    if settings.scheduled_time is None or settings.common.logs is None:
        return None
    table = settings.bare_name
    another = "" if table == settings.table else f"{settings.table}\n"  # another account's of the same name
    digest = hashlib.sha256(f"{another}{settings.input}".encode()).hexdigest()[:DIGEST_CHARACTERS]
    name = f"runs/scheduled/import/{table}/{stamp(settings.scheduled_time)}-{digest}.json"
    return join(str(settings.common.logs), name)


def _owner(data: bytes) -> str | None:
    """The run that a claim names, None where it is none of ours."""
    try:
        return RunState.readable(read_object(data)).run_id
    except DocumentError:
        return None


def import_lines(job: TableImport, *, keeps_state: bool) -> Iterator[str]:
    """What is written where at what rate, and what is worth knowing about it."""
    source = job.source
    about = f"{source.kind}, {counted(len(source.files), 'file')}, {counted(source.bytes, 'byte')}"
    yield f"{job.table.name}: {job.rate.derivation}; from {source.folder} ({about}): {source.origin}"
    yield from (f"note: {text}" for text in (*source.notes, *job.table.import_warnings))
    if source.orphans:
        yield f"note: {counted(len(source.orphans), 'file')} that the manifest does not list left out"
    if not keeps_state:
        yield "note: without --logs a stopped import cannot be resumed"


def chosen_lines(facts: Checked, plan: ImportPlan, *, dry_run: bool) -> Iterator[str]:
    """Which items will be written, or would be, where that is not all of them; before the first write."""
    are = "would be" if dry_run else "are"
    if plan.only_changes:
        same, of = len(facts.unchanged), facts.items - facts.bad
        yield (
            f"only changes: {same:,} of {of:,} items stand in {plan.table} just so and {are} left alone, "
            f"{facts.to_write:,} {are} written"
            + ("" if dry_run else "; what is changed from now on in those left alone stays")
        )
    if plan.keys_wanted is not None:
        asked = facts.items - facts.left_out - facts.bad
        yield f"asked for: {asked:,} of {counted(facts.items, 'item')}, {counted(facts.asked_bytes, 'byte')}"
        if plan.keys_wanted.unlisted:
            more = counted(plan.keys_wanted.unlisted, "key")
            yield f"note: {more} more differed than the verification's result lists: give verify a larger --limit"
    if facts.expired:
        yield f"{facts.expired:,} of {facts.items:,} items have expired and {are} left out (--skip-expired)"
    if facts.keys_absent:
        shown = first_few(str(shown_key(plan.keys, key)) for key in facts.keys_absent)
        yield f"note: {counted(len(facts.keys_absent), 'key')} asked for and not in the export: {shown}"


def row_scan(job: TableImport, kind: RowKind) -> TableScan:
    """The import's percent goes for reading too; an absolute write rate says nothing about reads: then 25 %."""
    table = job.table
    label = f"{'items' if kind.digests else 'keys'} of {table.name}"
    choice = job.choice.of_capacity
    return TableScan(table, choice, job.worker, label, attributes=kind.attributes, max_page_units=PAGE_UNITS)


def import_table(
    ctx: RunContext, settings: ImportSettings, engines: Engines, *, source: ImportSource | None = None
) -> Facts:
    """
    Import and return the result.

    Args:
        source: what these settings mean, where it was looked up already.

    Raises:
        PipelineError: see errors.py; exit codes 2, 3, 4 and 7 of the checks mean that nothing was written.
    """
    started = time.monotonic()
    job = resolve_import(ctx, settings, source=source)
    claim_moment(ctx, settings)
    for line in import_lines(job, keeps_state=ctx.folder is not None or settings.dry_run):
        ctx.reporter.note(line)
    result = _Steps(ImportRun(ctx, job, import_plan(ctx, job), engines.get())).take()
    return {**result.to_json(), "seconds": round(time.monotonic() - started, 3)}


class _Steps:
    """The steps of one import, which share its ledgers and the keys on this machine's disk."""

    def __init__(self, run: ImportRun):
        self._run = run
        self._ledger, self._mirror_ledger = self._ledger_of("import"), self._ledger_of("mirror")

    def take(self) -> ImportResult:
        run, settings = self._run, self._run.job.settings
        done = entries_of(ImportedFile, self._ledger.open(import_header(run.job, run.plan)))
        with ExitStack() as stack:
            unwanted = stack.enter_context(Spill())
            looked = self._look(stack, unwanted)
            for line in chosen_lines(looked.facts, run.plan, dry_run=settings.dry_run):
                run.ctx.reporter.note(line)
            if settings.dry_run:
                return _result(run, looked, NOTHING_WRITTEN)
            run.ctx.begin_writing()
            written = write_files(run, facts=looked.facts, ledger=self._ledger, done=done)
            self._refuse_changed()
            return self._deleted(_result(run, looked, written), looked.deletions, unwanted)

    def _look(self, stack: ExitStack, unwanted: Spill) -> Looked:
        """Read the files, and the table where it is compared or mirrored; nothing is written."""
        run, settings = self._run, self._run.job.settings
        kind = RowKind(run.job.table.key_schema, digests=settings.only_changes)
        keys = stack.enter_context(KeySpill(tail_bytes=kind.tail_bytes))
        facts = check(run, keys=keys)
        deletions, chain = None, run.job.chain
        if chain is not None and not settings.mirror:
            deletions = plan_chain_deletions(run, chain, unwanted=unwanted, ledger=self._mirror_ledger)
        if not (settings.mirror or settings.only_changes):
            return Looked(facts, deletions=deletions)
        rows = stack.enter_context(Spill())
        table = read_rows(run.ctx, run.engine, row_scan(run.job, kind), kind=kind, spill=rows)
        if settings.only_changes:
            facts = facts.compared_with(table, keys)
        if not settings.mirror:
            return Looked(facts, table, deletions)
        ledger = self._mirror_ledger
        return Looked(
            facts, table, plan_deletions(run, table=table, export_keys=keys, unwanted=unwanted, ledger=ledger)
        )

    def _ledger_of(self, step: str) -> Ledger:
        ctx = self._run.ctx
        return Ledger(ctx.store, ctx.subfolder(f"ledger/{step}/{self._run.job.table.name}"))

    def _deleted(self, result: ImportResult, deletions: DeletionPlan | None, unwanted: Spill) -> ImportResult:
        if deletions is None:
            return result
        deleted, consumed = delete_planned(
            self._run, deletions=deletions, unwanted=unwanted, ledger=self._mirror_ledger
        )
        self._refuse_changed()
        return replace(
            result,
            items_deleted=deletions.deleted_before + deleted,
            delete_units_consumed=consumed.units.get("table", 0.0),
        )

    def _refuse_changed(self) -> None:
        ctx = self._run.ctx
        Tables.of_run(ctx).describe_again(self._run.job.table)


@dataclass(frozen=True)
class Looked:
    """What is known before the first write: of the files, and of the table where it was read."""

    facts: Checked
    table: TableRows | None = None
    deletions: DeletionPlan | None = None


def _result(run: ImportRun, looked: Looked, written: Written) -> ImportResult:
    job, aside = run.job, run.plan.set_aside
    facts, settings, totals, consumed = looked.facts, job.settings, written.totals, written.consumed
    table, deletions = looked.table, looked.deletions
    return ImportResult(
        table=job.table.name,
        input=job.source.folder,
        source=job.source.kind,
        source_table=job.source.source_table,
        items=facts.items,
        items_bad=facts.bad,
        items_written=totals["written"],
        items_skipped=totals["skipped"],
        items_set_aside=totals["set_aside"],
        set_aside_uri=aside.folder if aside else None,
        duplicates_dropped=facts.dropped,
        files=len(job.source.files),
        bytes=job.source.bytes,
        write_units_consumed=consumed.units.get("table", 0.0),
        index_units_consumed={name: units for name, units in consumed.units.items() if name != "table"},
        write_units_per_s_allowed=job.rate.units_per_s["table"],
        rate=job.rate.derivation,
        throttles=consumed.throttles,
        dry_run=settings.dry_run,
        exit_code=int(ExitCode.SET_ASIDE if totals["set_aside"] else ExitCode.DONE),
        table_items_before=deletions.table_items if deletions else None,
        deletions_planned=deletions.total if deletions else None,
        read_units_consumed=table.consumed.units.get("table", 0.0) if table else None,
        read_rate=table.rate if table else None,
        items_unchanged=_unchanged_count(facts, written, dry_run=settings.dry_run) if settings.only_changes else None,
        items_left_out=facts.left_out if settings.restricted else None,
        items_expired=facts.expired if settings.skip_expired else None,
        bytes_asked_for=facts.asked_bytes if settings.restricted else None,
        keys_absent=len(facts.keys_absent) if settings.restricted else None,
        bad_reasons=dict(facts.reasons) or None,
    )


def _unchanged_count(facts: Checked, written: Written, *, dry_run: bool) -> int:
    """Items that the table held just so; of a resumed run not those that an earlier attempt wrote."""
    if dry_run:
        return len(facts.unchanged)
    return max(0, facts.to_write + len(facts.unchanged) - facts.bad - written.totals["written"])
