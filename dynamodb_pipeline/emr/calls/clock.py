"""Time as an argument: waiting code asks a clock, so that a six-hour run is tested in milliseconds."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Protocol


class Clock(Protocol):
    """Seconds now and a way to let them pass."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or earlier when a signal asks for attention."""


def utc(seconds: float) -> datetime:
    """Seconds since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)
