"""Charts of a run over time: what they show, how large they get, and that nothing from a record becomes markup."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from dynamodb_pipeline.report.charts import charts, lines_of
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
    """A run that takes 80 of 100 units/s and ten items/s, throttled in the 30th second."""
    clock = Clock()
    series = TimeSeries(clock=clock)
    goal = Goal(label, 100.0, "read units")
    one = series.begin(goal, Sample(0, 0, {}, dict.fromkeys(resources, 100.0)))
    for second in range(1, seconds + 1):
        clock.now_s += 1
        units = dict.fromkeys(resources, 80.0 * second)
        series.add(one, Sample(10 * second, int(second >= 30), units, dict.fromkeys(resources, 100.0)))
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
    assert one["points"][-1] == [20_000.0, 200_000, 1, 1_600_000.0, 100.0]
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
    units, items = lines_of(series_of(60))
    assert (units.title, units.unit, items.unit) == ("export Orders: read units", "units/s", "items/s")
    assert set(units.per_s) == {80.0}
    assert set(units.allowed) == {100.0}
    assert set(items.per_s) == {10.0}
    assert units.throttled == (0.5,)
    assert [(round(minute, 3), text) for minute, text in units.marks] == [(round(40 / 60, 3), "attempt 2")]


def test_a_long_run_of_several_tables_stays_below_300_kb() -> None:
    facts = [record(run_id=f"run.{n}", series=series_of(5_000, label=f"export T{n}")) for n in range(4)]
    text = page(run_figures(facts, run="run"), resume=None)
    assert text.count('class="chart"') == 8
    assert len(text.encode()) <= 300_000


def test_a_chart_is_xml_without_scripts_links_or_fixed_colours() -> None:
    for chart in charts(series_of(60)):
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
    for chart in charts(series):
        ElementTree.fromstring(chart)


@pytest.mark.parametrize(
    "series",
    [None, [], "x", {}, {"passes": []}, {"passes": [{"points": [[1], "x"], "resources": ["table"]}], "marks": "x"}],
    ids=str,
)
def test_what_is_no_series_is_left_out(series: Any) -> None:
    assert "Over time" not in shown(series)
