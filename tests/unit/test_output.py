"""What leaves the process: printable lines, one result, and streams that nobody reads."""

from __future__ import annotations

import ast
import errno
import io
import json
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.output import Lines, printable
from tests.unit.documents import PROJECT

HOSTILE = ["\x1b[2J", "\x07", "a\nERROR 0 (done)", "\r", "\x9b31m", "\u202eexe.", "\u2028", "\ud800", "\x00", "\x7f"]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_steers_a_terminal_or_forges_a_line_is_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert "\\" in shown


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    shown = printable(text)
    assert {unicodedata.category(char) for char in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert len(shown.splitlines()) <= 1
    shown.encode()


@pytest.mark.parametrize("text", ["Grüße", "日本語のテーブル", "naïve – “quoted”", "a/b c=d", "🙂"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_a_long_line_is_cut_and_says_its_length() -> None:
    assert printable("x" * 100, chars_max=10) == "xxxxxxxxxx... (100 characters)"


def test_each_text_is_one_line() -> None:
    out = io.StringIO()
    lines = Lines(out.write)
    lines.say("a\nb")
    lines.say_all(["c", "\x1bd"])
    lines.ask("Go on? [y/N]")
    assert out.getvalue() == "a\\nb\nc\n\\x1bd\nGo on? [y/N] "


def test_a_stream_that_nobody_reads_is_given_up_once() -> None:
    asked: list[str] = []

    def full(text: str) -> None:
        asked.append(text)
        raise OSError(errno.ENOSPC, "No space left on device")

    lines = Lines(full)
    lines.say("one")
    lines.say("two")
    assert asked == ["one\n"]


PROGRAM = """
import sys
from dynamodb_pipeline.output import Result, print_result, standard_error
lines = standard_error()
lines.say("before")
print_result(Result({"kind": "export", "text": "x" * 100_000}), as_json=True, lines=lines)
sys.exit(5)
"""


def shell(redirections: str) -> subprocess.CompletedProcess[str]:
    """Run the program under a shell with these redirections; `$?` of the program is the exit code."""
    command = f'"$0" -c "$1" {redirections}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("where", [">/dev/full", ">&-", "> >(exec true)", "| head -c 10; exit ${PIPESTATUS[0]}"])
def test_a_result_that_nobody_takes_changes_no_exit_code(where: str) -> None:
    done = shell(where)
    assert done.returncode == 5
    assert done.stderr.startswith("before\n")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", ">/dev/full 2>/dev/full", ">&- 2>&-"])
def test_no_line_that_nobody_reads_changes_the_exit_code_or_the_result(where: str) -> None:
    done = shell(where)
    assert done.returncode == 5
    if where.startswith("2"):
        assert json.loads(done.stdout)["kind"] == "export"


def test_the_line_about_a_lost_result_says_where_it_is() -> None:
    assert "stdout ([Errno 28] No space left on device); run.json holds it" in shell(">/dev/full").stderr


SINKS = {"print", "sys.stdout.write", "sys.stderr.write", "sys.stdout.writelines", "sys.stderr.writelines"}
SINKS |= {"logging.basicConfig", "logging.StreamHandler", "traceback.print_exc", "warnings.warn", "pprint.pprint"}
# A process of its own: its log is the node's, its one line on stdout goes to the process that started it.
ELSEWHERE = {
    "output.py": SINKS,
    "connector/relay_process.py": {"print", "logging.basicConfig"},
    "__main__.py": {"print"},  # one fixed line, before anything else is loaded
}


def sinks(text: str) -> set[str]:
    """What is called in this source that writes to a stream by itself."""
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    return calls & SINKS


def test_nothing_is_written_past_this_module() -> None:
    library = PROJECT / "dynamodb_pipeline"
    past = {str(path.relative_to(library)): sinks(path.read_text(encoding="utf-8")) for path in library.rglob("*.py")}
    assert len(past) > 100
    assert {name: used for name, used in past.items() if used - ELSEWHERE.get(name, set())} == {}
    assert past["connector/relay_process.py"] == ELSEWHERE["connector/relay_process.py"]
    assert sinks("import sys\nsys.stderr.write('x')\nprint(1)") == {"print", "sys.stderr.write"}


LOGS = r"""
import logging
from dynamodb_pipeline.cli.command_line import line_of
from dynamodb_pipeline.cli.voice import voice_of
voice_of("bundle", line_of(("bundle",), file=None).options)
for name in ("dynamodb_pipeline.emr.calls.launch", "botocore.credentials"):
    logging.getLogger(name).warning("cluster %s", "\x1b[2J\u202e\nERROR 0 (done)")
"""


def test_a_warning_of_any_library_is_one_printable_line() -> None:
    """In a process of its own: pytest has handlers of its own for what nobody else takes."""
    done = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [r"cluster \x1b[2J\u202e\nERROR 0 (done)"] * 2
