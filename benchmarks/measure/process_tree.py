"""
What /proc tells of a process and everything below it (Linux only).
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessInfo:
    """One line of /proc/<pid>/stat; `cpu_s` is user + system of the process itself, without waited children."""

    pid: int
    parent_pid: int
    name: str
    cpu_s: float


def process_info(pid: int, *, proc: Path = PROC) -> ProcessInfo | None:
    """None when the process is gone."""
    try:
        text = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    ticks = int(fields[11]) + int(fields[12])
    return ProcessInfo(pid, int(fields[1]), name, ticks / os.sysconf("SC_CLK_TCK"))


def children(pid: int, *, proc: Path = PROC) -> set[int]:
    """Ids of the direct children, zombies included."""
    return {info.pid for info in _all(proc) if info.parent_pid == pid}


def tree(pid: int, *, proc: Path = PROC) -> list[ProcessInfo]:
    """The process and all its descendants, as far as they live."""
    below: dict[int, list[ProcessInfo]] = {}
    infos = list(_all(proc))
    for info in infos:
        below.setdefault(info.parent_pid, []).append(info)
    found = [info for info in infos if info.pid == pid]
    for info in found:  # grows while it is walked
        found += below.get(info.pid, [])
    return found


def pss_bytes(pid: int, *, proc: Path = PROC) -> int:
    """Proportional set size: shared pages count once over all processes that share them. 0 when it is gone."""
    try:
        lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def ignores_children(pid: int, *, proc: Path = PROC) -> bool:
    """Whether it ignores SIGCHLD, so that nobody waits for its children; False when it is gone."""
    try:
        status = (proc / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    ignored = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(ignored >> (signal.SIGCHLD - 1) & 1)


def _all(proc: Path) -> list[ProcessInfo]:
    pids = [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]
    return [info for pid in pids if (info := process_info(pid, proc=proc))]
