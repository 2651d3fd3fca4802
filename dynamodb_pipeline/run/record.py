"""
`run.json`: what a run is, does and came to, kept under `<logs>/runs/<run-id>/`; and how a stopped run is gone on with:
which runs can be, the newest of them, the command that does it.

EMR knows only "failed"; the launcher reads the job's own exit code, totals and error from here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import TIME_FORMAT, DocumentError, read_object, to_bytes
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.finished import RUN_RECORD, RUNNING, RunState
from dynamodb_pipeline.run.heartbeat import Here, refuse_living
from dynamodb_pipeline.settings.job_options import RESUME, RUN_ID
from dynamodb_pipeline.settings.rows import Given, command_line
from dynamodb_pipeline.settings.run_ids import run_folder
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


def now_text() -> str:
    """The present moment, ISO 8601 UTC to the second."""
    return f"{datetime.now(timezone.utc):{TIME_FORMAT}}"


class RunRecord:
    """
    Collects what `run.json` says and stores it; without a logs folder it stores nothing. Safe for several threads.

    Args:
        store: where the record goes.
        folder: `run_folder(...)` or None.
        facts: kind, run id, tables, tool version and the arguments, free of secrets.
    """

    def __init__(self, store: ObjectStore, folder: str | None, facts: dict[str, Any]):
        self._store, self._folder, self._lock = store, folder, threading.Lock()
        started = now_text()
        self.facts: dict[str, Any] = {"first_started": started, **facts, "started": started, "state": RUNNING}

    def save(self, **changes: Any) -> None:
        """Merge `changes` and store the record (one PUT, replaces the older one), which is a sign of life as well."""
        with self._lock:  # held until S3 has it: no older record may come after a newer one
            self.facts.update(changes, heartbeat=now_text())
            if self._folder is not None:
                self._store.put(join(self._folder, RUN_RECORD), self.to_bytes())

    def to_bytes(self) -> bytes:
        return to_bytes(self.facts)


def read_state(store: ObjectStore, folder: str) -> RunState | None:
    """What `run.json` in a run's folder says, None when there is none or it is no document of ours."""
    try:
        return RunState.readable(read_object(store.get(join(folder, RUN_RECORD))))
    except (ObjectMissingError, DocumentError):
        return None


def latest_unfinished(
    store: ObjectStore, logs: str, *, kind: str, tables: Sequence[str], here: Here | None = None
) -> str:
    """
    The id of the run of this kind and these tables that began last, of those that can be resumed.

    A run that was killed still says that it is running; whether it lives is told by its heartbeat.

    Raises:
        PreconditionError: there is none, or the newest is still at work.
    """
    wanted = tuple(sorted(tables))
    runs = [run for run in _states(store, logs) if run.kind == kind and run.table_names == wanted]
    open_runs = [run for run in runs if run.is_resumable]
    if not open_runs:
        msg = f"{logs} holds no unfinished {kind} of {', '.join(sorted(tables))}; leave out --resume to start a new run"
        raise PreconditionError(msg)
    run_id = str(max(open_runs, key=lambda run: run.started or LONG_AGO).run_id)
    refuse_living(lambda: read_state(store, run_folder(logs, run_id)), here or Here())
    return run_id


def _states(store: ObjectStore, logs: str) -> Iterator[RunState]:
    for info in store.list(join(logs, "runs")):
        folder, _, name = info.uri.rpartition("/")
        state = read_state(store, folder) if name == RUN_RECORD else None
        if state is not None and state.run_id == folder.rpartition("/")[2]:
            yield state


def resume_command(program: Sequence[str], given: Given, *, run_id: str) -> str:
    """The command line of a run with its run id in it, ready to be pasted into a shell."""
    return command_line(program, given.without(RUN_ID, RESUME) + Given.of({RUN_ID: run_id}))
