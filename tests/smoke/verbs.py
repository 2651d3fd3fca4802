"""The product's own commands, as a user runs them: one process each, what it says on the screen and kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

DETACH_S = 120  # Ctrl-C detaches a launcher at its next look; then it is killed


@dataclass(frozen=True)
class Ran:
    """One command: its exit code, its JSON document, and its lines for people."""

    code: int
    document: dict[str, Any]
    lines: tuple[str, ...]


RunVerb = Callable[[Sequence[str]], Ran]


def run_verb(words: Sequence[str]) -> Ran:
    """
    Run `dynamodb-pipeline WORDS` to its end.

    It has a session of its own: a Ctrl-C here reaches it once, so that it detaches, and then goes on here.
    """
    command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *words]
    with tempfile.TemporaryFile() as out:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as child:
            lines = _shown(child)
        out.seek(0)
        text = out.read().decode().strip()
    return Ran(child.returncode, json.loads(text) if text else {}, tuple(lines))


def _shown(child: subprocess.Popen[str]) -> list[str]:
    assert child.stderr is not None
    lines: list[str] = []
    try:
        for line in child.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line.rstrip("\n"))
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)
        try:
            child.communicate(timeout=DETACH_S)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
    return lines
