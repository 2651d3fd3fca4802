"""
One request on its way through the rate budget, and what the budget tells about itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from dynamodb_pipeline.rate.meter import Charge
from dynamodb_pipeline.rate.units import Units


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
    """A snapshot for progress and the run record; units are totals since the start."""

    rates: Units
    consumed: Units
    throttle_share: float
    throttle_count: int
    waiting_count: int
    in_flight_count: int
