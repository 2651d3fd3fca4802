"""One table's export, resolved, and what a reader brings of it."""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.documents import Document, Facts, facts_of, member, natural, optional, several, string
from dynamodb_pipeline.dynamodb.table import TableDescription, Tables, refuse_unusable
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.formats.exports.entry_location import check_entry_url
from dynamodb_pipeline.formats.exports.export_record import FileRecord, file_record
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, read_rate
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.settings.job import ExportSettings
from dynamodb_pipeline.workers.worker import WorkerContext


@dataclass(frozen=True)
class TableExport:
    """One table's export, resolved: what is read, where to, how fast."""

    table: TableDescription
    folder: S3Uri
    choice: RateChoice
    settings: ExportSettings
    worker: WorkerContext

    @property
    def rate(self) -> AllowedRate:
        return self.rate_of(self.table)

    def rate_of(self, table: TableDescription, choice: RateChoice | None = None) -> AllowedRate:
        """The rate that this run may read `table` at, as it is described now; `choice` in place of its own."""
        return read_rate(table.capacity, choice or self.choice)


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

    `units_consumed` is None where nobody counted; `estimated` marks the connector's own limiter.
    """

    files: tuple[FileRecord, ...]
    units_consumed: float | None
    estimated: bool
    connector_version: str | None
    details: ReadDetails


@dataclass(frozen=True)
class ExportResult:
    """
    One table's export, as it is printed and kept in run.json; the names are those of the documents.

    `read_units_consumed` and `details` are None where an earlier attempt of the run had finished the export.
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

    def to_json(self) -> Facts:
        """Its members, those of the details among them."""
        facts, details = facts_of(self), self.details
        del facts["details"]
        more: Facts = {"already_done": True} if details is None else facts_of(details)
        return {**facts, **{name: value for name, value in more.items() if value is not None}}


def resolve_export(ctx: RunContext, settings: ExportSettings, name: str, *, folder: S3Uri) -> TableExport:
    """
    Check one table and derive its rate; nothing is claimed, read or started.

    Raises:
        PreconditionError: no such table, a status that cannot be read, an output that no manifest may name.
        DeniedError: the permission that is missing, by name.
    """
    try:
        check_entry_url(str(folder.child("file")))
    except ValueError as err:
        msg = f"--output: {err}; choose a folder without such parts"
        raise UsageError(msg) from err
    table = Tables.of(ctx.clients, sleep=ctx.lifetime.sleep).describe(name)
    refuse_unusable(table, purpose="export")
    options = (("ServerSideEncryption", "aws:kms"), ("SSEKMSKeyId", settings.sse_kms_key_id or ""))
    worker = ctx.worker(put_options=options if settings.sse_kms_key_id else ())
    return TableExport(table, folder, settings.rate, settings, worker)


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
        **more,
    }


def ledger_of(ctx: RunContext, export: TableExport) -> Ledger:
    """This table's ledger in this run."""
    return Ledger(ctx.store, ctx.subfolder(f"ledger/export/{export.table.name}"))


@dataclass(frozen=True)
class PartitionEntry(Document):
    """The ledger's entry of one of the connector's partitions: its data files."""

    files: tuple[FileRecord, ...] = member(several(file_record))


@dataclass(frozen=True)
class SegmentEntry(Document):
    """
    What the direct reader has read of one segment, up to a position, and the data files that it made of it.

    Attributes:
        pages: read from the segment's beginning on, by all entries up to this one.
        next_key: where the next one starts, None at the segment's end.
        items: of this entry's own files.
    """

    segment: int = member(natural)
    pages: int = member(natural)
    next_key: str | None = member(optional(string))
    files: tuple[FileRecord, ...] = member(several(file_record))
    items: int = member(natural)


def rate_line(export: TableExport) -> str:
    """At what rate the table is read, and where it goes."""
    return f"{export.table.name}: {export.rate.derivation}; to {export.folder}"


def not_read_line(export: TableExport, definition: TableDefinition) -> str:
    """That `_table.json` lacks parts, and why."""
    parts = ", ".join(f"{call} ({why})" for call, why in definition.not_read.items())
    return f"{export.table.name}: _table.json lacks what could not be read: {parts}; the export itself needs none of it"


def already_exported_line(export: TableExport) -> str:
    """That an earlier attempt of the run has done it."""
    return f"{export.table.name}: already exported by this run to {export.folder}"


def failed_line(export: TableExport, err: Exception) -> str:
    """That one of several tables failed."""
    return f"{export.table.name}: failed: {err}"
