"""
Whether a recorded run still lives: its driver refreshes `run.json` every minute, with its host and process id.

A run that was killed still says `running`. So a record counts as a living run's while its heartbeat is younger than a
few intervals, unless it names a process of this very machine that is gone. This is a courtesy to people and a guard
for `clean`; that two drivers never mix what they finished is the ledger's promise.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable

from dynamodb_pipeline.background import Background
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import PipelineError, PreconditionError
from dynamodb_pipeline.finished import DEAD_AFTER, RUNNING, RunState

INTERVAL_S = 60.0
AHEAD_MAX = timedelta(days=-1)  # clocks differ by minutes; a sign of life from beyond that is none
PATIENCE_S = 15.0  # for a process of this machine that was just told to end
LOOK_S = 0.5
CLOSE_S = 5.0  # a beat that waits for S3 must not hold up the end of the run


def own_facts() -> Facts:
    """Who writes a record: host and process id."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def process_exists(pid: int) -> bool:
    """True for a process of this machine that runs; a dead one that nobody has asked for its exit code does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):  # not every system has /proc
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


@dataclass(frozen=True)
class Here:
    """This machine, this process and this moment (tests bring their own)."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    exists: Callable[[int], bool] = process_exists
    sleep: Callable[[float], object] = time.sleep


def is_alive(record: RunState, here: Here) -> bool:
    """True when the record is a run's that may still be at work; an earlier run of this same process is not."""
    beat = record.heartbeat
    if record.state != RUNNING or beat is None or not AHEAD_MAX < here.now() - beat <= DEAD_AFTER:
        return False
    if record.host != here.host or record.pid is None:
        return True
    return record.pid != here.pid and here.exists(record.pid)


def refuse_living(read: Callable[[], RunState | None], here: Here) -> RunState | None:
    """
    Refuse to touch what belongs to a living run; one of this machine is given some seconds to end.

    Args:
        read: returns the run's record as it is now, None when there is none.

    Returns:
        What `read` returned last: the record of a run that does not live, or None.

    Raises:
        PreconditionError: names host and process, and from when on the run counts as dead.
    """
    record, waited_s = read(), 0.0
    while record is not None and is_alive(record, here):
        if record.host != here.host or waited_s >= PATIENCE_S:
            raise living(record, here)
        here.sleep(LOOK_S)
        waited_s += LOOK_S
        record = read()
    return record


def living(record: RunState, here: Here) -> PreconditionError:
    """The refusal of a run that is at work; names host and process, and from when on it counts as dead."""
    beat = record.heartbeat or here.now()
    who = f"process {record.pid or '?'} on {record.host or 'an unknown host'}"
    age_s = max(0.0, (here.now() - beat).total_seconds())
    return PreconditionError(
        f"run {record.run_id} is at work: {who}, last sign of life {age_s:.0f} s ago. Let it end, or stop it"
        f" (`cancel` its step, or SIGTERM); if that process is gone, try again after {beat + DEAD_AFTER:%H:%M:%S} UTC"
    )


class Heartbeat(Background):
    """
    Calls `beat` every minute from a thread of its own, until closed; a context manager.

    Args:
        beat: refreshes the record.
        note: told in one line that this failed; the run goes on.
    """

    def __init__(self, beat: Callable[[], object], *, note: Callable[[str], None]) -> None:
        super().__init__(name="heartbeat", close_s=CLOSE_S)
        self._beat, self._note = beat, note

    def run(self, wait: Callable[[float], bool]) -> None:
        """Beat once a minute until `wait(seconds)` says True."""
        while not wait(INTERVAL_S):
            try:
                self._beat()
            except PipelineError as err:
                self._note(f"run.json could not be refreshed: {err}")
