"""
Runs our jobs behind the proxies: in this process, or as a process of its own that is to be killed.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dynamodb_pipeline.job_main import run_command_line
from dynamodb_pipeline.output import Lines
from sandbox.faults.delivery import Delivery, nothing
from sandbox.faults.http_messages import Request
from sandbox.faults.proxy import Handler
from tests.faults.scenario import Blow

PROJECT = Path(__file__).parents[2]
TIMEOUT_S = 120


@dataclass
class Victim:
    """The process that a blow is meant for, once it runs."""

    blow: Blow
    process: subprocess.Popen[str] | None = None
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self) -> bool:
        """Count one request; True for the one at which the blow falls."""
        with self.lock:
            self.requests += 1
            return self.requests == self.blow.at_request and self.process is not None

    def strike(self) -> None:
        assert self.process is not None
        self.process.send_signal(getattr(signal, f"SIG{self.blow.signal}"))


class Striking:
    """A handler that deals a blow at its time and otherwise leaves requests to another."""

    def __init__(self, handler: Handler, victim: Victim) -> None:
        self._handler, self._victim = handler, victim

    def handle(self, request: Request) -> Delivery:
        if not self._victim.due():
            return self._handler.handle(request)
        delivery = self._handler.handle(request) if self._victim.blow.answered else nothing()
        self._victim.strike()
        return delivery

    def release(self) -> None:
        self._handler.release()


@dataclass(frozen=True)
class Outcome:
    """How a job ended and all it said."""

    exit_code: int
    text: str


def run_here(argv: list[str], env: dict[str, str]) -> Outcome:
    """The job as a call in this process."""
    said, result = io.StringIO(), io.StringIO()
    with _environment(env), contextlib.redirect_stdout(result), contextlib.redirect_stderr(said):
        code = run_command_line(argv[0], argv[1:], lines=Lines(said.write), local=True, engine="process")
    return Outcome(int(code), said.getvalue() + result.getvalue())


def run_apart(argv: list[str], env: dict[str, str], victim: Victim) -> Outcome:
    """The job as a process, which the victim's blow may end."""
    command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *argv, "--local", "--engine", "process"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=PROJECT, text=True, env={**os.environ, **env}
    ) as process:
        victim.process = process
        try:
            text, _ = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
    return Outcome(process.returncode, text)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
