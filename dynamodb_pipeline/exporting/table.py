"""
Exports one table: checks, claims the folder, reads at the allowed rate, publishes.

Whatever happens before `publish`, the folder is no export. What a task stored counts only once its success arrived
here, so the lists published are of files that are whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.dynamodb.table import TableDescription, describe, describe_again, holds_an_item, refuse_unusable
from dynamodb_pipeline.errors import IntegrityError, UsageError
from dynamodb_pipeline.exporting.publish import finished_record, mark_success, publish
from dynamodb_pipeline.formats.exports.entry_location import check_entry_url
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.exports.layout import Claim, claim_folder
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, read_rate
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.settings.job import ExportSettings
from dynamodb_pipeline.workers.engine import Engine, SparkEngine
from dynamodb_pipeline.workers.worker_context import WorkerContext


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

    def rate_of(self, table: TableDescription) -> AllowedRate:
        """The rate that this run may read `table` at, as it is described now."""
        return read_rate(table.capacity, self.choice)


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
    details: dict[str, Any]


def resolve(ctx: RunContext, settings: ExportSettings, name: str, *, folder: S3Uri) -> TableExport:
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
    table = describe(ctx.clients.client("dynamodb"), name)
    refuse_unusable(table, purpose="export")
    choice = RateChoice.of(settings.rate.percent, settings.rate.units)
    options = (("ServerSideEncryption", "aws:kms"), ("SSEKMSKeyId", settings.sse_kms_key_id or ""))
    worker = ctx.worker(put_options=options if settings.sse_kms_key_id else ())
    return TableExport(table, folder, choice, settings, worker)


def export_table(ctx: RunContext, export: TableExport, engine: Engine) -> dict[str, Any]:
    """
    Export one table and return its part of the result.

    Raises:
        PipelineError: see errors.py; nothing was published.
    """
    started, started_at = time.monotonic(), ctx.now()
    table, folder = export.table, export.folder
    claim = Claim(ctx.run_id, table.name, table.table_id, started_at)
    resumed = claim_folder(ctx.store, folder, claim)
    done = finished_record(ctx.store, folder) if resumed else None
    if done is not None:
        mark_success(ctx.store, folder)
        ctx.reporter.note(f"{table.name}: already exported by this run to {folder}")
        return _result(export, done, None, seconds=time.monotonic() - started)
    ctx.reporter.note(f"{table.name}: {export.rate.derivation}; to {folder}")
    outcome = _read(ctx, export, engine)
    describe_again(ctx.clients.client("dynamodb"), table)
    _check_not_falsely_empty(ctx, export, outcome)
    record = _record(ctx, export, outcome, started_at=started_at)
    record = publish(ctx.store, folder, record, lifetime=ctx.lifetime)
    return _result(export, record, outcome, seconds=time.monotonic() - started)


def _read(ctx: RunContext, export: TableExport, engine: Engine) -> ReadOutcome:
    if export.settings.reader == "direct" or not isinstance(engine, SparkEngine):
        from dynamodb_pipeline.exporting.direct import read_direct

        return read_direct(ctx, export, engine, ledger=ledger_of(ctx, export))
    from dynamodb_pipeline.exporting.through_connector import read_with_connector

    return read_with_connector(ctx, export, engine, ledger=ledger_of(ctx, export))


def ledger_of(ctx: RunContext, export: TableExport) -> Ledger:
    """This table's ledger in this run."""
    return Ledger(ctx.store, ctx.subfolder(f"ledger/export/{export.table.name}"))


def _check_not_falsely_empty(ctx: RunContext, export: TableExport, outcome: ReadOutcome) -> None:
    """An empty RDD is the classic silent loss of connector and Spark versions that do not fit (Spark >= 3.2)."""
    if any(f.item_count for f in outcome.files):
        return
    if holds_an_item(ctx.clients.client("dynamodb"), export.table.name):
        name = export.table.name
        msg = f"the export of {name!r} has no items but the table has; nothing was published, try --reader direct"
        raise IntegrityError(msg)


def _record(ctx: RunContext, export: TableExport, outcome: ReadOutcome, *, started_at: str) -> ExportRecord:
    table, settings = export.table, export.settings
    direct = outcome.connector_version is None
    return ExportRecord(
        tool_version=ctx.tool_version,
        connector_version=outcome.connector_version,
        run_id=ctx.run_id,
        table_name=table.name,
        table_arn=table.arn,
        table_id=table.table_id,
        region=ctx.clients.region,
        key_schema=table.key_schema,
        reader="direct" if direct else "connector",
        scan_started=started_at,
        scan_ended=ctx.now(),
        consistency="strong" if settings.consistent_read else "eventual",
        compression=settings.compression,
        null_tag=settings.null_tag,
        files=tuple(sorted(outcome.files, key=lambda f: f.name)),
    )


def _result(
    export: TableExport, record: ExportRecord, outcome: ReadOutcome | None, *, seconds: float
) -> dict[str, Any]:
    units = outcome.units_consumed if outcome else None
    return {
        "table": export.table.name,
        "export_uri": str(export.folder),
        "manifest": str(export.folder.child("manifest")),
        "items": record.item_count,
        "files": len(record.files),
        "bytes": record.bytes,
        "plain_bytes": record.plain_bytes,
        "read_units_consumed": units,
        "read_units_estimated": bool(outcome and outcome.estimated),
        "read_units_per_s_allowed": export.rate.units_per_s["table"],
        "rate": export.rate.derivation,
        "reader": record.reader,
        "seconds": round(seconds, 3),
        **(outcome.details if outcome else {"already_done": True}),
    }


def file_records(entries: Iterable[dict[str, Any]]) -> list[FileRecord]:
    """The file records kept in ledger entries or task results."""
    return [FileRecord(**fields) for entry in entries for fields in entry["files"]]


def file_fields(files: Iterable[FileRecord]) -> list[dict[str, Any]]:
    """The inverse, one entry's `files`."""
    return [asdict(f) for f in files]
