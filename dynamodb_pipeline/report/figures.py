"""
What a page says of a run, taken out of its records; pure, and content with records that end early.

A run that failed has no totals, one that was killed has no end: whatever is not in the record is left out or None,
never made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dynamodb_pipeline.errors import ExitCode, worst
from dynamodb_pipeline.report.read import Record
from dynamodb_pipeline.report.table_figures import TableFigures, table_figures


@dataclass(frozen=True)
class RunFigures:
    """
    A run as a whole.

    Attributes:
        exit_code: the worst of its records; None while one still runs, or ended without a word.
        duration_s: from the first start to the last end, None while it runs.
        notes: attempts and errors that belong to no table.
        resume: the command that the run itself named to go on with, None when it named none or was of several jobs.
    """

    run_id: str
    kind: str
    state: str
    exit_code: int | None
    region: str | None
    tool_version: str | None
    started: str | None
    ended: str | None
    duration_s: float | None
    error: str | None
    notes: tuple[str, ...]
    resume: str | None
    tables: tuple[TableFigures, ...]
    sources: tuple[str, ...]


def run_figures(records: Sequence[Record], *, run: str | None = None) -> RunFigures:
    """
    Return what the records say together.

    Args:
        records: at least one.
        run: the run's id; that of the only record when None.
    """
    first = records[0].facts
    run_id = run or str(first["run_id"])
    started = min(_texts(records, "started"), default=None)
    ended = max(_texts(records, "ended"), default=None) if not _running(records) else None
    return RunFigures(
        run_id=run_id,
        kind=str(first.get("kind", "run")),
        state=_state(records),
        exit_code=_exit_code(records),
        region=_text(first, "region"),
        tool_version=_text(first, "tool_version"),
        started=started,
        ended=ended,
        duration_s=seconds_between(started, ended),
        error=_text(first, "error") if len(records) == 1 else None,
        notes=tuple(note for record in records for note in _notes(record.facts)),
        resume=_text(first, "resume") if len(records) == 1 and first.get("state") == "failed" else None,
        tables=tuple(table for record in records for table in _tables(record.facts)),
        sources=tuple(record.where for record in records),
    )


def seconds_between(started: str | None, ended: str | None) -> float | None:
    """Seconds between two ISO 8601 moments; None when one is missing or no moment."""
    if started is None or ended is None:
        return None
    try:
        return (_moment(ended) - _moment(started)).total_seconds()
    except (ValueError, TypeError):  # TypeError: one with a zone, one without
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _running(records: Iterable[Record]) -> bool:
    return any(record.facts.get("state") == "running" for record in records)


def _state(records: Sequence[Record]) -> str:
    states = [str(record.facts.get("state", "unknown")) for record in records]
    return next((state for state in ("running", "failed") if state in states), states[0])


def _exit_code(records: Sequence[Record]) -> int | None:
    codes = [record.facts.get("exit_code") for record in records]
    if _running(records) or not all(isinstance(code, int) for code in codes):
        return None
    if len(codes) == 1:
        return codes[0]
    return int(worst(map(ExitCode.of, codes)))


def _notes(facts: dict[str, Any]) -> Iterable[str]:
    if facts.get("first_started", facts.get("started")) != facts.get("started"):
        yield f"gone on with; the first attempt started {facts['first_started']}"
    if "attempt" in facts:
        yield f"attempt {facts['attempt']}; the one before ended with: {facts.get('last_error', 'no word')}"


def _tables(facts: dict[str, Any]) -> list[TableFigures]:
    """A record of several tables lists them when it has figures; any other speaks of one itself."""
    seconds = seconds_between(_text(facts, "started"), _text(facts, "ended"))
    listed, names = facts.get("tables"), _names(facts)
    if isinstance(listed, list):
        return [table_figures(entry, run_seconds=seconds) for entry in listed if isinstance(entry, dict)]
    if len(names) > 1:
        return [table_figures({"table": name}, run_seconds=None) for name in names]
    return [table_figures({"table": next(iter(names), None), **facts}, run_seconds=seconds)]


def _names(facts: dict[str, Any]) -> list[Any]:
    names = facts.get("table_names")
    return names if isinstance(names, list) else []


def _texts(records: Iterable[Record], key: str) -> list[str]:
    return [text for record in records if (text := _text(record.facts, key)) is not None]


def _text(facts: dict[str, Any], key: str) -> str | None:
    value = facts.get(key)
    return None if value is None else str(value)
