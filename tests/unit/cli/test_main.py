"""What the command line prints where, before any verb has begun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynamodb_pipeline.cli.main import main

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["preflight", "export", "--table", "Forum", "--output", "s3://b1b/x", "--logs", "s3://b1b"], "preflight"),
        (["export", "--table", "x", "--output", "s3://b1b/x"], "export"),
        (["nonsense"], "nonsense"),
        ([], "dynamodb-pipeline"),
    ],
    ids=["preflight", "export", "no such verb", "nothing"],
)
def test_wrong_command_line_is_one_json_document_with_exit_code_2(
    words: list[str], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["exit_code"], result["kind"], result["status"]) == (2, kind, "failed")
    assert printed.err.startswith("ERROR 2")
    assert result["error"] in printed.err


LOADED = """
import contextlib, io, sys
from dynamodb_pipeline.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["--help"])
print(*sys.modules)
"""


def test_help_loads_neither_aws_nor_the_commands() -> None:
    """What `--help` needs is the table of options; everything else would double the time to start."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "dynamodb_pipeline.cli.launcher_options" in loaded
    assert loaded.isdisjoint(
        {"boto3", "botocore", "rich", "dynamodb_pipeline.emr.commands", "dynamodb_pipeline.run.run"}
    )


INTERRUPTED = """
import sys, tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

class CtrlC:
    def find_spec(self, name, *_):
        if name == "dynamodb_pipeline.cli.command_line":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
scripts = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
sys.argv = ["dynamodb-pipeline", "export"]
sys.exit(EntryPoint("dynamodb-pipeline", scripts["dynamodb-pipeline"], "console_scripts").load()())
"""


def test_ctrl_c_while_the_command_line_is_loaded_ends_in_words() -> None:
    """Whoever mistyped is quicker than Python."""
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (130, "interrupted; nothing was written or started\n")


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_names_beyond_ascii_are_themselves_in_every_locale(language: str, tmp_path: Path) -> None:
    """Without its UTF-8 mode Python reads the words of a command line as ASCII under LANG=C."""
    folder = tmp_path / "caf\u00e9"
    folder.mkdir()
    (folder / "\u0161.items").write_bytes(b'{"id":{"s":"1"}}\n')
    locale = {"LC_ALL": language, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", "inspect", str(folder), "--output-format", "json"]
    done = subprocess.run(command, env={**os.environ, **locale}, capture_output=True, check=False)
    assert json.loads(done.stdout)["items"] == 1, done.stderr.decode()
