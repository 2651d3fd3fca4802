"""Runs the product's commands inside the test's own process: the same words, no second start of Python."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from json import loads
from unittest import mock

from dynamodb_pipeline.cli.main import main
from sandbox.stack import Sandbox
from tests.sandbox.cli import Outcome
from tests.sandbox.tables import Table

LOCAL = ("--local", "--engine", "process")
FULL_RATE = ("--throughput-percent", "100")


@dataclass(frozen=True)
class Pipeline:
    """`dynamodb-pipeline` on a sandbox; `dynamodb_url` may be a proxy before it, `keys` those of one of its users."""

    sandbox: Sandbox
    dynamodb_url: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> Outcome:
        """Run one command line."""
        extra = {"AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb_url} if self.dynamodb_url else {}
        out, text = io.StringIO(), io.StringIO()
        environment = mock.patch.dict(os.environ, self.sandbox.process_env(**extra, **self.keys), clear=True)
        with environment, redirect_stdout(out), redirect_stderr(text):
            code = main(words)
        lines = out.getvalue().splitlines()
        assert len(lines) <= 1, f"stdout is not one JSON document:\n{out.getvalue()}"
        return Outcome(code, loads(lines[0]) if lines else {}, text.getvalue())

    def export(self, table: Table, folder: str, *more: str) -> Outcome:
        """Export a table into exactly this folder."""
        words = ("--table", table.name, "--output", folder, "--exact-output", *LOCAL, *FULL_RATE)
        return self.run("export", *words, *more)

    def import_into(self, table: Table, folder: str, *more: str) -> Outcome:
        return self.run("import", "--table", table.name, "--input", folder, *LOCAL, *FULL_RATE, *more)

    def verify(self, folder: str, *more: str, table: Table | None = None) -> Outcome:
        against = ("--table", table.name) if table else ()
        return self.run("verify", folder, *against, *LOCAL, *FULL_RATE, *more)
