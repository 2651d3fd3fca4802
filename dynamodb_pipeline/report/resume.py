"""The command that goes on with a run that stopped part-way. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.output import printable
from dynamodb_pipeline.report.figures import RunFigures
from dynamodb_pipeline.settings.job_options import LOGS, REGION, RUN_ID, TABLES, TIMEOUT
from dynamodb_pipeline.settings.rows import Given, command_line

OTHER_OPTIONS = "..."


@dataclass(frozen=True)
class Resume:
    """A command line and what to know about it."""

    command: str
    note: str


def resume_of(run: RunFigures, *, logs: str | None) -> Resume | None:
    """
    Return how to go on with the run: what it said itself, else what can be put together after a resumable code, else
    None.

    Args:
        logs: the folder its record was found in; None when that is not known.
    """
    recorded = _recorded_command(run)
    if recorded is not None:
        return Resume(recorded, " ".join(_notes(run, whole=OTHER_OPTIONS not in recorded)))
    if run.exit_code is None or not ExitCode.of(run.exit_code).row.resumable:
        return None
    options = _tables(run) + Given.of({REGION: run.region or None, LOGS: logs or None, RUN_ID: run.run_id})
    command = command_line(("dynamodb-pipeline", run.kind, OTHER_OPTIONS), options)
    return Resume(command, " ".join(_notes(run, whole=False)))


def _tables(run: RunFigures) -> Given:
    names = tuple(str(table.name) for table in run.tables if table.name is not None)
    if run.kind == "verify" or len(names) < len(run.tables):
        return Given()
    return Given(((TABLES, names),)) if names else Given()


def _recorded_command(run: RunFigures) -> str | None:
    """
    The command that the run itself recorded, put together anew from its words: whoever may write the log folder may
    have written it, and it is made to be pasted into a shell.
    """
    try:
        words = shlex.split(run.resume or "")
    except ValueError:
        return None
    ours = words[:2] == ["dynamodb-pipeline", run.kind] or words[:1] == ["spark-submit"]
    plain = all(printable(word) == word for word in words)
    return shlex.join(words) if ours and plain and run.run_id in words else None


def _notes(run: RunFigures, *, whole: bool) -> list[str]:
    notes = [] if whole else [f"{OTHER_OPTIONS} stands for the other options of the first command."]
    if run.resume is not None and not run.resume.startswith("dynamodb-pipeline "):
        notes.append("A run that was launched goes on with the first dynamodb-pipeline command and this --run-id.")
    if run.exit_code == ExitCode.DEADLINE:
        notes.append(f"Give a longer {TIMEOUT}.")
    if run.kind == "verify":
        notes.append("A verification begins anew.")
    return notes
