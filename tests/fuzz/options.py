"""
Command lines: an option of any verb with any text, whole lines of any words, and `pipeline.toml`.

What comes out is a line that means something, or a UsageError of readable length; refused lines also go through the
command itself, which must end with exit code 2, say why, and print nothing that steers a terminal.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dynamodb_pipeline.cli.command_line import VERBS, line_of
from dynamodb_pipeline.cli.launcher_options import rows_of
from dynamodb_pipeline.cli.main import main
from dynamodb_pipeline.cli.settings_file import read_settings_file
from dynamodb_pipeline.errors import ExitCode, UsageError
from dynamodb_pipeline.settings.parser import utf8_words
from tests.fuzz.target import Target
from tests.unit.cli.option_lines import FORMS, HOSTILE, meant, words_with

ONE, LINE, FILE = b"o", b"l", b"f"  # the first byte: one option, a line with a word on each line, a settings file
SAID_CHARS_MAX = 20_000
ROWS = [(verb, kind, row) for verb, kind in FORMS for row in rows_of(verb, kind=kind)]


def run(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind == FILE:
        settings_file(rest)
    elif kind == LINE:
        words = rest.replace(b"\0", b"").split(b"\n")
        try_line(tuple(os.fsdecode(word) for word in words))
    else:
        verb, job, row = ROWS[int.from_bytes(rest[:2], "big") % len(ROWS)]
        text = rest[2:].replace(b"\0", b"").decode("utf-8", "surrogateescape")
        try_line(words_with(verb, job, row, text))


def try_line(words: tuple[str, ...]) -> None:
    with captured() as (out, err):
        try:
            meant(line_of(utf8_words(words), file=None))
        except UsageError as error:
            said = str(error)
        except SystemExit:  # --help and --version, which argparse answers itself
            return
        else:
            return
    assert 5 < len(said) < SAID_CHARS_MAX, f"{len(said)} characters: {said[:200]}"
    with captured() as (out, err):
        code = main(words)
    assert code == ExitCode.USAGE, f"exit {code}"
    if out.getvalue():  # none with `--output-format text`
        assert json.loads(out.getvalue())["exit_code"] == ExitCode.USAGE
    shown = err.getvalue() + out.getvalue()
    assert "Traceback" not in shown
    odd = [char for char in shown if char != "\n" and (ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char == "\u202e")]
    assert not odd, f"controls reached the terminal: {odd[:5]}"


def settings_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.toml"
        path.write_bytes(data)
        with contextlib.suppress(UsageError):
            read_settings_file(path)


@contextlib.contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def _one(number: int, text: str) -> bytes:
    return ONE + number.to_bytes(2, "big") + text.encode("utf-8", "surrogatepass")


def _line(*words: str) -> bytes:
    return LINE + "\n".join(words).encode()


TARGET = Target(
    "options",
    run,
    examples=(
        *(_one(number, HOSTILE[number % len(HOSTILE)]) for number in range(0, len(ROWS), 7)),
        _line("export", "--table", "Forum", "--output", "s3://data/x", "--throughput-percent", "25"),
        _line("import", "--table", "Forum", "--input", "s3://data/x", "--keys", "k.json", "--mirror", "--dry-run"),
        _line("policy", "launcher", "--bucket", "b", "--prefix", "p", "--table", "Forum", "--account", "123456789012"),
        _line("schedule", "export", "--table", "Forum", "--output", "s3://data/x", "--cron", "0 3 * * ? *"),
        FILE + b'region = "eu-west-1"\n[export]\ntable = ["Forum", "Thread"]\nthroughput-percent = 25\n',
        FILE + b"[export]\ntable = [[1], 2026-01-01]\nconsistent-read = true\nx = " + b"9" * 5000 + b"\n",
        FILE + b"a = " + b"[" * 5000,
    ),
    words=(
        *(verb.encode() for verb in VERBS),
        *(row.name.encode() for row in {row.name: row for _, _, row in ROWS}.values()),
        *(text.encode("utf-8", "surrogatepass") for text in HOSTILE if 0 < len(text) < 100),
        *(b"\n", b"=", b"[export]", b'"', b"true", b" = "),
    ),
    short_count=200,
)
