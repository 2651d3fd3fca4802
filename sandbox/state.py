"""
What runs, on disk: `.sandbox/<name>/state.json`, so that another process can find, use and stop it.

A file whose owner is gone without cleaning up (power cut, kill -9) is found by the next start and swept away.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.containers import container_processes, kill_containers
from sandbox.processes import PROJECT, SandboxError, ServerProcess, start_time, stop_servers

FOLDER = PROJECT / ".sandbox"
KEPT_LOGS_S = 86_400.0


@dataclass(frozen=True)
class State:
    """
    The servers of one sandbox and how to reach them.

    `owner` is (process id, start time) of the process it must not outlive, None: it runs until `down`.
    """

    name: str
    owner: tuple[int, str] | None = None
    servers: tuple[ServerProcess, ...] = ()
    urls: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def file(self) -> Path:
        return self.folder / "state.json"

    @property
    def is_abandoned(self) -> bool:
        return self.owner is not None and start_time(self.owner[0]) != self.owner[1]

    def claim(self) -> None:
        """Write the file for the first time; SandboxError when another sandbox of this name has one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self.file.open("x") as output:
                output.write(json.dumps(asdict(self)))
        except FileExistsError as error:
            raise SandboxError(f"sandbox {self.name!r} is already up; `python -m sandbox down` stops it") from error

    def save(self) -> None:
        """Replace the file in one step."""
        scratch = self.file.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=1))
        scratch.replace(self.file)

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop every server and container and forget them; `keep_logs` leaves the folder with its logs."""
        containers = container_processes(self.folder / "yarn")
        stop_servers(self.servers)
        kill_containers(containers)
        self.file.unlink(missing_ok=True)
        if not keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)


def this_process() -> tuple[int, str]:
    """Return the owner mark of the calling process."""
    return os.getpid(), start_time(os.getpid()) or ""


def load(name: str) -> State | None:
    """Return the recorded state of sandbox `name`, None when there is none."""
    try:
        data = json.loads((FOLDER / name / "state.json").read_text())
    except FileNotFoundError:
        return None
    return State(
        name=data["name"],
        owner=tuple(data["owner"]) if data["owner"] else None,
        servers=tuple(ServerProcess(**server) for server in data["servers"]),
        urls=data["urls"],
        environment=data["environment"],
    )


def recorded() -> Iterator[State]:
    """Yield every sandbox that has a state file."""
    for file in sorted(FOLDER.glob("*/state.json")):
        state = load(file.parent.name)
        if state:
            yield state


def sweep() -> None:
    """Stop and forget the sandboxes whose owner is gone; remove logs that failed ones left a day ago."""
    for state in recorded():
        if state.is_abandoned:
            state.stop()
    for folder in FOLDER.glob("run-*"):
        if not (folder / "state.json").exists() and time.time() - folder.stat().st_mtime > KEPT_LOGS_S:
            shutil.rmtree(folder, ignore_errors=True)
