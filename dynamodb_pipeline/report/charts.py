"""
Charts of what a run did over time, as SVG to stand inside a page: no script, no fonts, no network.

Drawn by matplotlib, which is an extra of the package. Colours are the page's own, so that they change with its theme.
Texts come from records and so from outside: they are drawn as plain text, never read as formulas, and escaped.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Drawn in these, then replaced by the page's variables.
INK, TAKEN, ALLOWED, THROTTLED, MOMENT = "#010101", "#020202", "#030303", "#040404", "#050505"
THEME = {
    INK: "currentColor",
    TAKEN: "var(--bar)",
    ALLOWED: "var(--bad)",
    THROTTLED: "var(--warn)",
    MOMENT: "var(--quiet)",
}
MISSING = "Charts need matplotlib: pip install 'dynamodb-pipeline[report]', then report again."
UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
CHARTS_MAX = 12  # of one page: it stays below 300 kB
WIDTH_IN, HEIGHT_IN = 7.2, 2.6


@dataclass(frozen=True)
class Line:
    """One chart: per second over minutes; `allowed` and `throttled` where they belong to it."""

    title: str
    unit: str
    minutes: tuple[float, ...]
    per_s: tuple[float, ...]
    allowed: tuple[float, ...] = ()
    throttled: tuple[float, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()


def lines_of(series: Any) -> Iterator[Line]:
    """What can be drawn of a record's series; what is no such thing is left out."""
    if not isinstance(series, dict):
        return
    marks = tuple((float(s) / 60, str(text)) for s, text in _pairs(series.get("marks")))
    for one in series.get("passes") or ():
        points = [point for point in one.get("points", ()) if _is_point(point, one)]
        if len(points) < 2 or points[-1][0] <= points[0][0]:
            continue
        inside = tuple(mark for mark in marks if points[0][0] <= mark[0] * 60 <= points[-1][0])
        throttled = tuple(after[0] / 60 for before, after in zip(points, points[1:]) if after[2] > before[2])
        for number, resource in enumerate(one["resources"]):
            place = 3 + 2 * number
            title = (
                f"{one.get('label', '')}: {one.get('unit', 'units')}{'' if resource == 'table' else f' of {resource}'}"
            )
            allowed = tuple(point[place + 1] for point in points[1:])
            yield Line(title, "units/s", *_per_s(points, place), allowed, throttled, inside)
        yield Line(f"{one.get('label', '')}: items", "items/s", *_per_s(points, 1), marks=inside)


def _pairs(value: Any) -> Iterable[Sequence[Any]]:
    pairs = value if isinstance(value, list) else []
    return [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (int, float))]


def _is_point(point: Any, one: dict[str, Any]) -> bool:
    wanted = 3 + 2 * len(one.get("resources", ()))
    return isinstance(point, list) and len(point) == wanted and all(isinstance(n, (int, float)) for n in point)


def _per_s(points: list[list[float]], place: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Moments in minutes, and the mean since the moment before."""
    steps = [(before, after) for before, after in zip(points, points[1:])]
    rates = [max(0.0, a[place] - b[place]) / (a[0] - b[0]) if a[0] > b[0] else 0.0 for b, a in steps]
    return tuple(after[0] / 60 for _, after in steps), tuple(rates)


def charts(series: Any) -> list[str]:
    """
    The charts of a record's series as SVG elements; none of a record without one.

    Raises:
        ImportError: matplotlib is not installed.
    """
    return [_svg(line, number) for number, line in zip(range(CHARTS_MAX), lines_of(series))]


def _svg(line: Line, number: int) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    plain: dict[str, Any] = {"parse_math": False}
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": f"chart {number}", "font.family": "sans-serif"}
    ):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        axes = figure.add_subplot()
        axes.step(line.minutes, line.per_s, where="pre", color=TAKEN, linewidth=1.4, label="consumed")
        if line.allowed:
            axes.step(line.minutes, line.allowed, where="pre", color=ALLOWED, linewidth=1.2, label="allowed")
        if line.throttled:
            floor = [0.0] * len(line.throttled)
            axes.plot(line.throttled, floor, "|", color=THROTTLED, markersize=10, label="throttled")
        for minute, text in line.marks:
            axes.axvline(minute, color=MOMENT, linewidth=1, linestyle=":")
            axes.text(
                minute, 0.9, f" {_shown(text)}", color=MOMENT, fontsize=8, transform=axes.get_xaxis_transform(), **plain
            )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes", color=INK, fontsize=9)
        axes.set_ylabel(line.unit, color=INK, fontsize=9)
        axes.set_title(_shown(line.title), color=INK, fontsize=10, loc="left", **plain)
        axes.tick_params(colors=INK, labelsize=8)
        for spine in axes.spines.values():
            spine.set_color(INK)
        if line.allowed:
            axes.legend(fontsize=8, frameon=False, labelcolor=INK, loc="lower right")
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _themed(drawn.getvalue(), line.title)


def _shown(text: str) -> str:
    return UNSHOWN.sub("\ufffd", text)[:80]


def _themed(text: str, title: str) -> str:
    """The element alone, in the page's colours, as wide as the page."""
    from xml.sax.saxutils import escape, quoteattr

    inner = text[text.index("<svg") :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', inner)
    body = inner[inner.index(">") + 1 :]
    for colour, variable in THEME.items():
        body = body.replace(colour, variable)
    label, shown = quoteattr(_shown(title)), escape(_shown(title))
    head = f'<svg class="chart" role="img" aria-label={label} {box[0] if box else ""} '
    return f'{head}xmlns:xlink="http://www.w3.org/1999/xlink"><title>{shown}</title>{body}'
