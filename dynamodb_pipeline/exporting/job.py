"""One table's export, resolved, and what a reader brings of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.documents import Document, Facts, facts_of, member, natural, optional, several, string
from dynamodb_pipeline.dynamodb.requests import ScanRequest, scan_words
from dynamodb_pipeline.dynamodb.table import TableDescription, Tables, no_expiry, refuse_unusable
from dynamodb_pipeline.dynamodb.table_description import ScanTarget
from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.formats.exports.entry_location import check_entry_url
from dynamodb_pipeline.formats.exports.export_record import ExportPart, FileRecord, file_record
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition
from dynamodb_pipeline.formats.items.item_rules import Expiry, ExpirySample, expiry_of
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, read_rate
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.settings.job import ExportSettings
from dynamodb_pipeline.settings.job_options import (
    ATTRIBUTE_NAMES,
    ATTRIBUTE_VALUES,
    CONSISTENT_READ,
    FILTER,
    INDEX,
    PROJECTION,
)
from dynamodb_pipeline.workers.worker import WorkerContext


@dataclass(frozen=True)
class TableExport:
    """
    One table's export, resolved: what is read, where to, how fast.

    Attributes:
        part: what of the table is read, None for all.
        expiry: where items that expire soon are counted in passing.
        time_to_live: its TimeToLiveDescription, where that has been asked for already.
    """

    table: TableDescription
    folder: S3Uri
    choice: RateChoice
    settings: ExportSettings
    worker: WorkerContext
    part: ExportPart | None = None
    expiry: Expiry | None = None
    time_to_live: Mapping[str, object] | None = None

    @property
    def target(self) -> ScanTarget:
        """What the Scans read: the table, or one of its indexes."""
        return self.table.scanned(self.part.index if self.part else None)

    @property
    def words(self) -> bytes:
        """What every Scan says beside where it reads (`ScanRequest.words`)."""
        return scan_words(self.part.scan_members(self.table.key_schema)) if self.part else b""

    @property
    def expected_items(self) -> int | None:
        """How many are likely to come, None where nobody knows."""
        filtered = self.part is not None and (self.part.filter or self.part.ttl_attribute)
        return None if filtered else self.target.item_count or None

    @property
    def rate(self) -> AllowedRate:
        return self.rate_of(self.table)

    def rate_of(self, table: TableDescription, choice: RateChoice | None = None) -> AllowedRate:
        """The rate that this run may read `table` at, as it is described now; `choice` in place of its own."""
        try:
            target = table.scanned(self.target.index)
        except PreconditionError:  # the index is going: its Scans say so
            target = self.target
        return read_rate(target.capacity, choice or self.choice, index=target.rated_index)


@dataclass(frozen=True)
class ReadDetails:
    """How a table was read, for the result; `throttles` is None where nobody counts them."""

    segments: int
    tasks: int
    resumed: bool
    throttles: int | None = None


@dataclass(frozen=True)
class ReadOutcome:
    """
    What a reader brought: files, units, and who says so.

    `units_consumed` and `items_read`, those that the Scans looked at, are None where nobody counted; `estimated` marks
    the connector's own limiter.
    """

    files: tuple[FileRecord, ...]
    units_consumed: float | None
    estimated: bool
    connector_version: str | None
    details: ReadDetails
    items_read: int | None = None
    sample: ExpirySample | None = None


@dataclass(frozen=True)
class ExportResult:
    """
    One table's export, as it is printed and kept in run.json; the names are those of the documents.

    `read_units_consumed` and `details` are None where an earlier attempt of the run had finished the export. Of a part
    of a table alone: `part`, and `items_read`, those that the Scans looked at, where somebody counted.
    """

    table: str
    export_uri: str
    manifest: str
    items: int
    files: int
    bytes: int
    plain_bytes: int
    read_units_consumed: float | None
    read_units_estimated: bool
    read_units_per_s_allowed: float
    rate: str
    reader: str
    seconds: float
    details: ReadDetails | None
    part: Facts | None = None
    items_read: int | None = None

    def to_json(self) -> Facts:
        """Its members, those of the details among them."""
        facts, details = facts_of(self), self.details
        for name in ("details", *(each for each in ("part", "items_read") if facts[each] is None)):
            del facts[name]
        more: Facts = {"already_done": True} if details is None else facts_of(details)
        return {**facts, **{name: value for name, value in more.items() if value is not None}}


def resolve_export(ctx: RunContext, settings: ExportSettings, name: str, *, folder: S3Uri) -> TableExport:
    """
    Check one table and derive its rate; nothing is claimed, read or started.

    Raises:
        PreconditionError: no such table or index, a status that cannot be read, an output that no manifest may name.
        UsageError: DynamoDB does not understand what part of the table is asked for.
        DeniedError: the permission that is missing, by name.
    """
    try:
        check_entry_url(str(folder.child("file")))
    except ValueError as err:
        msg = f"--output: {err}; choose a folder without such parts"
        raise UsageError(msg) from err
    tables = Tables.of_run(ctx)
    table = tables.describe(name)
    refuse_unusable(table, purpose="export")
    options = (("ServerSideEncryption", "aws:kms"), ("SSEKMSKeyId", settings.sse_kms_key_id or ""))
    worker = ctx.worker(put_options=options if settings.sse_kms_key_id else ())
    try_part(tables, table, settings)
    if not settings.skip_expired:
        return TableExport(table, folder, settings.rate, settings, worker, settings.part)
    described = tables.time_to_live(table.address)
    expiry = expiry_of(described, now_s=int(ctx.moment.timestamp()))
    part = without_expired(settings.part, expiry, table=table.name)
    return TableExport(table, folder, settings.rate, settings, worker, part, time_to_live=described)


def without_expired(part: ExportPart | None, expiry: Expiry | None, *, table: str) -> ExportPart:
    """
    Raises:
        PreconditionError: items of this table do not expire.
    """
    if expiry is None:
        raise no_expiry(table)
    if part is None:
        return ExportPart(ttl_attribute=expiry.attribute, expired_at=expiry.now_s)
    return replace(part, ttl_attribute=expiry.attribute, expired_at=expiry.now_s)


def try_part(tables: Tables, table: TableDescription, settings: ExportSettings) -> None:
    """
    Ask DynamoDB once whether it understands which part of the table is asked for, where it is not the whole.

    Raises:
        PreconditionError: there is no such index.
        UsageError: it does not, or not with such reads; names the options.
    """
    if settings.part is None:
        return
    consistent, index = settings.consistent_read, table.scanned(settings.index).rated_index
    if consistent and index is not None:
        msg = f"{CONSISTENT_READ}: DynamoDB reads a global index ({index}) eventually consistent only; leave it out"
        raise UsageError(msg)
    words = scan_words(settings.part.scan_members(table.key_schema))
    try:
        tables.try_scan(ScanRequest(table.address, limit=1, consistent=consistent, words=words))
    except UsageError as err:
        options = f"{FILTER}, {PROJECTION}, {INDEX}, {ATTRIBUTE_NAMES} and {ATTRIBUTE_VALUES}"
        msg = f"{err}; check {options}. Nothing was read"
        raise UsageError(msg) from err


def export_header(export: TableExport, *, kind: str, segments: int, more: Facts) -> Facts:
    """The ledger's header: what a resume depends on, whoever reads the table, and `more` that this reader adds."""
    return {
        "kind": kind,
        "table": export.table.name,
        "table_id": export.table.table_id,
        "folder": str(export.folder),
        "segments": segments,
        "compression": export.settings.compression,
        "null_tag": export.settings.null_tag,
        **part_facts(export),
        **more,
    }


def part_facts(export: TableExport) -> Facts:
    """What a ledger pins of a part of a table; nothing of a whole one."""
    return {} if export.part is None else {"part": export.part.to_json()}


def ledger_of(ctx: RunContext, export: TableExport) -> Ledger:
    """This table's ledger in this run."""
    return Ledger(ctx.store, ctx.subfolder(f"ledger/export/{export.table.name}"))


@dataclass(frozen=True)
class PartitionEntry(Document):
    """The ledger's entry of one of the connector's partitions: its data files; the sample as of `SegmentEntry`."""

    files: tuple[FileRecord, ...] = member(several(file_record))
    sampled: int = member(natural, default=0)
    expiring: int = member(natural, default=0)


@dataclass(frozen=True)
class SegmentEntry(Document):
    """
    What the direct reader has read of one segment, up to a position, and the data files that it made of it.

    Attributes:
        pages: read from the segment's beginning on, by all entries up to this one.
        next_key: where the next one starts, None at the segment's end.
        items: of this entry's own files.
        items_read: those that its Scans looked at; noted of a part of a table only.
        sampled, expiring: items looked at for their TTL attribute, and those that expire soon.
    """

    segment: int = member(natural)
    pages: int = member(natural)
    next_key: str | None = member(optional(string))
    files: tuple[FileRecord, ...] = member(several(file_record))
    items: int = member(natural)
    items_read: int = member(natural, default=0)
    sampled: int = member(natural, default=0)
    expiring: int = member(natural, default=0)


def expiry_sample(expiry: Expiry | None, entries: Iterable[SegmentEntry | PartitionEntry]) -> ExpirySample | None:
    """What the entries' samples say together; None where nobody looked."""
    if expiry is None:
        return None
    sampled = [(entry.sampled, entry.expiring) for entry in entries]
    return ExpirySample(expiry, sum(items for items, _ in sampled), sum(expiring for _, expiring in sampled))


def rate_line(export: TableExport) -> str:
    """At what rate the table is read, and where it goes."""
    part = f"; {export.part}" if export.part else ""
    return f"{export.table.name}: {export.rate.derivation}; to {export.folder}{part}"


def not_read_line(export: TableExport, definition: TableDefinition) -> str:
    """That `_table.json` lacks parts, and why."""
    parts = ", ".join(f"{call} ({why})" for call, why in definition.not_read.items())
    return f"{export.table.name}: _table.json lacks what could not be read: {parts}; the export itself needs none of it"


def already_exported_line(export: TableExport) -> str:
    """That an earlier attempt of the run has done it."""
    return f"{export.table.name}: already exported by this run to {export.folder}"


def failed_line(table_name: str, err: Exception) -> str:
    """That one of several tables failed."""
    return f"{table_name}: failed: {err}"
