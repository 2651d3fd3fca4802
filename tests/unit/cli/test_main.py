"""What the command line prints where, before any verb has begun."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dynamodb_pipeline.cli.main import main


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
