"""One verification, resolved before anything is read: the export, the table it is compared with, the key schema."""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_pipeline.dynamodb.table import TableDescription, describe, refuse_unusable
from dynamodb_pipeline.dynamodb.table_description import refuse_other_keys
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.finished_runs import SourceChoice, choose_finished_run
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.reading.source import load_source, refuse_other_source
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import VerifySettings
from dynamodb_pipeline.workers.worker import WorkerContext


@dataclass(frozen=True)
class Verification:
    """One verification, resolved: `keys` are the export's own, else those of the table it is compared with."""

    source: ImportSource
    table: TableDescription | None
    keys: KeySchema | None
    settings: VerifySettings
    worker: WorkerContext


def resolve_verification(ctx: RunContext, settings: VerifySettings) -> Verification:
    """Find the export and the table; raises as `verify.verify`."""
    table = None
    if settings.table is not None:
        table = describe(ctx.clients.client("dynamodb"), settings.table)
        refuse_unusable(table, purpose="verify")
    folder = settings.export
    if not settings.without_manifest:
        command = f"dynamodb-pipeline verify --table {settings.table}" if table else "dynamodb-pipeline verify"
        choice = SourceChoice(settings.table, settings.from_table, settings.latest, command)
        folder = choose_finished_run(ctx.store, folder, choice)
    source = load_source(
        ctx.store, folder, without_manifest=settings.without_manifest, allow_buckets=settings.allow_buckets
    )
    refuse_other_source(source, settings.from_table)
    if table is not None:
        refuse_other_keys(source.key_schema, table.key_schema, table=table.name)
    keys = source.key_schema or (table.key_schema if table else None)
    return Verification(source, table, keys, settings, ctx.worker())
