from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from dynamodb_pipeline.connector.line_pipe import CHUNK_BYTES, HOLDER, holder_command, piped_lines
from dynamodb_pipeline.errors import PreconditionError

BUFFER_BYTES = 4096
TIMEOUT_S = 60.0  # how long a test waits for what happens at once


class Pipe:
    """A holder as Spark starts it, and what Spark then gives the worker."""

    def __init__(self) -> None:
        command = holder_command(sys.executable, buffer_bytes=BUFFER_BYTES)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, data: bytes) -> None:
        """As the JVM: all of it, then the end."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.close()

    @property
    def rows(self) -> Iterator[bytes]:
        assert self.process.stdout is not None
        return (row.rstrip(b"\n") for row in self.process.stdout)

    def ended(self) -> int:
        return self.process.wait(TIMEOUT_S)


@contextmanager
def _pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    with pipe.process:
        try:
            yield pipe
        finally:
            pipe.process.kill()


def _through(data: bytes) -> tuple[Sequence[tuple[bytes, int]], int]:
    """The pieces that a worker gets of what the JVM writes, and how the holder ends."""
    with _pipe() as pipe:
        writer = threading.Thread(target=pipe.write, args=(data,))
        writer.start()
        try:
            return list(piped_lines(pipe.rows)), pipe.ended()
        finally:
            writer.join()


LINES = {
    "nothing": b"",
    "one": b'{"a":{"s":"1"}}\n',
    "short ones, many chunks": b"".join(b'{"a":{"n":"%d"}}\n' % number for number in range(50_000)),
    "longer than chunks": b"".join(b"x" * (CHUNK_BYTES * times + 1) + b"\n" for times in (0, 1, 3, 0, 2)),
    "as long as a chunk": (b"y" * (CHUNK_BYTES - 1) + b"\n") * 3,
    "no ASCII, empty lines": "\u20ac\u00e9\n\n\U0001f600\n".encode() * 1000,
}


@pytest.mark.parametrize("data", LINES.values(), ids=LINES.keys())
def test_what_the_jvm_writes_comes_whole_and_in_whole_lines(data: bytes) -> None:
    pieces, code = _through(data)
    assert b"".join(lines for lines, _ in pieces) == data
    assert all(lines.endswith(b"\n") for lines, _ in pieces)
    assert [count for _, count in pieces] == [lines.count(b"\n") for lines, _ in pieces]
    assert code == 0


def test_pieces_are_no_larger_than_a_chunk_and_a_line() -> None:
    pieces, _ = _through(LINES["short ones, many chunks"])
    assert max(len(lines) for lines, _ in pieces) < CHUNK_BYTES + 100


def test_a_line_that_is_cut_off_is_an_error_and_no_item() -> None:
    with pytest.raises(EOFError, match="end within one, 9 bytes long"):
        _through(b'{"a":1}\n{"a":{"s"')


def test_the_holder_says_who_it_is_at_once_in_as_many_bytes_as_spark_keeps_back() -> None:
    with _pipe() as pipe:
        row = next(pipe.rows)
        assert int(row) == pipe.process.pid
        assert len(row) == BUFFER_BYTES


def test_the_holder_waits_for_a_worker_that_comes_late() -> None:
    with _pipe() as pipe:
        row = next(pipe.rows)
        pipe.write(LINES["one"])
        with pytest.raises(subprocess.TimeoutExpired):
            pipe.process.wait(0.3)
        assert list(piped_lines([row])) == [(LINES["one"], 1)]
        assert pipe.ended() == 0


def test_of_a_holder_that_has_ended_nothing_is_taken() -> None:
    """Whether it was an empty partition or a failure Spark knows from its exit code."""
    with _pipe() as pipe:
        row = next(pipe.rows)
        pipe.write(b"")
        assert pipe.ended() == 0
    assert list(piped_lines([row])) == []


def test_the_holder_ends_when_what_started_it_is_gone_though_nobody_took_the_lines() -> None:
    """Nothing is left on a node whose JVM was killed."""
    starter = (
        "import os, subprocess, sys\n"
        "out = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1], '10'], **out)\n"
        "child.stdin.write(b'line\\n'); child.stdin.flush()\n"
        "os.write(1, child.stdout.readline()); os._exit(0)\n"
    )
    command = [sys.executable, "-c", starter, HOLDER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said, errors = process.communicate(timeout=TIMEOUT_S)  # the holder has the same stderr: it ends with both
    assert said.strip().isdigit()
    assert errors == b""


def test_elsewhere_than_on_linux_another_reader_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="--reader direct"):
        holder_command("python3", buffer_bytes=BUFFER_BYTES, own_files=str(tmp_path / "none"))
