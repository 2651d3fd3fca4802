"""A run of two tables on a cluster, launched from a terminal: what stands on its screen while it runs and after it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.in_process import Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.tables import make_table, numbered

pytestmark = pytest.mark.sandbox

REGION, WIDTH, HEIGHT, TIMEOUT_S = "us-east-1", 60, 20, 120
# What rich sends: text, ends of lines, and of the control sequences these (ECMA-48).
PIECE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


@dataclass
class Screen:
    """
    A terminal of that size.

    Attributes:
        scrolled: the lines that have left it at its top.
        frames: what stood there each time before something was drawn over it.
    """

    lines: list[str] = field(default_factory=lambda: [""] * HEIGHT)
    scrolled: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    row: int = 0
    column: int = 0
    rest: str = ""

    def feed(self, text: str) -> None:
        text = self.rest + text
        cut = re.search(r"\x1b(\[[?0-9;]*)?\Z", text)
        text, self.rest = (text[: cut.start()], cut[0]) if cut else (text, "")
        for piece in PIECE.finditer(text):
            if piece[2]:
                self._obey(piece[1], piece[2])
            elif piece[0] == "\r":
                self.frames.append("\n".join(self.lines))
                self.column = 0
            elif piece[0] == "\n":
                self._down()
            else:
                self._write(piece[0])

    def _obey(self, number: str, command: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(number or 1))
        elif command == "K":
            assert number == "2", f"CSI {number}{command}"
            self.lines[self.row] = ""
        else:
            assert command in "mhl", f"CSI {number}{command}: a sequence that this screen does not know"

    def _write(self, text: str) -> None:
        for character in text:
            if self.column == WIDTH:
                self.column = 0
                self._down()
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        if self.row + 1 == HEIGHT:
            self.scrolled.append(self.lines.pop(0))
            self.lines.append("")
        else:
            self.row += 1


def on_a_screen(words: list[str], *, env: dict[str, str]) -> tuple[int, Screen]:
    """Exit code of a command, and the screen of the terminal it was given."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *words]
    running = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=env)
    os.close(follower)
    screen, deadline_s, text = Screen(), time.monotonic() + TIMEOUT_S, codecs.getincrementaldecoder("utf-8")()
    try:
        while (chunk := _read(leader)) and time.monotonic() < deadline_s:
            screen.feed(text.decode(chunk))
        return running.wait(timeout=TIMEOUT_S), screen
    finally:
        running.kill()
        running.wait()
        os.close(leader)


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65_536)
    except OSError:  # Linux's end of a terminal whose other side is closed
        return b""


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmrSandbox]:
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as running:
        yield running


@pytest.mark.slow
def test_two_tables_have_a_row_each_that_stays_in_its_place(emr: EmrSandbox) -> None:
    bucket, tables = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}"), []
    for count in (3, 4):
        table = make_table(emr)
        table.put(numbered(count))
        tables.append(table.name)
    words = ("policy", "roles-template", "--table-prefix", "T", "--bucket", bucket, "--prefix", "/")
    deploy_roles(emr, Pipeline(emr).run(*words, "--region", REGION).result, region=REGION)

    places = ["--output", f"s3://{bucket}/exports", "--logs", f"s3://{bucket}/logs", "--region", REGION]
    named = [word for name in tables for word in ("--table", name)]
    code, screen = on_a_screen(["export", *named, *places], env=emr.process_env(TERM="xterm"))

    shown = "\n".join([*screen.scrolled, *screen.lines])
    assert code == 0, shown
    titles = [line for line in screen.scrolled if line.startswith("table ")]
    assert titles == [], "the rows have scrolled"
    for number, table in enumerate(tables, start=3):
        rows = {
            " ".join(line.split()[1:])
            for frame in screen.frames
            for line in frame.split("\n")
            if line.startswith(f"{table} ")
        }
        assert {"waiting", f"done 100% {number}"} <= rows
    assert not re.search(r"^table +state", shown, re.MULTILINE), "the rows were left behind"
    assert "STARTING; " not in shown, "a line for a change beside the rows"
    assert " ".join(shown.split()).endswith("nothing is billed any more"), "the cluster's fate is not the last line"
    assert max(map(len, shown.splitlines())) <= WIDTH
