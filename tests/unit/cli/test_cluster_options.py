"""The command line's launcher part: options to settings, words to jobs, the settings file below the flags."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.cli.cluster_options import add_launcher_options, add_verb_parsers
from dynamodb_pipeline.cli.document_options import policy_query, schedule_of
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of, launcher_words_removed
from dynamodb_pipeline.cli.settings_file import read_settings_file, words_with_settings
from dynamodb_pipeline.durations import duration_s
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.table_jobs import MAX_RUN_ID, table_run_id
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.words import option_value
from tests.unit.emr.builders import RUN

LOGS = ("--logs", "s3://logs/app")


def export_options(parser: argparse.ArgumentParser) -> None:
    """Stands for the job's own options."""
    parser.add_argument("--table", action="append", dest="tables")
    for name in ("--output", "--logs", "--region", "--run-id", "--throughput-percent", "--bucket-owner"):
        parser.add_argument(name)
    parser.add_argument("--timeout", default="12h")


def launch(*words: str) -> LaunchSettings:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    export_options(parser)
    add_launcher_options(parser)
    start = RunStart(run_id=RUN, region="eu-west-1", moment="2026-11-23T03:00:00Z", size_bytes={"Thread": 5})
    return launch_of("export", parser.parse_args(words), words=words, start=start)


def test_one_table_keeps_its_output_and_run_id() -> None:
    made = launch("--table", "Forum", "--output", "s3://d/x", *LOGS, "--throughput-percent", "10", "--no-wait")
    arguments = made.jobs[0].job_arguments
    assert option_value(arguments, "--output") == "s3://d/x"
    assert option_value(arguments, "--run-id") == RUN
    assert option_value(arguments, "--throughput-percent") == "10"
    assert not made.wait


def test_launchers_options_do_not_reach_the_job() -> None:
    made = launch("--config=m5", "--set", "A=1", *LOGS, "--table", "Forum", "--output", "s3://d/x", "--no-wait")
    words = " ".join(made.jobs[0].job_arguments)
    assert "--config" not in words
    assert "A=1" not in words
    assert "--no-wait" not in words
    assert (made.cluster.config, made.cluster.overrides) == ("m5", ("A=1",))


def test_several_tables_get_folders_and_run_ids_of_their_own_and_one_moment() -> None:
    made = launch("--table", "Forum", "--table", "Thread", "--output", "s3://d/x", *LOGS)
    words = [job.job_arguments for job in made.jobs]
    assert [option_value(w, "--output") for w in words] == ["s3://d/x/Forum", "s3://d/x/Thread"]
    assert [option_value(w, "--run-id") for w in words] == [f"{RUN}.Forum", f"{RUN}.Thread"]
    assert {option_value(w, "--scheduled-time") for w in words} == {"2026-11-23T03:00:00Z"}
    assert [w.count("--table") for w in words] == [1, 1]


def test_several_tables_into_a_bucket_alone_leave_the_folder_to_the_job() -> None:
    made = launch("--table", "Forum", "--table", "Thread", "--output", "s3://d", *LOGS)
    assert {option_value(job.job_arguments, "--output") for job in made.jobs} == {"s3://d"}


def import_options(parser: argparse.ArgumentParser) -> None:
    for name in ("--table", "--input", "--logs"):
        parser.add_argument(name)


def verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("export")
    for name in ("--table", "--logs"):
        parser.add_argument(name)


@pytest.mark.parametrize(
    ("kind", "options", "words", "expected"),
    [
        ("import", import_options, ("--table", "T", "--input", "s3://d/x"), ("--table", "T", "--input", "s3://d/x")),
        ("verify", verify_options, ("s3://d/x", "--table", "T"), ("--table", "T")),
        ("verify", verify_options, ("s3://d/x",), ()),
    ],
    ids=["import", "verify against a table", "verify alone"],
)  # fmt: skip
def test_import_and_verify_are_one_job(
    kind: str, options: Any, words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    options(parser)
    add_launcher_options(parser)
    line = (*words, *LOGS, "--config", "m5")
    made = launch_of(kind, parser.parse_args(line), words=line, start=RunStart(RUN, "eu-west-1"))
    (job,) = made.jobs
    assert job.job_arguments[: len(expected)] == expected
    assert made.data_uris == ("s3://d/x",)
    if kind == "verify":
        assert job.job_arguments.count("s3://d/x") == 1


def test_long_table_names_give_distinct_run_ids_that_fit() -> None:
    ids = {table_run_id(RUN, "t" * 200 + end, several=True) for end in "ab"}
    assert len(ids) == 2
    assert max(map(len, ids)) <= MAX_RUN_ID


def test_logs_are_needed_on_a_cluster() -> None:
    with pytest.raises(UsageError, match="needs --logs"):
        launch("--table", "Forum", "--output", "s3://d/x")


def test_every_bad_option_is_told() -> None:
    with pytest.raises(UsageError) as refused:
        launch("--table", "F", "--output", "s3://d/x", *LOGS, "--tag", "x", "--max-cost", "cheap")
    assert "--tag" in str(refused.value)
    assert "--max-cost" in str(refused.value)


def test_words_removed_in_both_forms() -> None:
    words = ("EXPORT", "--config", "m5", "--set=A=1", "--no-wait", "--table", "T", "--probe-write")
    assert launcher_words_removed(words) == ("EXPORT", "--table", "T")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5h", 5400), ("2d", 172_800)])
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text, option="--timeout") == seconds


@pytest.mark.parametrize("text", ["", "0", "-1h", "1w", "soon"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        duration_s(text, option="--timeout")


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="dynamodb-pipeline", allow_abbrev=False)
    verbs = made.add_subparsers(required=True)
    add_verb_parsers(verbs, job_options={"export": export_options}, parser_class=argparse.ArgumentParser)
    return made


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["wait", "r"], {"command": "wait", "run_id": "r"}),
        (["logs", "r", "-f"], {"command": "logs", "follow": True}),
        (["plan", "export", "--table", "T"], {"command": "plan", "kind": "export", "tables": ["T"]}),
        (["schedule", "export", "--cron", "x"], {"command": "schedule", "cron": "x"}),
        (["policy", "launcher", "--bucket", "b"], {"command": "policy", "policy_kind": "launcher"}),
        (["migrate-config", "p.json"], {"command": "migrate-config", "definition": "p.json"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_verbs(parser: argparse.ArgumentParser, words: list[str], expected: dict[str, object]) -> None:
    found = vars(parser.parse_args(words))
    assert {key: found[key] for key in expected} == expected


def test_policy_takes_account_and_region_of_the_credentials_unless_given(parser: argparse.ArgumentParser) -> None:
    args = parser.parse_args(["policy", "launcher", "--bucket", "b", "--region", "us-gov-west-1"])
    scope = policy_query(args, account="123456789012", region="eu-west-1").scope
    assert (scope.account, scope.region, scope.partition) == ("123456789012", "us-gov-west-1", "aws-us-gov")
    assert (scope.tables, scope.logs.uri) == (("Forum", "Thread", "Reply"), "s3://b/logs")
    with pytest.raises(UsageError, match="--bucket"):
        policy_query(parser.parse_args(["policy", "service"]), account="1", region="r")


def test_schedule_is_named_after_verb_and_table(parser: argparse.ArgumentParser) -> None:
    args = parser.parse_args(["schedule", "export", "--cron", "0 3 * * ? *"])
    schedule = schedule_of(args, kind="export", table="my.Forum")
    assert (schedule.name, schedule.expression) == ("export-my-Forum", "cron(0 3 * * ? *)")


OPTIONS = {"export": frozenset({"--table", "--output", "--logs", "--no-wait"}), "wait": frozenset({"--region"})}


def test_flags_win_over_the_file_and_sections_over_the_top() -> None:
    settings = {
        "logs": "s3://l/file",
        "region": "eu-west-1",
        "export": {"table": ["A", "B"], "output": "s3://d/file", "no-wait": True},
    }
    words = words_with_settings(("export", "--output", "s3://d/flag"), settings, options=OPTIONS, where="f")
    assert words == (
        "export", "--output", "s3://d/flag", "--logs=s3://l/file", "--table=A", "--table=B", "--no-wait",
    )  # fmt: skip
    assert words_with_settings(("wait", "r"), settings, options=OPTIONS, where="f") == (
        "wait",
        "r",
        "--region=eu-west-1",
    )


def test_a_table_on_the_command_line_replaces_the_files_tables() -> None:
    settings = {"export": {"table": ["A", "B"]}}
    words = words_with_settings(("export", "--table=C"), settings, options=OPTIONS, where="f")
    assert words == ("export", "--table=C")


JOB_OPTIONS = {
    "export": frozenset({"--table", "--read-units", "--throughput-percent", "--local"}),
    "plan": frozenset({"--table", "--config", "--read-units", "--throughput-percent"}),
}


def test_a_jobs_section_holds_for_its_plan_too_and_the_verbs_own_wins() -> None:
    """`plan export` is about the export of the file; what plan has no option for is left out."""
    settings = {"export": {"table": ["A", "B"], "local": True}, "plan": {"config": "m5"}}
    words = words_with_settings(("plan", "export"), settings, options=JOB_OPTIONS, where="f")
    assert words == ("plan", "export", "--table=A", "--table=B", "--config=m5")


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (("export",), ("--read-units=7",)),
        (("export", "--read-units=5"), ()),
        (("export", "--throughput-percent", "10"), ()),
        (("plan", "import"), ("--throughput-percent=25",)),
    ],
)
def test_one_rate_replaces_the_other(words: tuple[str, ...], added: tuple[str, ...]) -> None:
    """A percent in the file does not forbid units on the command line or in a section."""
    settings = {"throughput-percent": 25, "export": {"read-units": 7}}
    found = words_with_settings(words, settings, options=JOB_OPTIONS, where="f")
    assert found == (*words, *added)


def test_unknown_keys_are_all_named() -> None:
    settings = {"lgos": 1, "exprot": {}, "export": {"tabel": 1}}
    with pytest.raises(UsageError) as refused:
        words_with_settings(("export",), settings, options=OPTIONS, where="pipeline.toml")
    for part in ("lgos", "[exprot]", "tabel"):
        assert part in str(refused.value)


def test_settings_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('logs = "s3://l/x"\n[export]\ntable = ["Forum"]\n')
    assert read_settings_file(path) == {"logs": "s3://l/x", "export": {"table": ["Forum"]}}


@pytest.mark.parametrize(
    "line",
    ['key = "AKIAIOSFODNN7EXAMPLE"', 'aws_secret_access_key = "wJalrXUtnFEMI"', 'session-token = "abc"'],
    ids=["id", "secret", "token"],
)
def test_credentials_in_the_file_are_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(f"{line}\n")
    with pytest.raises(UsageError, match="line 1") as refused:
        read_settings_file(path)
    assert line.partition('"')[2].rstrip('"') not in str(refused.value)


@pytest.mark.parametrize("text", ["a = ", "= 1"])
def test_file_that_is_not_toml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="not TOML"):
        read_settings_file(path)
