"""What one call of the budget does: order, payment, debt, refusals. The rate promise: test_budget_promise.py."""

from __future__ import annotations

import math

import pytest

from dynamodb_pipeline.rate.budget import RateBudget, Reservation, State
from tests.unit.rate.rate_simulation import FakeClock

PACE = 0.985


class Desk:
    """A budget with a clock that is moved by hand."""

    def __init__(self, **rates: float) -> None:
        self.clock = FakeClock(0.0)
        self.budget = RateBudget(rates or {"table": 100.0}, clock=self.clock)

    def ask(self, units: float, resource: str = "table") -> Reservation:
        return self.budget.ask({resource: units})

    def wait(self, seconds: float) -> list[Reservation]:
        """What is granted `seconds` from now."""
        self.clock.now += seconds
        return self.budget.advance().granted

    def granted(self, units: float, *, after_s: float) -> Reservation:
        """A reservation that is granted only after `after_s` seconds."""
        reservation = self.ask(units)
        assert self.wait(after_s * 0.99) == []
        assert self.wait(after_s * 0.01 + 1e-6) == [reservation]
        return reservation


def test_nothing_is_granted_before_it_is_paid() -> None:
    desk = Desk(table=100.0)
    desk.granted(50.0, after_s=0.5 / PACE)


def test_advance_tells_when_to_come_back() -> None:
    desk = Desk(table=100.0)
    desk.ask(50.0)
    wait_s = desk.budget.advance().wait_s
    assert wait_s == pytest.approx(0.5 / PACE)
    desk.ask(1.0)
    assert desk.wait(0.0) == []
    assert len(desk.wait(wait_s)) == 1


def test_nobody_waiting_needs_no_call() -> None:
    assert Desk().budget.advance().wait_s is None


def test_waiting_is_told_at_most_a_second_ahead() -> None:
    desk = Desk(table=0.1)
    desk.ask(400.0)
    assert desk.budget.advance().wait_s == 1.0


def test_an_idle_hour_leaves_only_a_fifth_of_a_second() -> None:
    desk = Desk(table=100.0)
    desk.clock.now += 3600
    desk.ask(20.0)
    desk.ask(20.0)
    assert len(desk.wait(0.0)) == 1


def test_small_requests_do_not_overtake_a_large_one() -> None:
    desk = Desk(table=10.0)
    large, small = desk.ask(400.0), desk.ask(1.0)
    granted = []
    for _ in range(60):
        granted += desk.wait(1.0)
    assert granted == [large, small]


def test_what_was_consumed_beyond_the_estimate_is_paid_back() -> None:
    desk = Desk(table=100.0)
    first = desk.granted(1.0, after_s=0.01 / PACE)
    desk.budget.settle(first, {"table": 101.0})
    desk.ask(0.001)
    assert desk.wait(0.99 / PACE) == []
    assert len(desk.wait(0.2)) == 1


def test_what_was_charged_too_much_comes_back() -> None:
    desk = Desk(table=100.0)
    first = desk.granted(20.0, after_s=0.2 / PACE)
    desk.budget.settle(first, {"table": 5.0})
    desk.ask(15.0)
    assert len(desk.wait(0.0)) == 1


def test_an_unanswered_request_counts_as_consumed() -> None:
    desk = Desk(table=100.0)
    desk.budget.forfeit(desk.granted(20.0, after_s=0.2 / PACE))
    assert desk.budget.state().consumed == {"table": 20.0}
    desk.granted(20.0, after_s=0.2 / PACE)


def test_a_grant_that_was_never_sent_is_given_back() -> None:
    desk = Desk(table=100.0)
    desk.budget.withdraw(desk.granted(20.0, after_s=0.2 / PACE))
    assert desk.budget.state().consumed == {"table": 0.0}
    desk.ask(20.0)
    assert len(desk.wait(0.0)) == 1


def test_a_waiter_that_leaves_is_charged_nothing_and_lets_the_next_pass() -> None:
    desk = Desk(table=1.0)
    large, small = desk.ask(400.0), desk.ask(1.0)
    desk.budget.withdraw(large)
    assert large.state is State.ENDED
    assert desk.wait(1.1) == [small]


def test_a_full_window_waits_for_the_oldest_answer_to_leave_it() -> None:
    """With requests in flight for ever only replies make room; then the wait is told as a second."""
    desk = Desk(table=100.0)
    held = []
    for _ in range(2000):
        desk.ask(20.0)
        held += desk.wait(0.05)
    assert len(held) == 51  # 1.02 x 10 s x 100 units/s in requests of 20
    assert desk.budget.advance().wait_s == 1.0
    desk.budget.settle(held[0], {"table": 0.0})
    assert len(desk.wait(0.0)) == 1


def test_a_request_must_fit_every_resource() -> None:
    clock = FakeClock(0.0)
    budget = RateBudget({"table": 1000.0, "index:by-date": 10.0}, clock=clock)
    budget.ask({"table": 10.0, "index:by-date": 10.0})
    clock.now += 0.5
    assert budget.advance().granted == []
    clock.now += 0.6
    assert len(budget.advance().granted) == 1


def test_resources_without_a_rate_are_unlimited() -> None:
    desk = Desk(table=1.0)
    desk.ask(1e6, "index:unknown")
    assert len(desk.wait(0.0)) == 1
    assert desk.budget.request_units_cap("index:unknown") == math.inf


def test_an_index_that_was_not_foreseen_is_charged_on_the_reply() -> None:
    clock = FakeClock(0.0)
    budget = RateBudget({"table": 100.0, "index:by-date": 10.0}, clock=clock)
    clock.now += 0.02
    first = budget.ask({"table": 1.0})
    assert budget.advance().granted == [first]
    budget.settle(first, {"table": 1.0, "index:by-date": 20.0})
    budget.ask({"table": 1.0, "index:by-date": 1.0})
    clock.now += 2.0
    assert budget.advance().granted == []
    clock.now += 0.3
    assert len(budget.advance().granted) == 1


def test_new_rates_hold_for_those_who_wait_already() -> None:
    desk = Desk(table=1.0)
    desk.ask(50.0)
    assert desk.wait(0.0) == []
    desk.budget.set_rates({"table": 100.0})
    assert desk.wait(0.5 / PACE + 1e-6)


def test_a_lower_rate_takes_saved_credit_away() -> None:
    desk = Desk(table=1000.0)
    desk.clock.now += 10.0
    desk.budget.set_rates({"table": 10.0})
    desk.ask(100.0)
    assert desk.wait(5.0) == []


def test_an_index_that_is_gone_limits_no_more() -> None:
    clock = FakeClock(0.0)
    budget = RateBudget({"table": 1000.0, "index:slow": 1.0}, clock=clock)
    reservation = budget.ask({"table": 1.0, "index:slow": 100.0})
    clock.now += 0.1
    assert budget.advance().granted == []
    budget.set_rates({"table": 1000.0})
    assert budget.advance().granted == [reservation]
    budget.settle(reservation, {"table": 1.0, "index:slow": 100.0})


@pytest.mark.parametrize(
    ("rate", "cap"), [(100.0, 20.0), (26.0, 5.2), (25.0, 30.0), (1.0, 1.2), (40_000.0, 8000.0)], ids=str
)
def test_a_request_is_built_for_a_fiftieth_of_a_window(rate: float, cap: float) -> None:
    assert Desk(table=rate).budget.request_units_cap("table") == pytest.approx(cap)


def test_the_request_cap_follows_rate_and_throttles() -> None:
    desk = Desk(table=100.0)
    desk.budget.set_rates({"table": 200.0})
    assert desk.budget.request_units_cap("table") == pytest.approx(40.0)
    desk.budget.throttled()
    assert desk.budget.request_units_cap("table") == pytest.approx(28.0)


def test_a_reservation_ends_once() -> None:
    desk = Desk(table=100.0)
    reservation = desk.granted(10.0, after_s=0.1 / PACE)
    desk.budget.settle(reservation, {"table": 10.0})
    with pytest.raises(ValueError, match="ended once"):
        desk.budget.forfeit(reservation)
    with pytest.raises(ValueError, match="waiting"):
        desk.budget.settle(desk.ask(1.0), {"table": 1.0})


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf], ids=str)
def test_a_rate_is_a_positive_number(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Desk(table=rate)
    desk = Desk(table=5.0)
    with pytest.raises(ValueError, match="above 0"):
        desk.budget.set_rates({"table": rate})
    assert desk.budget.state().rates == {"table": 5.0}


def test_state_counts_who_waits_and_what_is_in_flight() -> None:
    desk = Desk(table=100.0)
    desk.granted(10.0, after_s=0.1 / PACE)
    desk.ask(50.0)
    state = desk.budget.state()
    assert (state.waiting_count, state.in_flight_count) == (1, 1)
    desk.budget.throttled()
    assert desk.budget.state().throttle_count == 1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    desk = Desk(table=100.0)
    desk.clock.now = 10.0
    desk.ask(50.0)
    desk.wait(0.0)
    desk.clock.now = 5.0
    assert desk.wait(0.0) == []
    assert len(desk.wait(5.6)) == 1
