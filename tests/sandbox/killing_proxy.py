"""Stands before the sandbox and kills its client at one call: before it is passed on, or once its reply is here."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.faults.delivery import Delivery, nothing, whole
from sandbox.faults.http_messages import Request
from sandbox.faults.proxy import FaultProxy
from sandbox.faults.upstream import Upstream

ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB")
TIMEOUT_S = 240


@dataclass
class Killer:
    """
    Passes requests on and counts them; `calls` are their names in order.

    Args:
        at: number of the fatal call, from 1, or its name, of which the first is meant; None for none.
        is_done: the fatal call reaches AWS and only its reply is lost; otherwise it never arrives.
    """

    upstream: Upstream
    at: int | str | None = None
    is_done: bool = False
    calls: list[str] = field(default_factory=list)
    pid: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Request) -> Delivery:
        """Pass a request on unless it is the fatal one."""
        with self._lock:
            self.calls.append(name_of(request))
            is_fatal = self.at in (len(self.calls), self.calls[-1])
        if not is_fatal:
            return whole(self.upstream.send(request))
        if self.is_done:
            self.upstream.send(request)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        return nothing()

    def release(self) -> None:
        """A connection has ended."""
        self.upstream.close()


def name_of(request: Request) -> str:
    """`RunJobFlow` of a JSON protocol request, method and path of others."""
    target = (request.header("x-amz-target") or "").rpartition(".")[2]
    return target or f"{request.method} {request.url.path}"


@dataclass(frozen=True)
class Killed:
    """A command that was run through the proxy: the calls it made, its exit code (-9 for killed) and its stderr."""

    calls: tuple[str, ...]
    code: int
    text: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


def run_and_kill(
    command: Sequence[str], *, url: str, env: Mapping[str, str], at: int | str | None = None, is_done: bool = False
) -> Killed:
    """Run a command whose AWS is `url` behind a killing proxy."""
    killer = Killer(Upstream(url), at=at, is_done=is_done)
    with FaultProxy(killer) as proxy:
        process = subprocess.Popen(
            command,
            env={**env, **dict.fromkeys(ENDPOINTS, proxy.url)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        killer.pid = process.pid
        _, text = process.communicate(timeout=TIMEOUT_S)
        killer.pid = None
    return Killed(tuple(killer.calls), process.returncode, text.decode(errors="replace"))
