"""Processes of a node: started in a group of their own, interrupted or killed as EMR does, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CLUSTER_MARK = "SANDBOX_EMR_CLUSTER_ID"
STEP_MARK = "SANDBOX_EMR_STEP_ID"
SERVER_MARK = "SANDBOX_EMR_SERVER"
SIGNALS = {"SEND_INTERRUPT": signal.SIGTERM, "TERMINATE_PROCESS": signal.SIGKILL}
NOT_FOUND = 127


@dataclass(frozen=True)
class Command:
    """What to run: `folder` takes the process's stdout and stderr files."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    working_folder: Path
    folder: Path


class NodeProcess:
    """One process group, from before it starts until nothing of it is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._refused_by: signal.Signals | None = None

    def run(self, command: Command) -> int:
        """
        Run to the end and return the exit code, as a shell would say it (128 + signal, 127: no such command).

        A process that was interrupted before its start is not started.
        """
        with ExitStack() as files:
            outputs = [files.enter_context((command.folder / name).open("ab")) for name in ("stdout", "stderr")]
            try:
                child = self._start(command, outputs[0], outputs[1])
            except FileNotFoundError as error:
                outputs[1].write(f"{error}\n".encode())
                return NOT_FOUND
        return self._wait(child) if child else 128 + (self._refused_by or signal.SIGKILL)

    def _start(self, command: Command, stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._refused_by:
                return None
            self._child = subprocess.Popen(
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=dict(command.environment),
                cwd=command.working_folder,
                start_new_session=True,
            )
            return self._child

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        """Kill what is left of the group while its leader is a zombie: until then the id is nobody else's."""
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            self._child = None
            code = child.wait()
        return code if code >= 0 else 128 - code

    def interrupt(self, option: str, *, scope: str = "group") -> None:
        """Send SIGTERM (SEND_INTERRUPT) or SIGKILL (TERMINATE_PROCESS, always to the whole group)."""
        wanted = SIGNALS[option]
        with self._lock:
            if self._child is None:
                self._refused_by = wanted
                return
            send = os.killpg if scope == "group" or wanted == signal.SIGKILL else os.kill
            with suppress(ProcessLookupError):
                send(self._child.pid, wanted)


def kill_strays(mark: str, value: str) -> list[int]:
    """
    Kill processes that left their group (PySpark's daemon does) but still carry a mark in their environment.

    Returns:
        Their process ids. Always empty where there is no /proc.
    """
    killed = []
    for pid in _marked(mark, value):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    return killed


def _marked(mark: str, value: str) -> Iterator[int]:
    wanted = f"{mark}={value}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
