"""What goes to a terminal and what to a program: the same command with stdout and stderr as one or the other."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.cli.command_line import VERBS
from dynamodb_pipeline.cli.display import TerminalDisplay
from dynamodb_pipeline.cli.voice import Voice, first_voice, import_question
from dynamodb_pipeline.errors import DeclinedError, DeniedError
from dynamodb_pipeline.output import Lines, Result
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.settings.parse import import_settings
from dynamodb_pipeline.settings.parser import job_options

COMMAND = [sys.executable, "-m", "dynamodb_pipeline.cli.main"]
ITEM = b'{"id":{"s":"1"}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "export"
    path.mkdir()
    (path / "one.items").write_bytes(ITEM)
    return path


def on_a_terminal(*words: str, **environment: str) -> tuple[int, str]:
    """Exit code and all that a terminal shows of a command."""
    leader, follower = pty.openpty()
    command = subprocess.Popen(
        [*COMMAND, *words], stdin=follower, stdout=follower, stderr=follower, env={**os.environ, **environment}
    )
    os.close(follower)
    shown = bytearray()
    while chunk := _read(leader):
        shown += chunk
    os.close(leader)
    return command.wait(timeout=60), shown.decode().replace("\r\n", "\n")


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65_536)
    except OSError:  # Linux's end of a terminal whose other side is closed
        return b""


def piped(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=60)


def test_a_terminal_gets_words_and_a_program_json(folder: Path) -> None:
    code, shown = on_a_terminal("inspect", str(folder))
    assert (code, "1 item" in shown, "{" in shown) == (0, True, False)
    done = piped("inspect", str(folder))
    assert json.loads(done.stdout)["items"] == 1
    assert "1 item" in done.stderr


@pytest.mark.parametrize(("columns", "shown"), [(79, ("narrow",)), (80, ("wide",))])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_table_has_another_form_on_a_terminal_that_is_narrower(
    columns: int, shown: tuple[str, ...], as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", Terminal())
    display = TerminalDisplay(Console(file=io.StringIO(), force_terminal=True))
    result = Result({}, ("wide",), narrow=("narrow",))
    assert Voice(Lines(io.StringIO().write), as_json=as_json, display=display)._fitting(result).words == shown
    assert Voice(Lines(io.StringIO().write), as_json=True)._fitting(result).words == ("wide",)  # no terminal reads it
    assert Voice(Lines(io.StringIO().write), as_json=as_json, display=display)._fitting(Result({}, ("one",))).words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_format_may_be_chosen_and_quiet_leaves_the_result(folder: Path) -> None:
    chosen = piped("inspect", str(folder), "--output-format", "text")
    assert "1 item" in chosen.stdout
    assert chosen.stderr == ""
    quiet = piped("inspect", str(folder), "-q")
    assert json.loads(quiet.stdout)["items"] == 1
    assert quiet.stderr == ""
    assert '"items": 1' in on_a_terminal("inspect", str(folder), "--output-format=json")[1]


def test_the_format_may_stand_in_the_settings_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text('output-format = "text"\n')
    done = subprocess.run(
        [*COMMAND, "inspect", str(folder)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "1 item" in done.stdout


@pytest.mark.parametrize("words", [("inspect", "/no/such/folder"), ("inspect",), ("nonsense",)], ids=" ".join)
def test_an_error_appears_once_on_a_terminal(words: tuple[str, ...]) -> None:
    code, shown = on_a_terminal(*words, NO_COLOR="1")
    assert code in (2, 3)
    assert shown.count("ERROR") == 1
    assert "{" not in shown.replace("choose from", "")


def test_colours_are_left_out_where_nobody_wants_them() -> None:
    assert "\x1b[" in on_a_terminal("inspect", TERM="xterm")[1]
    assert "\x1b[" not in on_a_terminal("inspect", TERM="xterm", NO_COLOR="1")[1]
    assert "\x1b[" not in piped("inspect").stderr


def test_a_wrong_command_line_is_told_in_the_format_it_asked_for() -> None:
    assert first_voice(["x", "--output-format=json"]).as_json
    assert first_voice(["x", "--output-format", "json"]).as_json
    assert not first_voice(["x", "--output-format", "text"]).as_json


def test_every_verb_has_the_options_of_the_display() -> None:
    assert {*own.OUTPUT_FORMAT.verbs} == {*own.QUIET.verbs} == {*own.VERBOSE.verbs} == {*VERBS}


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("YES\n", True), ("\n", False), ("no\n", False)])
def test_only_yes_is_yes(answer: str, agreed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = pty.openpty()
    said = io.StringIO()
    with open(follower, "r+b", buffering=0) as terminal, io.TextIOWrapper(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stderr", stdin)
        os.write(leader, answer.encode())
        voice = Voice(Lines(said.write), as_json=False)
        if agreed:
            voice.confirm("Import it.")
        else:
            with pytest.raises(DeclinedError):
                voice.confirm("Import it.")
        monkeypatch.undo()
    os.close(leader)
    assert said.getvalue() == "Import it. Go on? [y/N] "


def an_import(*words: str) -> ImportSettings:
    given = ("--table", "Reply", "--input", "s3://b1b/backups", "--latest", *words)
    return import_settings(job_options("import", given))


def unreadable() -> ImportSource:
    raise DeniedError.of_lines(["s3:ListBucket is denied", "more"])


def test_the_question_of_an_import_names_the_backup_that_will_be_read() -> None:
    source = ImportSource("s3://b1b/backups/2026-11-23-03-00-00/", "folder", ())
    into = "into table Reply: items with the same key are replaced."
    asked = import_question(an_import(), lambda: source)
    assert asked == f"Import {source.folder} ({source.origin}) {into}"
    asked = import_question(an_import(), unreadable)
    unknown = "the newest backup below s3://b1b/backups (not known here: s3:ListBucket is denied)"
    assert asked == f"Import {unknown} {into}"
    assert import_question(an_import("--yes"), unreadable) is None


@pytest.mark.parametrize(
    ("quiet", "terminal", "draws"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_tables_are_drawn_where_there_is_a_terminal_and_nobody_wants_silence(
    quiet: bool, terminal: bool, draws: bool
) -> None:
    display = TerminalDisplay(Console(file=io.StringIO(), force_terminal=True, width=40)) if terminal else None
    voice = Voice(Lines(io.StringIO().write), as_json=False, quiet=quiet, display=display)
    with voice.board() as board:
        assert (board is not None) is draws
