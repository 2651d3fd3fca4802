"""Results are written for people and for programs."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest

from benchmarks.measure.results import RESULTS, ResultRow, Results, write_results
from benchmarks.measure.rounds import Spread
from benchmarks.run import FEWEST_ROUNDS, arguments
from tests.unit.documents import PROJECT


def results() -> Results:
    row = ResultRow("export, plain", "direct reader", "us/item", Spread(20.0, 24.123456, 30.0, 5), reach="<= 25")
    return Results("Title", "make bench", "2026-11-23", {"cores": "2"}, (row,), remarks=("two rounds dropped",))


def test_table_has_min_median_max_and_the_machine():
    text = results().to_markdown()
    assert "| export, plain | direct reader | 20 | 24.12 | 30 | us/item | 5 | <= 25 |  |" in text
    assert "Machine: cores 2" in text
    assert "Measured on 2026-11-23." in text
    assert "- two rounds dropped" in text


def test_both_files_are_written(tmp_path):
    markdown, data = write_results(results(), name="today", folder=tmp_path / "results")
    assert markdown.read_text() == results().to_markdown()
    assert json.loads(data.read_text())["rows"][0]["spread"]["median"] == 24.123456


QUOTED = ("cpu", "cpu-import", "cpu-connector-plain", "cpu-connector-gzip")
KEPT = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
PROMISES = (PROJECT / "docs" / "promises.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_result_says_when_it_was_measured(name):
    datetime.strptime(KEPT[name]["date"], "%Y-%m-%d").replace(tzinfo=timezone.utc)
    assert f"Measured on {KEPT[name]['date']}." in (RESULTS / f"{name}.md").read_text(encoding="utf-8")


def test_what_is_measured_in_rounds_has_more_than_two():
    counts = {name: {row["spread"]["count"] for row in kept["rows"]} for name, kept in KEPT.items()}
    of_rounds = {name: min(found) for name, found in counts.items() if "--only cpu" in KEPT[name]["command"]}
    assert {name for name, fewest in of_rounds.items() if fewest < FEWEST_ROUNDS} == set()
    with pytest.raises(SystemExit):
        arguments(["--rounds", "2"])
    assert arguments(["--rounds", "2", "--quick"]).rounds == 2


def test_ranges_in_the_promises_are_whole():
    """Lowest to highest round of a row, not the better half of it; of the rates the lowest and highest case."""
    cpu = {(round(row["spread"]["low"]), round(row["spread"]["high"])) for name in QUOTED
           for row in KEPT[name]["rows"] if row["unit"] == "us/item"}  # fmt: skip
    quoted = {(int(low), int(high)) for low, high in re.findall(r"([0-9]+) to ([0-9]+) us", PROMISES)}
    assert len(quoted) >= 10
    assert quoted <= cpu
    means = {row["figure"]: row["spread"] for row in KEPT["rates"]["rows"] if "00/s: mean" in row["figure"]}
    for part, text in (("write", "0.97 to 0.99"), ("read, direct", "0.96 to 0.97"), ("connector", "0.92 to 0.99")):
        spreads = [spread for figure, spread in means.items() if part in figure and "one segment" not in figure]
        lowest, highest = min(one["low"] for one in spreads), max(one["high"] for one in spreads)
        assert f"{lowest:.2f} to {highest:.2f}" == text
        assert text in PROMISES
