"""Calls are repeated while they are throttled or unanswered, within a bounded time, and never otherwise."""

from __future__ import annotations

from typing import Callable

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from dynamodb_pipeline.emr.calls.patient_calls import patient
from dynamodb_pipeline.errors import ClusterError, DeniedError

WHAT = "elasticmapreduce:ListSteps"
UNANSWERED = EndpointConnectionError(endpoint_url="https://elasticmapreduce.example")


class FakeClock:
    def __init__(self) -> None:
        self.at_s, self.slept = 1000.0, list[float]()

    def now(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds


def refused(code: str, *, status: int = 400) -> ClientError:
    reply = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(reply, "ListSteps")


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def test_throttled_and_unanswered_calls_are_repeated_with_longer_pauses_up_to_a_minute() -> None:
    clock = FakeClock()
    errors = [refused("ThrottlingException"), UNANSWERED, refused("InternalFailure", status=500), *[UNANSWERED] * 3]
    assert patient(failing(*errors), what=WHAT, clock=clock, jitter=lambda: 1.0) == "answer"
    assert clock.slept == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_no_pause_is_shorter_than_a_second() -> None:
    clock = FakeClock()
    patient(failing(UNANSWERED, UNANSWERED), what=WHAT, clock=clock, jitter=lambda: 0.0)
    assert clock.slept == [1.0, 1.0]


@pytest.mark.parametrize(("chance", "attempts"), [(1.0, 18), (0.0, 60)], ids=["time is over", "attempts are over"])
def test_contact_is_lost_after_a_quarter_of_an_hour_or_sixty_attempts(chance: float, attempts: int) -> None:
    clock, calls = FakeClock(), list[int]()

    def call() -> str:
        calls.append(1)
        raise refused("ThrottlingException")

    with pytest.raises(ClusterError, match=rf"lost contact: {WHAT} failed for .* \(ThrottlingException\)"):
        patient(call, what=WHAT, clock=clock, jitter=lambda: chance)
    assert (len(calls), clock.now() - 1000 <= 900) == (attempts, True)


def test_missing_permission_is_said_at_once() -> None:
    clock = FakeClock()
    with pytest.raises(DeniedError, match=WHAT):
        patient(failing(refused("AccessDeniedException")), what=WHAT, clock=clock)
    assert clock.slept == []


def test_whatever_else_happens_comes_as_it_is() -> None:
    err, clock = refused("ValidationException"), FakeClock()
    with pytest.raises(ClientError) as raised:
        patient(failing(err), what=WHAT, clock=clock)
    assert raised.value is err
    assert clock.slept == []
