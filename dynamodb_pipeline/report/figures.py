"""
What a page says of a run, taken out of its records, and the command that goes on with it; pure, and content with
records that end early.

A run that failed has no totals, one that was killed has no end: whatever is not in the record is left out or None,
never made up.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dynamodb_pipeline.errors import PROGRAM, ExitCode, worst
from dynamodb_pipeline.finished import DEAD, ENDED_EARLY, FAILED, RUNNING, UNRECORDED_END, resumable_after
from dynamodb_pipeline.output import printable
from dynamodb_pipeline.report.read import Record
from dynamodb_pipeline.report.table_figures import TableFigures, table_figures
from dynamodb_pipeline.result_words import rate_changes_words
from dynamodb_pipeline.settings.job_options import LOGS, REGION, RUN_ID, TABLES, TIMEOUT
from dynamodb_pipeline.settings.rows import Given, command_line

OTHER_OPTIONS = "..."


@dataclass(frozen=True)
class RunFigures:
    """
    A run as a whole.

    Attributes:
        exit_code: the worst of its records; None while one still runs, or ended without a word.
        duration_s: from the first start to the last end, None while it runs.
        notes: attempts and errors that belong to no table.
        series: what each record says of its run over time.
        records: the records themselves.
        unrecorded: how jobs ended that did not say so themselves, or why that is not known.
        resumes: the commands that its jobs themselves named to go on with; None for one that named none.
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
    unrecorded: tuple[str, ...]
    resumes: tuple[str | None, ...]
    tables: tuple[TableFigures, ...]
    sources: tuple[str, ...]
    series: tuple[Any, ...] = ()
    records: tuple[dict[str, Any], ...] = ()


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
        unrecorded=tuple(dict.fromkeys(text for record in records for text in _unrecorded(record.facts))),
        resumes=tuple(_own_command(record.facts) for record in records if _ended_early(record.facts)),
        tables=tuple(table for record in records for table in _tables(record.facts)),
        sources=tuple(record.where for record in records),
        series=tuple(record.facts["series"] for record in records if "series" in record.facts),
        records=tuple(record.facts for record in records),
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
    return any(record.facts.get("state") == RUNNING for record in records)


def _state(records: Sequence[Record]) -> str:
    states = [_state_of(record.facts) for record in records]
    return next((state for state in (RUNNING, DEAD, *ENDED_EARLY) if state in states), states[0])


def _state_of(facts: dict[str, Any]) -> str:
    """What the record says; earlier versions said of an interrupted run that it had failed."""
    code, state = facts.get("exit_code"), str(facts.get("state", "unknown"))
    return ExitCode.of(code).row.status if state == FAILED and code is not None else state


def _ended_early(facts: dict[str, Any]) -> bool:
    return facts.get("state") in (DEAD, *ENDED_EARLY)


def _unrecorded(facts: dict[str, Any]) -> Iterable[str]:
    if UNRECORDED_END in facts:
        yield str(facts["error"])
    if "note" in facts:
        yield str(facts["note"])


def _own_command(facts: dict[str, Any]) -> str | None:
    """What the run said at its end, else at its beginning."""
    return _text(facts, "resume") or _text(facts, "command")


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
    if "note" in facts:
        yield str(facts["note"])
    if "attempt" in facts:
        yield f"attempt {facts['attempt']}; the one before ended with: {facts.get('last_error', 'no word')}"


def _tables(facts: dict[str, Any]) -> list[TableFigures]:
    """A record of several tables lists them when it has figures; any other speaks of one itself."""
    seconds = seconds_between(_text(facts, "started"), _text(facts, "ended"))
    listed, names = facts.get("tables"), _names(facts)
    changes = rate_changes_words(facts)
    if isinstance(listed, list):
        entries = [entry for entry in listed if isinstance(entry, dict)]
        return [table_figures(entry, run_seconds=seconds, rate_changes=changes) for entry in entries]
    if len(names) > 1:
        return [table_figures({"table": name}, run_seconds=None) for name in names]
    own = {"table": next(iter(names), None), **facts}
    return [table_figures(own, run_seconds=seconds, rate_changes=changes)]


def _names(facts: dict[str, Any]) -> list[Any]:
    names = facts.get("table_names")
    return names if isinstance(names, list) else []


def _texts(records: Iterable[Record], key: str) -> list[str]:
    return [text for record in records if (text := _text(record.facts, key)) is not None]


def _text(facts: dict[str, Any], key: str) -> str | None:
    value = facts.get(key)
    return None if value is None else str(value)


@dataclass(frozen=True)
class Resume:
    """A command line and what to know about it."""

    command: str
    note: str


def resume_of(run: RunFigures, *, logs: str | None) -> Resume | None:
    """
    Return how to go on with the run: what it said itself, else what can be put together after a resumable code, or an
    end without a word, else None.

    Args:
        logs: the folder its record was found in; None when that is not known.
    """
    without_word = any(UNRECORDED_END in record for record in run.records)
    if not without_word and (run.exit_code is None or not resumable_after(ExitCode.of(run.exit_code))):
        return None
    recorded = [_recorded_command(run, text) for text in run.resumes]
    known = [text for text in recorded if text is not None]
    if known == recorded and (len(known) == 1 or (known and OTHER_OPTIONS not in "".join(known))):
        command = "\n".join(known)
        return Resume(command, " ".join(_resume_notes(run, whole=OTHER_OPTIONS not in command)))
    options = _resume_tables(run) + Given.of({REGION: run.region or None, LOGS: logs or None, RUN_ID: run.run_id})
    command = command_line((PROGRAM, run.kind, OTHER_OPTIONS), options)
    return Resume(command, " ".join(_resume_notes(run, whole=False)))


def _resume_tables(run: RunFigures) -> Given:
    names = tuple(str(table.name) for table in run.tables if table.name is not None)
    if run.kind == "verify" or len(names) < len(run.tables):
        return Given()
    return Given(((TABLES, names),)) if names else Given()


def _recorded_command(run: RunFigures, text: str | None) -> str | None:
    """
    A command that the run itself recorded, put together anew from its words: whoever may write the log folder may
    have written it, and it is made to be pasted into a shell.
    """
    try:
        words = shlex.split(text or "")
    except ValueError:
        return None
    ours = words[:2] == [PROGRAM, run.kind] or words[:1] == ["spark-submit"]
    plain = all(printable(word) == word for word in words)
    own = any(word == run.run_id or word.startswith(f"{run.run_id}.") for word in words)
    return shlex.join(words) if ours and plain and own else None


def _resume_notes(run: RunFigures, *, whole: bool) -> list[str]:
    notes = [] if whole else [f"{OTHER_OPTIONS} stands for the other options of the first command."]
    if any(text and OTHER_OPTIONS in text for text in run.resumes):
        notes.append(f"A run that was launched goes on with the first {PROGRAM} command and this --run-id.")
    if run.exit_code == ExitCode.DEADLINE:
        notes.append(f"Give a longer {TIMEOUT}.")
    if run.kind == "verify":
        notes.append("A verification begins anew.")
    return notes
