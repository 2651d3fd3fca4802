"""
Run a command that must not outlive its owner.

`python -m sandbox.tether COMMAND...` watches its standard input, whose other end the owner keeps open.
However the owner ends, `kill -9` included, the kernel closes that pipe, and the process group is stopped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

STOP_TIMEOUT_S = 3.0


def main(command: list[str]) -> int:
    """Run `command` until it ends or the owner does; return its exit code."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:
        signal.signal(signal.SIGTERM, lambda *_: _stop_group())
        threading.Thread(target=_watch_owner, daemon=True).start()
        return child.wait()


def _watch_owner() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _stop_group() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)
    timer = threading.Timer(STOP_TIMEOUT_S, os.killpg, (os.getpgrp(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
