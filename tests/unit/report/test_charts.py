"""Charts of a run over time: what they show, how large they get, and that nothing from a record becomes markup."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from dynamodb_pipeline.report.charts import CHARTS_MAX, charts, lines_of
from dynamodb_pipeline.report.figures import run_figures
from dynamodb_pipeline.report.page import page
from dynamodb_pipeline.run.progress import MARKS_MAX, NUMBERS_MAX, POINTS_MAX, Goal, Sample, TimeSeries
from tests.unit.report.records import record

GOAL = Goal("export Orders", 100.0, "read units")
HOSTILE = "<script>alert(1)</script>\"'&$x^2$\x00\u202e"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def series_of(seconds: int, *, resources: tuple[str, ...] = ("table",), label: str = "export Orders") -> dict[str, Any]:
    """
    A run that takes 80 of 100 units/s, ten items/s and 4 KiB/s, a worker begun again in the 20th second, throttled in
    the 30th, allowed twice as much from the 50th on.
    """
    clock = Clock()
    series = TimeSeries(clock=clock)
    goal = Goal(label, 100.0, "read units")
    one = series.begin(goal, Sample(0, 0, {}, dict.fromkeys(resources, 100.0)))
    for second in range(1, seconds + 1):
        clock.now_s += 1
        units = dict.fromkeys(resources, 80.0 * second)
        allowed = dict.fromkeys(resources, 100.0 if second < 50 else 200.0)
        totals = (10 * second, int(second >= 30), units, allowed, 4096 * second)
        series.add(one, Sample(*totals, retries=int(second >= 20)))
        if second == 40:
            series.mark("attempt 2")
    facts: Any = series.facts()["series"]
    return facts


def shown(series: Any) -> str:
    return page(run_figures([record(series=series)]), resume=None)


def test_a_series_is_bounded_whatever_the_length_and_keeps_begin_and_end() -> None:
    facts = series_of(20_000)
    (one,) = facts["passes"]
    assert 200 <= len(one["points"]) <= POINTS_MAX
    assert one["points"][0][0] == 0
    assert one["points"][-1] == [20_000.0, 200_000, 1, 1_600_000.0, 200.0, 81_920_000]
    assert len(json.dumps(facts)) <= 100_000


def test_a_series_of_many_resources_is_bounded_in_numbers() -> None:
    facts = series_of(3_000, resources=tuple(f"index {n}" for n in range(20)))
    assert sum(len(point) for one in facts["passes"] for point in one["points"]) <= NUMBERS_MAX
    assert len(json.dumps(facts)) <= 100_000


def test_many_passes_and_marks_are_bounded_too() -> None:
    series = TimeSeries(clock=Clock())
    for number in range(600):
        series.begin(GOAL, Sample(0, 0, {}, {"table": 1.0}))
        series.mark(str(number))
    facts: Any = series.facts()["series"]
    assert sum(len(one["points"]) for one in facts["passes"]) <= POINTS_MAX
    assert [text for _, text in facts["marks"]] == [str(number) for number in range(600 - MARKS_MAX, 600)]


def test_a_run_without_a_pass_says_nothing_of_time() -> None:
    assert TimeSeries().facts() == {}


def test_what_is_drawn_is_what_was_consumed_allowed_throttled_and_marked() -> None:
    units, items, size = lines_of(series_of(60))
    assert (units.title, units.unit) == ("export Orders: read units", "units/s")
    assert set(units.per_s) == {80.0}
    assert set(units.allowed) == {100.0, 200.0}
    assert (items.unit, set(items.per_s), size.unit, set(size.per_s)) == ("items/s", {10.0}, "KiB/s", {4.0})
    assert units.throttled == (0.5,)
    own = [(20, "1 worker begun again"), (40, "attempt 2")]
    changed = (50, "100.0 units/s allowed until here, then 200.0")
    assert [(round(60 * minute), text) for minute, text in units.marks] == [*own, changed]
    assert [(round(60 * minute), text) for minute, text in items.marks] == own


def test_what_took_less_than_a_second_is_not_drawn() -> None:
    series = series_of(60)
    first, *_ = points = series["passes"][0]["points"]
    series["passes"][0]["points"] = [[first[0] + number / 100, *one[1:]] for number, one in enumerate(points)]
    assert list(lines_of(series)) == []


def test_marks_too_close_for_their_numbers_are_one() -> None:
    series = series_of(400)
    series["marks"] = [[100.0, "attempt 2"], [101.0, "1 worker begun again"], [120.0, "25%"]]
    items = next(line for line in lines_of(series) if line.unit == "items/s")
    assert [text for _, text in items.marks] == ["attempt 2, 1 worker begun again", "25%"]


def test_a_pause_is_shaded_until_somebody_says_otherwise() -> None:
    series = series_of(60)
    series["marks"] = [[10.0, "paused"], [15.0, "paused"], [30.0, "25%"], [50.0, "paused"]]
    assert [[round(60 * minute) for minute in span] for span in next(lines_of(series)).paused] == [
        [10, 30], [15, 30], [50, 60],
    ]  # fmt: skip


def test_points_of_versions_that_counted_no_bytes_are_drawn_too() -> None:
    series = series_of(60)
    series["passes"][0]["points"] = [point[:-1] for point in series["passes"][0]["points"]]
    assert [line.unit for line in lines_of(series)] == ["units/s", "items/s"]


def test_thinned_points_keep_the_means() -> None:
    units = next(lines_of(series_of(400), points_max=50))
    assert len(units.per_s) <= 51
    assert {round(rate, 6) for rate in units.per_s} == {80.0}


def test_a_long_run_of_several_tables_stays_below_300_kb() -> None:
    """Rates that jump with every point: nothing of their lines can be left out."""
    facts = [record(run_id=f"run.{n}", series=series_of(450, label=f"export T{n}")) for n in range(20)]
    for one in facts:
        for number, point in enumerate(one.facts["series"]["passes"][0]["points"]):
            point[3] += 37.21 * (number % 7)
            point[4] += 7.3 * (number % 5)
    text = page(run_figures(facts, run="run"), resume=None)
    assert text.count('class="chart"') == CHARTS_MAX
    assert len(text.encode()) <= 220_000  # a page has 80 kB of other things at most


def test_a_chart_is_xml_without_scripts_links_or_fixed_colours() -> None:
    for chart in (chart.svg for chart in charts([series_of(60)])):
        names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(chart).iter()}
        assert not names & {"script", "image", "foreignObject", "a", "metadata"}
        assert "#0" not in chart
        assert "var(--bar)" in chart


def test_texts_of_a_record_are_never_markup_or_formulas() -> None:
    series = series_of(60)
    series["passes"][0]["label"] = HOSTILE
    series["marks"] = [[30.0, HOSTILE]]
    text = shown(series)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x00" not in text
    for chart in charts([series]):
        ElementTree.fromstring(chart.svg)
        assert "alert" not in chart.svg


@pytest.mark.parametrize(
    "series",
    [None, [], "x", {}, {"passes": []}, {"passes": [{"points": [[1], "x"], "resources": ["table"]}], "marks": "x"}],
    ids=str,
)
def test_what_is_no_series_is_left_out(series: Any) -> None:
    assert "Over time" not in shown(series)
