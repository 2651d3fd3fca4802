"""
Consumed against allowed units, in every window of time.

Windows slide: the worst one is looked for at every possible position from the first second on, not only at whole
multiples of its length, because a burst across such a border is a burst all the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.faults.ledger import TABLE, LedgerRow

Event = tuple[float, float]  # second, units


@dataclass(frozen=True)
class RateReport:
    """
    Ratios are consumed units / (allowed units per second x seconds).

    `worst` is the highest over all windows, `first` the window that begins with the run, `mean` is over the whole run.
    """

    allowed_per_s: float
    window_s: float
    duration_s: float
    units: float
    worst: float
    first: float
    mean: float

    def worst_beyond(self, *, worker_count: int, request_units: float) -> float:
        """`worst` after taking off one request per worker, whose cost nobody can know beforehand."""
        return max(0.0, self.worst - worker_count * request_units / (self.allowed_per_s * self.window_s))


def consumption(rows: Iterable[LedgerRow], *, operations: frozenset[str], resource: str = TABLE) -> list[Event]:
    """The ledger's events on one resource, in order of time."""
    return sorted(
        (row.time_s, row.units)
        for row in rows
        if row.operation in operations and row.resource == resource and row.units
    )


def rate_report(
    events: Sequence[Event], *, allowed_per_s: float, window_s: float, start_s: float | None = None
) -> RateReport:
    """
    The windows of one run.

    `start_s` is when the run began to ask (default: its first event). Raises ValueError without events.
    """
    if not events:
        message = "no consumption in the ledger: nothing to judge"
        raise ValueError(message)
    begin_s = events[0][0] if start_s is None else start_s
    duration_s = events[-1][0] - begin_s
    units = sum(spent for _, spent in events)
    allowed = allowed_per_s * window_s
    first = sum(spent for second, spent in events if second < begin_s + window_s)
    mean = units / (allowed_per_s * duration_s) if duration_s else float("inf")
    return RateReport(
        allowed_per_s,
        window_s,
        duration_s,
        units,
        worst_window(events, window_s=window_s) / allowed,
        first / allowed,
        mean,
    )


def worst_window(events: Sequence[Event], *, window_s: float) -> float:
    """The most units in any half-open window of that length; it always ends with some event."""
    inside: deque[Event] = deque()
    total = worst = 0.0
    for event in events:
        inside.append(event)
        total += event[1]
        while inside[0][0] <= event[0] - window_s:
            total -= inside.popleft()[1]
        worst = max(worst, total)
    return worst


def per_second(events: Sequence[Event]) -> list[float]:
    """Units in each whole second from the first event on, for a plot or a glance."""
    begin_s = events[0][0]
    seconds = [0.0] * (int(events[-1][0] - begin_s) + 1)
    for second, units in events:
        seconds[int(second - begin_s)] += units
    return seconds
