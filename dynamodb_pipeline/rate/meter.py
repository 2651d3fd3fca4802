"""
Credit, window and learning of one resource: the table, or one of its indexes.

The arithmetic of `RateBudget` (budget.py, where the promise is proved), without queue and without clock.
Units are read or write units; credit below zero is debt.
"""

from __future__ import annotations

from typing import NamedTuple

from dynamodb_pipeline.rate.window import NOTHING, RequestCost, WindowLedger, window_s

PACE = 0.985  # share of the allowed rate at which credit grows
CATCH_UP_SHARE = 0.02  # of a window: credit that an idle moment may leave
LEARNING = 0.1  # weight of the newest reply in what is learnt about estimates
LEARNT_MIN, LEARNT_MAX = 0.05, 8.0  # bounds of consumed / estimated
_ROUNDING = 1e-9


class Charge(NamedTuple):
    """What a granted request took from one resource."""

    units: float  # from the credit
    cost: RequestCost  # in the window ledger
    rate: float  # units/s allowed at the grant

    @property
    def feared(self) -> float:
        """Units it may have consumed when nobody answers."""
        return self.cost.feared_s * self.rate


class RateMeter:
    """Decides for one resource how long a request has to wait, and keeps what it cost."""

    __slots__ = ("_answered", "_estimated", "_learnt", "consumed", "credit", "ledger", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.credit = 0.0
        self.consumed = 0.0
        self.ledger = WindowLedger(window_s(rate))
        self._learnt = 1.0  # consumed / estimated
        self._estimated = self._answered = 0.0  # moving averages, units per request

    def set_rate(self, rate: float) -> None:
        """Allow `rate` units/s from now on; saved credit shrinks with it, debt stays."""
        self.rate = rate
        self.ledger.window_s = window_s(rate)
        self.credit = min(self.credit, self.saved_limit)

    @property
    def saved_limit(self) -> float:
        """Units of credit that an idle moment may leave."""
        return self.rate * self.ledger.window_s * CATCH_UP_SHARE

    def accrue(self, grown_s: float, *, waiting: float) -> None:
        """Add credit for `grown_s` seconds: up to what the first waiter's estimate needs, and a little."""
        limit = self.saved_limit + waiting * self._learnt
        if self.credit < limit:
            self.credit = min(limit, self.credit + PACE * self.rate * grown_s)

    def charge(self, estimate: float) -> Charge:
        """What a request estimated at `estimate` units would take now."""
        likely, feared = estimate * self._learnt, estimate * max(1.0, self._learnt)
        return Charge(likely, RequestCost(likely / self.rate, feared / self.rate), self.rate)

    def wait_s(self, charge: Charge, *, share: float, now: float) -> float:
        """Seconds until the request fits while `share` of the rate is in use; infinity when unknown."""
        missing = charge.units - self.credit
        paid_in_s = missing / (PACE * self.rate * share) if missing > _ROUNDING * charge.units else 0.0
        return max(paid_in_s, self.ledger.wait_s(charge.cost, now=now))

    def grant(self, charge: Charge) -> None:
        """Take the charge."""
        self.credit -= charge.units
        self.ledger.open(charge.cost)

    def end(self, charge: Charge | None, consumed: float, *, now: float) -> None:
        """Settle a request by what it consumed; without a charge the resource was not foreseen."""
        charge = charge or Charge(0.0, NOTHING, self.rate)
        self.credit += charge.units - consumed
        self.ledger.close(charge.cost, consumed / charge.rate, now=now)
        self.consumed += consumed

    def learn(self, estimate: float, consumed: float) -> None:
        """Compare what replies cost with what was estimated, on the whole."""
        self._estimated += LEARNING * (estimate - self._estimated)
        self._answered += LEARNING * (consumed - self._answered)
        if self._estimated > 0.0:
            self._learnt = min(LEARNT_MAX, max(LEARNT_MIN, self._answered / self._estimated))
