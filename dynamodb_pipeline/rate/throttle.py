"""
How far throttles from DynamoDB lower the rate, and how it comes back.

The table's own traffic goes first: a throttle means that somebody, perhaps the application, was refused
capacity. The rate is cut at most once per interval, so that one burst of throttled replies counts once,
waits, and then climbs steadily. Pure: time comes in through the clock. Throttles of one hot partition (a
key range) say nothing about the table's capacity and are better retried by the worker without being
reported here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CUT = 0.7  # share that is left after a cut
CUT_INTERVAL_S = 1.0
HOLD_S = 2.0  # seconds without a throttle before the rate climbs
CLIMB_PER_S = 0.035  # share of the full rate; from the floor to 95 % in 28 s, the hold included
FLOOR = 0.05


@dataclass(frozen=True)
class ThrottleState:
    """The share of the allowed rate in use and how many throttles were seen."""

    share: float
    throttle_count: int


class ThrottleResponse:
    """Share (0.05..1) of the allowed rate to use, given the throttles so far."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._share = 1.0
        self._climbed_at_s = 0.0
        self._cut_at_s = float("-inf")
        self._throttled_at_s = float("-inf")
        self._throttle_count = 0

    def throttled(self) -> None:
        """Note one throttled request; cuts the share unless that was done within the last second."""
        now = self._clock()
        self._climb(now)
        self._throttle_count += 1
        self._throttled_at_s = now
        if now - self._cut_at_s >= CUT_INTERVAL_S:
            self._cut_at_s = now
            self._share = max(FLOOR, self._share * CUT)
        self._climbed_at_s = now

    def share(self) -> float:
        """The share of the allowed rate to use now."""
        if self._share < 1.0:
            self._climb(self._clock())
        return self._share

    def state(self) -> ThrottleState:
        """A snapshot for progress and the run record."""
        return ThrottleState(self.share(), self._throttle_count)

    def _climb(self, now: float) -> None:
        start_s = max(self._climbed_at_s, self._throttled_at_s + HOLD_S)
        if now > start_s:
            self._share = min(1.0, self._share + CLIMB_PER_S * (now - start_s))
            self._climbed_at_s = now
