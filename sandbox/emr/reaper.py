"""
Kill what an EMR server has started when the server itself is killed: `python -m sandbox.emr.reaper MARK`.

It waits for its standard input to close, which the kernel does however the server ends. Processes are known by
the mark in their environment, never by name.
"""

from __future__ import annotations

import os
import subprocess
import sys

from sandbox.emr.processes import SERVER_MARK, kill_strays
from sandbox.processes import PROJECT


def start(mark: str) -> subprocess.Popen[bytes]:
    """Start a reaper in a group of its own; keep the result: its standard input is the tie."""
    command = [sys.executable, "-m", "sandbox.emr.reaper", mark]
    return subprocess.Popen(command, stdin=subprocess.PIPE, cwd=PROJECT, start_new_session=True)


def main(mark: str) -> int:
    """Wait, then kill."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    while kill_strays(SERVER_MARK, mark):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
