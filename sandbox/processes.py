"""
Start, find and stop the sandbox's server processes, by process id only.

A process is known by its id *and* its start time, so that an id the system has given to somebody else since
is never signalled. Each server leads its own process group; stopping it stops the group.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 3.0  # then SIGKILL: there is nothing to save
POLL_S = 0.02
STARTTIME_FIELD = 19  # of /proc/PID/stat, counted after the command name (proc_pid_stat(5), field 22)


class SandboxError(RuntimeError):
    """A part of the sandbox is missing or did not start; the message names it and the remedy."""


@dataclass(frozen=True)
class ServerProcess:
    """One server: its process id is also its group id; `started` tells it from a later owner of the id."""

    name: str
    pid: int
    started: str
    log: str

    @property
    def is_alive(self) -> bool:
        return start_time(self.pid) == self.started


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, in the system's own notation; None when there is no such process."""
    if Path("/proc/self/stat").exists():
        return _start_time_from_proc(pid)
    listing = subprocess.run(["ps", "-p", str(pid), "-o", "stat=,lstart="], capture_output=True, text=True)
    state, _, started = listing.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _start_time_from_proc(pid: int) -> str | None:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[STARTTIME_FIELD]
    return None


def start_server(
    name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str], tethered: bool
) -> tuple[ServerProcess, subprocess.Popen[bytes]]:
    """
    Start `command` as leader of its own group with both outputs in `log`.

    `tethered`: it ends with this process, however that ends (sandbox/tether.py); else it runs until stopped.
    Keep the returned Popen: its standard input is the tether.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    full = [sys.executable, "-m", "sandbox.tether", *command] if tethered else list(command)
    with log.open("wb") as output:
        child = subprocess.Popen(
            full,
            stdin=subprocess.PIPE if tethered else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=PROJECT,
            start_new_session=True,
        )
    return ServerProcess(name, child.pid, start_time(child.pid) or "", str(log)), child


def wait_for_log(server: ServerProcess, pattern: str, *, timeout_s: float = READY_TIMEOUT_S) -> re.Match[str]:
    """Return the first match of `pattern` in the log; SandboxError when the server ends or time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        alive = server.is_alive  # asked before the log is read: a last word of a dying server is not missed
        found = re.search(pattern, Path(server.log).read_text(errors="replace"), re.MULTILINE)
        if found:
            return found
        if not alive:
            raise SandboxError(f"{server.name} ended before it was ready:\n{log_tail(server)}")
        time.sleep(POLL_S)
    raise SandboxError(f"{server.name} not ready after {timeout_s:.0f} s:\n{log_tail(server)}")


def log_tail(server: ServerProcess, *, lines: int = 15) -> str:
    """Return the last lines of the server's log with the log's path above."""
    text = Path(server.log).read_text(errors="replace").splitlines()
    return "\n".join([f"--- {server.log}", *text[-lines:]])


def stop_servers(servers: Sequence[ServerProcess]) -> None:
    """Stop every group, last started first: SIGTERM, then SIGKILL for those left after 3 s."""
    alive = [server for server in reversed(servers) if server.is_alive]
    for stop_signal in (signal.SIGTERM, signal.SIGKILL):
        for server in alive:
            _signal_group(server, stop_signal)
        alive = _still_alive(alive)


def _signal_group(server: ServerProcess, stop_signal: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, stop_signal)


def _still_alive(servers: list[ServerProcess]) -> list[ServerProcess]:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while (alive := [server for server in servers if server.is_alive]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return alive
