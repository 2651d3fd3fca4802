"""Several tables in one run, one after the other: all checked before the first is read, one result each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import table_name
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.dynamodb.table import matching_tables
from dynamodb_pipeline.errors import ExitCode, PipelineError, counted
from dynamodb_pipeline.exporting.job import TableExport, failed_line, resolve_export
from dynamodb_pipeline.exporting.table import export_table
from dynamodb_pipeline.formats.exports.layout import output_folder
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import ExportSettings

if TYPE_CHECKING:
    from dynamodb_pipeline.workers.engine import Engines


class SomeTablesFailedError(PipelineError):
    """At least one table's export failed; the others are finished and valid."""

    def __init__(self, message: str, exit_code: ExitCode, facts: Facts):
        super().__init__(message)
        self.exit_code, self.facts = exit_code, facts


def export_tables(ctx: RunContext, settings: ExportSettings, engines: Engines) -> Facts:
    """
    Export every table of the settings, the biggest first; of a pattern those that match now.

    Raises:
        PipelineError: a check of any named table failed before anything was read; or a single table failed; or no table
            matches a pattern.
        SomeTablesFailedError: of several tables some failed; its facts hold the result of each.
    """
    if settings.by_pattern:
        names = matching_tables(ctx.clients, settings.tables, exclude=settings.exclude, tags=settings.table_tag)
        ctx.reporter.note(f"{counted(len(names), 'table')}: {', '.join(names)}")
        failed: dict[str, Exception] = {}
        exports = [export for name in names if (export := _resolved_or(failed, ctx, settings, name))]
        return _all(ctx, exports, engines, failed=failed)
    exports = [_resolved(ctx, settings, name) for name in settings.tables]
    if len(exports) == 1:
        result = export_table(ctx, exports[0], engines.get())
        return {"tables": [result.to_json()], "export_uri": result.export_uri}
    return _all(ctx, exports, engines, failed={})


def _resolved(ctx: RunContext, settings: ExportSettings, name: str) -> TableExport:
    folder = output_folder(
        settings.output,
        table=table_name(name),
        region=ctx.clients.region,
        several=len(settings.tables) > 1 or settings.by_pattern,
        moment=ctx.moment,
        exact=settings.exact_output,
    )
    return resolve_export(ctx, settings, name, folder=folder)


def _resolved_or(
    failed: dict[str, Exception], ctx: RunContext, settings: ExportSettings, name: str
) -> TableExport | None:
    """A table that nobody has named does not cost the others theirs."""
    try:
        return _resolved(ctx, settings, name)
    except PipelineError as err:
        _go_on_after(err, ctx, name, failed)
        return None


def _go_on_after(err: Exception, ctx: RunContext, name: str, failed: dict[str, Exception]) -> None:
    """Note that a table failed; raises where it is the run that is at its end."""
    ctx.lifetime.check()
    ctx.reporter.note(failed_line(name, err))
    failed[name] = err


def _all(ctx: RunContext, exports: list[TableExport], engines: Engines, *, failed: dict[str, Exception]) -> Facts:
    results = [_failure(name, err) for name, err in failed.items()]
    for export in sorted(exports, key=lambda one: one.table.size_bytes, reverse=True):
        try:
            results.append(export_table(ctx, export, engines.get()).to_json())
        except Exception as err:  # a bug in one table's export must not cost the others theirs
            _go_on_after(err, ctx, export.table.name, failed)
            results.append(_failure(export.table.name, err))
    if failed:
        first = next(iter(failed.values()))
        msg = f"{len(failed)} of {len(results)} tables failed ({', '.join(failed)}); first: {first}"
        raise SomeTablesFailedError(msg, _code(first), {"tables": results}) from first
    return {"tables": results}


def _failure(name: str, err: Exception) -> Facts:
    return {"table": name, "exit_code": int(_code(err)), "error": str(err)}


def _code(err: Exception) -> ExitCode:
    return ExitCode.of_error(err)
