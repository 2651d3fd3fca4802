"""
Time and signals as arguments: waiting code asks a clock, so that a six-hour run is tested in milliseconds.

Ctrl-C and SIGTERM are values: they are only counted, and end a sleep early, so a Ctrl-C can never lose the reply that
names a new cluster. A third Ctrl-C gives up waiting for anything.
"""

from __future__ import annotations

import signal
import threading
import time
from datetime import datetime, timezone
from typing import Any, Protocol

from dynamodb_pipeline.background import handling_signals


class Clock(Protocol):
    """Seconds now and a way to let them pass."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or earlier when a signal asks for attention."""


def utc(seconds: float) -> datetime:
    """Seconds since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


class Attention(Protocol):
    """What signals have asked for so far."""

    @property
    def interrupts(self) -> int:
        """Times Ctrl-C was pressed."""

    @property
    def terminated(self) -> bool:
        """SIGTERM came."""


class SignalClock:
    """The machine's time and its signals; use as a context manager around everything that waits."""

    def __init__(self) -> None:
        self.interrupts = 0
        self.terminated = False
        self._wake = threading.Event()
        self._handling = handling_signals(self._note)

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def __enter__(self) -> SignalClock:
        self._handling.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._handling.__exit__(*error)

    def _note(self, came: signal.Signals) -> None:
        if came is signal.SIGTERM:
            self.terminated = True
        else:
            self.interrupts += 1
        self._wake.set()
        if self.interrupts > 2:
            raise KeyboardInterrupt
