"""
The page about a run: one HTML text that needs nothing else, no network and no JavaScript. Pure.

Rendered by Jinja2, an extra of the package, with autoescape: records hold names and messages from outside, and nothing
of them becomes markup. It stays below 300 kB, however many tables a run has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.errors import ExitCode, PreconditionError, counted
from dynamodb_pipeline.finished import RUNNING
from dynamodb_pipeline.report.charts import Chart, charts
from dynamodb_pipeline.report.figures import Resume, RunFigures
from dynamodb_pipeline.report.table_figures import TableFigures, Units, count_text
from dynamodb_pipeline.settings.spark_conf import STANDING

# Not allowed in HTML text, or able to turn the reading direction of what follows.
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
TEXT_MAX = 2_000  # characters of one text; a command is never cut
TABLES_MAX, DETAILED_MAX, SOURCES_MAX, LISTED_MAX = 400, 24, 10, 20  # on one page
BAR_WIDTH = 400  # of the drawing; the page scales it
NO_WORD = "no exit code yet: it still runs, or was killed before it could say how it ended"
OVERVIEW = (("items", "Items"), ("files", "Files"), ("throttles", "Throttles"))
INSTALL = "pip install jinja2 matplotlib"  # what the package's extra `report` has
CHARTS_MISSING = f"Charts need matplotlib: {INSTALL}, then report again."


def page(run: RunFigures, *, resume: Resume | None, cost: Mapping[str, Any] | None = None) -> str:
    """
    Return the whole page.

    Args:
        cost: US dollars planned and actual, see `spent` of emr/watch; None where nobody knows.

    Raises:
        PreconditionError: Jinja2 is not installed.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as err:
        msg = f"a page needs Jinja2: {INSTALL}, then report again"
        raise PreconditionError(msg) from err
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else shown_text(value, chars_max=TEXT_MAX),
    )
    template = environment.from_string((resources.files(__package__) / "page.html").read_text(encoding="utf-8"))
    drawn, lacks = _over_time(run)
    return template.render(
        **_context(run),
        resume=resume,
        command=Markup.escape(shown_text(resume.command)) if resume else None,
        cost=cost_rows(cost) if cost else (),
        charts=[{"title": chart.title, "svg": Markup(chart.svg), "marks": chart.marks} for chart in drawn],
        lacks=lacks,
    )


def shown_text(value: object, *, chars_max: int | None = None) -> str:
    """Text as a page can show it, cut if it is very long."""
    text = UNSHOWN.sub("\ufffd", str(value))
    return text if chars_max is None or len(text) <= chars_max else f"{text[:chars_max]}... ({len(text):,} characters)"


def _context(run: RunFigures) -> dict[str, Any]:
    several = len(run.tables) > 1
    detailed = _most_telling(run.tables)
    return {
        "run": run,
        "title": f"{run.kind} {run.run_id}",
        "head": _head(run),
        "colour": _colour(run.exit_code, run.state),
        "verdict": verdict_text(run),
        "verdict_colour": "good" if run.exit_code == ExitCode.DONE else "bad",
        "overview_labels": [*(label for _, label in OVERVIEW), "Units"],
        "overview": [_overview_row(table) for table in run.tables[:TABLES_MAX]] if several else (),
        "left_out": _left_out(len(run.tables), len(detailed)),
        "tables": [_table(table, run) for table in detailed],
        "sources": ", ".join(run.sources[:SOURCES_MAX]) + _more(len(run.sources) - SOURCES_MAX),
    }


def _most_telling(tables: Sequence[TableFigures]) -> list[TableFigures]:
    """Those shown whole, in their order: of very many the ones that did not end well first."""
    by_need = sorted(tables, key=lambda table: table.error is None and table.exit_code in (None, 0))
    kept = {id(table) for table in by_need[:DETAILED_MAX]}
    return [table for table in tables if id(table) in kept]


def _left_out(count: int, detailed: int) -> str:
    beyond = f"; {counted(count - TABLES_MAX, 'table')} not listed" if count > TABLES_MAX else ""
    return f"{counted(detailed, 'table')} in full below, those that failed first{beyond}" if count > detailed else ""


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _over_time(run: RunFigures) -> tuple[list[Chart], str]:
    """Charts of what the records say of time; where nothing can draw them, what is missing."""
    try:
        return charts(run.series), ""
    except ImportError:
        return [], CHARTS_MISSING


def verdict_text(run: RunFigures) -> str | None:
    """What a verification that has ended proved, in one sentence; None of any other run."""
    if run.kind != "verify" or run.exit_code is None:
        return None
    if run.exit_code != ExitCode.DONE:
        return "The export is not proven: see the message." if run.exit_code == ExitCode.INTEGRITY else None
    doubts = any(table.doubts for table in run.tables)
    with_table = any(label == "Items in the table" for table in run.tables for label, _ in table.figures)
    sound = (
        "The table holds exactly the items of the export." if with_table else "Every file and item is as it must be."
    )
    return f"{sound} Not proven: see below." if doubts else sound


def cost_rows(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each sum."""
    names = {"cluster_usd": "cluster", "units_usd": "units", "other_usd": "S3"}
    parts = [f"{name} ${cost[key]:,.2f}" for key, name in names.items() if cost[key] is not None]
    if cost["cluster_s"] is not None:
        parts[0] += f" ({duration_text(cost['cluster_s'])})"
    else:
        parts.append(STANDING)
    planned, actual = cost["planned_usd"], cost["actual_usd"]
    share = f", {actual / planned:.0%} of the plan" if planned else ""
    rows = [] if planned is None else [("Planned", f"${planned:,.2f}")]
    rows += [] if actual is None else [("Actual", f"${actual:,.2f}{share}")]
    return [*rows, ("Made of", ", ".join(parts))]


def units_text(units: Units) -> str:
    """`60.5`, with `about` where nobody counted."""
    return f"{'about ' if units.estimated else ''}{count_text(units.consumed)}"


def compared_text(units: Units) -> str:
    """What was taken, and how that compares with what was allowed where both are known."""
    if units.share is None and not (units.changes and units.per_s is not None):
        return units_text(units)
    over = f"the whole run of {duration_text(units.seconds or 0)}" if units.whole_run else "its time"
    mean = f"{units_text(units)}: {units.per_s:,.1f}/s over {over}"
    if units.changes:
        return f"{mean}; {units.changes}"
    return f"{mean}, {units.share:.0%} of the {count_text(units.allowed_per_s)}/s allowed"


def exit_text(code: int | None) -> str:
    """`5, stopped part-way, resumable`; a code that is not ours by its number."""
    if code is None:
        return NO_WORD
    return f"{code}, {ExitCode(code).meaning}" if code in set(ExitCode) else str(code)


def _head(run: RunFigures) -> list[tuple[str, str]]:
    rows = [
        ("Run", run.run_id),
        ("Kind", run.kind),
        ("State", run.state),
        ("Exit code", exit_text(run.exit_code)),
        ("Started", run.started),
        ("Ended", run.ended),
        ("Duration", None if run.duration_s is None else duration_text(run.duration_s)),
        ("Region", run.region),
        ("Version", run.tool_version),
    ]
    return [(label, text) for label, text in rows if text is not None]


def _overview_row(table: TableFigures) -> tuple[str, str, str, list[str]]:
    figures = dict(table.figures)
    numbers = [figures.get(label, "–") for _, label in OVERVIEW]
    numbers.append(units_text(table.units) if table.units else "–")
    code = 0 if table.exit_code is None and table.error is None and table.figures else table.exit_code
    return _name(table), "–" if code is None else str(code), _colour(code, ""), numbers


def _table(table: TableFigures, run: RunFigures) -> dict[str, Any]:
    rows = list(table.figures)
    if table.exit_code is not None and len(run.tables) > 1:
        rows.insert(0, ("Exit code", exit_text(table.exit_code)))
    units = table.units
    share = units.share if units else None
    return {
        "name": _name(table),
        "rows": rows,
        "units": units,
        "units_text": compared_text(units) if units else "",
        "share_text": f"{share or 0:.0%} of what was allowed",
        # full at what was allowed; more than that is drawn full, in another colour
        "bar": None if share is None else f"{min(max(share, 0.0), 1.0) * BAR_WIDTH:.0f}",
        "error": table.error if table.error != run.error else None,
        "reasons": table.reasons[:LISTED_MAX],
        "problems": _first(table.problems),
        "doubts": _first(table.doubts),
    }


def _first(texts: Sequence[str]) -> list[str]:
    more = len(texts) - LISTED_MAX
    return [*texts[:LISTED_MAX], *([f"and {more:,} more"] if more > 0 else [])]


def _name(table: TableFigures) -> str:
    return table.name or "Figures"


def _colour(code: int | None, state: str) -> str:
    if code is None:
        return "busy" if state == RUNNING else "warn"
    if code == ExitCode.DONE:
        return "good"
    return "warn" if ExitCode.of(code).row.partly_done else "bad"
