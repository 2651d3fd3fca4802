"""What a run's record says of going on, and of the time before."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.errors import EXIT_CODES, ExitCode
from dynamodb_pipeline.finished import RunState, SeriesPoint, passes_of


@pytest.mark.parametrize(
    ("record", "resumable"),
    [
        ({"state": "running"}, True),  # killed, or still at work: its heartbeat tells
        ({"state": "done", "exit_code": 0}, False),
        ({"state": "failed", "exit_code": 77}, True),  # none of ours counts as a bug
        ({"state": "failed", "exit_code": True}, True),
        ({"state": "failed"}, False),
        ({"state": "stuck", "exit_code": 5}, False),
        ({}, False),
    ],
)
def test_run_with_something_left_to_do_is_resumable(record: dict[str, Any], resumable: bool) -> None:
    assert RunState.readable(record).is_resumable is resumable


@pytest.mark.parametrize("code", ExitCode)
def test_failed_run_is_resumable_as_the_table_of_exit_codes_says(code: ExitCode) -> None:
    assert RunState.readable({"state": "failed", "exit_code": int(code)}).is_resumable is EXIT_CODES[code].resumable


POINT = SeriesPoint(1.5, 10, 2, (80.0, 3.0), (100.0, 50.0), 4096)
NUMBERS = [1.5, 10, 2, 80.0, 100.0, 3.0, 50.0, 4096]


def test_a_point_of_a_series_has_one_order_of_numbers() -> None:
    """Every record has it; a version that changes it cannot read those before it."""
    assert POINT.to_json() == NUMBERS
    assert SeriesPoint.readable(NUMBERS, resources=2) == POINT
    earlier = SeriesPoint.readable(NUMBERS[:-1], resources=2)
    assert earlier is not None
    assert (earlier.text_bytes, earlier.to_json()) == (None, NUMBERS[:-1])


@pytest.mark.parametrize(
    "point", [None, [], NUMBERS[:-2], [*NUMBERS, 1], ["1", *NUMBERS[1:]], [float("nan"), *NUMBERS[1:]]]
)
def test_what_is_no_point_is_none(point: Any) -> None:
    assert SeriesPoint.readable(point, resources=2) is None


def test_of_a_series_what_can_be_read_is() -> None:
    one = {"label": "x", "unit": "read units", "resources": ["table", "index:a"], "points": [NUMBERS, 7, NUMBERS]}
    (read,) = passes_of({"passes": [None, {"resources": "x"}, one]})
    assert (read.label, read.window_s, read.items_expected, read.points) == ("x", 0.0, None, (POINT, POINT))
    assert [passes_of(series) for series in (None, [], {"passes": 3})] == [[], [], []]
