"""
How a stopped run is gone on with: which runs can be, the newest of them, the command that does it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.errors import ExitCode, PreconditionError
from dynamodb_pipeline.run.heartbeat import Here, refuse_living
from dynamodb_pipeline.run.record import FILE_NAME
from dynamodb_pipeline.settings.run_ids import run_folder
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

OPTIONS_OF_THIS_RUN = ("--run-id", "--resume")


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


def resume_command(kind: str, words: Sequence[str], *, run_id: str) -> str:
    """The command line of a run with its run id in it, ready to be pasted into a shell."""
    here = tuple(words[:1]) == (kind,)
    program = ("dynamodb-pipeline",) if here else ("spark-submit", "...", f"jobs/{kind}_table.py")
    return shlex.join((*program, *_without_run(words), "--run-id", run_id))


def _without_run(words: Sequence[str]) -> Iterator[str]:
    skip = False
    for word in words:
        if skip or word in OPTIONS_OF_THIS_RUN:
            skip = not skip
        elif not word.startswith(tuple(f"{option}=" for option in OPTIONS_OF_THIS_RUN)):
            yield word
