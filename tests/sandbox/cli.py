"""Runs the product's own commands as a user does: a process of its own, its JSON result, its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 240


@dataclass(frozen=True)
class Outcome:
    """Exit code, the JSON document of stdout, and what people saw."""

    code: int
    result: dict[str, Any]
    text: str


def run_cli(words: Sequence[str], *, env: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Outcome:
    """Run `dynamodb-pipeline WORDS` and demand that stdout is one JSON document."""
    command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *words]
    return outcome_of(subprocess.run(command, env=dict(env), capture_output=True, timeout=timeout_s, check=False))


def outcome_of(done: subprocess.CompletedProcess[bytes]) -> Outcome:
    """The outcome of a finished command."""
    text = done.stderr.decode(errors="replace")
    out = done.stdout.decode().strip()
    assert out.count("\n") == 0, f"stdout is not one JSON document:\n{out}\n{text}"
    return Outcome(done.returncode, json.loads(out) if out else {}, text)
