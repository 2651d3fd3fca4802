"""
Reads a job's own record, `<logs>/runs/<run id>/run.json`: EMR only knows failed, the record knows the exit code.

The record of an earlier attempt may still lie there; one older than the step's start is not this step's. A job that a
schedule started makes its own run id: its record is the one whose id says a moment of the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.emr.calls.clusters import StepView
from dynamodb_pipeline.emr.request.steps import given_in_step, verb_of_step
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.finished import RUN_RECORD
from dynamodb_pipeline.settings.job_options import LOGS, RUN_ID, TABLE
from dynamodb_pipeline.settings.run_ids import began_by_id
from dynamodb_pipeline.settings.values import is_pattern

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Clocks of EMR and S3 may differ by this much.
CLOCK_SKEW = timedelta(minutes=2)
UNREADABLE = {"NoSuchKey", "404", "NoSuchBucket", "AccessDenied", "403"}


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
    place = record_location(step) or scheduled_record(s3, step)
    return _record_at(s3, place, step=step) if place else {}


def scheduled_record(s3: S3Client, step: StepView) -> S3Uri | None:
    """Where the record of a step lies whose job made its own run id: the first of the step's time, kind and tables."""
    from botocore.exceptions import ClientError

    given = given_in_step(step.arguments)
    logs = given.text(LOGS)
    if logs is None or RUN_ID in given or step.started is None:
        return None
    folder = S3Uri.of_folder(logs, option=LOGS.name).child("runs")
    tables = sorted(given.texts(TABLE) or ())
    wanted: dict[str, Any] = {"kind": verb_of_step(step.arguments)}
    if not any(map(is_pattern, tables)):  # the tables of a pattern are known to its job alone
        wanted["table_names"] = tables
    try:
        for run_id in sorted(_ids_of(s3, folder, step)):
            record = _record_at(s3, folder.child(f"{run_id}/{RUN_RECORD}"), step=step)
            if wanted.items() <= record.items():
                return folder.child(f"{run_id}/{RUN_RECORD}")
    except ClientError as err:
        if error_code(err) not in UNREADABLE:
            raise
    return None


def _ids_of(s3: S3Client, folder: S3Uri, step: StepView) -> Iterator[str]:
    """Run ids that say a moment of this step."""
    assert step.started is not None
    first, last = step.started - CLOCK_SKEW, (step.ended or step.started + timedelta(days=1)) + CLOCK_SKEW
    for number in range((last.date() - first.date()).days + 1):
        prefix = folder.child(f"{first + timedelta(days=number):%Y%m%dT}").key
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for entry in page.get("CommonPrefixes", []):
                run_id = entry["Prefix"].rstrip("/").rpartition("/")[2]
                moment = began_by_id(run_id)
                if moment is not None and first <= moment <= last:
                    yield run_id


def _record_at(s3: S3Client, place: S3Uri, *, step: StepView) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        reply = s3.get_object(Bucket=place.bucket, Key=place.key)
    except ClientError as err:
        if error_code(err) in UNREADABLE:
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
