"""
The rate promise, judged by what a server would see: every window and the mean, over many simulated jobs.

The judge must be able to fail: the last tests hand it buckets with the classic faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.rate import budget as budget_module
from dynamodb_pipeline.rate import window
from dynamodb_pipeline.rate.budget import Advance, RateBudget
from tests.unit.rate.rate_simulation import FakeClock, Request, ServedAt, ServerLog, Simulation, anywhere

ITEMS_MAX = 25  # of one BatchWriteItem
LARGE = 0.07  # of a window: above it, one request may come on top


def window_of(rate: float) -> float:
    return 60.0 if rate <= 25 else 10.0


@dataclass(frozen=True)
class Job:
    """One simulated job: workers that fill requests up to the budget's cap, one item at least."""

    rate: float
    worker_count: int = 8
    costs: tuple[float, ...] = (1.0,)
    errors: tuple[float, ...] = (1.0,)  # estimate / consumed
    latencies_s: tuple[float, float] = (0.001, 0.02)
    lost_share: float = 0.0  # requests that are never answered
    seed: int = 0

    def next_request(self, budget: Any, randomness: random.Random) -> Request:
        cap, units = budget.request_units_caps()["table"], randomness.choice(self.costs)
        for _ in range(ITEMS_MAX - 1):
            more = randomness.choice(self.costs)
            if units + more > cap:
                break
            units += more
        return Request(
            {"table": units * randomness.choice(self.errors)},
            {"table": units},
            randomness.uniform(*self.latencies_s),
            answered=randomness.random() >= self.lost_share,
        )

    def run(
        self, duration_s: float, *, budget_of: Callable[..., Any] = RateBudget, served_at: ServedAt = anywhere
    ) -> ServerLog:
        clock = FakeClock()
        simulation = Simulation(
            budget_of({"table": self.rate}, clock=clock),
            clock=clock,
            worker_count=self.worker_count,
            next_request=self.next_request,
            seed=self.seed,
            served_at=served_at,
        )
        return simulation.run(duration_s)

    def judge(self, log: ServerLog) -> None:
        """The promise: every window within 1.02 of the rate, plus what the budget could not know."""
        worth = self.rate * window_of(self.rate)
        unknowable = self.worker_count * log.largest_excess("table")
        unknowable += log.worst_unanswered_excess("table", window_s=window_of(self.rate))
        limit = 1.02 * worth + unknowable + log.largest_above("table", LARGE * worth)
        assert log.worst_window("table", window_s=window_of(self.rate)) <= limit * (1 + 1e-9)


SMALL = (1.0, 1.0, 2.0, 4.0)
MIXED = (1.0, 1.0, 1.0, 2.0, 5.0, 20.0, 100.0, 400.0)
ERRORS = (0.25, 0.5, 1.0, 2.0, 4.0)

jobs = st.builds(
    Job,
    rate=st.one_of(st.sampled_from([0.5, 1.0, 5.0, 25.0, 25.5, 100.0]), st.floats(0.5, 400.0)),
    worker_count=st.sampled_from([1, 2, 8, 32]),
    costs=st.sampled_from([(1.0,), SMALL, MIXED, (400.0,)]),
    errors=st.lists(st.sampled_from(ERRORS), min_size=1, max_size=4).map(tuple),
    latencies_s=st.tuples(st.floats(0.001, 0.01), st.sampled_from([0.01, 0.1, 0.5, 3.0])),
    lost_share=st.sampled_from([0.0, 0.0, 0.1]),
    seed=st.integers(0, 2**16),
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(job=jobs)
def test_every_window_keeps_the_promise(job: Job) -> None:
    """Any number of workers, wrong estimates, items of up to 400 units, lost answers, slow answers."""
    job.judge(job.run(4 * window_of(job.rate)))


@pytest.mark.parametrize("worker_count", [1, 2, 8, 32])
@pytest.mark.parametrize("rate", [1.0, 5.0, 25.0, 100.0, 1000.0])
def test_known_costs_stay_within_102_percent_and_use_95(rate: float, worker_count: int) -> None:
    """With estimates that are right nothing comes on top, from the first second on, and the rate is used."""
    job = Job(rate, worker_count, costs=SMALL, seed=worker_count)
    duration_s = 10 * window_of(rate)
    log = job.run(duration_s)
    worth = rate * window_of(rate)
    assert log.worst_window("table", window_s=window_of(rate)) <= 1.02 * worth
    assert log.mean("table", to_s=duration_s) >= 0.95 * rate


@pytest.mark.parametrize("rate", [40_000.0, 10_000.0])
def test_the_highest_rates_are_kept_and_used(rate: float) -> None:
    job = Job(rate, 32, costs=(1.0, 4.0), latencies_s=(0.004, 0.03))
    log = job.run(15.0)
    job.judge(log)
    assert log.worst_window("table", window_s=10.0) <= 1.02 * rate * 10
    assert log.mean("table", to_s=15.0) >= 0.95 * rate


@pytest.mark.parametrize("latency_s", [0.05, 0.2, 0.5], ids=str)
def test_slow_answers_cost_little(latency_s: float) -> None:
    """A request counts until a window after its answer, so latency costs its share of a window, no more."""
    job = Job(100.0, 32, costs=SMALL, latencies_s=(latency_s, latency_s))
    log = job.run(200.0)
    job.judge(log)
    assert log.mean("table", from_s=10.0, to_s=200.0) >= 0.95 * 100.0 * (1 - latency_s / 10)


@pytest.mark.parametrize("errors", [(0.25,), (0.5,), (2.0,), ERRORS], ids=str)
@pytest.mark.parametrize("worker_count", [2, 8])
def test_wrong_estimates_do_not_waste_the_rate(errors: tuple[float, ...], worker_count: int) -> None:
    job = Job(100.0, worker_count, costs=SMALL, errors=errors, seed=3)
    log = job.run(300.0)
    job.judge(log)
    assert log.mean("table", from_s=10.0, to_s=300.0) >= 0.93 * 100.0


def test_estimates_that_are_always_too_low_are_soon_corrected() -> None:
    """After the first replies, windows are within 1.05 even though every estimate is a quarter."""
    log = Job(1000.0, 32, costs=(4.0,), errors=(0.25,), latencies_s=(0.05, 0.2)).run(60.0)
    assert log.worst_window("table", window_s=10.0, from_s=10.0) <= 1.05 * 10_000


def test_first_second_is_not_a_burst() -> None:
    """The connector's bucket starts full: 4.2 times the rate in its first second. Ours starts with nothing."""
    log = Job(250.0, 8, costs=(25.0,), latencies_s=(0.001, 0.005)).run(30.0)
    assert log.worst_window("table", window_s=1.0) <= 1.3 * 250
    assert log.mean("table", to_s=1.0) <= 250


def server_that_saves_up(granted_s: float, answered_s: float, _: random.Random) -> float:
    """All requests in flight are served in one moment, every 20 seconds: the worst a server can do."""
    saved = -(-granted_s // 20.0) * 20.0
    return saved if saved <= answered_s else granted_s


def test_a_server_that_saves_requests_up_cannot_break_a_window() -> None:
    job = Job(100.0, 64, costs=(4.0,), latencies_s=(2.0, 2.0))
    log = job.run(120.0, served_at=server_that_saves_up)
    assert log.worst_window("table", window_s=10.0) <= 1020
    assert log.mean("table", from_s=10.0, to_s=120.0) >= 100 * 0.8


def test_rates_below_one_are_kept_by_all_tasks_together() -> None:
    """10 % of one unit with 20 tasks: the connector gives every task one unit a second."""
    log = Job(0.1, 20).run(1000.0)
    assert log.worst_window("table", window_s=100.0) <= 10.5
    assert log.mean("table", to_s=1000.0) >= 0.09


def test_a_lower_capacity_holds_at_once_and_a_higher_one_is_used() -> None:
    clock = FakeClock()
    budget = RateBudget({"table": 1000.0}, clock=clock)
    job = Job(1000.0, 8, costs=SMALL)
    simulation = Simulation(budget, clock=clock, worker_count=8, next_request=job.next_request, seed=1)
    simulation.at(30.0, lambda: budget.set_rates({"table": 100.0}))
    simulation.at(60.0, lambda: budget.set_rates({"table": 500.0}))
    log = simulation.run(90.0)
    assert log.mean("table", from_s=10.0, to_s=30.0) >= 950
    lowered = [request.consumed["table"] for at_s, request in log.requests if 30.1 <= at_s < 60.0]
    assert sum(lowered) <= 100 * 30 * 1.02
    assert sum(lowered) >= 100 * 30 * 0.9
    assert log.mean("table", from_s=61.0, to_s=90.0) >= 0.95 * 500
    assert log.worst_window("table", window_s=10.0, from_s=60.0) <= 1.02 * 5000


def test_every_window_holds_while_the_rate_changes_ten_times_and_is_held() -> None:
    """Each window keeps to the highest rate that was allowed in it; what was held is not made up for."""
    clock = FakeClock()
    budget = RateBudget({"table": 200.0}, clock=clock)
    job = Job(200.0, 8, costs=SMALL)
    simulation = Simulation(budget, clock=clock, worker_count=8, next_request=job.next_request, seed=3)
    rates = [200.0, 400.0, 100.0, 300.0, 50.0, 500.0, 100.0, 200.0, 100.0, 400.0, 100.0]
    for number, rate in enumerate(rates):
        simulation.at(20.0 * number, lambda rate=rate: budget.set_rates({"table": rate}))
        simulation.at(20.0 * number + 15.0, lambda: budget.hold(True))
        simulation.at(20.0 * number + 18.0, lambda: budget.hold(False))
    log = simulation.run(20.0 * len(rates))
    seen = [(at_s, request.consumed["table"]) for at_s, request in log.requests]
    for start in range(0, 20 * len(rates) - 10):
        during = (max(0, start - 1), start, start + 10)  # a request is granted shortly before it is answered
        allowed = max(rates[at_s // 20] for at_s in during)
        built_for = rates[max(0, start // 20 - 1)]  # a request that waited through the change may come on top
        units = sum(units for at_s, units in seen if start <= at_s < start + 10)
        assert units <= 1.02 * 10 * allowed + budget_module.REQUEST_SHARE * 10 * built_for
    held = [at_s for at_s, _ in seen if 15.1 <= at_s % 20 < 18.0]
    assert held == []
    assert log.mean("table", to_s=20.0 * len(rates)) >= 0.9 * 17 / 20 * sum(rates) / len(rates)


def test_an_index_with_less_capacity_sets_the_pace() -> None:
    """A write is granted only when table and index allow it, and neither is exceeded."""
    clock = FakeClock()
    budget = RateBudget({"table": 1000.0, "index:by-date": 100.0}, clock=clock)

    def write(_: Any, randomness: random.Random) -> Request:
        units = {"table": 10.0, "index:by-date": randomness.choice([0.0, 5.0, 10.0])}
        return Request(units, units, 0.01)

    log = Simulation(budget, clock=clock, worker_count=8, next_request=write, seed=2).run(60.0)
    assert log.worst_window("index:by-date", window_s=10.0) <= 1020
    assert log.mean("index:by-date", to_s=60.0) >= 95


def test_throttles_lower_the_rate_and_it_returns() -> None:
    clock = FakeClock()
    budget = RateBudget({"table": 100.0}, clock=clock)
    job = Job(100.0, 4, costs=SMALL)
    simulation = Simulation(budget, clock=clock, worker_count=4, next_request=job.next_request, seed=5)
    for second in range(60, 120):
        simulation.at(float(second), budget.throttled)
    log = simulation.run(200.0)
    assert log.mean("table", from_s=20.0, to_s=60.0) >= 95
    assert log.mean("table", from_s=90.0, to_s=120.0) <= 20
    assert log.mean("table", from_s=150.0, to_s=200.0) >= 95


class NaiveBucket:
    """The bucket everybody writes: no order, no debt, no window; the faults to be caught are its arguments."""

    capacity_s = 5.0
    starts_full = False
    carries_debt = True

    def __init__(self, rates: Mapping[str, float], *, clock: Callable[[], float]) -> None:
        self._rate, self._clock, self._then = rates["table"], clock, clock()
        self._credit = self._rate * self.capacity_s if self.starts_full else 0.0
        self._queue: list[Any] = []

    def request_units_caps(self) -> dict[str, float]:
        return {"table": self._rate * 0.2}

    def ask(self, estimate: Mapping[str, float]) -> Any:
        self._queue.append(_Asked(estimate["table"]))
        return self._queue[-1]

    def advance(self) -> Advance:
        now = self._clock()
        self._credit = min(self._rate * self.capacity_s, self._credit + self._rate * (now - self._then))
        self._then, granted = now, []
        while self._queue and self._credit >= min(self._queue[0].units, self._rate * self.capacity_s):
            granted.append(self._queue.pop(0))
            self._credit -= granted[-1].units
        return Advance(granted, 0.01 if self._queue else None)

    def settle(self, asked: Any, consumed: Mapping[str, float]) -> None:
        if self.carries_debt:
            self._credit -= consumed["table"] - asked.units

    def forfeit(self, asked: Any) -> None:
        return


@dataclass(eq=False)
class _Asked:
    units: float


class FullBucket(NaiveBucket):
    """Starts with five seconds of credit, as the connector's."""

    starts_full = True


class ForgetfulBucket(NaiveBucket):
    """Never learns what a request really cost."""

    capacity_s = 0.2
    carries_debt = False


class NoWindowBudget(RateBudget):
    """Ours without its window ledger: a well-made bucket, no more."""

    def __init__(self, rates: Mapping[str, float], *, clock: Callable[[], float]) -> None:
        super().__init__(rates, clock=clock)
        for meter in self._resources.values():
            meter.ledger = _BlindLedger(meter.ledger.window_s)


class _BlindLedger(window.WindowLedger):
    def wait_s(self, cost: window.RequestCost, *, now: float) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("budget_of", "job", "served_at"),
    [
        pytest.param(FullBucket, Job(100.0, costs=SMALL), anywhere, id="starts-full"),
        pytest.param(ForgetfulBucket, Job(100.0, 1, costs=(4.0,), errors=(0.25,)), anywhere, id="no-debt"),
        pytest.param(
            NoWindowBudget,
            Job(100.0, 64, costs=(4.0,), latencies_s=(2.0, 2.0)),
            server_that_saves_up,
            id="no-window-ledger",
        ),
    ],
)
def test_the_judge_catches_a_budget_with_a_classic_fault(
    budget_of: Callable[..., Any], job: Job, served_at: ServedAt
) -> None:
    """The same job passes with the real budget and fails with the faulty one."""
    job.judge(job.run(60.0, served_at=served_at))
    faulty = job.run(60.0, budget_of=budget_of, served_at=served_at)
    with pytest.raises(AssertionError):
        job.judge(faulty)
