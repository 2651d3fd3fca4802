"""
The connector's lines on their way from the JVM to a Python worker: a pipe that the worker reads by itself.

Spark's `pipe` hands a partition's lines to a child process. Here that child is `HOLDER`, which reads nothing: it says
its process id and stays, and the worker opens the child's standard input as a file of its own (Linux's
`/proc/PID/fd/0`). So the bytes go from the connector's JVM to the worker once, in pieces of `CHUNK_BYTES`, and not back
through the JVM as strings.

A reader that fails still ends the pipe cleanly, which is why nothing may be concluded from its end (see data_files.py):
Spark fails the task afterwards, and only the records of tasks that succeeded count.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dynamodb_pipeline.errors import PreconditionError

CHUNK_BYTES = 256 * 1024  # a page or two of the connector; more would have to be bounded in page_buffers, too
FILLING_S = 0.003  # after less than half a chunk: Java writes 8 KB at a time, and to wake up for each costs more
_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ of Python 3.10; Linux: F_LINUX_SPECIFIC_BASE + 7
OWN_FILES = "/proc/self/fd"

# Ends with success when the JVM has closed the pipe and all is taken, else with the JVM that started it.
HOLDER = """
import array, fcntl, os, select, sys, termios, time
parent = os.getppid()
print(str(os.getpid()).ljust(int(sys.argv[1])), flush=True)
closed, left = select.poll(), array.array("i", [0])
closed.register(0, 0)
while os.getppid() == parent:
    if closed.poll(1000):
        fcntl.ioctl(0, termios.FIONREAD, left)
        if not left[0]:
            sys.exit(0)
        time.sleep(0.01)
sys.exit(1)
"""


def holder_command(python: str, *, buffer_bytes: int, own_files: str = OWN_FILES) -> Sequence[str]:
    """
    The child of Spark's `pipe`.

    Args:
        python: the interpreter of the workers.
        buffer_bytes: `spark.buffer.size`. What Spark has for a Python worker it keeps until there is that much of it:
            a shorter line would come after the end of the partition, which never comes without it.
        own_files: where Linux has the open files of whoever looks.

    Raises:
        PreconditionError: this is no Linux.
    """
    if not Path(own_files).is_dir():
        msg = f"the connector's lines are taken through {own_files}, which only Linux has; read with --reader direct"
        raise PreconditionError(msg)
    return (python, "-I", "-S", "-c", HOLDER, str(buffer_bytes))


def piped_lines(holders: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """
    Yield a partition's lines in pieces, as (whole lines, each ended by LF; how many they are).

    Args:
        holders: the partition's rows in Spark: what its one `HOLDER` has said.

    Raises:
        EOFError: the last line is cut off; Spark knows why.
    """
    rest = b""
    for holder in holders:
        with suppress(FileNotFoundError):  # it has ended, and with success only when there was nothing to take
            rest = yield from _lines_of(f"/proc/{int(holder)}/fd/0")
    if rest:
        msg = f"the connector's lines end within one, {len(rest)} bytes long"
        raise EOFError(msg)


def _lines_of(path: str) -> Generator[tuple[bytes, int], None, bytes]:
    file = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # the user's share of such memory is used up: the pipe stays as it is
            fcntl.fcntl(file, _F_SETPIPE_SZ, CHUNK_BYTES)
        return (yield from _whole_lines(file))
    finally:
        os.close(file)


def _whole_lines(file: int) -> Generator[tuple[bytes, int], None, bytes]:
    """Yields as `piped_lines`; returns what comes after the last LF."""
    rest = b""
    while data := os.read(file, CHUNK_BYTES):
        if len(data) < CHUNK_BYTES // 2:
            time.sleep(FILLING_S)
        end = data.rfind(b"\n") + 1
        if not end:
            rest += data
            continue
        lines = b"".join((rest, memoryview(data)[:end]))
        rest = data[end:]
        yield lines, lines.count(b"\n")
    return rest
