"""What a run says of itself stays small however long it takes."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.errors import PreconditionError, StoppedError
from dynamodb_pipeline.run.progress import (
    Counts,
    Goal,
    RecentRate,
    interval_s,
    progress_line,
    start_line,
    unsaved_line,
)

LOG_BYTES_MAX = 20_000  # per 100,000 items


@pytest.mark.parametrize("items_per_s", [12, 25, 100, 1000])
def test_lines_of_100_000_items_are_at_most_20_kb(items_per_s: int) -> None:
    goal = Goal("import Orders-of-the-year", items_per_s, "write units", 100_000)
    said_bytes, elapsed_s = 0, 0.0
    while (elapsed_s := elapsed_s + interval_s(elapsed_s)) * items_per_s < 100_000:
        counts = Counts(int(elapsed_s * items_per_s), 0.0)
        said_bytes += len(progress_line(goal, counts, elapsed_s=elapsed_s, recent_units_s=float(items_per_s))) + 1
    assert 0 < said_bytes <= LOG_BYTES_MAX


def test_first_ten_minutes_have_a_line_every_ten_seconds() -> None:
    assert [interval_s(elapsed) for elapsed in (0.0, 599.0, 600.0, 40_000.0)] == [10.0, 10.0, 60.0, 60.0]


def test_the_rate_said_is_the_mean_of_the_promised_window() -> None:
    """Single requests of 128 units against 100 allowed a second: the last half second would say 256."""
    rate = RecentRate(10.0, started_s=0.0)
    said = [rate.add(second, 128.0 * (second * 100 // 128)) for second in range(1, 61)]
    assert max(filter(None, said)) <= 100.0 * 1.05 + 128.0 / 10.0
    assert said[-1] == pytest.approx(100.0, abs=128.0 / 10.0)


def test_what_lies_before_the_window_is_forgotten() -> None:
    rate = RecentRate(10.0, started_s=0.0)
    for second in range(1, 31):
        said = rate.add(float(second), 50.0 * min(second, 10))
    assert said == 0.0


@pytest.mark.parametrize("after", [4.0, 80.0])
def test_after_a_change_what_was_consumed_before_it_is_not_set_against_the_new_rate(after: float) -> None:
    """40 units a second to the twentieth, then another rate, kept exactly but for 8 units that were under way."""
    rate, total, said = RecentRate(10.0, started_s=0.0), 0.0, list[float | None]()
    for second in range(1, 101):
        total += 40.0 if second <= 20 else after
        total += 8.0 if second == 21 else 0.0
        said.append(rate.add(float(second), total, allowed_units_s=40.0 if second <= 20 else after))
    assert said[:20] == [40.0] * 20
    assert said[20:25] == [None] * 5
    assert said[25:] == [pytest.approx(after)] * 75


def test_right_after_a_change_a_line_says_the_new_rate_alone() -> None:
    goal = Goal("export T", 40.0, "read units")
    line = progress_line(goal, Counts(1, 1.0, 0, 4.0), elapsed_s=1.0, recent_units_s=None)
    assert line == "export T: 1 item, 4.0 read units/s allowed from now on, 1 s"


@pytest.mark.parametrize("recent", [None, 0.0])
def test_a_paused_run_says_so_and_no_time_that_grows(recent: float | None) -> None:
    goal = Goal("import T", 40.0, "write units", items=100)
    line = progress_line(goal, Counts(25, 1.0, 0, 0.0), elapsed_s=60.0, recent_units_s=recent)
    assert line == "import T: 25 items, paused, 25%"


@pytest.mark.parametrize(("allowed", "window"), [(5.0, 60.0), (25.0, 60.0), (26.0, 10.0)])
def test_the_window_is_that_of_the_promise(allowed: float, window: float) -> None:
    assert Goal("x", allowed, "read units").window_s == window


def test_throttles_are_told_when_there_are_any() -> None:
    goal = Goal("export T", 100.0, "read units")
    line = progress_line(goal, Counts(1, 1.0, 7), elapsed_s=1.0, recent_units_s=1.0)
    assert "7 throttled" in line
    assert "throttled" not in progress_line(goal, Counts(1, 1.0), elapsed_s=1.0, recent_units_s=1.0)


@pytest.mark.parametrize(
    ("timeout_s", "keeps_state", "line"),
    [
        (43_200.0, True, "run r-1 ends itself after 12 h (--timeout)"),
        (43_200.0, False, "run r-1 ends itself after 12 h (--timeout); without --logs it cannot be resumed"),
        (None, True, "run r-1 has no deadline"),
    ],
    ids=["with logs", "without logs", "no deadline"],
)
def test_first_line_tells_the_deadline_and_what_cannot_be_resumed(
    timeout_s: float | None, keeps_state: bool, line: str
) -> None:
    assert start_line("r-1", timeout_s=timeout_s, keeps_state=keeps_state) == line


def test_the_rate_in_force_is_shown_once_it_was_changed() -> None:
    """Started at 100 units, ordered to 10: a line that said 100 would have people look for what holds the run up."""
    goal = Goal("export Orders", 100.0, "read units", 100)
    at_first = progress_line(goal, Counts(1, 1.0), elapsed_s=1.0, recent_units_s=9.9)
    changed = progress_line(goal, Counts(1, 1.0, allowed_units_s=10.0), elapsed_s=1.0, recent_units_s=9.9)
    assert ("9.9 of 100.0 read units/s" in at_first, "9.9 of 10.0 read units/s" in changed) == (True, True)


def test_what_ended_the_run_is_not_said_twice() -> None:
    ended_by = PreconditionError("bucket 'b1b' does not exist")
    same, other = PreconditionError(str(ended_by)), StoppedError("S3 does not answer")
    assert unsaved_line(same, ended_by=ended_by) == "run.json could not be written"
    assert unsaved_line(other, ended_by=ended_by) == "run.json could not be written: S3 does not answer"
