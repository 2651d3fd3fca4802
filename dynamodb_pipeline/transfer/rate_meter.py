"""
Credit, window and learning of one resource: the table, or one of its indexes.

The arithmetic of `RateBudget` (budget.py, where the promise is proved), without queue and without clock.
Units are read or write units; credit below zero is debt.
"""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_pipeline.transfer.rate_window import WindowLedger, window_s

PACE = 0.985  # share of the allowed rate at which credit grows
CATCH_UP_SHARE = 0.02  # of a window: credit that an idle moment may leave
LEARNING = 0.1  # weight of the newest reply in the learnt excess over estimates
EXCESS_LIMIT = 8.0  # an estimate is never raised further than this
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Charge:
    """What a granted request took from one resource."""

    units: float
    counted_s: float  # seconds' worth entered in the window ledger
    rate: float  # units/s allowed at the grant


class RateMeter:
    """Decides for one resource how long a request has to wait, and keeps what it cost."""

    __slots__ = ("consumed", "credit", "excess", "ledger", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.credit = 0.0
        self.excess = 1.0  # learnt consumed / estimated, never below 1
        self.consumed = 0.0
        self.ledger = WindowLedger(window_s(rate))

    def set_rate(self, rate: float) -> None:
        """Allow `rate` units/s from now on; saved credit shrinks with it, debt stays."""
        self.rate = rate
        self.ledger.window_s = window_s(rate)
        self.credit = min(self.credit, self.saved_limit)

    @property
    def saved_limit(self) -> float:
        """Units of credit that an idle moment may leave."""
        return self.rate * self.ledger.window_s * CATCH_UP_SHARE

    def need(self, estimate: float) -> float:
        """Units to charge for a request estimated at `estimate` units."""
        return estimate * self.excess

    def accrue(self, grown_s: float, *, need: float) -> None:
        """Add credit for `grown_s` seconds, at most what the first waiter needs or may be saved."""
        limit = max(self.saved_limit, need)
        if self.credit < limit:
            self.credit = min(limit, self.credit + PACE * self.rate * grown_s)

    def wait_s(self, need: float, *, share: float, now: float) -> float:
        """Seconds until `need` units fit while `share` of the rate is in use; infinity when unknown."""
        missing = need - self.credit
        paid_in_s = missing / (PACE * self.rate * share) if missing > _ROUNDING * need else 0.0
        return max(paid_in_s, self.ledger.wait_s(need / self.rate, now=now))

    def grant(self, need: float) -> Charge:
        """Take `need` units."""
        self.credit -= need
        return Charge(need, self.ledger.open(need / self.rate), self.rate)

    def end(self, charge: Charge | None, consumed: float, *, now: float) -> None:
        """Settle a request by what it consumed; without a charge the resource was not foreseen."""
        charge = charge or Charge(0.0, 0.0, self.rate)
        self._refund(charge.units - consumed, charged=charge.units)
        self.ledger.close(charge.counted_s, consumed / charge.rate, now=now)
        self.consumed += consumed

    def learn(self, estimate: float, consumed: float) -> None:
        """Raise later estimates when replies cost more than estimated."""
        if estimate > 0.0:
            seen = min(consumed / estimate, EXCESS_LIMIT)
            self.excess = max(1.0, self.excess + LEARNING * (seen - self.excess))

    def _refund(self, units: float, *, charged: float) -> None:
        """Give back what was charged too much; a refund may be saved up to what one request had paid."""
        raised = self.credit + units
        if units > 0.0:
            raised = max(self.credit, min(raised, max(charged, self.saved_limit)))
        self.credit = raised
