"""
The page about a run: one HTML text that needs nothing else, no network and no JavaScript. Pure.

It cannot be broken by what it shows: records hold names and messages from outside, and text is escaped unless it came
out of `element`.
"""

from __future__ import annotations

import html
import re
from importlib import resources
from itertools import islice
from string import Template

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.finished import RUNNING
from dynamodb_pipeline.report.charts import CHARTS_MAX, MISSING, charts
from dynamodb_pipeline.report.figures import Resume, RunFigures
from dynamodb_pipeline.report.table_figures import TableFigures, Units, count_text

# Not allowed in HTML text, or able to turn the reading direction of what follows.
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
BAR_WIDTH = 400  # of the drawing; the page scales it
NO_WORD = "no exit code yet: it still runs, or was killed before it could say how it ended"
OVERVIEW = (("items", "Items"), ("files", "Files"), ("throttles", "Throttles"))


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return the text as markup: itself when it is that already, else escaped for elements and attributes."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(UNSHOWN.sub("\ufffd", text), quote=True))


def joined(*parts: str) -> Html:
    """Return the parts one after the other."""
    return Html("".join(escaped(part) for part in parts))


def element(name: str, *children: str, **attributes: str) -> Html:
    """
    Return one element.

    Args:
        name: of the element, never from outside.
        children: texts to escape, and markup.
        attributes: `class_` and the like lose the underscore, which keeps Python's words out of the way.
    """
    given = "".join(f' {key.rstrip("_")}="{escaped(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def units_text(units: Units) -> str:
    """`60.5`, with `about` where nobody counted."""
    return f"{'about ' if units.estimated else ''}{count_text(units.consumed)}"


def units_html(units: Units) -> Html:
    """Return what was taken, how that compares with what was allowed, and a bar where both are known."""
    if units.share is None:
        return joined(units_text(units))
    return joined(units_text(units), ": ", _compared(units), _bar(units.share))


def _compared(units: Units) -> str:
    over = f"the whole run of {duration_text(units.seconds or 0)}" if units.whole_run else "its time"
    return f"{units.per_s:,.1f}/s over {over}, {units.share:.0%} of the {count_text(units.allowed_per_s)}/s allowed"


def _bar(share: float) -> Html:
    """Full at what was allowed; more than that is drawn full, in another colour."""
    width = f"{min(max(share, 0.0), 1.0) * BAR_WIDTH:.0f}"
    said = f"{share:.0%} of what was allowed"
    track = element("rect", class_="track", width=str(BAR_WIDTH), height="10")
    taken = element("rect", class_="over" if share > 1 else "taken", width=width, height="10")
    box = f"0 0 {BAR_WIDTH} 10"
    return element("svg", element("title", said), track, taken, viewBox=box, preserveAspectRatio="none", role="img")


def page(run: RunFigures, *, resume: Resume | None) -> str:
    """Return the whole page."""
    parts = [_head(run), *([_resume(resume)] if resume else [])]
    if len(run.tables) > 1:
        parts.append(_overview(run))
    parts += [_table(table, run) for table in run.tables]
    parts += _over_time(run)
    parts.append(element("p", "from ", ", ".join(run.sources), class_="quiet"))
    template = (resources.files(__package__) / "page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escaped(_title(run)), body=joined(*(text for part in parts for text in (part, "\n")))
    )


def _over_time(run: RunFigures) -> list[Html]:
    """Charts of what the records say of time; where nothing can draw them, what is missing."""
    if not run.series:
        return []
    try:
        drawn = list(islice((Html(chart) for series in run.series for chart in charts(series)), CHARTS_MAX))
    except ImportError:
        drawn = [element("p", MISSING, class_="quiet")]
    return [element("section", element("h2", "Over time"), *drawn)] if drawn else []


def exit_text(code: int | None) -> str:
    """`5, stopped part-way, resumable`; a code that is not ours by its number."""
    if code is None:
        return NO_WORD
    return f"{code}, {ExitCode(code).meaning}" if code in set(ExitCode) else str(code)


def _title(run: RunFigures) -> str:
    return f"{run.kind} {run.run_id}"


def _head(run: RunFigures) -> Html:
    rows = [
        ("Run", run.run_id),
        ("Kind", run.kind),
        ("State", element("span", run.state, class_=f"badge {_colour(run.exit_code, run.state)}")),
        ("Exit code", exit_text(run.exit_code)),
        ("Started", run.started),
        ("Ended", run.ended),
        ("Duration", None if run.duration_s is None else duration_text(run.duration_s)),
        ("Region", run.region),
        ("Version", run.tool_version),
    ]
    shown = [(label, text) for label, text in rows if text is not None]
    notes = [element("p", note, class_="quiet") for note in run.notes]
    return element("section", element("h1", _title(run)), _listed(shown), *_message(run.error), *notes)


def _resume(resume: Resume) -> Html:
    note = [element("p", resume.note, class_="quiet")] if resume.note else []
    return element("section", element("h2", "Go on with it"), element("pre", resume.command), *note)


def _overview(run: RunFigures) -> Html:
    labels = [*(label for _, label in OVERVIEW), "Units"]
    head = [element("th", "Table"), element("th", "Exit code"), *(element("th", n, class_="number") for n in labels)]
    rows = [element("tr", *_overview_cells(table)) for table in run.tables]
    table = element("table", element("thead", element("tr", *head)), element("tbody", *rows))
    return element("section", element("h2", f"{len(run.tables)} tables"), element("div", table, class_="scroll"))


def _overview_cells(table: TableFigures) -> list[Html]:
    figures = dict(table.figures)
    numbers = [figures.get(label, "–") for _, label in OVERVIEW]
    numbers.append(units_text(table.units) if table.units else "–")
    code = 0 if table.exit_code is None and table.error is None and table.figures else table.exit_code
    said = element("span", "–" if code is None else str(code), class_=_colour(code, ""))
    return [element("td", _name(table)), element("td", said), *(element("td", n, class_="number") for n in numbers)]


def _table(table: TableFigures, run: RunFigures) -> Html:
    rows: list[tuple[str, str]] = list(table.figures)
    if table.exit_code is not None and len(run.tables) > 1:
        rows.insert(0, ("Exit code", exit_text(table.exit_code)))
    if table.units is not None:
        rows.append((table.units.noun.capitalize(), units_html(table.units)))
    said = _listed(rows) if rows else element("p", "The run ended before it had figures of this table.", class_="quiet")
    error = _message(table.error if table.error != run.error else None)
    return element("section", element("h2", _name(table)), said, *error, *_problems(table))


def _name(table: TableFigures) -> str:
    return table.name or "Figures"


def _problems(table: TableFigures) -> list[Html]:
    return [element("ul", *(element("li", problem) for problem in table.problems))] if table.problems else []


def _message(error: str | None) -> list[Html]:
    return [element("p", error, class_="message")] if error else []


def _listed(rows: list[tuple[str, str]]) -> Html:
    return element("dl", *(joined(element("dt", label), element("dd", text)) for label, text in rows))


def _colour(code: int | None, state: str) -> str:
    if code is None:
        return "busy" if state == RUNNING else "warn"
    if code == ExitCode.DONE:
        return "good"
    return "warn" if ExitCode.of(code).row.partly_done else "bad"
