"""What a job prints where: text in lines to one writer, one JSON result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.job_main import TextTo, parent_words, program_of, run_command_line
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


JVM = ["java", "-cp", "/usr/lib/spark/jars/*", "-Xmx1g", "org.apache.spark.deploy.SparkSubmit", "--master", "yarn"]


def test_a_job_under_spark_submit_says_how_it_was_submitted():
    """The resume line is pasted into a shell: `...` would not run."""
    words = [*JVM, "--conf", "spark.executor.cores=4", "s3://b/code/export_table.py", "--table", "Orders"]
    said = ("spark-submit", "--master", "yarn", "--conf", "spark.executor.cores=4", "s3://b/code/export_table.py")
    assert program_of("export", words) == said


def test_a_launched_job_is_gone_on_with_by_the_launcher():
    conf = "spark.dynamodbPipeline.launchedBy=import --config m5 --tag 'team=a b'"
    words = [*JVM, "--conf", conf, "import_table.py", "--table", "Orders"]
    assert program_of("import", words) == ("dynamodb-pipeline", "import", "--config", "m5", "--tag", "team=a b")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["python", "export_table.py"],
        [*JVM, "other.py"],
        [*JVM, "--conf", "spark.hadoop.fs.s3a.secret.key=x", "export_table.py"],
        [*JVM, "--conf", "spark.my.password=x", "export_table.py"],
    ],
    ids=["nothing seen", "no JVM", "another script", "a secret", "a password"],
)
def test_what_cannot_be_seen_or_said_is_left_out(words: list[str]):
    assert program_of("export", words) == ("spark-submit", "...", "jobs/export_table.py")


def test_the_words_of_a_process_are_those_it_was_started_with(tmp_path: Path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"java\0-cp\0a b\0\0")
    assert parent_words(7, processes=tmp_path) == ("java", "-cp", "a b", "")
    assert parent_words(8, processes=tmp_path) == ()
