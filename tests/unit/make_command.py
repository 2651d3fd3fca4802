"""Runs `make` in a test that may itself run under `make test`, whose flags and level a child must not inherit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


def make(*arguments: str) -> str:
    """Return what `make ARGUMENTS` prints."""
    env = {name: value for name, value in os.environ.items() if name not in INHERITED}
    command = ["make", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True, env=env).stdout
