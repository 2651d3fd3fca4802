"""
`run.json`: what a run is, does and came to, kept under `<logs>/runs/<run-id>/`; and how a stopped run is gone on with:
which runs can be, the newest of them, the command that does it.

EMR knows only "failed"; the launcher reads the job's own exit code, totals and error from here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.errors import ExitCode, PreconditionError
from dynamodb_pipeline.run.heartbeat import Here, refuse_living
from dynamodb_pipeline.settings.job_options import RESUME, RUN_ID
from dynamodb_pipeline.settings.rows import Given, command_line
from dynamodb_pipeline.settings.run_ids import run_folder
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

FILE_NAME = "run.json"


def now_text() -> str:
    """The present moment, ISO 8601 UTC to the second."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


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
        self.facts: dict[str, Any] = {"first_started": started, **facts, "started": started, "state": "running"}

    def save(self, **changes: Any) -> None:
        """Merge `changes` and store the record (one PUT, replaces the older one), which is a sign of life as well."""
        with self._lock:  # held until S3 has it: no older record may come after a newer one
            self.facts.update(changes, heartbeat=now_text())
            if self._folder is not None:
                self._store.put(join(self._folder, FILE_NAME), self.to_bytes())

    def to_bytes(self) -> bytes:
        return (json.dumps(self.facts, indent=1, sort_keys=True) + "\n").encode()


def earlier_record(store: ObjectStore, folder: str) -> dict[str, Any] | None:
    """What `run.json` in a run's folder says, None when there is none or it is damaged."""
    try:
        record = json.loads(store.get(join(folder, FILE_NAME)))
    except (ObjectMissingError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def began_at(record: Mapping[str, Any] | None) -> datetime | None:
    """When the first attempt of a recorded run began, UTC."""
    text = (record or {}).get("first_started") or (record or {}).get("started")
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
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
    runs = [r for r in _records(store, logs) if r.get("kind") == kind and r.get("table_names") == sorted(tables)]
    open_runs = [r for r in runs if _is_resumable(r)]
    if not open_runs:
        msg = f"{logs} holds no unfinished {kind} of {', '.join(sorted(tables))}; leave out --resume to start a new run"
        raise PreconditionError(msg)
    run_id = str(max(open_runs, key=lambda r: str(r.get("started")))["run_id"])
    refuse_living(lambda: earlier_record(store, run_folder(logs, run_id)), here or Here())
    return run_id


def _records(store: ObjectStore, logs: str) -> Iterator[dict[str, Any]]:
    for info in store.list(join(logs, "runs")):
        folder, _, name = info.uri.rpartition("/")
        record = earlier_record(store, folder) if name == FILE_NAME else None
        if record is not None and record.get("run_id") == folder.rpartition("/")[2]:
            yield record


def _is_resumable(record: Mapping[str, Any]) -> bool:
    return record.get("state") == "running" or (
        record.get("state") == "failed" and ExitCode.of(record.get("exit_code")).row.resumable
    )


def resume_command(program: Sequence[str], given: Given, *, run_id: str) -> str:
    """The command line of a run with its run id in it, ready to be pasted into a shell."""
    return command_line(program, given.without(RUN_ID, RESUME) + Given.of({RUN_ID: run_id}))
