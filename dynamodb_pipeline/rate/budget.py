"""
One budget for the whole job: who may send a request now, so that the allowed rate is never exceeded.

Pure: no threads, no sockets, time through a clock. A worker asks for an estimate of what its next request will consume,
waits until it is granted, sends, and settles with what was really consumed. Two rules decide, per resource ("table",
"index:<name>"), with R the allowed rate:

- *Bucket* (meter.py): credit grows at 0.985 R from nothing; a request is paid for before it is granted, with what
  it will likely cost by the experience of earlier replies; what it cost beyond that is debt.
- *Window ledger* (window.py): W = 10 s (60 s up to 25 units/s). A request counts, with the most it is feared to
  cost, from its grant until W after its reply; a grant must keep the total within 1.02 x W x R.

Why consumption stays within 1.02 x W x R in **every** window [t, t + W), whatever the latencies: a unit consumed in the
window belongs to a request granted before t + W and answered at t or later, since it is consumed between the two. Take
the last of these requests to be granted, at g < t + W. At g each of the others was in flight, or answered at t or
later, hence less than W ago: the ledger counted all of them and the new one, and the total was within the limit. The
bucket makes it smooth: it spreads the grants, so that the ledger hardly ever has to stop them.

What this leaves, and only this:

- A request that costs more than its estimate counts in full from its reply on, so a window can exceed the limit only
  by the excess of requests that were in flight at the last grant: at most one per worker. Estimates that are too low
  as a rule are raised by what replies taught.
- A request that likely costs more than 7 % of a window (one item costs up to 400 units) may come on top, one in any
  window: else the rest of a window would be left unused for want of a request that fits, up to half of the rate.
- A request that never got an answer counts as consumed, at its feared cost, when that was noticed.

The mean: the bucket allows 0.985 R, the ledger 1.02 R / (1 + latency / W), so 0.95 R is kept up to about 0.5 s of
latency. Amounts in the ledger are seconds' worth of the rate at the grant: after a change of the rate each window keeps
to what was allowed during it.

Waiters are served strictly in order: a large request cannot be starved by small ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from dynamodb_pipeline.rate.meter import Charge, RateMeter
from dynamodb_pipeline.rate.throttle import ThrottleResponse

Units = dict[str, float]  # resource ("table" or "index:<name>") -> read or write units

REQUEST_SHARE = 0.02  # of a window: the most one request should cost
PATIENCE_S = 1.0  # longest wait advised: when only a reply can make room, its length is not known

_Need = tuple[str, RateMeter, Charge]


class State(Enum):
    """Where a reservation stands."""

    WAITING = "waiting"
    GRANTED = "granted"
    ENDED = "ended"


@dataclass(eq=False)  # two requests for the same units are not the same request
class Reservation:
    """One request: asked for, granted, ended. Only the budget changes it."""

    estimate: Mapping[str, float]
    state: State = State.WAITING
    charges: dict[str, Charge] = field(default_factory=dict)


class Advance(NamedTuple):
    """What `RateBudget.advance` granted, and in how many seconds it should be called again."""

    granted: list[Reservation]
    wait_s: float | None  # None: nobody waits


NOBODY_WAITS = Advance([], None)


@dataclass(frozen=True)
class BudgetState:
    """A snapshot for progress and the run record; units are totals since the start, rates 0 while it is held."""

    rates: Units
    consumed: Units
    throttle_share: float
    throttle_count: int
    waiting_count: int
    in_flight_count: int


class RateBudget:
    """Grants requests of all workers, in order, within the allowed rates; one thread at a time."""

    def __init__(self, rates: Mapping[str, float], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._throttle = ThrottleResponse(clock=clock)
        self._queue: deque[Reservation] = deque()
        self._in_flight_count = 0
        self._held = False
        self._caps: Units = {}
        self._caps_share = 0.0  # the share they were made for; 0 means make them
        self._now = clock()
        self._resources = {name: RateMeter(_checked(name, rate)) for name, rate in rates.items()}

    def ask(self, estimate: Mapping[str, float]) -> Reservation:
        """Queue a request for `estimate` units, to be granted by `advance`; no rate means no limit."""
        if not self._queue:
            self._accrue()  # credit for the time in which nobody waited
        reservation = Reservation(estimate)
        self._queue.append(reservation)
        return reservation

    def advance(self) -> Advance:
        """Grant what can be granted now, first come first served."""
        if not self._queue:
            return NOBODY_WAITS
        self._accrue()
        if self._held:
            return Advance([], PATIENCE_S)
        share = self._throttle.share()
        granted: list[Reservation] = []
        while self._queue:
            needed = self._needed(self._queue[0])
            waits = [meter.wait_s(charge, share=share, now=self._now) for _, meter, charge in needed]
            wait_s = max(waits, default=0.0)
            if wait_s > 0.0:
                return Advance(granted, min(wait_s, PATIENCE_S))
            granted.append(self._grant(self._queue.popleft(), needed))
        return Advance(granted, None)

    def settle(self, reservation: Reservation, consumed: Mapping[str, float]) -> None:
        """End a granted request with the units it really consumed; resources not named consumed nothing."""
        self._end(reservation, consumed)
        for name, estimate in reservation.estimate.items():
            if name in self._resources and name in consumed:
                self._resources[name].learn(estimate, consumed[name])

    def forfeit(self, reservation: Reservation) -> None:
        """End a granted request that got no answer: it counts as consumed, at the worst known cost."""
        self._end(reservation, {name: charge.feared for name, charge in reservation.charges.items()})

    def withdraw(self, reservation: Reservation) -> None:
        """End a request that was certainly never sent: it leaves the queue, or its grant is taken back."""
        if reservation.state is State.WAITING:
            self._accrue()
            self._queue.remove(reservation)
            reservation.state = State.ENDED
        elif reservation.state is State.GRANTED:
            self._end(reservation, {})

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Allow other rates from now on, for waiters too; resources not named become unlimited."""
        self._accrue()
        checked = {name: _checked(name, rate) for name, rate in rates.items()}
        kept = {name: self._resources.get(name) or RateMeter(rate) for name, rate in checked.items()}
        for name, rate in checked.items():
            kept[name].set_rate(rate)
        self._resources = kept
        self._caps_share = 0.0

    def hold(self, held: bool) -> None:
        """Grant nothing while held, and let no credit grow; what is in flight is settled as ever."""
        self._accrue()
        self._held = held

    def throttled(self) -> None:
        """DynamoDB refused a request for want of capacity: go slower for a while."""
        self._accrue()
        self._throttle.throttled()

    def request_units_caps(self) -> Units:
        """
        Most units one request should be built to consume: a fiftieth of a window's worth (0.2 s of the rate).

        A request of a single item may be larger. Only resources with a rate have a cap. The same object until one
        changes.
        """
        share = self._throttle.share()
        if share != self._caps_share:
            self._caps_share = share
            self._caps = {
                name: meter.rate * meter.ledger.window_s * REQUEST_SHARE * share
                for name, meter in self._resources.items()
            }
        return self._caps

    def state(self) -> BudgetState:
        """Rates, totals and counts now."""
        throttle = self._throttle.state()
        return BudgetState(
            rates={name: 0.0 if self._held else meter.rate for name, meter in self._resources.items()},
            consumed={name: meter.consumed for name, meter in self._resources.items()},
            throttle_share=throttle.share,
            throttle_count=throttle.throttle_count,
            waiting_count=len(self._queue),
            in_flight_count=self._in_flight_count,
        )

    def _accrue(self) -> None:
        now = self._clock()
        grown_s = 0.0 if self._held else max(0.0, now - self._now) * self._throttle.share()
        self._now = max(now, self._now)
        head = self._queue[0].estimate if self._queue else {}
        for name, meter in self._resources.items():
            meter.accrue(grown_s, waiting=head.get(name, 0.0))

    def _needed(self, reservation: Reservation) -> list[_Need]:
        """The resources with a rate that the request needs, and what it takes of each."""
        meters, estimate = self._resources, reservation.estimate
        return [(name, meters[name], meters[name].charge(units)) for name, units in estimate.items() if name in meters]

    def _grant(self, reservation: Reservation, needed: list[_Need]) -> Reservation:
        for name, meter, charge in needed:
            meter.grant(charge)
            reservation.charges[name] = charge
        reservation.state = State.GRANTED
        self._in_flight_count += 1
        return reservation

    def _end(self, reservation: Reservation, consumed: Mapping[str, float]) -> None:
        if reservation.state is not State.GRANTED:
            msg = f"a reservation is ended once, after its grant; this one is {reservation.state.value}"
            raise ValueError(msg)
        self._accrue()
        reservation.state = State.ENDED
        self._in_flight_count -= 1
        for name, meter in self._resources.items():
            meter.end(reservation.charges.get(name), consumed.get(name, 0.0), now=self._now)


def _checked(name: str, rate: float) -> float:
    if not (math.isfinite(rate) and rate > 0):
        msg = f"the rate of {name} must be a number of units/s above 0, not {rate}"
        raise ValueError(msg)
    return rate
