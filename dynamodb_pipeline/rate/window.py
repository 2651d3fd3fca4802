"""
Everything that may still fall into one sliding window of a rate promise.

Why it exists: a token bucket alone cannot keep "at most 10 s worth of units in every 10 s", because a granted request
is served some unknown time later, anywhere between its grant and its reply. `WindowLedger` therefore counts a request
from its grant until one whole window after its reply (the proof is in budget.py). It knows nothing of buckets, queues
or units: amounts are seconds' worth of the rate that was allowed when the request was granted, so a change of the rate
leaves the past as it was.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

WINDOW_S = 10.0
SLOW_WINDOW_S = 60.0
SLOW_RATE = 25.0  # units/s; up to here single requests are too coarse for a 10-s window
WINDOW_LIMIT = 1.02  # share of a window's worth that may be consumed in it
LARGE_SHARE = 0.07  # a request above this share of a window may come on top, one at a time
TICKS = 1000  # replies are remembered with a grain of a thousandth of a window: bounded memory at any rate


def window_s(rate: float) -> float:
    """Length in seconds of the sliding windows in which `rate` units/s is promised."""
    return SLOW_WINDOW_S if rate <= SLOW_RATE else WINDOW_S


class RequestCost(NamedTuple):
    """What one request may consume, in seconds' worth: on the whole, and at worst as far as known."""

    likely_s: float
    feared_s: float


NOTHING = RequestCost(0.0, 0.0)


class WindowLedger:
    """Seconds' worth of units that requests in flight or answered in the last window may have consumed."""

    __slots__ = ("_closed", "_large_closed", "_large_open", "_open_s", "_recent_s", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._open_s = 0.0
        self._recent_s = 0.0
        self._closed: deque[tuple[float, float]] = deque()  # (end of the tick of the reply, seconds' worth)
        self._large_open: list[float] = []
        self._large_closed: deque[tuple[float, float]] = deque()

    def open(self, cost: RequestCost) -> None:
        """Count a request that is being granted."""
        self._open_s += cost.feared_s
        if self._is_large(cost.likely_s):
            self._large_open.append(cost.likely_s)

    def close(self, cost: RequestCost, consumed_s: float, *, now: float) -> None:
        """Replace what was opened by what was consumed; it stays for one window from `now` on."""
        self._open_s = max(0.0, self._open_s - cost.feared_s)
        if cost.likely_s in self._large_open:
            self._large_open.remove(cost.likely_s)
        if consumed_s > 0.0:
            self._keep(consumed_s, now)

    def wait_s(self, cost: RequestCost, *, now: float) -> float:
        """Seconds until a request may fit: 0 now, infinity when only a reply can make room."""
        self._expire(now)
        limit_s = WINDOW_LIMIT * self.window_s + self._largest_s(cost.likely_s)
        excess_s = self._open_s + self._recent_s + cost.feared_s - limit_s
        if excess_s <= 0.0:
            return 0.0
        for tick, kept_s in self._closed:
            excess_s -= kept_s
            if excess_s <= 0.0:
                return tick + self.window_s - now
        return math.inf

    def _is_large(self, amount_s: float) -> bool:
        return amount_s > LARGE_SHARE * self.window_s

    def _largest_s(self, amount_s: float) -> float:
        """The largest of the large requests, this one included; 0 when none is large."""
        largest_s = amount_s if self._is_large(amount_s) else 0.0
        if self._large_open or self._large_closed:
            largest_s = max(largest_s, *self._large_open, *(kept_s for _, kept_s in self._large_closed))
        return largest_s

    def _keep(self, consumed_s: float, now: float) -> None:
        grain_s = self.window_s / TICKS
        tick = math.ceil(now / grain_s) * grain_s
        self._recent_s += consumed_s
        if self._is_large(consumed_s):
            self._large_closed.append((tick, consumed_s))
        if self._closed and self._closed[-1][0] >= tick:
            tick, before_s = self._closed.pop()
            consumed_s += before_s
        self._closed.append((tick, consumed_s))

    def _expire(self, now: float) -> None:
        while self._closed and self._closed[0][0] + self.window_s <= now:
            self._recent_s -= self._closed.popleft()[1]
        while self._large_closed and self._large_closed[0][0] + self.window_s <= now:
            self._large_closed.popleft()
        if not self._closed:
            self._recent_s = 0.0  # ends the rounding error of a long run
