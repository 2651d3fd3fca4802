"""
Exports one table: checks, claims the folder, reads at the allowed rate, publishes.

Whatever happens before `publish`, the folder is no export. What a task stored counts only once its success arrived
here, so the lists published are of files that are whole.
"""

from __future__ import annotations

import time
from dataclasses import replace

from dynamodb_pipeline.dynamodb.table import Tables
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.exporting.definition import definition_of
from dynamodb_pipeline.exporting.job import (
    ExportResult,
    ReadOutcome,
    TableExport,
    already_exported_line,
    ledger_of,
    not_read_line,
    part_facts,
    rate_line,
)
from dynamodb_pipeline.exporting.run_folder import claim_folder, finished_record, mark_success, publish
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import TABLE_DEFINITION, Claim
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.workers.engine import Engine, SparkEngine


def export_table(ctx: RunContext, export: TableExport, engine: Engine) -> ExportResult:
    """
    Export one table and return its part of the result.

    Raises:
        PipelineError: see errors.py; nothing was published.
    """
    started, started_at = time.monotonic(), ctx.now()
    table, folder = export.table, export.folder
    pinned = {"table_id": table.table_id, "folder": str(folder), "part": None, **part_facts(export)}
    ledger_of(ctx, export).refuse_other(pinned)  # before it is claimed
    claim = Claim(ctx.run_id, table.name, table.table_id, started_at)
    resumed = claim_folder(ctx.store, folder, claim)
    done = finished_record(ctx.store, folder) if resumed else None
    if done is not None:
        mark_success(ctx.store, folder)
        ctx.reporter.note(already_exported_line(export))
        return _result(export, done, None, seconds=time.monotonic() - started)
    ctx.reporter.note(rate_line(export))
    definition = definition_of(ctx, table, time_to_live=export.time_to_live)
    if definition.not_read:
        ctx.reporter.note(not_read_line(export, definition))
    if not (export.part and export.part.ttl_attribute):
        expiry = definition.expiry(now_s=int(ctx.moment.timestamp()))
        export = replace(export, expiry=expiry)
    outcome = _read(ctx, export, engine)
    about_expiry = outcome.sample.line(sum(file.item_count for file in outcome.files)) if outcome.sample else None
    if about_expiry is not None:
        ctx.reporter.note(f"{table.name}: {about_expiry}")
    tables = Tables.of_run(ctx)
    tables.describe_again(table)
    _check_not_falsely_empty(tables, export, outcome)
    ctx.store.put(str(folder.child(TABLE_DEFINITION)), definition.to_bytes())
    record = _record(ctx, export, outcome, started_at=started_at)
    record = publish(ctx.store, folder, record, lifetime=ctx.lifetime)
    return _result(export, record, outcome, seconds=time.monotonic() - started)


def _read(ctx: RunContext, export: TableExport, engine: Engine) -> ReadOutcome:
    if export.settings.reader == "direct" or not isinstance(engine, SparkEngine):
        from dynamodb_pipeline.exporting.direct import read_direct

        return read_direct(ctx, export, engine, ledger=ledger_of(ctx, export))
    from dynamodb_pipeline.exporting.through_connector import read_with_connector

    return read_with_connector(ctx, export, engine, ledger=ledger_of(ctx, export))


def _check_not_falsely_empty(tables: Tables, export: TableExport, outcome: ReadOutcome) -> None:
    """
    An empty RDD is the classic silent loss of connector and Spark versions that do not fit (Spark >= 3.2). Of a part
    nothing may be left, but then something was read.
    """
    if any(f.item_count for f in outcome.files):
        return
    if export.part is not None and (outcome.units_consumed or outcome.details.resumed):
        return
    if tables.holds_an_item(export.table.address):
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
        part=export.part,
        items_read=outcome.items_read,
    )


def _result(export: TableExport, record: ExportRecord, outcome: ReadOutcome | None, *, seconds: float) -> ExportResult:
    return ExportResult(
        table=export.table.name,
        export_uri=str(export.folder),
        manifest=str(export.folder.child(record.manifest_name)),
        items=record.item_count,
        files=len(record.files),
        bytes=record.bytes,
        plain_bytes=record.plain_bytes,
        read_units_consumed=outcome.units_consumed if outcome else None,
        read_units_estimated=bool(outcome and outcome.estimated),
        read_units_per_s_allowed=export.rate.units_per_s["table"],
        rate=export.rate.derivation,
        reader=record.reader,
        seconds=round(seconds, 3),
        details=outcome.details if outcome else None,
        part=record.part.to_json() if record.part else None,
        items_read=record.items_read,
    )
