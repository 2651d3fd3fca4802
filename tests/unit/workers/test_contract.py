"""A metered request: however it ends, its grant is ended, and by what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dynamodb_pipeline.aws.request_errors import BadReply, Denied, Rejected, Throttled, ThrottleReason, Transient
from dynamodb_pipeline.workers.contract import CoordinatorLost, Grant, NotSent, RunStopped, metered
from tests.unit.workers.fake_grants import FakeGrants

ESTIMATE = {"table": 5.0}
HOT_KEY = ThrottleReason("TableReadKeyRangeThroughputExceeded", "arn")


def throttled(*reasons: ThrottleReason) -> Throttled:
    error = Throttled("slow down", code="ThrottlingException")
    error.reasons = reasons
    return error


def test_an_answered_request_is_settled_by_what_it_consumed() -> None:
    grants = FakeGrants()
    assert metered(grants, ESTIMATE, lambda: ("page", {"table": 3.5, "index:a": 1.0})) == "page"
    assert grants.log == [("reserve", ESTIMATE), ("settle", 1, {"table": 3.5, "index:a": 1.0}, False)]


@pytest.mark.parametrize("held_back", [True, False])
def test_a_reply_can_say_that_some_of_it_was_held_back(held_back: bool) -> None:
    grants = FakeGrants()
    metered(grants, ESTIMATE, lambda: (held_back, {"table": 1.0}), held_back=bool)
    assert grants.settled == [("settle", 1, {"table": 1.0}, held_back)]


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (Transient("no reply", code="connection reset"), ("forfeit", 1)),
        (BadReply("damaged", code="bad reply"), ("forfeit", 1)),
        (throttled(), ("settle", 1, {}, True)),
        (throttled(HOT_KEY), ("settle", 1, {}, False)),
        (Rejected("no", code="ValidationException"), ("settle", 1, {}, False)),
        (Denied("no", code="AccessDeniedException"), ("settle", 1, {}, False)),
        (NotSent(), ("settle", 1, {}, False)),
        (KeyError("a bug after the request went out"), ("forfeit", 1)),
        (RunStopped("the run ends"), ("forfeit", 1)),
        (KeyboardInterrupt(), ("forfeit", 1)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failed_request_ends_its_grant_by_what_may_have_happened(
    error: BaseException, ended: tuple[object, ...]
) -> None:
    grants = FakeGrants()

    def send() -> tuple[None, Mapping[str, float]]:
        raise error

    with pytest.raises(type(error)) as raised:
        metered(grants, ESTIMATE, send)
    assert raised.value is error
    assert grants.settled == [ended]


def test_nothing_is_sent_without_a_grant() -> None:
    def stopped() -> None:
        raise RunStopped("the run ends")

    sent: list[int] = []

    def send() -> tuple[None, Mapping[str, float]]:
        sent.append(1)
        return None, {}

    with pytest.raises(RunStopped):
        metered(FakeGrants(before_grant=stopped), ESTIMATE, send)
    assert sent == []


class LostGrants(FakeGrants):
    """The driver goes away while the request is out."""

    def forfeit(self, grant: Grant) -> Any:
        raise CoordinatorLost("the driver does not answer")


def test_a_lost_driver_does_not_hide_the_first_error() -> None:
    def send() -> tuple[None, Mapping[str, float]]:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        metered(LostGrants(), ESTIMATE, send)
