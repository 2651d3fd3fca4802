"""Repeats reads that were throttled or got no answer, bounded by count and time."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import Callable, TypeVar

from dynamodb_pipeline.aws.api_errors import denied_error, error_code, is_denied, is_passing
from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.clock import Clock
from dynamodb_pipeline.errors import ClusterError

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long to go on without an answer. EMR grants a whole account 0.5 to 1 call a second of each kind."""

    total_s: float = 900.0
    attempts: int = 60
    first_pause_s: float = 5.0
    longest_pause_s: float = 60.0

    def pause_s(self, attempt: int, *, jitter: Callable[[], float]) -> float:
        """Full-jitter pause after failed attempt number `attempt` (from 1), in seconds, never below one."""
        bound: float = min(self.longest_pause_s, self.first_pause_s * float(2 ** min(attempt - 1, 10)))
        return max(1.0, jitter() * bound)


def patient(
    call: Callable[[], Answer],
    *,
    what: str,
    clock: Clock,
    patience: Patience = Patience(),
    jitter: Callable[[], float] = random.random,
) -> Answer:
    """
    Return `call()`, repeated while it is throttled or unanswered.

    Raises:
        DeniedError: credentials or a permission.
        ClusterError: no answer within the patience: contact is lost, nothing is known about what runs.
    """
    started = clock.now()
    for attempt in range(1, patience.attempts + 1):
        try:
            return call()
        except Exception as err:
            if is_denied(err):
                raise denied_error(err, call=what) from err
            if not is_passing(err):
                raise
            elapsed_s = clock.now() - started
            if elapsed_s >= patience.total_s or attempt == patience.attempts:
                msg = f"lost contact: {what} failed for {duration_text(elapsed_s)} ({error_code(err)})"
                raise ClusterError(msg) from err
            logger.info("%s: %s, attempt %d, trying again", what, error_code(err), attempt)
            clock.sleep(patience.pause_s(attempt, jitter=jitter))
    raise AssertionError(patience)  # the last attempt either returned or raised
