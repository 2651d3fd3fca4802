"""Progress of a run: counts that workers report, and the lines or bar a person sees."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Callable

INTERVAL_S = 10.0
LONG_RUN_S = 600.0  # from here on a line a minute: a night's run must not fill the log
LONG_INTERVAL_S = 60.0
BAR_INTERVAL_S = 0.5
BAR_WIDTH = 24


@dataclass(frozen=True)
class Counts:
    """Totals so far; `units` are read or write units of the table as DynamoDB reported them."""

    items: int = 0
    units: float = 0.0


Snapshot = Callable[[], Counts]


@dataclass(frozen=True)
class Goal:
    """What the run is after: a label, the allowed units per second, and the expected items when known."""

    label: str
    allowed_units_s: float
    unit: str
    items: int | None = None


def progress_line(goal: Goal, counts: Counts, *, elapsed_s: float, recent_units_s: float | None) -> str:
    """One line: items, units/s against allowed, percent done and ETA where the total is known."""
    text = f"{goal.label}: {counts.items:,} items{_rate(goal, recent_units_s)}"
    share = _share(goal, counts)
    if share is None:
        return text + f", {elapsed_s:,.0f} s"
    eta = elapsed_s * (1 - share) / share if share else float("inf")
    left = f"{eta:,.0f} s left" if eta != float("inf") else "time left unknown"
    return text + f", {share:.0%}, {left}"


def _rate(goal: Goal, recent_units_s: float | None) -> str:
    """Units per second against those allowed; nothing where no table is involved."""
    if goal.allowed_units_s == float("inf"):
        return ""
    rate = "units n/a" if recent_units_s is None else f"{recent_units_s:,.1f}"
    return f", {rate} of {goal.allowed_units_s:,.1f} {goal.unit}/s allowed"


def interval_s(elapsed_s: float) -> float:
    """Seconds until the next line of a run that has gone on for `elapsed_s`."""
    return INTERVAL_S if elapsed_s < LONG_RUN_S else LONG_INTERVAL_S


def bar(share: float) -> str:
    """A bar of `BAR_WIDTH` characters."""
    full = int(share * BAR_WIDTH)
    return "[" + "#" * full + "." * (BAR_WIDTH - full) + "]"


def _share(goal: Goal, counts: Counts) -> float | None:
    return None if not goal.items else min(1.0, counts.items / goal.items)


class Reporter:
    """
    Prints progress until closed.

    Args:
        write: takes a text without line end; under spark-submit it must go through the JVM's stderr.
        terminal: our own process has a terminal, so draw one line in place.
    """

    def __init__(self, write: Callable[[str], None], *, terminal: bool = False):
        self._write, self._terminal = write, terminal

    def note(self, text: str) -> None:
        """Print one line."""
        self._write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")

    def watch(self, goal: Goal, snapshot: Snapshot) -> _Watch:
        """Return a context manager during which progress is printed (`interval_s`)."""
        return _Watch(self._write, goal, snapshot, terminal=self._terminal)


class _Watch:
    def __init__(self, write: Callable[[str], None], goal: Goal, snapshot: Snapshot, *, terminal: bool):
        self._write, self._goal, self._snapshot, self._terminal = write, goal, snapshot, terminal
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="progress", daemon=True)
        self._started = time.monotonic()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()
        if self._terminal:
            self._write("\r\x1b[K")

    def _loop(self) -> None:
        units, then = 0.0, self._started
        while not self._end.wait(BAR_INTERVAL_S if self._terminal else interval_s(then - self._started)):
            now, counts = time.monotonic(), self._snapshot()
            recent = (counts.units - units) / (now - then)
            units, then = counts.units, now
            self._draw(counts, elapsed_s=now - self._started, recent_units_s=recent)

    def _draw(self, counts: Counts, *, elapsed_s: float, recent_units_s: float) -> None:
        line = progress_line(self._goal, counts, elapsed_s=elapsed_s, recent_units_s=recent_units_s)
        share = _share(self._goal, counts)
        drawn = f"{bar(share)} {line}" if share is not None else line
        self._write(f"\r\x1b[K{drawn}" if self._terminal else f"{line}\n")
