"""A run whose driver gave a sign of life is left alone; a killed one is not waited for longer than needed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynamodb_pipeline.errors import PreconditionError, StoppedError
from dynamodb_pipeline.finished import DEAD_AFTER, RunState
from dynamodb_pipeline.run.heartbeat import (
    INTERVAL_S,
    PATIENCE_S,
    Heartbeat,
    Here,
    is_alive,
    own_facts,
    process_exists,
    refuse_living,
)
from dynamodb_pipeline.run.record import RunRecord
from tests.unit.store.memory_store import MemoryStore

NOW = datetime(2026, 11, 23, 3, 0, 0, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def here(*, exists: bool = True, slept: list[float] | None = None) -> Here:
    """Host `here`, process 1, at `NOW`; every other process exists or none does."""
    return Here("here", 1, lambda: NOW, lambda _: exists, (slept if slept is not None else []).append)


def running(*, host: str = "there", pid: int = 7, age: timedelta = MINUTE, **changes: Any) -> RunState:
    beat = f"{NOW - age:%Y-%m-%dT%H:%M:%SZ}"
    members = {"run_id": "run-1", "state": "running", "host": host, "pid": pid, "heartbeat": beat}
    return RunState.readable({**members, **changes})


@pytest.mark.parametrize(
    ("record", "exists", "alive"),
    [
        (running(), True, True),
        (running(age=DEAD_AFTER), True, True),
        (running(age=DEAD_AFTER + timedelta(seconds=1)), True, False),
        (running(age=-MINUTE), True, True),  # its clock is ahead of ours
        (running(state="failed"), True, False),
        (running(state="done"), True, False),
        (running(heartbeat=None), True, False),
        (running(heartbeat="soon"), True, False),
        (running(host="here"), True, True),
        (running(host="here"), False, False),
        (running(host="here", pid=1), True, False),
        (running(host="there", pid=1), False, True),
        (running(host="here", pid=None), False, True),
    ],
    ids=[
        *("elsewhere", "four intervals old", "older", "clock ahead", "failed", "done", "no heartbeat", "no moment"),
        *("process there", "process gone", "this process", "same number elsewhere", "no process id"),
    ],
)
def test_run_is_alive(record: RunState, exists: bool, alive: bool) -> None:
    assert is_alive(record, here(exists=exists)) is alive


def test_refusal_says_whose_run_it_is_and_when_it_counts_as_dead() -> None:
    with pytest.raises(PreconditionError) as caught:
        refuse_living(running, here())
    said = str(caught.value)
    assert "run run-1 is at work: process 7 on there, last sign of life 60 s ago" in said
    assert "try again after 03:03:00 UTC" in said


def test_run_of_this_machine_that_is_about_to_end_is_waited_for() -> None:
    slept: list[float] = []
    records = [running(host="here"), running(host="here"), running(host="here", state="failed")]
    refuse_living(lambda: records.pop(0), here(slept=slept))
    assert (len(records), len(slept)) == (0, 2)


def test_run_of_this_machine_that_does_not_end_is_refused_after_some_seconds() -> None:
    slept: list[float] = []
    with pytest.raises(PreconditionError, match="process 7 on here"):
        refuse_living(lambda: running(host="here"), here(slept=slept))
    assert sum(slept) == PATIENCE_S


def test_run_without_a_record_is_nobodys() -> None:
    refuse_living(lambda: None, here())


def test_process_exists_until_it_ended() -> None:
    """A child that ended and was not waited for is a zombie: signals reach it, and it does nothing any more."""
    assert process_exists(os.getpid())
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as child:
        assert process_exists(child.pid)
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process_exists(child.pid)
    assert not process_exists(child.pid)


def test_every_save_is_a_sign_of_life() -> None:
    store = MemoryStore()
    record = RunRecord(store, "s3://logs/runs/run-1", {"run_id": "run-1", **own_facts()})
    record.save()
    other_host = Here(host="elsewhere")
    assert is_alive(RunState.readable(record.facts), other_host)
    record.save(state="done")
    assert not is_alive(RunState.readable(record.facts), other_host)


class Minutes:
    """Counts the waits of a heartbeat and ends it after some."""

    def __init__(self, count: int) -> None:
        self.left, self.waited = count, list[float]()

    def __call__(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.left -= 1
        return self.left < 0


def test_heart_beats_once_a_minute_until_the_run_ends() -> None:
    beats: list[int] = []
    wait = Minutes(3)
    Heartbeat(lambda: beats.append(1), note=[].append).run(wait)
    assert (len(beats), wait.waited) == (3, [INTERVAL_S] * 4)


def test_beat_that_fails_is_told_and_the_next_comes_all_the_same() -> None:
    told: list[str] = []

    def beat() -> None:
        raise StoppedError("S3 does not answer")

    Heartbeat(beat, note=told.append).run(Minutes(2))
    assert told == ["run.json could not be refreshed: S3 does not answer"] * 2


def test_heartbeat_ends_with_its_block() -> None:
    heart = Heartbeat(lambda: None, note=[].append)
    with heart:
        assert heart._thread.is_alive()
    assert not heart._thread.is_alive()
