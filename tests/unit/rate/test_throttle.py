"""Throttles lower the rate quickly, once per burst, and it comes back within half a minute."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.rate.throttle import FLOOR, ThrottleResponse
from tests.unit.rate.rate_simulation import FakeClock


def response() -> tuple[ThrottleResponse, FakeClock]:
    clock = FakeClock()
    return ThrottleResponse(clock=clock), clock


def test_without_throttles_the_whole_rate_is_used() -> None:
    throttle, clock = response()
    clock.now += 1000
    assert throttle.share() == 1.0


def test_a_burst_of_throttles_cuts_once() -> None:
    """32 workers throttled by one full second of capacity are one sign, not thirty-two."""
    throttle, clock = response()
    for _ in range(32):
        throttle.throttled()
        clock.now += 0.01
    assert throttle.share() == pytest.approx(0.7)
    assert throttle.state().throttle_count == 32


def test_each_second_with_throttles_cuts_again() -> None:
    throttle, clock = response()
    for _ in range(3):
        throttle.throttled()
        clock.now += 1.0
    assert throttle.share() == pytest.approx(0.7**3)


def test_throttling_for_ever_ends_at_the_floor_not_at_nothing() -> None:
    throttle, clock = response()
    for _ in range(100):
        throttle.throttled()
        clock.now += 1.0
    assert throttle.share() == FLOOR


def test_95_percent_are_back_within_30_seconds_of_the_last_throttle() -> None:
    throttle, clock = response()
    for _ in range(100):
        throttle.throttled()
        clock.now += 1.0
    clock.now += 29.0 - 1.0
    assert throttle.share() >= 0.95
    clock.now += 5.0
    assert throttle.share() == 1.0


def test_it_does_not_climb_while_throttles_go_on() -> None:
    throttle, clock = response()
    throttle.throttled()
    clock.now += 1.9
    assert throttle.share() == pytest.approx(0.7)


def test_the_climb_does_not_depend_on_how_often_one_asks() -> None:
    often, often_clock = response()
    once, once_clock = response()
    for throttle in (often, once):
        throttle.throttled()
    for _ in range(600):
        often_clock.now += 0.01
        often.share()
    once_clock.now += 6.0
    assert often.share() == pytest.approx(once.share())
    assert once.share() == pytest.approx(0.7 + 0.035 * 4.0)


def test_the_application_goes_first() -> None:
    """A table that throttles whenever more than half the rate is used: we settle below the half, mostly."""
    throttle, clock = response()
    shares = []
    for step in range(1200):
        clock.now += 0.1
        if throttle.share() > 0.5:
            throttle.throttled()
        if step > 300:
            shares.append(throttle.share())
    assert sum(shares) / len(shares) < 0.5
    assert sum(share > 0.5 for share in shares) / len(shares) < 0.05
