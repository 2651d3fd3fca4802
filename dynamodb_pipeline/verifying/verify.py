"""
Verifies an export, by itself or against a table: resolved before anything is read, carried out, put into words.

Fails closed: whatever is wrong or cannot be decided ends with exit code 4. What an export cannot prove because it does
not carry it (hashes, a key schema, a manifest) is said in the result as `not_proven`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from dynamodb_pipeline.chain.collapse import chain_source
from dynamodb_pipeline.chain.windows import find_chain
from dynamodb_pipeline.documents import Facts, facts_of
from dynamodb_pipeline.dynamodb.table import TableDescription, Tables, refuse_unusable
from dynamodb_pipeline.dynamodb.table_description import refuse_other_keys
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, counted
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.formats.items.key_schema import KeySchema, key_item, shown_key
from dynamodb_pipeline.passes.rated_run import Rated, RatedRun
from dynamodb_pipeline.passes.table_scan import PAGE_UNITS, TableScan
from dynamodb_pipeline.reading.finished_runs import SourceChoice, choose_finished_run, wanted_table
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.reading.key_spill import KeySpill
from dynamodb_pipeline.reading.source import NO_HASHES, load_source, refuse_other_source
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import VerifySettings
from dynamodb_pipeline.settings.job_options import LATEST, WITHOUT_MANIFEST
from dynamodb_pipeline.verifying.differences import DIFFERENCE_KINDS, Differences, RowFilter, SecondReading
from dynamodb_pipeline.verifying.files import FileFindings, start_verify_files
from dynamodb_pipeline.verifying.table import second_look, table_digest
from dynamodb_pipeline.workers.engine import Engine, Engines
from dynamodb_pipeline.workers.worker import UnitWorker, WorkerContext


@dataclass(frozen=True)
class DifferenceFacts:
    """
    How many keys differ, and the first of them.

    Attributes:
        counts_complete: no differing bucket was left out.
        differences: each with `kind`, `key` and `item_key`.
    """

    missing: int = 0
    extra: int = 0
    different: int = 0
    counts_complete: bool = True
    differences: tuple[Facts, ...] = ()


@dataclass(frozen=True)
class ExportFacts:
    """What the pass over the files says; the names are those of the documents."""

    export: str
    source: str
    source_table: str | None
    files: int
    bytes: int
    plain_bytes: int
    items: int
    dialects: dict[str, int]
    key_schema: list[dict[str, str]] | None
    digest: str | None
    orphans: tuple[str, ...]
    orphan_count: int
    not_proven: tuple[str, ...]
    problems: tuple[str, ...]
    problem_count: int


@dataclass(frozen=True)
class ComparedTable:
    """What the comparison with a table says."""

    table: str
    table_items: int
    table_digest: str
    differing_buckets: int
    rate: str
    read_units_consumed: float
    differences: DifferenceFacts


@dataclass(frozen=True)
class VerifyResult:
    """A verification, as it is printed and kept in run.json; `table` is None where none was given, or none was read."""

    files: ExportFacts
    table: ComparedTable | None = None
    seconds: float = 0.0

    def to_json(self) -> Facts:
        """The members of all its parts beside each other."""
        facts = facts_of(self.files)
        if self.table is not None:
            facts |= {**facts_of(self.table), **facts_of(self.table.differences)}
        return {**facts, "seconds": self.seconds}


@dataclass(frozen=True)
class Verification:
    """One verification, resolved: `keys` are the export's own, else those of the table it is compared with."""

    source: ImportSource
    table: TableDescription | None
    keys: KeySchema | None
    settings: VerifySettings
    worker: WorkerContext

    @property
    def wanted(self) -> WantedTable | None:
        """Whose items are taken of files that name their tables."""
        return wanted_table(self.settings.bare_name, from_table=self.settings.from_table)


def resolve_verification(ctx: RunContext, settings: VerifySettings) -> Verification:
    """Find the export and the table; raises as `verify.verify`."""
    table = None
    if settings.table is not None:
        table = Tables.of_run(ctx).describe(settings.table)
        refuse_unusable(table, purpose="verify")
    if settings.chain and table is not None:
        return Verification(_chain_end(ctx, settings, table), table, table.key_schema, settings, ctx.worker())
    folder = settings.export
    if not settings.without_manifest:
        command = settings.common.command_with(WITHOUT_MANIFEST, without=LATEST)
        choice = SourceChoice(settings.bare_name, settings.from_table, settings.latest, command)
        folder = choose_finished_run(ctx.store, folder, choice)
    source = load_source(
        ctx.store, folder, without_manifest=settings.without_manifest, allow_buckets=settings.allow_buckets
    )
    refuse_other_source(source, settings.from_table)
    if table is not None:
        _refuse_part(source, table)
        refuse_other_keys(source.key_schema, table.key_schema, table=table.name)
    keys = source.key_schema or (table.key_schema if table else None)
    return Verification(source, table, keys, settings, ctx.worker())


def _refuse_part(source: ImportSource, table: TableDescription) -> None:
    """Raise PreconditionError for an export that may be a part of its table: equal or not, it would prove nothing."""
    if source.part is not None:
        msg = f"{source.folder}: {source.part}; it cannot be compared with {table.name}, leave out --table to check it"
        raise PreconditionError(msg)


def _chain_end(ctx: RunContext, settings: VerifySettings, table: TableDescription) -> ImportSource:
    """The end of the chain that is compared with a table."""
    name = settings.from_table or table.name
    chain = find_chain(ctx.store, settings.export, table=name, until=settings.until)
    keys, folder = table.key_schema, str(ctx.subfolder("chain"))
    check, say = ctx.lifetime.check, ctx.reporter.note
    return chain_source(ctx.store, chain, folder=folder, keys=keys, check=check, say=say)[0]


def reading_line(source: ImportSource) -> str:
    """What is about to be read."""
    return f"verify {source.folder} ({source.kind}): {counted(len(source.files), 'file')}; {source.origin}"


def export_facts(job: Verification, findings: FileFindings) -> ExportFacts:
    """What the pass over the files says, for the result."""
    source, limit = job.source, job.settings.limit
    return ExportFacts(
        export=source.folder,
        source=source.kind,
        source_table=source.source_table,
        files=len(source.files),
        bytes=source.bytes,
        plain_bytes=findings.plain_bytes,
        items=findings.items,
        dialects=dict(findings.dialects),
        key_schema=job.keys.to_json() if job.keys else None,
        digest=findings.digest.total() if job.keys else None,
        orphans=source.orphans[:limit],
        orphan_count=len(source.orphans),
        not_proven=tuple(_not_proven(job)),
        problems=tuple(findings.problems(limit)),
        problem_count=findings.problem_count,
    )


def _not_proven(job: Verification) -> Iterator[str]:
    source = job.source
    if source.kind == "folder":
        yield "there is no manifest: files may be missing, or be leftovers of failed attempts"
    if source.record is None and source.kind != "native":
        yield NO_HASHES
    if source.record is None and source.kind == "datapipeline" and source.orphans:
        yield "files that the manifest does not list may be leftovers, or entries were taken out of the manifest"
    if job.keys is None:
        yield "no key schema is known: keys, and that each stands once, were not checked; --table tells the schema"


def difference_facts(differences: Differences, keys: KeySchema, *, complete: bool) -> DifferenceFacts:
    """How many keys differ, and the first of them; `complete` when no differing bucket was left out."""
    examples: Iterator[Facts] = (
        {"kind": kind, "key": shown_key(keys, key), "item_key": key_item(keys, key)}
        for kind, key in differences.examples
    )
    return DifferenceFacts(**differences.counts, counts_complete=complete, differences=tuple(examples))


def problem_text(job: Verification, findings: FileFindings) -> str:
    """Why the export is not right."""
    first = findings.problems(1)[0]
    return f"{job.source.folder}: {counted(findings.problem_count, 'problem')}; first: {first}"


def difference_text(differing: DifferenceFacts, *, table: str, export: str) -> str:
    """Why table and export are not the same."""
    about = f"table {table!r} and {export} are not the same"
    by_kind = {kind: getattr(differing, kind) for kind in DIFFERENCE_KINDS}
    counts = [f"{count} {kind}" for kind, count in by_kind.items() if count]
    if not counts:
        return (
            f"{about}: digests differed, a second look found no difference; the table is being written to, verify again"
        )
    least = "" if differing.counts_complete else "at least "
    first = differing.differences[:1]
    example = f"; first: {first[0]['kind']} {json.dumps(first[0]['key'])}" if first else ""
    return f"{about}: {least}{', '.join(counts)}{example}"


class VerificationError(IntegrityError):
    """The export, or its comparison with a table, is not right; `facts` is the whole result."""

    def __init__(self, message: str, result: VerifyResult):
        super().__init__(message)
        self.facts = result.to_json()


def verify(ctx: RunContext, settings: VerifySettings, engines: Engines) -> Facts:
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
    result = VerifyResult(export_facts(job, findings))
    if findings.problem_count:
        raise VerificationError(problem_text(job, findings), _timed(result, started))
    if job.table is not None:
        result = replace(result, table=_against_table(ctx, job, job.table, engine, findings))
    result, table = _timed(result, started), result.table
    if table is not None and table.differing_buckets:
        raise VerificationError(difference_text(table.differences, table=table.table, export=source.folder), result)
    return result.to_json()


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
            start = partial(start_verify_files, keys=job.keys, wanted=job.wanted)
            run.run(lambda connect: UnitWorker(job.worker, connect, start), count=count, group="verify")
        for collision in keys.collisions():
            places = (job.source.place(file, line, documents=findings.documents) for file, line in collision.first)
            findings.add_problem(f"the same key stands at {' and at '.join(places)}")
    return findings


def _against_table(
    ctx: RunContext, job: Verification, table: TableDescription, engine: Engine, findings: FileFindings
) -> ComparedTable:
    scan = TableScan(
        table, job.settings.rate, job.worker, f"verify {table.name}", consistent=job.settings.consistent_read
    )
    ctx.reporter.note(f"{table.name}: {scan.rate.derivation}")
    digest, consumed = table_digest(ctx, scan, engine)
    again, differences = second_look(findings.digest, digest), DifferenceFacts()
    if again.buckets:
        scan = replace(scan, label=f"look again at {table.name}", max_page_units=PAGE_UNITS)
        rows = RowFilter(table.key_schema, again.buckets)
        reading = SecondReading(ctx, engine, job.source.units(), scan, job.wanted)
        differing, more = reading.compare(rows, limit=job.settings.limit)
        consumed = consumed.plus(more)
        differences = difference_facts(differing, table.key_schema, complete=again.complete)
    Tables.of_run(ctx).describe_again(table)
    return ComparedTable(
        table=table.name,
        table_items=digest.item_count,
        table_digest=digest.total(),
        differing_buckets=len(findings.digest.differing_buckets(digest)),
        rate=scan.rate.derivation,
        read_units_consumed=consumed.units.get("table", 0.0),
        differences=differences,
    )


def _timed(result: VerifyResult, started: float) -> VerifyResult:
    return replace(result, seconds=round(time.monotonic() - started, 3))
