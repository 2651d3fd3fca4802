"""Results are written for people and for programs."""

from __future__ import annotations

import json

from benchmarks.measure.results import ResultRow, Results, write_results
from benchmarks.measure.rounds import Spread


def results() -> Results:
    row = ResultRow("export, plain", "direct reader", "us/item", Spread(20.0, 24.123456, 30.0, 5), reach="<= 25")
    return Results("Title", "make bench", {"cores": "2"}, (row,), remarks=("two rounds dropped",))


def test_table_has_min_median_max_and_the_machine():
    text = results().to_markdown()
    assert "| export, plain | direct reader | 20 | 24.12 | 30 | us/item | 5 | <= 25 |  |" in text
    assert "Machine: cores 2" in text
    assert "- two rounds dropped" in text


def test_both_files_are_written(tmp_path):
    markdown, data = write_results(results(), name="today", folder=tmp_path / "results")
    assert markdown.read_text() == results().to_markdown()
    assert json.loads(data.read_text())["rows"][0]["spread"]["median"] == 24.123456
