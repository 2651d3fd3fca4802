"""A worker's failure on its way to the driver: message and exit code survive the trip, tracebacks stay in task logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dynamodb_pipeline.errors import ExitCode, PipelineError
from dynamodb_pipeline.transfer.coordinator_client import (
    CoordinatorClient,
    CoordinatorLost,
    RunStopped,
    Superseded,
)

ENDED_BY_DRIVER = (RunStopped, Superseded, CoordinatorLost)


class WorkerFailure(PipelineError):
    """What made a worker give up a unit of work for good."""

    def __init__(self, message: str, exit_code: ExitCode):
        super().__init__(message)
        self.exit_code = exit_code


def encode(err: PipelineError) -> str:
    """The failure as text."""
    return json.dumps({"exit_code": int(err.exit_code), "message": str(err)})


def decode(text: str) -> WorkerFailure:
    """The failure that `encode` wrote."""
    said = json.loads(text)
    return WorkerFailure(said["message"], ExitCode(said["exit_code"]))


@contextmanager
def reported(grants: CoordinatorClient, unit: Mapping[str, Any]) -> Iterator[None]:
    """Tell the driver of a PipelineError while working on `unit`: a retry of the task could not help."""
    try:
        yield
    except ENDED_BY_DRIVER:
        raise
    except PipelineError as err:
        grants.failed(unit["work_id"], encode(err))
        raise
