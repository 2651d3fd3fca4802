"""
YARN's containers as processes of this machine.

The NodeManager starts each in a session of its own, out of reach of a signal to the daemon's group, and stops them
when it ends in peace. This finds and kills those that outlived a NodeManager that did not.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def container_processes(yarn_folder: Path) -> dict[str, int]:
    """Return {container id: process id} of the containers whose pid files the NodeManager still keeps."""
    found = {}
    for file in yarn_folder.glob("local/nmPrivate/*/*/container_*.pid"):
        with suppress(FileNotFoundError, ValueError):
            found[file.stem] = int(file.read_text())
    return found


def kill_containers(containers: dict[str, int]) -> None:
    """Kill the process group of each container that still runs, made sure of by its id in the command line."""
    for container, pid in containers.items():
        with suppress(FileNotFoundError, ProcessLookupError):
            if container in Path(f"/proc/{pid}/cmdline").read_text():
                os.killpg(pid, signal.SIGKILL)
