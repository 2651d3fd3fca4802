"""
The two servers of a benchmark, started as their own processes and stopped by their ids.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.replay_replies import REGION
from sandbox.faults.ledger import LedgerRow, rows_from_json

PROJECT = Path(__file__).parents[1]
PYTHON = sys.executable
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Server:
    """A running server of this package."""

    port: int
    about: dict[str, Any]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of a reply; RuntimeError unless it is a success."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            data = reply.read()
        finally:
            connection.close()
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {data[:200]!r}")
        return data

    def stats(self) -> dict[str, Any]:
        """Its GET /stats."""
        stats: dict[str, Any] = json.loads(self.ask("GET", "/stats"))
        return stats

    def ledger(self) -> list[LedgerRow]:
        """The replay server's rows."""
        return rows_from_json(json.loads(self.ask("GET", "/ledger")))

    def reset(self) -> None:
        """Empty the replay server's ledger and forget what was written."""
        self.ask("POST", "/reset")


@dataclass(frozen=True)
class Servers:
    """DynamoDB and S3, and the environment that leads any AWS client to them."""

    dynamodb: Server
    s3: Server

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "AWS_ACCESS_KEY_ID": "AKIDBENCH",
            "AWS_SECRET_ACCESS_KEY": "bench-secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(PROJECT),
        }

    def process_env(self) -> dict[str, str]:
        """`env` over this process's own environment."""
        return {**os.environ, **self.env}


@contextmanager
def running(module: str, *options: str) -> Iterator[Server]:
    """A server of this package as a process."""
    command = [PYTHON, "-m", module, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"{' '.join(command)} did not start")
            about = json.loads(line)
            yield Server(about["port"], about)
        finally:
            process.terminate()


@contextmanager
def serving(*replay_options: str) -> Iterator[Servers]:
    """Both servers; `replay_options` are those of the replay server."""
    with ExitStack() as stack:
        replay = stack.enter_context(running("benchmarks.replay_server", *replay_options))
        objects = stack.enter_context(running("benchmarks.object_server"))
        yield Servers(replay, objects)
