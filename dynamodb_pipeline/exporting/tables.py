"""Several tables in one run, one after the other: all checked before the first is read, one result each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import ExitCode, PipelineError
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
    Export every table of the settings, the biggest first.

    Raises:
        PipelineError: a check of any table failed before anything was read; or a single table failed.
        SomeTablesFailedError: of several tables some failed; its facts hold the result of each.
    """
    several = len(settings.tables) > 1
    exports = [
        resolve_export(
            ctx,
            settings,
            name,
            folder=output_folder(
                settings.output,
                table=name,
                region=ctx.clients.region,
                several=several,
                moment=ctx.moment,
                exact=settings.exact_output,
            ),
        )
        for name in settings.tables
    ]
    exports.sort(key=lambda e: e.table.size_bytes, reverse=True)
    if not several:
        result = export_table(ctx, exports[0], engines.get())
        return {"tables": [result.to_json()], "export_uri": result.export_uri}
    return _all(ctx, exports, engines)


def _all(ctx: RunContext, exports: list[TableExport], engines: Engines) -> Facts:
    results: list[Facts] = []
    first: Exception | None = None
    for export in exports:
        try:
            results.append(export_table(ctx, export, engines.get()).to_json())
        except Exception as err:  # a bug in one table's export must not cost the others theirs
            ctx.lifetime.check()
            first = first or err
            results.append({"table": export.table.name, "exit_code": int(_code(err)), "error": str(err)})
            ctx.reporter.note(failed_line(export, err))
    if first is not None:
        failed = [str(r["table"]) for r in results if "error" in r]
        msg = f"{len(failed)} of {len(results)} tables failed ({', '.join(failed)}); first: {first}"
        raise SomeTablesFailedError(msg, _code(first), {"tables": results}) from first
    return {"tables": results}


def _code(err: Exception) -> ExitCode:
    return ExitCode.of_error(err)
