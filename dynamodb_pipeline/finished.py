"""
Whether a folder holds a finished export, and whether a run is at work, has ended, or can be gone on with.

Pure: decides from the names in a folder and from what `run.json` says. A run that was killed still says that it is at
work; whether it lives is told by its heartbeat, which takes a clock (run/heartbeat.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from dynamodb_pipeline.documents import (
    TIME_FORMAT,
    Document,
    DocumentError,
    flag,
    member,
    moment,
    natural,
    optional,
    string,
    strings,
)
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.formats.exports.layout import MANIFEST, NATIVE_SUMMARY, PART_MANIFEST
from dynamodb_pipeline.settings.run_ids import is_run_id

# Whoever writes an export stores one of these last, so a folder that holds one is whole.
FINISHED_BY = (MANIFEST, NATIVE_SUMMARY, PART_MANIFEST)

RUN_RECORD = "run.json"
RATE_ORDER = "rate.json"
STARTS = "starts"  # in a run's folder: one object for each process that took the run
# Of a table and its indexes, in results and records.
UNIT_COUNTS = ("read_units_consumed", "write_units_consumed", "delete_units_consumed", "index_units_consumed")
PAUSE, CONTINUE = "pause", "continue"  # in place of a percent
RUNNING, DONE, FAILED = "running", "done", "failed"  # `state` of a run's record
# Of a record that says nothing of its end, by who found it out (emr/watch/run_end.py).
DEAD, UNRECORDED_END = "dead", "unrecorded_end"
DEAD_AFTER = timedelta(minutes=4)  # without a heartbeat, of which there is one a minute
# What one says that ended before its work did; an interrupted run said "failed" in earlier versions.
ENDED_EARLY = (FAILED, *dict.fromkeys(code.row.status for code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)))

PID_MAX = 1 << 31  # pid_t


def _pid(value: object) -> int:
    if not 0 < natural(value) < PID_MAX:
        msg = "a process id"
        raise DocumentError(msg)
    return natural(value)


def _run_id(value: object) -> str:
    if not is_run_id(string(value)):
        msg = "a run id"
        raise DocumentError(msg)
    return string(value)


@dataclass(frozen=True)
class RunState(Document):
    """
    What `run.json` says of how a run stands; None where it says nothing, or nothing that can be.

    Attributes:
        started: when the present attempt began; `first_started` the first one. UTC, as `heartbeat`.
        host, pid: who writes the record.
        folder_moment: what an export's folder is named by.
    """

    run_id: str | None = member(_run_id, default=None)
    kind: str | None = member(string, default=None)
    table_names: tuple[str, ...] | None = member(strings, default=None)
    state: str | None = member(string, default=None)
    exit_code: ExitCode | None = member(ExitCode.of, default=None)
    started: datetime | None = member(moment, default=None)
    first_started: datetime | None = member(moment, default=None)
    heartbeat: datetime | None = member(moment, default=None)
    host: str | None = member(string, default=None)
    pid: int | None = member(_pid, default=None)
    folder_moment: datetime | None = member(moment, default=None)

    @property
    def began(self) -> datetime | None:
        """When the first attempt began."""
        return self.first_started or self.started

    def seems_dead(self, now: datetime) -> bool:
        """True for a run that says that it is at work, and has given no sign of life for minutes."""
        return self.state == RUNNING and (self.heartbeat is None or now - self.heartbeat > DEAD_AFTER)

    @property
    def is_resumable(self) -> bool:
        """True for a run that its id can go on with; one that says it runs may have been killed."""
        if self.state in ENDED_EARLY and self.exit_code is not None:
            return resumable_after(self.exit_code)
        return self.state == RUNNING


@dataclass(frozen=True)
class RateOrder(Document):
    """
    What somebody told a run about its speed while it ran, in `rate.json` beside `run.json`.

    Attributes:
        percent: of the table's capacity, as the option takes it; None for what the run was started with.
        paused: nothing is read or written until another order.
        by, at: who said so (an ARN), and when, UTC.
    """

    percent: str | None = member(optional(string))
    paused: bool = member(flag)
    by: str = member(string)
    at: datetime = member(moment)

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "at": f"{self.at:{TIME_FORMAT}}"}

    def __str__(self) -> str:
        speed = f"{self.percent.rstrip('%')}% of the capacity" if self.percent else "as it was started"
        return f"{'paused' if self.paused else speed}, by {self.by} at {self.at:{TIME_FORMAT}}"


@dataclass(frozen=True)
class SeriesPoint:
    """
    One look at a pass, as a record's time series has it: a list of numbers, whose order is this class's alone.

    Attributes:
        at_s: seconds since the run began.
        items, throttles: totals since the pass began.
        consumed, allowed: units, and units a second, of each resource of the pass in its order.
        text_bytes: read or written; None in records of versions that did not count them.
    """

    at_s: float
    items: float
    throttles: float
    consumed: tuple[float, ...]
    allowed: tuple[float, ...]
    text_bytes: float | None = None

    def to_json(self) -> list[float]:
        units = (number for pair in zip(self.consumed, self.allowed) for number in pair)
        counted = () if self.text_bytes is None else (self.text_bytes,)
        return [round(number, 2) for number in (self.at_s, self.items, self.throttles, *units, *counted)]

    @classmethod
    def readable(cls, point: object, *, resources: int) -> SeriesPoint | None:
        """What `to_json` made; None of anything else."""
        whole = 4 + 2 * resources
        numbers = isinstance(point, list) and all(isinstance(n, (int, float)) and isfinite(n) for n in point)
        if not isinstance(point, list) or not numbers or len(point) not in (whole - 1, whole):
            return None
        units = point[3 : whole - 1]
        counted = point[-1] if len(point) == whole else None
        return cls(point[0], point[1], point[2], tuple(units[::2]), tuple(units[1::2]), counted)


@dataclass(frozen=True)
class SeriesPass:
    """
    A pass of a record's time series (run/progress.py writes it).

    Attributes:
        window_s: that the rate is promised for, 0 where the record does not say it.
        items_expected: None where nobody knows.
    """

    label: str
    unit: str
    window_s: float
    items_expected: float | None
    resources: tuple[str, ...]
    points: tuple[SeriesPoint, ...]

    @classmethod
    def readable(cls, one: object) -> SeriesPass | None:
        """What can be read of a pass; None of what is none."""
        if not isinstance(one, dict) or not isinstance(one.get("resources"), list):
            return None
        resources, points = tuple(map(str, one["resources"])), one.get("points")
        looked = (SeriesPoint.readable(point, resources=len(resources)) for point in _list(points))
        window_s, expected = _number(one.get("window_s")), _number(one.get("items_expected"))
        label, unit = str(one.get("label", "")), str(one.get("unit", "units"))
        return cls(label, unit, window_s or 0.0, expected, resources, tuple(point for point in looked if point))


def passes_of(series: object) -> list[SeriesPass]:
    """The passes of a record's `series`; what makes no sense is left out."""
    listed = _list(series.get("passes")) if isinstance(series, dict) else []
    return [one for one in map(SeriesPass.readable, listed) if one is not None]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def is_record(uri: str) -> bool:
    """True for what a run writes before it does anything: its record, and that it was started."""
    folder, _, name = uri.rpartition("/")
    return name == RUN_RECORD or folder.endswith(f"/{STARTS}")


def units_done(record: Mapping[str, Any]) -> float | None:
    """Units that a record or result says were consumed, of all its tables; None where it says nothing."""
    tables = record.get("tables")
    parts = tables if isinstance(tables, list) else [record]
    values = [part.get(name) for part in parts if isinstance(part, dict) for name in UNIT_COUNTS]
    single = [unit for value in values for unit in (value.values() if isinstance(value, dict) else (value,))]
    known = [unit for unit in single if isinstance(unit, (int, float)) and not isinstance(unit, bool)]
    return sum(known) if known else None


def resumable_after(code: ExitCode) -> bool:
    """True for an exit code after which the same run id goes on where the run stopped."""
    return code.row.resumable
