"""
Charts of what a run did over time, as SVG to stand inside a page: no script, no fonts, no network.

Drawn by matplotlib, which is an extra of the package. Colours are the page's own, so that they change with its theme.
Texts come from records and so from outside: none is drawn but numbers; titles and marks are the page's to escape.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from dynamodb_pipeline.finished import SeriesPass, SeriesPoint, passes_of

# Drawn in these, then replaced by the page's variables.
INK, TAKEN, ALLOWED, THROTTLED, MOMENT = "#010101", "#020202", "#030303", "#040404", "#050505"
THEME = {
    INK: "currentColor",
    TAKEN: "var(--bar)",
    ALLOWED: "var(--bad)",
    THROTTLED: "var(--warn)",
    MOMENT: "var(--quiet)",
}
CHARTS_MAX = 12  # of one page: it stays below 300 kB
POINTS_OF_A_CHART, POINTS_OF_A_PAGE = 240, 1_200  # a point is about 60 bytes of SVG
SHORTEST_S = 1.0  # what took less has one speed, which its figures say
MARKS_OF_A_CHART, NUMBERS_BESIDE_EACH_OTHER, TITLE_CHARS = 20, 40, 100
WIDTH_IN, HEIGHT_IN = 4.6, 2.3  # at 72 to the inch about as wide as a phone: there its texts are as large as they say


@dataclass(frozen=True)
class Line:
    """One chart: per second over minutes; `allowed` and `throttled` where they belong to it, `paused` from and to."""

    title: str
    unit: str
    minutes: tuple[float, ...]
    per_s: tuple[float, ...]
    allowed: tuple[float, ...] = ()
    throttled: tuple[float, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    paused: tuple[tuple[float, float], ...] = ()
    begin: float = 0.0


@dataclass(frozen=True)
class Chart:
    """A line drawn; `marks` are in the order of the numbers that stand in it."""

    title: str
    svg: str
    marks: tuple[str, ...]


def lines_of(series: Any, *, points_max: int = POINTS_OF_A_CHART) -> Iterator[Line]:
    """What can be drawn of a record's series; what is no such thing is left out."""
    passes = passes_of(series)
    marks = [(float(at_s), str(text)) for at_s, text in _pairs(series.get("marks"))] if passes else []
    for one in passes:
        if len(one.points) >= 2 and one.points[-1].at_s - one.points[0].at_s >= SHORTEST_S:
            yield from _lines_of_pass(replace(one, points=_thinned(one.points, points_max)), marks)


def _lines_of_pass(one: SeriesPass, marks: list[tuple[float, str]]) -> Iterator[Line]:
    label, points = one.label, one.points
    begin_s, end_s = points[0].at_s, points[-1].at_s
    within = [(at_s, text) for at_s, text in marks if begin_s <= at_s <= end_s]
    paused = tuple(_pauses(within, end_s))
    throttled = tuple(b.at_s / 60 for a, b in zip(points, points[1:]) if b.throttles > a.throttles)
    span_s = end_s - begin_s
    moments_s = [point.at_s for point in points]
    for number, resource in sorted(enumerate(one.resources), key=lambda pair: pair[1] != "table"):
        allowed = [point.allowed[number] for point in points]
        name = f"{label}: {one.unit}{'' if resource == 'table' else f' of {resource}'}"
        moments = _minutes([*within, *_changes(moments_s, allowed)], span_s)
        minutes, per_s = _per_s(moments_s, [point.consumed[number] for point in points])
        yield Line(name, "units/s", minutes, per_s, tuple(allowed[1:]), throttled, moments, paused, begin_s / 60)
    minutes, per_s = _per_s(moments_s, [point.items for point in points])
    yield Line(f"{label}: items", "items/s", minutes, per_s, (), (), _minutes(within, span_s), paused, begin_s / 60)
    if points[0].text_bytes is not None and points[-1].text_bytes:
        minutes, per_s = _per_s(moments_s, [point.text_bytes or 0.0 for point in points])
        size, name = next(
            ((s, n) for s, n in ((1 << 20, "MiB/s"), (1 << 10, "KiB/s")) if max(per_s) >= s), (1, "bytes/s")
        )
        scaled = tuple(rate / size for rate in per_s)
        yield Line(f"{label}: bytes", name, minutes, scaled, (), (), _minutes(within, span_s), paused, begin_s / 60)


def _changes(moments_s: list[float], allowed: list[float]) -> Iterator[tuple[float, str]]:
    """Where another rate was allowed: the table's capacity changed, or somebody said so."""
    for at_s, before, after in zip(moments_s[2:], allowed[1:], allowed[2:]):
        if after != before:
            yield at_s, f"{before:,.1f} units/s allowed until here, then {after:,.1f}"


def _pauses(marks: list[tuple[float, str]], end_s: float) -> Iterator[tuple[float, float]]:
    for number, (at_s, text) in enumerate(marks):
        if text == "paused":
            until_s = next((later_s for later_s, other in marks[number + 1 :] if other != "paused"), end_s)
            yield at_s / 60, until_s / 60


def _minutes(marks: list[tuple[float, str]], span_s: float) -> tuple[tuple[float, str], ...]:
    """In minutes, one mark for all that is closer together than their numbers in the drawing can be."""
    moments: list[tuple[float, list[str]]] = []
    for at_s, text in sorted(marks):
        if not moments or at_s - moments[-1][0] > span_s / NUMBERS_BESIDE_EACH_OTHER:
            moments.append((at_s, []))
        moments[-1][1].append(text)
    return tuple((at_s / 60, ", ".join(dict.fromkeys(texts))) for at_s, texts in moments[:MARKS_OF_A_CHART])


def _pairs(value: Any) -> Iterable[Sequence[Any]]:
    pairs = value if isinstance(value, list) else []
    return [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (int, float))]


def _thinned(points: tuple[SeriesPoint, ...], most: int) -> tuple[SeriesPoint, ...]:
    """Every n-th point and the last one: of totals, so that means between them stay true."""
    step = -(-len(points) // most)
    return (*points[:-1:step], points[-1])


def _per_s(moments_s: list[float], totals: list[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Moments in minutes, and the mean since the moment before."""
    steps = zip(moments_s, moments_s[1:], totals, totals[1:])
    rates = [
        max(0.0, after - before) / (to_s - from_s) if to_s > from_s else 0.0 for from_s, to_s, before, after in steps
    ]
    return tuple(at_s / 60 for at_s in moments_s[1:]), tuple(rates)


def charts(every: Iterable[Any]) -> list[Chart]:
    """
    The charts of several records' series, the first `CHARTS_MAX` of them; none of records without one.

    Raises:
        ImportError: matplotlib is not installed.
    """
    series = list(every)
    count = sum(1 for one in series for _ in islice(lines_of(one), CHARTS_MAX))
    most = min(POINTS_OF_A_CHART, POINTS_OF_A_PAGE // max(1, min(count, CHARTS_MAX)))
    lines = islice((line for one in series for line in lines_of(one, points_max=most)), CHARTS_MAX)
    return [
        Chart(line.title[:TITLE_CHARS], _svg(line, number), tuple(map(_mark_text, line.marks)))
        for number, line in enumerate(lines)
    ]


def _mark_text(mark: tuple[float, str]) -> str:
    minute, text = mark
    return f"{minute:.1f} min: {text[:TITLE_CHARS]}"


def _svg(line: Line, number: int) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": f"chart {number}", "font.family": "sans-serif"}
    ):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, line)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _themed(drawn.getvalue())


def _draw(axes: Any, line: Line) -> None:
    for begin, end in line.paused:
        axes.axvspan(begin, end, color=MOMENT, alpha=0.2, linewidth=0)
    for per_s, colour in ((line.per_s, TAKEN), (line.allowed, ALLOWED)):
        if per_s:
            axes.step([line.begin, *line.minutes], [per_s[0], *per_s], where="pre", color=colour, linewidth=1.3)
    if line.throttled:
        floor = [0.0] * len(line.throttled)
        axes.plot(line.throttled, floor, "|", color=THROTTLED, markersize=12, markeredgewidth=1.5)
    for place, (minute, _) in enumerate(line.marks, start=1):
        axes.axvline(minute, color=MOMENT, linewidth=1, linestyle=":")
        where = axes.get_xaxis_transform()
        axes.text(minute, 1.01, str(place), color=INK, fontsize=8, ha="center", va="bottom", transform=where)
    axes.set_ylim(bottom=0, top=1.15 * max([*line.per_s, *line.allowed, 1e-9]))
    axes.set_xlabel("minutes", color=INK, fontsize=9)
    axes.set_ylabel(line.unit, color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=9)
    for spine in axes.spines.values():
        spine.set_color(INK)


def _themed(text: str) -> str:
    """The element alone, in the page's colours and font, as wide as its place; places to a tenth of a point."""
    inner = text[text.index("<svg") :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    inner = re.sub(r' (d|x|y|transform)="[^"]*"', lambda path: re.sub(r"(\.[0-9])[0-9]+", r"\1", path[0]), inner)
    inner = re.sub(r"font-family: [^;\"]*; ", "", inner)  # the page's own
    inner = re.sub(r"\s*\n\s*", "\n", inner)
    box = re.search(r'viewBox="[^"]*"', inner)
    body = inner[inner.index(">") + 1 :]
    for colour, variable in THEME.items():
        body = body.replace(colour, variable)
    head = f'<svg class="chart" aria-hidden="true" {box[0] if box else ""} xmlns="http://www.w3.org/2000/svg" '
    return f'{head}xmlns:xlink="http://www.w3.org/1999/xlink">{body}'
