"""
Run a command and tell what its whole process tree cost.

The kernel adds a child's CPU time to its parent only when the parent waits for it. A JVM that ends before its Python
workers leaves orphans nobody waits for, so this process declares itself their reaper and collects them as well. What a
parent that ignores SIGCHLD leaves unsaid is taken from /proc while it runs, short of the last half second.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure.process_tree import children
from benchmarks.measure.tree_watch import TreeWatch

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ORPHAN_TIMEOUT_S = 20.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Command:
    """A process to run; `output` receives its stdout and stderr together."""

    argv: tuple[str, ...]
    output: Path
    env: dict[str, str] = field(default_factory=dict)  # added to this process's own
    cwd: Path | None = None


@dataclass(frozen=True)
class Usage:
    """CPU is user + system seconds of the command and all its descendants."""

    exit_code: int
    wall_s: float
    cpu_s: float
    peak_pss_bytes: int
    peak_pss_by_name: dict[str, int]
    output_bytes: int


def run_measured(command: Command) -> Usage:
    """Run to the end; descendants that outlive the command by 20 s are killed and still counted."""
    with _reaper():
        return _run_measured(command)


def _run_measured(command: Command) -> Usage:
    strangers = children(os.getpid())
    started_s = time.monotonic()
    with command.output.open("wb") as output:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **command.env},
            cwd=command.cwd,
        )
    try:
        with TreeWatch(process.pid) as watch:
            _, status, spent = os.wait4(process.pid, 0)
    except BaseException:  # this process is to end
        process.terminate()
        raise
    wall_s = time.monotonic() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    orphans = _reap_orphans(strangers)
    unwaited = (cpu_s for pid, cpu_s in watch.unwaited_cpu_s.items() if pid not in orphans)
    cpu_s = spent.ru_utime + spent.ru_stime + sum(orphans.values()) + sum(unwaited)
    return Usage(process.returncode, wall_s, cpu_s, watch.peak_bytes, watch.peak_by_name, command.output.stat().st_size)


@contextmanager
def _reaper() -> Iterator[None]:
    """Orphaned descendants become children of this process instead of process 1, as long as it waits for them."""
    _set_reaper(True)
    try:
        yield
    finally:
        _set_reaper(False)


def _set_reaper(on: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed; CPU of orphans would be lost")


def _reap_orphans(strangers: set[int]) -> dict[int, float]:
    """CPU seconds, by process id, of every child that is not one of `strangers`, waiting for each to end."""
    cpu_s: dict[int, float] = {}
    deadline_s = time.monotonic() + ORPHAN_TIMEOUT_S
    while orphans := children(os.getpid()) - strangers:
        late = time.monotonic() > deadline_s
        for pid in orphans:
            if late:
                os.kill(pid, signal.SIGKILL)  # not waited for yet, so the id is still this child's
            cpu_s[pid] = _reap(pid)
        time.sleep(_POLL_S)
    return cpu_s


def _reap(pid: int) -> float:
    done, _, spent = os.wait4(pid, os.WNOHANG)
    return spent.ru_utime + spent.ru_stime if done else 0.0
