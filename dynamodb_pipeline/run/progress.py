"""
What a person sees of a run: counts that workers report, the lines made of them, how it starts and ends.

A line says the mean rate of the promised window, not of the last moment: single requests make that jump above what is
allowed while every window keeps to it. Where a terminal can be drawn on, a `Display` of the command line's own shows
the same in place.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Callable, Protocol

from dynamodb_pipeline.background import Background
from dynamodb_pipeline.durations import exact_duration_text
from dynamodb_pipeline.errors import counted
from dynamodb_pipeline.finished import SeriesPoint
from dynamodb_pipeline.rate.window import window_s

INTERVAL_S = 10.0
LONG_RUN_S = 600.0  # from here on a line a minute: a night's run must not fill the log
LONG_INTERVAL_S = 60.0
MEAN_AFTER_S = 5.0  # from a change on: before that, requests granted at the old rate are most of what is seen
SAMPLE_INTERVAL_S = 1.0  # of the mean rate, and at first of the time series
POINTS_MAX, NUMBERS_MAX, MARKS_MAX = 500, 6_000, 50  # 6,000 numbers are at most 90 kB of JSON


@dataclass(frozen=True)
class Counts:
    """
    Totals so far; `units` are read or write units of the table as DynamoDB reported them, throttles its refusals.

    `allowed_units_s` is the rate in force, which may have been changed since the start; None for the goal's, 0 paused.
    """

    items: int = 0
    units: float = 0.0
    throttles: int = 0
    allowed_units_s: float | None = None

    @property
    def is_paused(self) -> bool:
        return self.allowed_units_s == 0.0


Snapshot = Callable[[], Counts]


@dataclass(frozen=True)
class Goal:
    """What the run is after: a label, the allowed units per second, and the expected items when known."""

    label: str
    allowed_units_s: float
    unit: str
    items: int | None = None

    @property
    def window_s(self) -> float:
        """Seconds of the window that the rate is promised for."""
        return window_s(self.allowed_units_s)


class RecentRate:
    """
    Mean units per second over the last `window_s` seconds, or since the start while that is less.

    When another rate is allowed, the window begins anew, with the length that is promised for that rate: what was
    consumed under the old one is not to be set against it.
    """

    def __init__(self, window_s: float, *, started_s: float):
        self._window_s = window_s
        self._allowed_units_s: float | None = None
        self._settled_s = started_s
        self._samples: deque[tuple[float, float]] = deque([(started_s, 0.0)])

    def add(self, now_s: float, units: float, *, allowed_units_s: float | None = None) -> float | None:
        """Take the total of that moment, and the rate in force; return the mean, None shortly after a change of it."""
        if allowed_units_s is not None and allowed_units_s != self._allowed_units_s:
            if self._allowed_units_s is not None:
                self._samples.clear()
                self._window_s, self._settled_s = window_s(allowed_units_s), now_s + MEAN_AFTER_S
            self._allowed_units_s = allowed_units_s
        self._samples.append((now_s, units))
        if now_s < self._settled_s:
            return None
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - self._window_s:
            self._samples.popleft()
        then_s, before = self._samples[0]
        return (units - before) / (now_s - then_s) if now_s > then_s else 0.0


def progress_line(goal: Goal, counts: Counts, *, elapsed_s: float, recent_units_s: float | None) -> str:
    """One line: items, units/s against allowed, percent done and ETA where the total is known."""
    parts = progress_parts(goal, counts, elapsed_s=elapsed_s, recent_units_s=recent_units_s)
    return f"{goal.label}: {', '.join(parts.values())}"


def progress_parts(goal: Goal, counts: Counts, *, elapsed_s: float, recent_units_s: float | None) -> dict[str, str]:
    """What a line says behind its label, in its order; what there is nothing to say of is left out."""
    share = share_done(goal, counts)
    eta = elapsed_s * (1 - share) / share if share else float("inf")
    left = f"{eta:,.0f} s left" if eta != float("inf") else "time left unknown"
    if counts.is_paused:
        left = ""  # longer with every look
    parts = {
        "items": counted(counts.items, "item"),
        "units/s": _rate(goal, counts, recent_units_s),
        "throttled": f"{counts.throttles:,} throttled" if counts.throttles else "",
        "done": "" if share is None else f"{share:.0%}",
        "left": f"{elapsed_s:,.0f} s" if share is None else left,
    }
    return {name: text for name, text in parts.items() if text}


def start_line(run_id: str, *, timeout_s: float | None, keeps_state: bool) -> str:
    """The run's first line: its id, its deadline, and whether it can be resumed."""
    end = f"ends itself after {exact_duration_text(timeout_s)} (--timeout)" if timeout_s else "has no deadline"
    line = f"run {run_id} {end}"
    return line if keeps_state else f"{line}; without --logs it cannot be resumed"


def resumed_line(run_id: str) -> str:
    """Which run `--resume latest` found."""
    return f"resuming run {run_id}"


def retry_line(err: Exception, *, attempt: int, attempts: int) -> str:
    """Why the job is begun again."""
    return f"attempt {attempt} of {attempts} failed, going on where it stopped: {err}"


# What is done once more by each kind of run that is gone on with, as docs/operations.md has it.
REPEATED = {
    "export": "finished files stay; what was being read into a file that is not finished is read again",
    "import": "the check of all files is repeated first; finished files are not written again, those begun are, whole",
}


def resume_line(command: str) -> str:
    """How to go on with a run that ended part-way."""
    return f"to go on where it stopped: {command}"


def repeated_line(kind: str) -> str:
    """What going on does once more."""
    return f"note: {REPEATED[kind]}"


def unsaved_line(err: Exception, *, ended_by: BaseException) -> str:
    """That the run record does not say how the run ended; a cause that ended the run itself is said with its end."""
    return f"run.json could not be written{'' if str(err) == str(ended_by) else f': {err}'}"


def _rate(goal: Goal, counts: Counts, recent_units_s: float | None) -> str:
    """Units per second against those allowed, or these alone after a change; nothing where no table is involved."""
    allowed = goal.allowed_units_s if counts.allowed_units_s is None else counts.allowed_units_s
    if allowed == float("inf"):
        return ""
    if counts.is_paused:
        return "paused"
    if recent_units_s is None:
        return f"{allowed:,.1f} {goal.unit}/s allowed from now on"
    return f"{recent_units_s:,.1f} of {allowed:,.1f} {goal.unit}/s allowed"


def interval_s(elapsed_s: float) -> float:
    """Seconds until the next line of a run that has gone on for `elapsed_s`."""
    return INTERVAL_S if elapsed_s < LONG_RUN_S else LONG_INTERVAL_S


def share_done(goal: Goal, counts: Counts) -> float | None:
    """The part of the expected items that is done, 0 to 1; None where nobody knows how many there are."""
    return None if not goal.items else min(1.0, counts.items / goal.items)


@dataclass(frozen=True)
class Sample:
    """
    One look at a pass: totals since it began; units consumed, and units a second allowed now, by resource.

    Attributes:
        bytes: of text read or written; 0 where nobody counts them.
        retries: workers that were begun again.
    """

    items: int
    throttles: int
    consumed: Mapping[str, float]
    allowed: Mapping[str, float]
    bytes: int = 0
    retries: int = 0


@dataclass
class PassPoints:
    """
    A pass over time: its points as the record has them, see `SeriesPoint`.
    """

    goal: Goal
    resources: tuple[str, ...]
    retries: int = 0
    points: list[list[float]] = field(default_factory=list)

    def facts(self) -> dict[str, object]:
        """As the record has it; `items_expected` is for who watches the run from elsewhere, as `window_s` is."""
        goal = self.goal
        said = {"label": goal.label, "unit": goal.unit, "window_s": goal.window_s, "items_expected": goal.items}
        return {**said, "resources": [*self.resources], "points": [*self.points]}


class TimeSeries:
    """
    What a run did over time, for its record: at most `POINTS_MAX` points and `NUMBERS_MAX` numbers, however long it is.

    When there would be more, every second point goes and looks become half as frequent. Safe for several threads.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic):
        self._clock, self._began, self._lock = clock, clock(), threading.Lock()
        self._passes: list[PassPoints] = []
        self._marks: list[tuple[float, str]] = []
        self.interval_s = SAMPLE_INTERVAL_S

    def watch(self, goal: Goal, look: Callable[[], Sample]) -> AbstractContextManager[object]:
        """Return a context manager during which a pass is looked at, at its begin and end too."""
        return _SeriesWatch(self, goal, look)

    def begin(self, goal: Goal, sample: Sample) -> PassPoints:
        """Begin a pass; its resources are those of the first look."""
        one = PassPoints(goal, tuple(sorted(sample.allowed)))
        with self._lock:
            self._passes.append(one)
        self.add(one, sample)
        return one

    def add(self, one: PassPoints, sample: Sample) -> None:
        """Take one look."""
        consumed, allowed = (
            tuple(units.get(name, 0.0) for name in one.resources) for units in (sample.consumed, sample.allowed)
        )
        at_s = self._clock() - self._began
        point = SeriesPoint(at_s, sample.items, sample.throttles, consumed, allowed, sample.bytes)
        if sample.retries > one.retries:
            self.mark(f"{counted(sample.retries - one.retries, 'worker')} begun again")
            one.retries = sample.retries
        with self._lock:
            one.points.append(point.to_json())
            while self._count() > POINTS_MAX or self._numbers() > NUMBERS_MAX:
                self._thin()

    def mark(self, text: str) -> None:
        """Note what happened at this moment, a new attempt say; the newest are kept."""
        with self._lock:
            self._marks = [*self._marks[-(MARKS_MAX - 1) :], (round(self._clock() - self._began, 2), text)]

    def facts(self) -> dict[str, object]:
        """What the record says of it: nothing of a run without a pass."""
        with self._lock:
            passes = [one.facts() for one in self._passes]
            return {"series": {"passes": passes, "marks": [[*mark] for mark in self._marks]}} if passes else {}

    def _count(self) -> int:
        return sum(len(one.points) for one in self._passes)

    def _numbers(self) -> int:
        return sum(len(one.points) * len(one.points[0]) for one in self._passes if one.points)

    def _thin(self) -> None:
        """Leave every second point, the first and the last of each pass always; of many passes the oldest go."""
        before = self._count()
        for one in self._passes:
            one.points = [*one.points[:-1][::2], one.points[-1]] if one.points else []
        self.interval_s *= 2
        if self._count() == before:
            del self._passes[0]


class _SeriesWatch(Background):
    def __init__(self, series: TimeSeries, goal: Goal, look: Callable[[], Sample]):
        super().__init__(name="time series")
        self._series, self._look = series, look
        self._pass = series.begin(goal, look())

    def run(self, wait: Callable[[float], bool]) -> None:
        while not wait(self._series.interval_s):
            self._series.add(self._pass, self._look())
        self._series.add(self._pass, self._look())


class Display(Protocol):
    """Draws progress in place while it is entered."""

    def watch(self, goal: Goal, snapshot: Snapshot) -> AbstractContextManager[object]:
        """Draw until left."""


class Reporter:
    """
    Tells people what happens while it happens.

    Args:
        say: takes a line; under spark-submit it goes through the JVM's stderr.
        display: draws progress where this process has a terminal; None for lines.
    """

    def __init__(self, say: Callable[[str], None], *, display: Display | None = None):
        self._say, self._display = say, display

    @property
    def draws(self) -> bool:
        """Whether progress is drawn in place, so that a line that is not said here would be written over it."""
        return self._display is not None

    def note(self, text: str) -> None:
        """Say one line."""
        self._say(text)

    def watch(self, goal: Goal, snapshot: Snapshot) -> AbstractContextManager[object]:
        """Return a context manager during which progress is shown (lines: every `interval_s`)."""
        if self._display is not None:
            return self._display.watch(goal, snapshot)
        return _Watch(self._say, goal, snapshot)


class _Watch(Background):
    def __init__(self, say: Callable[[str], None], goal: Goal, snapshot: Snapshot):
        super().__init__(name="progress")
        self._say, self._goal, self._snapshot = say, goal, snapshot
        self._started = time.monotonic()

    def run(self, wait: Callable[[float], bool]) -> None:
        rate = RecentRate(self._goal.window_s, started_s=self._started)
        due_s = self._started + interval_s(0.0)
        while not wait(SAMPLE_INTERVAL_S):
            now_s, counts = time.monotonic(), self._snapshot()
            recent = rate.add(now_s, counts.units, allowed_units_s=counts.allowed_units_s)
            if now_s >= due_s:
                elapsed_s = now_s - self._started
                due_s += interval_s(elapsed_s)
                self._say(progress_line(self._goal, counts, elapsed_s=elapsed_s, recent_units_s=recent))
