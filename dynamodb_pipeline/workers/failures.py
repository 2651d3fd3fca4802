"""A worker's failure on its way to the driver: message and exit code survive the trip, tracebacks stay in task logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from dynamodb_pipeline.dynamodb.error_replies import safe_text
from dynamodb_pipeline.errors import ExitCode, PipelineError, StoppedError
from dynamodb_pipeline.workers.contract import CoordinatorClient, CoordinatorLost, RunStopped, Superseded

MARK = "dynamodb-pipeline failure: "
_FAILURE_LINE = re.compile(re.escape(MARK) + r"(\d+) (.*)")
_CAUSED_BY = re.compile(r"^\s*Caused by: (.*)$", re.MULTILINE)
_PYTHON = "Traceback (most recent call last)"
CAUSE_CHARS_MAX = 300

ENDED_BY_DRIVER = (RunStopped, Superseded, CoordinatorLost)


class WorkerFailure(PipelineError):
    """What made a worker give up a unit of work for good."""

    def __init__(self, message: str, exit_code: ExitCode):
        super().__init__(message)
        self.exit_code = exit_code


def failure_text(err: PipelineError) -> str:
    """The failure as text."""
    return json.dumps({"exit_code": int(err.exit_code), "message": str(err)})


def failure_of(text: str) -> WorkerFailure:
    """The failure that `failure_text` wrote."""
    fields = json.loads(text)
    return WorkerFailure(fields["message"], ExitCode.of(fields["exit_code"]))


@contextmanager
def report_failure(grants: CoordinatorClient, work_id: str) -> Iterator[None]:
    """Tell the driver of a PipelineError while working on a unit: a retry of the task could not help."""
    try:
        yield
    except ENDED_BY_DRIVER:
        raise
    except PipelineError as err:
        grants.failed(work_id, failure_text(err))
        raise


def failure_line(err: PipelineError) -> str:
    """The failure in one line that `task_failure` finds again in whatever Spark makes of it."""
    text = " ".join(str(err).split())
    return f"{MARK}{int(err.exit_code)} {text}"


@contextmanager
def carry_exit_code() -> Iterator[None]:
    """Inside a Spark task: put a PipelineError's exit code into its text, which is all that reaches the driver."""
    try:
        yield
    except PipelineError as err:
        raise WorkerFailure(failure_line(err), ExitCode.of_error(err)) from err


@contextmanager
def raise_task_failure() -> Iterator[None]:
    """
    On the driver, around a Spark job: its py4j error as what it stands for.

    Raises:
        WorkerFailure: what `carry_exit_code` raised in the task that failed.
        StoppedError: Spark lost the task (an executor, a node, the connector's own failure); the run can be resumed.
        Exception: as it came, when Python code failed with anything else: a bug.
    """
    from py4j.protocol import Py4JError

    try:
        yield
    except Py4JError as err:
        failure = task_failure(str(err))
        if failure is None:
            raise
        raise failure from err


def task_failure(text: str) -> PipelineError | None:
    """What the text of a failed Spark job says of its cause, None for a bug of ours."""
    match = _FAILURE_LINE.search(text)
    if match is not None:
        return WorkerFailure(match[2], ExitCode.of(int(match[1])))
    if _PYTHON in text:
        return None
    causes = _CAUSED_BY.findall(text) or [text.strip().partition("\n")[0]]
    cause = safe_text(causes[-1])[:CAUSE_CHARS_MAX]
    return StoppedError(f"a Spark task failed: {cause}; see the logs of the executors")
