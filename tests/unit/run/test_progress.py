"""What a run says of itself stays small however long it takes."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.run.progress import Counts, Goal, interval_s, progress_line

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
