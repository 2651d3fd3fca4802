"""What a job prints where: text in lines to one writer, one JSON result."""

from __future__ import annotations

import json

from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.job_main import TextTo, run_command_line
from dynamodb_pipeline.output import Lines, standard_error


def test_text_goes_on_in_whole_lines():
    """Under spark-submit Python's own stderr would arrive on stdout, between the result's lines."""
    told: list[str] = []
    print("a warning", "and more", file=TextTo(told.append))
    part = TextTo(told.append)
    part.write("half ")
    part.write("a line\nand")
    assert told == ["a warning and more", "half a line"]


def test_refused_command_line_is_one_json_document_with_its_exit_code(capsys):
    told: list[str] = []
    words = ["--table", "T1x", "--output", "s3://bucket/x", "--resume", "latest"]
    code = run_command_line("export", words, lines=Lines(told.append))
    result = json.loads(capsys.readouterr().out)
    assert code is ExitCode.USAGE
    assert result["exit_code"] == 2
    assert "--resume latest needs --logs" in result["error"]
    assert "".join(told).startswith("ERROR 2")


def test_resume_and_run_id_exclude_each_other(capsys):
    words = [
        "--table",
        "T1x",
        "--output",
        "s3://b1b/x",
        "--resume",
        "latest",
        "--run-id",
        "one",
        "--logs",
        "s3://b1b/l",
    ]
    assert run_command_line("export", words, lines=standard_error()) is ExitCode.USAGE
    assert "exclude each other" in capsys.readouterr().out


def test_every_problem_of_a_command_line_is_a_line_of_its_own(capsys):
    told: list[str] = []
    words = ["--table", "x", "--output", "s3://b1b/x", "--tasks", "0", "--timeout", "soon"]
    assert run_command_line("export", words, lines=Lines(told.append)) is ExitCode.USAGE
    lines = "".join(told).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("ERROR 2 (usage or configuration): --")
    assert "\\n" not in "".join(told)
    assert json.loads(capsys.readouterr().out)["error"].count("\n") == 2
