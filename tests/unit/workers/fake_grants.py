"""A coordinator's client that grants at once and writes down what it was told."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Callable

from dynamodb_pipeline.workers.contract import Grant


class FakeGrants:
    """
    Every grant gets the next number; `log` holds ("reserve", units), ("settle", n, units, throttled), ("forfeit", n).

    Args:
        before_grant: called in `reserve`; it may wait, or raise what a stopped run raises.
    """

    def __init__(self, *, cap_units: float = math.inf, before_grant: Callable[[], object] = lambda: None) -> None:
        self.cap_units = cap_units
        self.before_grant = before_grant
        self.log: list[tuple[Any, ...]] = []
        self.items = 0
        self.closed = False
        self._numbers = itertools.count(1)

    def reserve(self, estimate: Mapping[str, float]) -> Grant:
        self.before_grant()
        self.log.append(("reserve", dict(estimate)))
        return Grant(next(self._numbers))

    def settle(self, grant: Grant, consumed: Mapping[str, float], *, throttled: bool = False) -> None:
        self.log.append(("settle", grant.grant_id, dict(consumed), throttled))

    def forfeit(self, grant: Grant) -> None:
        self.log.append(("forfeit", grant.grant_id))

    def units_cap(self, resource: str = "table") -> float:
        return self.cap_units

    def take(self) -> dict[str, Any] | None:
        return None

    def finished(self, work_id: str, record: Mapping[str, Any], *, rest: Mapping[str, Any] | None = None) -> None:
        self.log.append(("finished", work_id))

    def failed(self, work_id: str, reason: str) -> None:
        self.log.append(("failed", work_id, reason))

    def progress(self, *, items: int = 0, bytes: int = 0) -> None:
        self.items += items

    def close(self) -> None:
        self.closed = True

    @property
    def settled(self) -> list[tuple[Any, ...]]:
        return [entry for entry in self.log if entry[0] != "reserve"]

    @property
    def estimates(self) -> list[float]:
        return [entry[1]["table"] for entry in self.log if entry[0] == "reserve"]
