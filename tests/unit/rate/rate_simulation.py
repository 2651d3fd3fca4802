"""
A job in simulated time: workers, a service that consumes units some time after the grant, and the judge.

The judge sees only what a server would see: when which units were consumed. It knows nothing of buckets or ledgers.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Units = Mapping[str, float]


class FakeClock:
    """A clock that only the simulation moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Request:
    """What a worker asks for and what the service will really take."""

    estimate: Units
    consumed: Units
    latency_s: float
    answered: bool = True

    @property
    def excess(self) -> dict[str, float]:
        """By how much each resource's estimate was too low."""
        return {name: max(0.0, units - self.estimate.get(name, 0.0)) for name, units in self.consumed.items()}


class ServerLog:
    """What the server saw: when which units were consumed, in seconds from the start of the run."""

    def __init__(self, start_s: float) -> None:
        self.start_s = start_s
        self.requests: list[tuple[float, Request]] = []

    def note(self, at_s: float, request: Request) -> None:
        self.requests.append((at_s - self.start_s, request))

    def worst_window(self, name: str, *, window_s: float, from_s: float = 0.0) -> float:
        """Most units in any window [t, t + `window_s`) with t at `from_s` or later."""
        seen = [(at_s, request.consumed.get(name, 0.0)) for at_s, request in self.requests if at_s >= from_s]
        return _worst_window(seen, window_s)

    def worst_unanswered_excess(self, name: str, *, window_s: float) -> float:
        """Most units in a window by which estimates of requests without an answer were too low."""
        lost = [(at_s, request.excess.get(name, 0.0)) for at_s, request in self.requests if not request.answered]
        return _worst_window(lost, window_s)

    def mean(self, name: str, *, from_s: float = 0.0, to_s: float) -> float:
        """Units per second between two seconds."""
        units = (request.consumed.get(name, 0.0) for at_s, request in self.requests if from_s <= at_s < to_s)
        return sum(units) / (to_s - from_s)

    def largest_excess(self, name: str) -> float:
        """Largest amount by which one request passed its estimate."""
        return max((request.excess.get(name, 0.0) for _, request in self.requests), default=0.0)

    def largest_above(self, name: str, limit: float) -> float:
        """Most units of one request that cost, or was believed to cost, more than `limit`; 0 without one."""
        large = (
            request.consumed.get(name, 0.0)
            for _, request in self.requests
            if max(request.consumed.get(name, 0.0), request.estimate.get(name, 0.0)) > limit
        )
        return max(large, default=0.0)


def _worst_window(seen: list[tuple[float, float]], window_s: float) -> float:
    seen.sort()
    worst = total = 0.0
    first = 0
    for at_s, units in seen:
        total += units
        while seen[first][0] <= at_s - window_s:
            total -= seen[first][1]
            first += 1
        worst = max(worst, total)
    return worst


ServedAt = Callable[[float, float, random.Random], float]


def anywhere(granted_s: float, answered_s: float, randomness: random.Random) -> float:
    """The service consumes at some moment between grant and answer."""
    return randomness.uniform(granted_s, answered_s)


class Simulation:
    """Runs `worker_count` workers, each with one request at a time, against a budget."""

    def __init__(
        self,
        budget: Any,
        *,
        clock: FakeClock,
        worker_count: int,
        next_request: Callable[[Any, random.Random], Request | None],
        seed: int,
        served_at: ServedAt = anywhere,
    ) -> None:
        self.budget = budget
        self.clock = clock
        self.log = ServerLog(clock.now)
        self.grant_order: list[Any] = []
        self._random = random.Random(seed)
        self._next_request = next_request
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._requests: dict[Any, Request] = {}
        self._served_at = served_at
        self._pump_at_s = float("inf")
        for _ in range(worker_count):
            self.at(0.0, self._ask)

    def at(self, second: float, action: Callable[[], None]) -> None:
        """Do `action` at a second counted from the start."""
        self._push(self.log.start_s + second, action)

    def run(self, until_s: float) -> ServerLog:
        """Run to a second counted from the start; returns what the server saw."""
        end_s = self.log.start_s + until_s
        while self._events and self._events[0][0] <= end_s:
            at_s, _, action = heapq.heappop(self._events)
            self.clock.now = at_s
            action()
            self._pump()
        return self.log

    def _push(self, at_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_s, next(self._order), action))

    def _ask(self) -> None:
        request = self._next_request(self.budget, self._random)
        if request is not None:
            reservation = self.budget.ask(request.estimate)
            self._requests[reservation] = request

    def _pump(self) -> None:
        advance = self.budget.advance()
        for reservation in advance.granted:
            self._send(reservation, self._requests.pop(reservation))
        due_s = self.clock.now + max(advance.wait_s or 0.0, 1e-6)
        if advance.wait_s is not None and not self.clock.now < self._pump_at_s <= due_s:
            self._pump_at_s = due_s
            self._push(due_s, lambda: None)

    def _send(self, reservation: Any, request: Request) -> None:
        self.grant_order.append(request)
        now = self.clock.now
        self.log.note(self._served_at(now, now + request.latency_s, self._random), request)
        self._push(now + request.latency_s, lambda: self._answer(reservation, request))

    def _answer(self, reservation: Any, request: Request) -> None:
        if request.answered:
            self.budget.settle(reservation, request.consumed)
        else:
            self.budget.forfeit(reservation)
        self._ask()
