"""Durations as users write them (`90s`, `15m`, `12h`, `2d`), in seconds."""

from __future__ import annotations

import re

from dynamodb_pipeline.errors import UsageError, shown

FORM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *([smhd]?)")
SECONDS_IN = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_D = 365
LONGEST_S = LONGEST_D * SECONDS_IN["d"]
HOUR_S = 3600.0
UNITS_SHOWN = {"d": 86_400, "h": 3600, "min": 60, "s": 1}


def duration_s(text: str, *, option: str) -> float:
    """
    Seconds of a duration; a bare number is seconds.

    Raises:
        UsageError: another form, zero, or more than a year.
    """
    match = FORM.fullmatch(text.strip(" "))
    seconds = float(match[1]) * SECONDS_IN[match[2]] if match else 0.0
    if not 0 < seconds <= LONGEST_S:
        msg = f"{option} {shown(text)} is not a duration; write 90s, 15m, 12h or 2d, at most {LONGEST_D}d"
        raise UsageError(msg)
    return seconds


def duration_text(seconds: float) -> str:
    """About how long, for people: `45 s`, `12 min`, `3 h 05 min`."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def exact_duration_text(seconds: float) -> str:
    """A duration that was asked for, in at most two units: `12 h`, `1 h 30 min`, `90 s` as `1 min 30 s`, `0.5 s`."""
    if seconds < UNITS_SHOWN["min"]:
        return f"{seconds:g} s"
    left, parts = round(seconds), []
    for unit, size in UNITS_SHOWN.items():
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2])
