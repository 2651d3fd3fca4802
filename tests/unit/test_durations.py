"""Durations as people read them."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.durations import duration_s, exact_duration_text
from dynamodb_pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5 s"),
        (8.0, "8 s"),
        (60.0, "1 min"),
        (90.0, "1 min 30 s"),
        (5400.0, "1 h 30 min"),
        (43_200.0, "12 h"),
        (86_400.0, "1 d"),
        (90_061.0, "1 d 1 h"),
    ],
)
def test_asked_for_duration_is_told_in_its_own_units(seconds: float, text: str):
    assert exact_duration_text(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5h", 5400), ("2d", 172_800)])
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text, option="--timeout") == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "-1h", "1w", "soon", "9" * 5000, "366d", "\u0661h", "1_0s", "1h\n", "nan", "inf", "0.0000000001"]
)
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        duration_s(text, option="--timeout")
