"""Runs `make` in a test that may itself run under `make test`, whose flags and level a child must not inherit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
INSTALLED = (
    "tools",
    "package",
    "jars-connector",
    "jars-s3a",
    "jars-yarn",
    "node",
    "awscli",
)  # what make takes for done
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
# In the place of the program: says how it was called.
RECORDER = "#!{python}\nimport json, sys\nprint(json.dumps([sys.argv[1:], sys.stdin.read()]))\n"


def make(*arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Return what `make ARGUMENTS` prints; `variables` stand in its environment."""
    env = {name: value for name, value in os.environ.items() if name not in INHERITED}
    done = subprocess.run(
        ["make", *arguments],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=True,
        env={**env, **(variables or {})},
        input="y\n",  # must not reach the program
    )
    return done.stdout


def words_made(*arguments: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """The words that `make ARGUMENTS` calls `dynamodb-pipeline` with, which is not run; nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        python, program = Path(folder, "python"), Path(folder, "dynamodb-pipeline")
        python.symlink_to(sys.executable)
        program.write_text(RECORDER.format(python=sys.executable))
        program.chmod(0o700)
        installed = [word for stamp in INSTALLED for word in ("-o", f".build/{stamp}")]
        words, read = json.loads(make(*installed, f"RUN={python}", *arguments, variables=variables))
    assert read == ""
    return list(words)
