"""Durations as people read them."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.durations import exact_duration_text


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
