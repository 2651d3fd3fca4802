from __future__ import annotations

import logging
from dataclasses import replace
from typing import Callable

import pytest

from dynamodb_pipeline.aws.request_errors import BadReply, Denied, ErrorKind, Gone, Throttled, Transient, WireError
from dynamodb_pipeline.aws.retry import ATTEMPTS_MAX, GaveUp, GiveUp, Pacing, RetryPolicy, RetryState, call_with_retry
from dynamodb_pipeline.errors import ExitCode

REPEATED = [ErrorKind.THROTTLE, ErrorKind.TRANSIENT, ErrorKind.BAD_REPLY]
POLICY = RetryPolicy(base_s=1.0, cap_s=8.0)


class World:
    """A clock that moves only when somebody sleeps, and chance that always gives the same."""

    def __init__(self, *, chance: float = 1.0, policy: RetryPolicy = POLICY) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []
        self.pacing = Pacing(policy, clock=lambda: self.now_s, sleep=self.sleep, random=lambda: chance)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def failing(*errors: WireError, then: str = "done") -> Callable[[], str]:
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return then

    return attempt


def test_attempt_is_repeated_until_it_succeeds():
    world = World()
    assert call_with_retry(failing(Throttled("a"), Transient("b"), BadReply("c")), pacing=world.pacing) == "done"
    assert world.slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_delay_is_a_random_part_of_a_limit_that_doubles_up_to_the_cap(chance: float):
    state = RetryState(POLICY, now=0.0, random=lambda: chance)
    delays = [state.next(ErrorKind.THROTTLE, now=0.0) for _ in range(6)]
    assert delays == [chance * limit for limit in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0)]


@pytest.mark.parametrize("kind", REPEATED)
def test_each_kind_is_given_up_after_its_own_number_of_attempts(kind: ErrorKind):
    """Counting attempts, not repetitions: the limit-th failure is the last."""
    state = RetryState(POLICY, now=0.0, random=lambda: 0.0)
    decisions = [state.next(kind, now=0.0) for _ in range(ATTEMPTS_MAX[kind])]
    assert [isinstance(d, GiveUp) for d in decisions] == [False] * (ATTEMPTS_MAX[kind] - 1) + [True]


def test_kinds_are_counted_apart():
    state = RetryState(POLICY, now=0.0, random=lambda: 0.0)
    for _ in range(ATTEMPTS_MAX[ErrorKind.BAD_REPLY] - 1):
        assert state.next(ErrorKind.BAD_REPLY, now=0.0) == 0.0
        assert state.next(ErrorKind.TRANSIENT, now=0.0) == 0.0


def test_throttling_for_ever_ends_at_the_no_progress_deadline_of_fifteen_minutes():
    world = World(policy=RetryPolicy(), chance=1.0)

    def always() -> str:
        raise Throttled("too much", code="ThrottlingException")

    with pytest.raises(GaveUp, match=r"no progress for 900 s.*too much") as caught:
        call_with_retry(always, pacing=world.pacing)
    assert 880 < sum(world.slept) <= 900
    assert caught.value.exit_code is ExitCode.STOPPED
    assert isinstance(caught.value.last, Throttled)


def test_progress_puts_the_deadline_off_but_not_the_total():
    policy = replace(POLICY, no_progress_s=10.0, total_s=100.0)
    state = RetryState(policy, now=0.0, random=lambda: 0.0)
    for now in range(9, 100, 9):
        assert state.next(ErrorKind.THROTTLE, now=float(now)) == 0.0
        state.progressed(now=float(now))
    assert state.next(ErrorKind.THROTTLE, now=101.0) == GiveUp("not done within 100 s")
    assert state.next(ErrorKind.THROTTLE, now=110.0) == GiveUp("no progress for 10 s")


def test_progress_starts_delays_anew():
    state = RetryState(POLICY, now=0.0, random=lambda: 1.0)
    assert [state.next(ErrorKind.THROTTLE, now=0.0) for _ in range(3)] == [1.0, 2.0, 4.0]
    state.progressed(now=0.0)
    assert state.next(ErrorKind.THROTTLE, now=0.0) == 1.0


def test_delay_that_would_pass_the_deadline_is_not_slept():
    state = RetryState(replace(POLICY, no_progress_s=0.5), now=0.0, random=lambda: 1.0)
    assert isinstance(state.next(ErrorKind.TRANSIENT, now=0.0), GiveUp)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - set(REPEATED), key=str))
def test_kind_that_repeating_cannot_help_is_never_repeated(kind: ErrorKind):
    assert isinstance(RetryState(POLICY, now=0.0).next(kind, now=0.0), GiveUp)


@pytest.mark.parametrize("final", [Denied("no"), Gone("no")])
def test_error_that_repeating_cannot_help_is_raised_as_it_is(final: WireError):
    world = World()
    with pytest.raises(type(final)) as caught:
        call_with_retry(failing(Transient("once"), final), pacing=world.pacing)
    assert caught.value is final
    assert len(world.slept) == 1


def test_damage_that_does_not_end_stops_the_run_and_it_can_be_resumed():
    world = World(chance=0.0)
    with pytest.raises(GaveUp, match="8 attempts") as caught:
        call_with_retry(failing(*[BadReply("crc")] * 100), pacing=world.pacing)
    assert caught.value.exit_code is ExitCode.STOPPED


def test_whatever_else_goes_wrong_is_no_reason_to_repeat():
    def attempt() -> str:
        raise KeyError("bug")

    world = World()
    with pytest.raises(KeyError):
        call_with_retry(attempt, pacing=world.pacing)
    assert world.slept == []


def test_failures_are_logged_ever_more_rarely(caplog: pytest.LogCaptureFixture):
    world = World(chance=0.0)
    with caplog.at_level(logging.WARNING):
        call_with_retry(failing(*[Throttled("too much")] * 100), pacing=world.pacing)
    assert len(caplog.messages) == 7  # 1, 2, 4 ... 64
    assert "too much" in caplog.messages[0]
