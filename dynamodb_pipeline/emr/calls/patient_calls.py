"""Calls to EMR that may be repeated, and what makes another attempt worth while."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Callable, TypeVar

from dynamodb_pipeline.aws.api_errors import denied_error, error_code, is_denied, is_no_answer, is_throttling
from dynamodb_pipeline.aws.request_errors import ErrorKind, Throttled, Transient, WireError
from dynamodb_pipeline.aws.retry import GaveUp, Pacing, RetryPolicy, call_with_retry
from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.clock import Clock
from dynamodb_pipeline.emr.cluster.cluster_config import PIPELINE_TAG, tag_command
from dynamodb_pipeline.errors import ClusterError, DeniedError

Reply = TypeVar("Reply")

CLUSTER_ARN = re.compile(r"arn:[\w-]+:elasticmapreduce:([\w-]+):\d+:cluster/(j-\w+)")
PATIENCE_S = 900.0
# EMR grants a whole account 0.5 to 1 call a second of each kind.
EMR_POLICY = RetryPolicy(
    base_s=5.0,
    cap_s=60.0,
    least_s=1.0,
    no_progress_s=PATIENCE_S,
    total_s=PATIENCE_S,
    attempts_max={ErrorKind.THROTTLE: 60, ErrorKind.TRANSIENT: 60},
)


def patient(
    call: Callable[[], Reply], *, what: str, clock: Clock, jitter: Callable[[], float] = random.random
) -> Reply:
    """
    Return `call()`, repeated while it is throttled or unanswered; `what` is the action of IAM.

    Raises:
        DeniedError: credentials or a permission.
        ClusterError: no answer within the patience: contact is lost, nothing is known about what runs.
    """

    def attempt() -> Reply:
        try:
            return call()
        except Exception as err:
            raise passing_error(err, what=what) from err

    started = clock.now()
    pacing = Pacing(EMR_POLICY, clock=clock.now, sleep=clock.sleep, random=jitter, log_level=logging.INFO)
    try:
        return call_with_retry(attempt, pacing=pacing)
    except GaveUp as err:
        msg = f"lost contact: {what} failed for {duration_text(clock.now() - started)} ({err.last.code})"
        raise ClusterError(msg) from err


def patient_pages(
    call: Callable[..., Mapping[str, Any]], request: Mapping[str, Any], *, what: str, clock: Clock
) -> Iterator[Mapping[str, Any]]:
    """Yield every page of a listing of EMR's, each asked for as `patient` asks."""
    marker: dict[str, str] = {}
    while True:
        page = patient(partial(call, **request, **marker), what=what, clock=clock)
        yield page
        if not page.get("Marker"):
            return
        marker = {"Marker": page["Marker"]}


def _tag_hint(denied: str) -> str:
    """What else may be the cause where one cluster is refused: the printed policies go by its tag."""
    named = CLUSTER_ARN.search(denied)
    if named is None:
        return ""
    command = tag_command(named[2], region=named[1])
    return f", for clusters with the tag {PIPELINE_TAG}=true; if it lacks that: {command}"


def passing_error(err: Exception, *, what: str) -> WireError:
    """
    The failed call as an error after which it is worth another attempt.

    Raises:
        DeniedError: credentials or a permission.
        Exception: `err` itself, when another attempt cannot help.
    """
    if is_denied(err):
        denied = str(denied_error(err, call=what))
        raise DeniedError(denied + _tag_hint(denied)) from err
    code = error_code(err)
    if is_throttling(err):
        return Throttled(f"{what}: {code}", code=code)
    if is_no_answer(err):
        return Transient(f"{what}: {code}", code=code)
    raise err
