"""
DynamoDB's own limit on a table, as far as it is documented.

A request is admitted while anything is left and is charged its real cost afterwards, so a large page can leave a
debt. DynamoDB keeps up to 300 s of unused capacity (developer guide, "Burst capacity"); tests want a tight bucket,
so the burst is an argument.
"""

from __future__ import annotations

AWS_BURST_S = 300.0


class TokenBucket:
    """Units per second with a bounded burst; time is handed in, in seconds."""

    def __init__(self, rate: float, *, burst_s: float = 1.0, now_s: float = 0.0) -> None:
        self._rate = rate
        self._burst_s = burst_s
        self._tokens = rate * burst_s
        self._refilled_s = now_s

    def admits(self, now_s: float) -> bool:
        """Whether a request may pass now; it is charged later, once its cost is known."""
        self._refill(now_s)
        return self._tokens > 0

    def charge(self, units: float) -> None:
        """Take what a request really cost; the bucket may go below zero."""
        self._tokens -= units

    def set_rate(self, rate: float, *, now_s: float) -> None:
        """Change the capacity from now on; what was saved stays, up to the new burst."""
        self._refill(now_s)
        self._rate = rate
        self._tokens = min(self._tokens, rate * self._burst_s)

    @property
    def tokens(self) -> float:
        """Units left at the last refill; negative while in debt."""
        return self._tokens

    def _refill(self, now_s: float) -> None:
        elapsed_s = max(0.0, now_s - self._refilled_s)
        self._tokens = min(self._tokens + elapsed_s * self._rate, self._rate * self._burst_s)
        self._refilled_s = now_s
