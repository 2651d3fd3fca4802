"""What one call of the budget does: order, payment, debt, refusals. The rate promise: test_budget_promise.py."""

from __future__ import annotations

import math

import pytest

from dynamodb_pipeline.rate.budget import RateBudget, Reservation, State
from tests.unit.rate.rate_simulation import FakeClock

PACE = 0.985


class Scene:
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
    scene = Scene(table=100.0)
    scene.granted(50.0, after_s=0.5 / PACE)


def test_advance_tells_when_to_come_back() -> None:
    scene = Scene(table=100.0)
    scene.ask(50.0)
    wait_s = scene.budget.advance().wait_s
    assert wait_s == pytest.approx(0.5 / PACE)
    scene.ask(1.0)
    assert scene.wait(0.0) == []
    assert len(scene.wait(wait_s)) == 1


def test_nobody_waiting_needs_no_call() -> None:
    assert Scene().budget.advance().wait_s is None


def test_waiting_is_told_at_most_a_second_ahead() -> None:
    scene = Scene(table=0.1)
    scene.ask(400.0)
    assert scene.budget.advance().wait_s == 1.0


def test_an_idle_hour_leaves_only_a_fifth_of_a_second() -> None:
    scene = Scene(table=100.0)
    scene.clock.now += 3600
    scene.ask(20.0)
    scene.ask(20.0)
    assert len(scene.wait(0.0)) == 1


def test_small_requests_do_not_overtake_a_large_one() -> None:
    scene = Scene(table=10.0)
    large, small = scene.ask(400.0), scene.ask(1.0)
    granted = []
    for _ in range(60):
        granted += scene.wait(1.0)
    assert granted == [large, small]


def test_what_was_consumed_beyond_the_estimate_is_paid_back() -> None:
    scene = Scene(table=100.0)
    first = scene.granted(1.0, after_s=0.01 / PACE)
    scene.budget.settle(first, {"table": 101.0})
    scene.ask(0.001)
    assert scene.wait(0.99 / PACE) == []
    assert len(scene.wait(0.2)) == 1


def test_what_was_charged_too_much_comes_back() -> None:
    scene = Scene(table=100.0)
    first = scene.granted(20.0, after_s=0.2 / PACE)
    scene.budget.settle(first, {"table": 5.0})
    scene.ask(15.0)
    assert len(scene.wait(0.0)) == 1


def test_an_unanswered_request_counts_as_consumed() -> None:
    scene = Scene(table=100.0)
    scene.budget.forfeit(scene.granted(20.0, after_s=0.2 / PACE))
    assert scene.budget.state().consumed == {"table": 20.0}
    scene.granted(20.0, after_s=0.2 / PACE)


def test_a_grant_that_was_never_sent_is_given_back() -> None:
    scene = Scene(table=100.0)
    scene.budget.withdraw(scene.granted(20.0, after_s=0.2 / PACE))
    assert scene.budget.state().consumed == {"table": 0.0}
    scene.ask(20.0)
    assert len(scene.wait(0.0)) == 1


def test_a_waiter_that_leaves_is_charged_nothing_and_lets_the_next_pass() -> None:
    scene = Scene(table=1.0)
    large, small = scene.ask(400.0), scene.ask(1.0)
    scene.budget.withdraw(large)
    assert large.state is State.ENDED
    assert scene.wait(1.1) == [small]


def test_a_full_window_waits_for_the_oldest_answer_to_leave_it() -> None:
    """With requests in flight for ever only replies make room; then the wait is told as a second."""
    scene = Scene(table=100.0)
    held = []
    for _ in range(2000):
        scene.ask(20.0)
        held += scene.wait(0.05)
    assert len(held) == 51  # 1.02 x 10 s x 100 units/s in requests of 20
    assert scene.budget.advance().wait_s == 1.0
    scene.budget.settle(held[0], {"table": 0.0})
    assert len(scene.wait(0.0)) == 1


def test_a_request_must_fit_every_resource() -> None:
    clock = FakeClock(0.0)
    budget = RateBudget({"table": 1000.0, "index:by-date": 10.0}, clock=clock)
    budget.ask({"table": 10.0, "index:by-date": 10.0})
    clock.now += 0.5
    assert budget.advance().granted == []
    clock.now += 0.6
    assert len(budget.advance().granted) == 1


def test_resources_without_a_rate_are_unlimited() -> None:
    scene = Scene(table=1.0)
    scene.ask(1e6, "index:unknown")
    assert len(scene.wait(0.0)) == 1
    assert "index:unknown" not in scene.budget.request_units_caps()


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
    scene = Scene(table=1.0)
    scene.ask(50.0)
    assert scene.wait(0.0) == []
    scene.budget.set_rates({"table": 100.0})
    assert scene.wait(0.5 / PACE + 1e-6)


def test_a_lower_rate_takes_saved_credit_away() -> None:
    scene = Scene(table=1000.0)
    scene.clock.now += 10.0
    scene.budget.set_rates({"table": 10.0})
    scene.ask(100.0)
    assert scene.wait(5.0) == []


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
    assert Scene(table=rate).budget.request_units_caps()["table"] == pytest.approx(cap)


def test_the_request_cap_follows_rate_and_throttles() -> None:
    scene = Scene(table=100.0)
    scene.budget.set_rates({"table": 200.0})
    assert scene.budget.request_units_caps()["table"] == pytest.approx(40.0)
    scene.budget.throttled()
    assert scene.budget.request_units_caps()["table"] == pytest.approx(28.0)


def test_a_reservation_ends_once() -> None:
    scene = Scene(table=100.0)
    reservation = scene.granted(10.0, after_s=0.1 / PACE)
    scene.budget.settle(reservation, {"table": 10.0})
    with pytest.raises(ValueError, match="ended once"):
        scene.budget.forfeit(reservation)
    with pytest.raises(ValueError, match="waiting"):
        scene.budget.settle(scene.ask(1.0), {"table": 1.0})


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf], ids=str)
def test_a_rate_is_a_positive_number(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Scene(table=rate)
    scene = Scene(table=5.0)
    with pytest.raises(ValueError, match="above 0"):
        scene.budget.set_rates({"table": rate})
    assert scene.budget.state().rates == {"table": 5.0}


def test_state_counts_who_waits_and_what_is_in_flight() -> None:
    scene = Scene(table=100.0)
    scene.granted(10.0, after_s=0.1 / PACE)
    scene.ask(50.0)
    state = scene.budget.state()
    assert (state.waiting_count, state.in_flight_count) == (1, 1)
    scene.budget.throttled()
    assert scene.budget.state().throttle_count == 1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    scene = Scene(table=100.0)
    scene.clock.now = 10.0
    scene.ask(50.0)
    scene.wait(0.0)
    scene.clock.now = 5.0
    assert scene.wait(0.0) == []
    assert len(scene.wait(5.6)) == 1


def test_a_held_budget_grants_nothing_and_saves_nothing() -> None:
    """Who waited goes on where he was: an hour of pause is worth no unit."""
    scene = Scene(table=100.0)
    scene.ask(50.0)
    assert scene.wait(0.25 / PACE) == []
    scene.budget.hold(True)
    assert scene.wait(3600.0) == []
    assert scene.budget.state().rates == {"table": 0.0}
    scene.budget.hold(False)
    assert scene.budget.state().rates == {"table": 100.0}
    assert scene.wait(0.24 / PACE) == []
    assert len(scene.wait(0.02)) == 1


def test_what_is_in_flight_is_settled_while_held() -> None:
    scene = Scene(table=100.0)
    first = scene.granted(1.0, after_s=0.01 / PACE)
    scene.budget.hold(True)
    scene.budget.settle(first, {"table": 1.0})
    assert (first.state, scene.budget.state().in_flight_count) == (State.ENDED, 0)
