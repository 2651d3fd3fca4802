"""
Everything that may still fall into one sliding window of a rate promise.

Why it exists: a token bucket alone cannot keep "at most 10 s worth of units in every 10 s", because a
granted request is served some unknown time later, anywhere between its grant and its reply. `WindowLedger`
therefore counts a request from its grant until one whole window after its reply. It knows nothing of
buckets, queues or units: amounts are seconds' worth of the rate that was allowed when the request was
granted, so a change of the rate leaves the past as it was.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW_S = 10.0
SLOW_WINDOW_S = 60.0
SLOW_RATE = 25.0  # units/s; up to here single requests are too coarse for a 10-s window
WINDOW_LIMIT = 1.02  # share of a window's worth that may be consumed in it
LARGE_SHARE = 0.05  # a request above this share of a window is held by the bucket alone (see budget.py)
TICKS = 1000  # replies are remembered with a grain of a thousandth of a window: bounded memory at any rate


def window_s(rate: float) -> float:
    """Length in seconds of the sliding windows in which `rate` units/s is promised."""
    return SLOW_WINDOW_S if rate <= SLOW_RATE else WINDOW_S


class WindowLedger:
    """Seconds' worth of units that requests in flight or answered in the last window may have consumed."""

    __slots__ = ("_closed", "_open_s", "_recent_s", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._open_s = 0.0
        self._recent_s = 0.0
        self._closed: deque[tuple[float, float]] = deque()  # (end of the tick of the reply, seconds' worth)

    def countable_s(self, amount_s: float) -> float:
        """`amount_s`, or 0 when one request is so large that only the bucket can space it."""
        return amount_s if amount_s <= LARGE_SHARE * self.window_s else 0.0

    def open(self, amount_s: float) -> float:
        """Count a request that is being granted; returns what was counted, to be handed to `close`."""
        counted_s = self.countable_s(amount_s)
        self._open_s += counted_s
        return counted_s

    def close(self, counted_s: float, consumed_s: float, *, now: float) -> None:
        """Replace what was counted by what was consumed; it stays for one window from `now` on."""
        self._open_s = max(0.0, self._open_s - counted_s)
        kept_s = self.countable_s(consumed_s)
        if kept_s <= 0.0:
            return
        grain_s = self.window_s / TICKS
        tick = math.ceil(now / grain_s) * grain_s
        if self._closed and self._closed[-1][0] >= tick:
            tick, before_s = self._closed.pop()
            self._closed.append((tick, before_s + kept_s))
        else:
            self._closed.append((tick, kept_s))
        self._recent_s += kept_s

    def wait_s(self, amount_s: float, *, now: float) -> float:
        """Seconds until `amount_s` fits: 0 now, infinity when only a reply can make room."""
        self._expire(now)
        excess_s = self._open_s + self._recent_s + self.countable_s(amount_s) - WINDOW_LIMIT * self.window_s
        if excess_s <= 0.0 or self.countable_s(amount_s) == 0.0:
            return 0.0
        for tick, kept_s in self._closed:
            excess_s -= kept_s
            if excess_s <= 0.0:
                return tick + self.window_s - now
        return math.inf

    def _expire(self, now: float) -> None:
        closed = self._closed
        while closed and closed[0][0] + self.window_s <= now:
            self._recent_s -= closed.popleft()[1]
        if not closed:
            self._recent_s = 0.0  # ends the rounding error of a long run
