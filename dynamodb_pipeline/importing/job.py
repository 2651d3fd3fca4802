"""One import, resolved before anything is read: its files, its table, its rate, and what every worker must know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.aws.retry import LOOK_POLICY
from dynamodb_pipeline.chain.collapse import Collapsed, chain_source
from dynamodb_pipeline.chain.records import uncollapsed_source
from dynamodb_pipeline.chain.windows import Chain, find_chain
from dynamodb_pipeline.documents import Document, Facts, facts_of, member, natural, string
from dynamodb_pipeline.dynamodb.table import TableDescription, Tables, no_expiry, refuse_unusable
from dynamodb_pipeline.dynamodb.table_description import may_skip_parsing, refuse_other_keys
from dynamodb_pipeline.errors import IntegrityError, PipelineError, PreconditionError, counted
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.formats.items.item_rules import Expiry
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.importing.set_aside import SetAside
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, write_rate
from dynamodb_pipeline.reading.file_puts import ParsedItem, Put
from dynamodb_pipeline.reading.finished_runs import UNKNOWN_TABLE, SourceChoice, choose_finished_run, wanted_table
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.reading.key_spill import Collision, KeySpill
from dynamodb_pipeline.reading.source import first_few, load_source, refuse_other_source, refuse_unknown_part
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.selection.changes import Unchanged, unchanged_lines
from dynamodb_pipeline.selection.table_rows import TableRows
from dynamodb_pipeline.selection.wanted_keys import KeyPrefix, WantedKeys, wanted_keys
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.settings.job_options import LATEST, WITHOUT_MANIFEST
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import WorkerContext


@dataclass(frozen=True)
class TableImport:
    """One import, resolved: source, target, rate."""

    source: ImportSource
    table: TableDescription
    choice: RateChoice
    settings: ImportSettings
    worker: WorkerContext
    chain: Collapsed | None = None

    def rate_of(self, table: TableDescription, choice: RateChoice | None = None) -> AllowedRate:
        """The rate that this run may write `table` at, as it is described now; `choice` in place of its own."""
        return write_rate(table.capacity, choice or self.choice, indexes=table.index_capacities)

    @property
    def rate(self) -> AllowedRate:
        return self.rate_of(self.table)


@dataclass(frozen=True)
class ImportRun:
    """One import under way: the run, what is imported, what every worker must know, and where workers run."""

    ctx: RunContext
    job: TableImport
    plan: ImportPlan
    engine: Engine


def resolve_import(ctx: RunContext, settings: ImportSettings, *, source: ImportSource | None = None) -> TableImport:
    """
    Find the files (unless `source` has them) and the table and compare their keys; nothing is written, nothing started.

    Raises:
        PreconditionError: nothing to import, no such table, a status that cannot be written, another key schema.
        IntegrityError: the export contradicts itself.
    """
    table = Tables.of_run(ctx).describe(settings.table)
    refuse_unusable(table, purpose="import")
    source, chain = _chain_end(ctx, settings, table) if settings.chain else (source, None)
    source = source or find_source(ctx.store, settings)
    refuse_other_keys(source.key_schema, table.key_schema, table=table.name)
    return TableImport(source, table, settings.rate, settings, ctx.worker(), chain)


def _chain_end(ctx: RunContext, settings: ImportSettings, table: TableDescription) -> tuple[ImportSource, Collapsed]:
    chain, folder, say = _chain_of(ctx.store, settings), str(ctx.subfolder("chain")), ctx.reporter.note
    return chain_source(ctx.store, chain, folder=folder, keys=table.key_schema, check=ctx.lifetime.check, say=say)


def _chain_of(store: ObjectStore, settings: ImportSettings) -> Chain:
    return find_chain(store, settings.input, table=settings.from_table or settings.bare_name, until=settings.until)


def find_source(store: ObjectStore, settings: ImportSettings) -> ImportSource:
    """
    Every file that these settings mean: of the folder itself, else of the finished export below it.

    Raises:
        PreconditionError: nothing to import, several exports and none chosen, or another table's where it must not be.
    """
    if settings.chain:
        return uncollapsed_source(store, _chain_of(store, settings))
    folder = settings.input
    if not settings.without_manifest:
        command = settings.common.command_with(WITHOUT_MANIFEST, without=LATEST)
        choice = SourceChoice(settings.bare_name, settings.from_table, settings.latest, command)
        folder = choose_finished_run(store, folder, choice)
    source = load_source(
        store, folder, without_manifest=settings.without_manifest, allow_buckets=settings.allow_buckets
    )
    refuse_other_source(source, settings.from_table)
    refuse_unknown_part(source, settings.accept_members)
    if settings.only_changes and source.part is not None:
        msg = f"--only-changes: {source.folder}: {source.part}; only a whole export is compared with a table"
        raise PreconditionError(msg)
    if settings.mirror:
        _refuse_mirror_of_another(source, settings)
    return source


def _refuse_mirror_of_another(source: ImportSource, settings: ImportSettings) -> None:
    """A mirror deletes what the export lacks, so the export must be the whole of the right table, and say so."""
    from_table, exported_table = settings.from_table, source.source_table
    msg = None
    if source.part is not None:
        msg = f"--mirror: {source.folder}: {source.part}; items are only deleted on account of a whole table"
    elif exported_table is None and from_table != UNKNOWN_TABLE:
        msg = (
            f"--mirror: {source.folder} names no table, so nothing proves that it is of "
            f"{from_table or settings.bare_name}; if it is, give --from-table {UNKNOWN_TABLE}"
        )
    elif exported_table is not None and exported_table != (from_table or settings.bare_name):
        msg = (
            f"--mirror: {source.folder} is {source.origin}, and items of {settings.table} would be deleted on account "
            f"of it; if that is meant, give --from-table {exported_table}"
        )
    if msg is not None:
        msg += ". Nothing was deleted or written"
        raise PreconditionError(msg)


def import_plan(ctx: RunContext, job: TableImport) -> ImportPlan:
    """What every worker must know."""
    table, source, settings = job.table, job.source, job.settings
    attributes = frozenset(name for index in table.index_keys for name in index.names)
    prefix = KeyPrefix(settings.key_prefix, settings.sort_key_prefix)
    aside = SetAside(join(str(settings.set_aside), ctx.run_id)) if settings.set_aside else None
    fast = source.record is not None and may_skip_parsing(
        source.key_schema, table.key_schema, index_attributes=attributes
    )
    return ImportPlan(
        table=table.address,
        keys=table.key_schema,
        index_keys=table.index_keys,
        resources=tuple(job.rate.units_per_s),
        fast=fast,
        skip_existing=settings.skip_existing,
        set_aside=aside,
        wanted=wanted_table(table.name, from_table=settings.from_table),
        only_changes=settings.only_changes,
        keys_wanted=wanted_keys(ctx.store, table.key_schema, file=settings.keys, prefix=prefix),
        expiry=_expiry(ctx, job),
        skip_expired=settings.skip_expired,
    )


def _expiry(ctx: RunContext, job: TableImport) -> Expiry | None:
    """
    By what items of the target expire. Only --skip-expired needs it; without, not to be told is no reason to end.

    Raises:
        PreconditionError: it is needed, and they do not.
    """
    tables, name, now_s = Tables.of_run(ctx), job.table.name, int(ctx.moment.timestamp())
    if not job.settings.skip_expired:
        if job.table.arn_asked:
            return None
        try:
            return tables.expiry(name, now_s=now_s, policy=LOOK_POLICY)
        except PipelineError:
            return None
    expiry = tables.expiry(name, now_s=now_s)
    if expiry is None:
        raise no_expiry(name)
    return expiry


def import_header(job: TableImport, plan: ImportPlan) -> Facts:
    """What a resume depends on: the table itself, the very objects, the mode; newer modes where asked for."""
    settings, keys = job.settings, plan.keys_wanted
    modes = ("only_changes", "skip_expired")
    asked = {mode: True for mode in modes if getattr(settings, mode)}
    return {
        "kind": "import",
        "table": job.table.name,
        "table_id": job.table.table_id,
        "input": job.source.folder,
        "files": {f.uri: f.etag for f in job.source.files},
        "skip_existing": settings.skip_existing,
        "duplicates": settings.duplicates,
        "set_aside": str(settings.set_aside) if settings.set_aside else None,
        "mirror": settings.mirror,
        **asked,
        **({} if keys is None else {"keys_wanted": keys.digest()}),
    }


@dataclass(frozen=True)
class ImportPlan:
    """
    What every worker must know of the import.

    Attributes:
        resources: "table" and "index:<name>" of the target's global indexes.
        fast: files with a matching hash are written without parsing.
        skip_existing: put only items whose key is not in the table.
        set_aside: where bad items go, None when the first one ends the run.
        files_in_hand: how many files a worker interleaves.
        colliding: hashes (key_spill.key_hash) of keys that stand more than once; they are left out of a whole file,
            and written last by units of work that name their lines.
        wanted: whose items are taken of files that name their tables.
        only_changes: items that the table holds just so are not written.
        keys_wanted: only items of these keys are written, None for all.
        expiry: by what items of the target expire, None where they do not; those that have are left out with
            `skip_expired`, and a few are looked at without.
    """

    table: str
    keys: KeySchema
    index_keys: tuple[IndexKeys, ...]
    resources: tuple[str, ...]
    fast: bool = False
    skip_existing: bool = False
    set_aside: SetAside | None = None
    files_in_hand: int = 4
    colliding: frozenset[bytes] = frozenset()
    wanted: WantedTable | None = None
    only_changes: bool = False
    keys_wanted: WantedKeys | None = None
    expiry: Expiry | None = None
    skip_expired: bool = False

    def leaves_out(self, item: Put | ParsedItem) -> bool:
        """True for an item that has expired, where those are not wanted."""
        if not self.skip_expired or self.expiry is None:
            return False
        if isinstance(item, ParsedItem):
            return self.expiry.has_expired(item.item)
        return self.expiry.has_expired_text(item.body)


@dataclass(frozen=True)
class Checked:
    """
    What the pass before the first write found.

    Attributes:
        left_out: items of other keys than those asked for.
        asked_bytes: DynamoDB's size of the items asked for, 0 where all are.
        keys_absent: those of the keys asked for that no item has.
        checked: by work id, the SHA-256 of texts whose items need not be judged again (`InputFile.checked_sha256`).
        unchanged: lines that the table holds just so.
        expired: items that are left out because they have expired.
        reasons: why items are bad, and how many each time.
    """

    items: int
    bad: int
    collisions: tuple[Collision, ...] = ()
    checked: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    asked_bytes: int = 0
    keys_absent: tuple[bytes, ...] = ()
    unchanged: Unchanged = field(default_factory=Unchanged)
    expired: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """Items that are not written because the same key stands again further on."""
        return sum(c.count - 1 for c in self.collisions)

    @property
    def to_write(self) -> int:
        """Items that are to be written, or set aside."""
        return self.items - self.left_out - self.expired - self.dropped - len(self.unchanged)

    def compared_with(self, table: TableRows, export: KeySpill) -> Checked:
        """The same with the lines that the table holds just so already."""
        colliding = {collision.key_hash for collision in self.collisions}
        return replace(self, unchanged=unchanged_lines(export, table, but=colliding))

    def units(self, source: ImportSource) -> list[WorkUnit]:
        """The files to write. Where keys collide every item's key is needed, so every file is parsed again."""
        units = source.units(checked={} if self.collisions else self.checked)
        texts = map(self.unchanged.texts.get, range(len(units)))
        return [u if t is None else WorkUnit(u.work_id, {**u.body, "unchanged": t}) for u, t in zip(units, texts)]


def refuse_several_tables(job: TableImport, tables: Collection[str], *, passed_over: Collection[str]) -> None:
    """
    Raises:
        PreconditionError: the files name several tables whose items would be taken, or none that is wanted.
    """
    if len(tables) > 1:
        named = first_few(map(repr, tables))
        msg = f"{job.source.folder} holds items of tables {named}; --from-table NAME takes those of one"
        msg += ". Nothing was written"
        raise PreconditionError(msg)
    if passed_over and not tables:
        named = first_few(map(repr, passed_over))
        msg = f"{job.source.folder} holds items of {named} and none of {job.settings.from_table!r}. Nothing was written"
        raise PreconditionError(msg)


def refuse_too_many_bad(job: TableImport, bad: int, *, total: int, so: str) -> None:
    """
    Raises:
        IntegrityError: `bad` of `total` items are more than --max-set-aside allows; `so` says what that means.
    """
    limit = job.settings.max_set_aside
    if bad and limit.exceeded(bad, total=total):
        are = "is" if bad == 1 else "are"
        msg = f"{bad:,} of {counted(total, 'item')} {are} bad, --max-set-aside allows {limit}; {so}"
        raise IntegrityError(msg)


@dataclass(frozen=True)
class ImportedFile(Document):
    """What became of one unit of work of an import: counts of the items of a file; `file` is its name."""

    file: str = member(string)
    dialect: str = member(string)
    items: int = member(natural)
    written: int = member(natural)
    skipped: int = member(natural)
    set_aside: int = member(natural)
    unchanged: int = member(natural, default=0)
    left_out: int = member(natural, default=0)
    expired: int = member(natural, default=0)


@dataclass(frozen=True)
class ImportResult:
    """
    An import, as it is printed and kept in run.json; the names are those of the documents.

    Of a mirror alone: `table_items_before`, `deletions_planned`, and of one that deleted `items_deleted` and
    `delete_units_consumed`. Where the table was read: `read_units_consumed`, `read_rate`. With --only-changes
    `items_unchanged`, with --skip-expired `items_expired`; where some keys were asked for `items_left_out`,
    `bytes_asked_for`, `keys_absent`; with --set-aside `set_aside_uri`, this run's folder.
    """

    table: str
    input: str
    source: str
    source_table: str | None
    items: int
    items_bad: int
    items_written: int
    items_skipped: int
    items_set_aside: int
    duplicates_dropped: int
    files: int
    bytes: int
    write_units_consumed: float
    index_units_consumed: dict[str, float]
    write_units_per_s_allowed: float
    rate: str
    throttles: int
    dry_run: bool
    exit_code: int
    set_aside_uri: str | None = None
    table_items_before: int | None = None
    deletions_planned: int | None = None
    items_deleted: int | None = None
    delete_units_consumed: float | None = None
    read_units_consumed: float | None = None
    read_rate: str | None = None
    items_unchanged: int | None = None
    items_left_out: int | None = None
    bytes_asked_for: int | None = None
    keys_absent: int | None = None
    items_expired: int | None = None
    bad_reasons: dict[str, int] | None = None

    def to_json(self) -> Facts:
        """Its members; what the import had no part in is left out."""
        default = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in facts_of(self).items() if value is not default[name]}


def repeated_keys_line(count: int) -> str:
    """That keys stand more than once, and which item wins."""
    return f"note: {counted(count, 'key')} more than once in the input; the last in the manifest's order wins"
