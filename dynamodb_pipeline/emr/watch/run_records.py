"""
Reads a job's own record, `<logs>/runs/<run id>/run.json`: EMR only knows failed, the record knows the exit code.

The record of an earlier attempt may still lie there; one older than the step's start is not this step's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.emr.calls.clusters import StepView
from dynamodb_pipeline.emr.request.steps import given_in_step
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.finished import RUN_RECORD
from dynamodb_pipeline.settings.job_options import LOGS, RUN_ID

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Clocks of EMR and S3 may differ by this much.
CLOCK_SKEW = timedelta(minutes=2)
MISSING = {"NoSuchKey", "404", "NoSuchBucket"}


@dataclass(frozen=True)
class JobResult:
    """
    What became of one step.

    Attributes:
        exit_code: the job's own when its record says so, else judged from the step's state.
        record: the run record, empty when none of this step was found.
        error: the job's own error message, or None.
    """

    step: StepView
    exit_code: ExitCode
    record: dict[str, Any]
    error: str | None


def record_location(step: StepView) -> S3Uri | None:
    """Where the step's job keeps its record, from the step's own arguments; None without --logs and --run-id."""
    given = given_in_step(step.arguments)
    logs, run_id = given.text(LOGS), given.text(RUN_ID)
    if logs is None or run_id is None:
        return None
    return S3Uri.of_folder(logs, option=LOGS.name).child(f"runs/{run_id}/{RUN_RECORD}")


def read_record(s3: S3Client, step: StepView) -> dict[str, Any]:
    """The step's record, or an empty one when it is absent, unreadable or of an earlier attempt."""
    from botocore.exceptions import ClientError

    place = record_location(step)
    if place is None:
        return {}
    try:
        reply = s3.get_object(Bucket=place.bucket, Key=place.key)
    except ClientError as err:
        if error_code(err) in MISSING | {"AccessDenied", "403"}:
            return {}
        raise
    if step.started and reply["LastModified"] < step.started - CLOCK_SKEW:
        return {}
    return _parsed(reply["Body"].read())


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        return read_object(data)
    except DocumentError:
        return {}


def job_result(step: StepView, record: dict[str, Any], *, timed_out: bool = False) -> JobResult:
    """Join what EMR and the job say; where they differ the worse one counts."""
    code = _recorded_code(record)
    if timed_out:
        code = ExitCode.DEADLINE
    elif code is None or (code is ExitCode.DONE and step.state != "COMPLETED"):
        code = _code_of_state(step.state)
    error = record.get("error")
    return JobResult(step=step, exit_code=code, record=record, error=str(error) if error else None)


def _recorded_code(record: dict[str, Any]) -> ExitCode | None:
    """What the record says; None where it says nothing yet."""
    return ExitCode.of(record["exit_code"]) if "exit_code" in record else None


def _code_of_state(state: str) -> ExitCode:
    if state == "COMPLETED":
        return ExitCode.DONE
    return ExitCode.STOPPED if state == "CANCELLED" else ExitCode.CLUSTER
