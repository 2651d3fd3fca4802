"""
`run.json`: what a run is, does and came to, kept under `<logs>/runs/<run-id>/`; and how a stopped run is gone on with:
which runs can be, the newest of them, the command that does it.

EMR knows only "failed"; the launcher reads the job's own exit code, totals and error from here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Callable

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import TIME_FORMAT, DocumentError, Facts, read_object, to_bytes
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.finished import RUN_RECORD, RUNNING, STARTS, RunState
from dynamodb_pipeline.run.heartbeat import Here, living, refuse_living
from dynamodb_pipeline.settings.job_options import RESUME, RUN_ID, TIMEOUT
from dynamodb_pipeline.settings.rows import Given, command_line
from dynamodb_pipeline.settings.run_ids import run_folder
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore, put_once

LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


def time_text(moment: datetime) -> str:
    """A moment as our documents write it, ISO 8601 UTC to the second."""
    return f"{moment.astimezone(timezone.utc):{TIME_FORMAT}}"


def now_text() -> str:
    """The present moment."""
    return time_text(datetime.now(timezone.utc))


class RunRecord:
    """
    Collects what `run.json` says and stores it; without a logs folder it stores nothing. Safe for several threads.

    Args:
        store: where the record goes.
        folder: `run_folder(...)` or None.
        facts: kind, run id, tables, tool version, when it started, and who writes this.
        now: the present moment as ISO 8601 UTC.
    """

    def __init__(self, store: ObjectStore, folder: str | None, facts: Facts, *, now: Callable[[], str] = now_text):
        self._store, self._folder, self._lock, self._now = store, folder, threading.Lock(), now
        self.facts: Facts = {**facts, "state": RUNNING}

    def save(self, **changes: object) -> None:
        """Merge `changes` and store the record (one PUT, replaces the older one), which is a sign of life as well."""
        with self._lock:  # held until S3 has it: no older record may come after a newer one
            self.facts.update(changes, heartbeat=self._now())
            if self._folder is not None:
                self._store.put(join(self._folder, RUN_RECORD), self.to_bytes())

    def to_bytes(self) -> bytes:
        return to_bytes(self.facts)


def read_state(store: ObjectStore, folder: str) -> RunState | None:
    """What `run.json` in a run's folder says, None when there is none or it is no document of ours."""
    return _readable(store, join(folder, RUN_RECORD))


def take_run(store: ObjectStore, folder: str, own: RunState, *, here: Here) -> RunState | None:
    """
    Take a run whose id was given, for this process.

    Two processes that start with one id at the same moment both find no run, or a dead one. So each start is an object
    of the next number, put if absent: one has it, the other is told of it.

    Args:
        own: what this process would write into `run.json`.

    Returns:
        What the record says of the attempts before, None when there were none.

    Raises:
        PreconditionError: the run is at work, or another command's; nothing was written.
    """
    earlier: RunState | None = None
    last: str | None = None

    def last_sign() -> RunState | None:
        nonlocal earlier, last  # what was judged is what is taken: a start that comes after it has the number first
        earlier, last = read_state(store, folder), _last_start(store, folder)
        return _newer_sign(earlier, None if last is None else _readable(store, last))

    refuse_living(last_sign, here)
    if earlier is not None:
        refuse_other_command(earlier, own)
    place = f"{STARTS}/{_number(last) + 1:06d}.json"
    sign = {"heartbeat": time_text(here.now()), "state": RUNNING, "host": here.host, "pid": here.pid}
    if not put_once(store, join(folder, place), to_bytes({"run_id": own.run_id, "kind": own.kind, **sign})):
        raise living(_readable(store, join(folder, place)) or own, here)
    return earlier


def refuse_other_command(earlier: RunState, own: RunState) -> None:
    """
    Raises:
        PreconditionError: the run id is that of another kind of run, or of one of other tables.
    """
    if earlier.kind in (None, own.kind) and earlier.table_names in (None, own.table_names):
        return
    tables = ", ".join(earlier.table_names or ()) or "no table"
    msg = f"run {own.run_id} is a run of another command ({earlier.kind} of {tables}); choose another --run-id"
    raise PreconditionError(msg)


def _newer_sign(record: RunState | None, start: RunState | None) -> RunState | None:
    """The newer of the last start and the record: whoever took the run may not have written its record yet."""
    if record is None or start is None or start.heartbeat is None:
        return record or start
    same_process, beat = (start.host, start.pid) == (record.host, record.pid), record.heartbeat or LONG_AGO
    newer = beat > start.heartbeat or (beat == start.heartbeat and record.state == RUNNING)  # times are whole seconds
    return record if same_process or newer else start


def _last_start(store: ObjectStore, folder: str) -> str | None:
    return max((info.uri for info in store.list(join(folder, STARTS)) if _number(info.uri)), default=None, key=_number)


def _number(uri: str | None) -> int:
    """The number of a start, 0 for what is none."""
    stem, _, kind = (uri or "").rpartition("/")[2].partition(".")
    return int(stem) if kind == "json" and stem.isascii() and stem.isdigit() and len(stem) == 6 else 0


def _readable(store: ObjectStore, uri: str) -> RunState | None:
    try:
        return RunState.readable(read_object(store.get(uri)))
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


def recorded_folders(store: ObjectStore, logs: str) -> Iterator[str]:
    """Every folder below a log folder's runs that holds a record, in key order."""
    for info in store.list(join(logs, "runs")):
        folder, _, name = info.uri.rpartition("/")
        if name == RUN_RECORD:
            yield folder


def _states(store: ObjectStore, logs: str) -> Iterator[RunState]:
    for folder in recorded_folders(store, logs):
        state = read_state(store, folder)
        if state is not None and state.run_id == folder.rpartition("/")[2]:
            yield state


def resume_command(program: Sequence[str], given: Given, *, run_id: str, timeout: str | None = None) -> str:
    """The command line of a run with its run id in it, ready to be pasted into a shell; `timeout` replaces its own."""
    return command_line(program, given.without(RUN_ID, RESUME) + Given.of({RUN_ID: run_id, TIMEOUT: timeout}))
