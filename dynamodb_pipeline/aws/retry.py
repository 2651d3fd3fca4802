"""
When a failed request is sent again, and when to give up; and every call of AWS that a job makes, with its bounds.

`RetryState` decides from numbers alone: kind of error, attempts so far, time. Delays are "full jitter": a random part
of a limit that doubles up to a cap, so that workers which failed together do not return together. Every bound holds at
once: attempts per kind of error, total time, and time without progress.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Callable, NamedTuple, TypeVar

from dynamodb_pipeline.aws.request_errors import ErrorKind, WireError
from dynamodb_pipeline.errors import PipelineError

T = TypeVar("T")

logger = logging.getLogger(__name__)

ATTEMPTS_MAX: Mapping[ErrorKind, int] = {
    ErrorKind.THROTTLE: 1000,
    ErrorKind.TRANSIENT: 200,
    ErrorKind.BAD_REPLY: 8,  # TCP and TLS check their bytes: repeated damage is no chance
}


@dataclass(frozen=True)
class RetryPolicy:
    """
    Bounds for sending again; all times in seconds.

    Attributes:
        base_s: limit of the first delay; each further one doubles it.
        cap_s: limit of every delay (DynamoDB's own SDKs stop at 20).
        least_s: what no delay is shorter than.
        no_progress_s: longest time without a success (default 15 min).
        total_s: longest time for one piece of work, progress or not.
    """

    base_s: float = 0.05
    cap_s: float = 20.0
    least_s: float = 0.0
    no_progress_s: float = 900.0
    total_s: float = 6 * 3600.0
    attempts_max: Mapping[ErrorKind, int] = field(default_factory=lambda: ATTEMPTS_MAX)


class CallRow(NamedTuple):
    """
    One operation of AWS as jobs call it.

    Attributes:
        policy: how long it is repeated. What is repeated at all is the error's `kind`, and when the bound is reached
            the run ends with the error's exit code: 5, resumable, for whatever may go well the next time.
        reply: members without which a reply is damaged (`ErrorKind.BAD_REPLY`) and never taken for an answer.
    """

    policy: RetryPolicy
    reply: tuple[str, ...] = ()


# The control plane and objects: one call is one piece of work, so its time and its time without progress are the same.
CALL_POLICY = RetryPolicy(
    base_s=0.1,
    cap_s=20.0,
    no_progress_s=600.0,
    total_s=600.0,
    attempts_max={ErrorKind.THROTTLE: 200, ErrorKind.TRANSIENT: 100, ErrorKind.BAD_REPLY: 8},
)
# The first word with a service: a wrong region or a closed network would not be better after ten minutes.
FIRST_CONTACT_POLICY = replace(CALL_POLICY, cap_s=5.0, no_progress_s=30.0, total_s=30.0)
# What is asked again a minute later anyway.
LOOK_POLICY = replace(CALL_POLICY, cap_s=1.0, no_progress_s=5.0, total_s=5.0)
DATA_POLICY = RetryPolicy()

# By the name that is sent: DynamoDB's operations go over our own wire, S3's are botocore's methods.
CALLS: Mapping[str, CallRow] = {
    "Scan": CallRow(DATA_POLICY, ("Items", "Count", "ScannedCount", "ConsumedCapacity")),
    "BatchWriteItem": CallRow(DATA_POLICY, ("UnprocessedItems", "ConsumedCapacity")),
    "PutItem": CallRow(DATA_POLICY, ("ConsumedCapacity",)),
    "DeleteItem": CallRow(DATA_POLICY, ("ConsumedCapacity",)),
    "DescribeTable": CallRow(CALL_POLICY, ("Table",)),
    "DescribeTimeToLive": CallRow(CALL_POLICY, ("TimeToLiveDescription",)),
    "head_bucket": CallRow(CALL_POLICY),
    "head_object": CallRow(CALL_POLICY, ("ContentLength", "ETag")),
    "get_object": CallRow(CALL_POLICY, ("ContentLength", "Body")),
    "put_object": CallRow(CALL_POLICY, ("ETag",)),
    "list_objects_v2": CallRow(CALL_POLICY, ("IsTruncated",)),
    "delete_object": CallRow(CALL_POLICY),
}


class GiveUp(NamedTuple):
    """The decision not to send again, and which bound was reached."""

    why: str


class RetryState:
    """
    One piece of work's failures so far.

    Args:
        now: seconds on any clock that only goes forward; the work starts now.
        random: returns a number in 0..1.
    """

    def __init__(self, policy: RetryPolicy, *, now: float, random: Callable[[], float] = random.random) -> None:
        self._policy = policy
        self._random = random
        self._started_s = now
        self._progress_s = now
        self._streak = 0
        self._counts: Counter[ErrorKind] = Counter()

    @property
    def failure_count(self) -> int:
        return sum(self._counts.values())

    def next(self, kind: ErrorKind, *, now: float) -> float | GiveUp:
        """Note a failure; return the seconds to wait before the next attempt, or that there is none."""
        limit = self._policy.attempts_max.get(kind)
        if limit is None:
            return GiveUp(kind.value)
        self._counts[kind] += 1
        if self._counts[kind] >= limit:
            return GiveUp(f"{limit} attempts")
        limit_s = min(self._policy.cap_s, self._policy.base_s * 2.0 ** min(self._streak, 30))
        delay_s = max(self._policy.least_s, self._random() * limit_s)
        self._streak += 1
        return self._in_time(delay_s, now=now)

    def progressed(self, *, now: float) -> None:
        """Note that part of the work was done: delays and the time without progress start anew."""
        self._progress_s = now
        self._streak = 0
        self._counts.clear()

    def _in_time(self, delay_s: float, *, now: float) -> float | GiveUp:
        policy = self._policy
        if now + delay_s - self._progress_s > policy.no_progress_s:
            return GiveUp(f"no progress for {policy.no_progress_s:.0f} s")
        if now + delay_s - self._started_s > policy.total_s:
            return GiveUp(f"not done within {policy.total_s:.0f} s")
        return delay_s


class GaveUp(PipelineError):
    """Retrying came to its bound; ends the run with the last error's exit code."""

    def __init__(self, last: WireError, *, why: str) -> None:
        super().__init__(f"gave up ({why}): {last}")
        self.last = last
        self.exit_code = last.exit_code


@dataclass(frozen=True)
class Pacing:
    """
    How to retry: bounds, and the world's clock, sleep and chance (tests bring their own).

    Attributes:
        log_level: of a failure that is followed by another attempt.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random
    log_level: int = logging.WARNING

    def start(self) -> RetryState:
        """Return the state of work that starts now."""
        return RetryState(self.policy, now=self.clock(), random=self.random)


def call_with_retry(attempt: Callable[[], T], *, pacing: Pacing) -> T:
    """
    Return what `attempt` returns, repeating it while its errors are worth it.

    Raises:
        GaveUp: a bound was reached.
        WireError: sending again cannot help.
        Whatever else `attempt` or `pacing.sleep` raises (a stop, a bug).
    """
    state = pacing.start()
    while True:
        try:
            return attempt()
        except WireError as error:
            pause(state, error, pacing=pacing)


def pause(state: RetryState, error: WireError, *, pacing: Pacing) -> None:
    """
    Sleep before the next attempt after `error`.

    Raises:
        GaveUp: there is none, because a bound was reached.
        WireError: `error` itself, because sending again cannot help.
    """
    decision = state.next(error.kind, now=pacing.clock())
    if isinstance(decision, GiveUp):
        if error.kind not in pacing.policy.attempts_max:
            raise error
        raise GaveUp(error, why=decision.why) from error
    _log(error, state.failure_count, decision, level=pacing.log_level)
    pacing.sleep(decision)


def _log(error: WireError, failure_count: int, delay_s: float, *, level: int) -> None:
    """The 1st, 2nd, 4th, 8th ... failure in a row: a throttled table would fill the log."""
    if failure_count & (failure_count - 1) == 0:
        logger.log(level, "failure %d, next attempt in %.2f s: %s", failure_count, delay_s, error)
