"""
Reads a job's own record, `<logs>/runs/<run id>/run.json`: EMR only knows failed, the record knows the exit code, and
while the job runs how far it is, as of the minute it was written in.

The record of an earlier attempt may still lie there; one older than the step's start is not this step's. A job that a
schedule started makes its own run id: its record is the one whose id says a moment of the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Callable

from dynamodb_pipeline.addresses import S3Uri, table_name
from dynamodb_pipeline.aws.api_errors import denied_error, error_code, is_denied
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.emr.calls.clusters import StepView
from dynamodb_pipeline.emr.calls.console import Board, TableRow
from dynamodb_pipeline.emr.request.steps import given_in_step, verb_of_step
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.finished import RUN_RECORD, RunState, SeriesPass, passes_of
from dynamodb_pipeline.settings.job_options import LOGS, RUN_ID, TABLE
from dynamodb_pipeline.settings.run_ids import began_by_id
from dynamodb_pipeline.settings.values import is_pattern

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Clocks of EMR and S3 may differ by this much.
CLOCK_SKEW = timedelta(minutes=2)
UNREADABLE = {"NoSuchKey", "404", "NoSuchBucket", "AccessDenied", "403"}
# A step's state in the words of who waits for a table; a step that was cancelled while it ran is INTERRUPTED.
STATE_WORDS = {
    "PENDING": "waiting",
    "RUNNING": "running",
    "CANCEL_PENDING": "stopping",
    "COMPLETED": "done",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "INTERRUPTED": "stopped",
}


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
    tables = given.texts(TABLE) or ()
    wanted: list[dict[str, Any]] = [{"kind": verb_of_step(step.arguments)}]
    if not any(map(is_pattern, tables)):  # the tables of a pattern are known to its job alone
        named = (tables, map(table_name, tables))  # those of a role's own account its job knows by their names
        wanted = [{**wanted[0], "table_names": sorted(names)} for names in named]
    try:
        for run_id in sorted(_ids_of(s3, folder, step)):
            record = _record_at(s3, folder.child(f"{run_id}/{RUN_RECORD}"), step=step)
            if any(one.items() <= record.items() for one in wanted):
                return folder.child(f"{run_id}/{RUN_RECORD}")
    except ClientError as err:
        if error_code(err) not in UNREADABLE:
            raise
    return None


def scheduled_run(s3: S3Client, step: StepView) -> str | None:
    """The run id that the job of such a step made itself."""
    place = scheduled_record(s3, step)
    return None if place is None else place.key.split("/")[-2]


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
        return _record_in(s3.get_object(Bucket=place.bucket, Key=place.key), step)
    except ClientError as err:
        if error_code(err) in UNREADABLE:
            return {}
        raise


def _record_in(reply: Mapping[str, Any], step: StepView) -> dict[str, Any]:
    """What GetObject brought, where it is of this attempt."""
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


class LiveTables:
    """
    Draws the tables of a run by what the records of its jobs say meanwhile.

    A look costs one GET for each table that runs (and a last one when it has ended), answered without the record where
    it is the one of before. A record that is missing, may not be read or makes no sense leaves its row without counts:
    the run does not depend on it.

    Args:
        s3: sends a request once; the next look is a better second try.
        say: takes a line on what is missing, once for the run.
    """

    def __init__(self, s3: S3Client, board: Board, *, say: Callable[[str], None]):
        self._s3, self._board, self._say = s3, board, say
        self._places: dict[str, S3Uri] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._etags: dict[str, str] = {}
        self._unfinished: set[str] = set()
        self._said: set[str] = set()

    def show(self, steps: Iterable[StepView], *, title: str, at_s: float, since_s: float) -> None:
        """Look at those that run, and at those that have ended since the last time, and draw all."""
        rows = []
        for step in steps:
            if step.state == "RUNNING" or (step.final and step.id in self._unfinished):
                self._look(step)
            (self._unfinished.discard if step.final else self._unfinished.add)(step.id)
            rows.append(table_row(step, self._records.get(step.id, {}), at_s=at_s))
        self._board.show(title, rows, since_s=since_s)

    def _look(self, step: StepView) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            place = self._place(step)
            if place is None:
                return
            known: dict[str, Any] = {"IfNoneMatch": self._etags[step.id]} if step.id in self._etags else {}
            reply = self._s3.get_object(Bucket=place.bucket, Key=place.key, **known)
            record = _record_in(reply, step)
        except (
            BotoCoreError,
            ClientError,
        ) as err:  # not there yet, as before (304), or S3 is in trouble: the next look
            if is_denied(err):
                self._say_once(f"note: no counts of the running tables: {denied_error(err, call='s3:GetObject')}")
            return
        if record:
            self._records[step.id], self._etags[step.id] = record, reply["ETag"]

    def _place(self, step: StepView) -> S3Uri | None:
        if step.id not in self._places:
            place = record_location(step) or scheduled_record(self._s3, step)
            if place is not None:
                self._places[step.id] = place
            elif verb_of_step(step.arguments) and LOGS not in given_in_step(step.arguments):
                self._say_once(f"note: no counts of the running tables: their jobs were started without {LOGS.name}")
        return self._places.get(step.id)

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)


def table_row(step: StepView, record: Mapping[str, Any], *, at_s: float) -> TableRow:
    """
    A step, and what its job's record says, as one row.

    Args:
        record: of another version, or of another hand, maybe: what makes no sense in it is left out.
        at_s: now, seconds since the epoch.
    """
    tables = given_in_step(step.arguments).texts(TABLE) or (step.name,)
    row = TableRow(", ".join(tables), STATE_WORDS.get(step.state, step.state.lower()))
    if step.state == "COMPLETED":
        return replace(row, share=1.0, items=items_done(record) or None)
    if step.final or step.state == "PENDING":
        return replace(row, items=items_done(record) or None)
    return _with_counts(_paused(row, record), record, at_s=at_s)


def _paused(row: TableRow, record: Mapping[str, Any]) -> TableRow:
    orders = record.get("rate_orders")
    last = orders[-1] if isinstance(orders, list) and orders else None
    return replace(row, state="paused") if isinstance(last, dict) and last.get("paused") is True else row


def _with_counts(row: TableRow, record: Mapping[str, Any], *, at_s: float) -> TableRow:
    """The row with the figures of the pass that the job is at, the last of its time series (run/progress.py)."""
    passes = passes_of(record.get("series"))
    if not passes or not passes[-1].points:
        return row
    return _counted(row, passes[-1], age_s=_age_s(record, at_s=at_s))


def _counted(row: TableRow, one: SeriesPass, *, age_s: float) -> TableRow:
    first, last, expected = one.points[0], one.points[-1], one.items_expected
    alike = [*takewhile(lambda point: point.allowed == last.allowed, reversed(one.points))]  # since the last change
    before = next((point for point in alike if point.at_s <= last.at_s - one.window_s), alike[-1])
    place = one.resources.index("table") if "table" in one.resources else 0
    items, seconds = int(last.items), last.at_s - before.at_s
    speed = _per_s(last.items - first.items, last.at_s - first.at_s)
    halted = 0.0 in last.allowed
    left_s = max(0.0, (expected - items) / speed - age_s) if expected and speed and not halted else None
    return replace(
        row,
        share=min(1.0, items / expected) if expected else None,
        items=items,
        units_s=_per_s(last.consumed[place] - before.consumed[place], seconds) if one.resources else None,
        allowed_units_s=min(last.allowed, default=None),
        throttles=int(last.throttles),
        left_s=left_s,
        doing=one.label,
    )


def _per_s(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds > 0 else None


def _age_s(record: Mapping[str, Any], *, at_s: float) -> float:
    """Seconds since the record was written, by two clocks that may differ: never negative."""
    beat = RunState.readable(dict(record)).heartbeat
    return max(0.0, at_s - beat.timestamp()) if beat else 0.0


def items_done(record: Mapping[str, Any]) -> int:
    """Items a record speaks of, of the whole run or of its tables; 0 when it says nothing."""
    tables = record.get("tables")
    parts = [record, *(tables if isinstance(tables, list) else ())]
    counts = [part.get("items") for part in parts if isinstance(part, dict)]
    return sum(count for count in counts if isinstance(count, int) and count > 0)
