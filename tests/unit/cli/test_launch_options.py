"""The launcher's part of the command line: options to settings, and to the words of jobs."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from dynamodb_pipeline.cli import launcher_options
from dynamodb_pipeline.cli.command_line import line_of, read_line
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of, policy_query, schedule_of
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.table_jobs import MAX_RUN_ID, table_run_id
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.job_options import (
    INPUT,
    KEYS,
    LATEST,
    OUTPUT,
    READ_PERCENT,
    RUN_ID,
    SCHEDULED_TIME,
)
from dynamodb_pipeline.settings.rows import Options
from tests.unit.documents import PROJECT
from tests.unit.emr.builders import RUN

LOGS = ("--logs", "s3://logs/app")


def options(*words: str) -> Options:
    return line_of(words, file=None).options


def launch(*words: str) -> LaunchSettings:
    start = RunStart(run_id=RUN, region="eu-west-1", moment="2026-11-23T03:00:00Z", size_bytes={"Thread": 5})
    return launch_of("export", options("export", *words), start=start)


def test_one_table_keeps_its_output_and_run_id() -> None:
    made = launch("--table", "Forum", "--output", "s3://data/x", *LOGS, "--throughput-percent", "10", "--no-wait")
    given = made.jobs[0].given
    assert (given.text(OUTPUT), given.text(RUN_ID), given.text(READ_PERCENT)) == ("s3://data/x", RUN, "10")
    assert not made.wait


def test_an_import_of_the_newest_backup_is_of_the_one_that_is_known() -> None:
    """A newer one, finished between the question and the job, is not what somebody said yes to."""
    words = options("import", "--table", "T1x", "--input", "s3://data/x", "--latest", *LOGS)
    start = RunStart(run_id=RUN, region="eu-west-1", backup="s3://data/x/2026-11-23-03-00-00/")
    made = launch_of("import", words, start=start)
    given = made.jobs[0].given
    assert (given.text(INPUT), LATEST in given, made.data_uris) == (start.backup, False, ("s3://data/x",))
    given = launch_of("import", words, start=replace(start, backup=None)).jobs[0].given
    assert (given.text(INPUT), LATEST in given) == ("s3://data/x", True)


def test_a_file_of_keys_on_this_machine_is_refused_for_a_cluster() -> None:
    words = ("import", "--table", "T1x", "--input", "s3://data/x", *LOGS, "--keys")
    start = RunStart(run_id=RUN, region="eu-west-1")
    with pytest.raises(UsageError, match=r"--keys keys\.jsonl is a file of this machine"):
        launch_of("import", options(*words, "keys.jsonl"), start=start)
    made = launch_of("import", options(*words, "s3://data/x/keys"), start=start)
    assert made.jobs[0].given.text(KEYS) == "s3://data/x/keys"


def test_launchers_options_do_not_reach_the_job() -> None:
    made = launch("--config=m5", "--set", "A=1", *LOGS, "--table", "Forum", "--output", "s3://data/x", "--no-wait")
    words = " ".join(made.jobs[0].job_arguments)
    assert "--config" not in words
    assert "A=1" not in words
    assert "--no-wait" not in words
    assert (made.cluster.config, made.cluster.overrides) == ("m5", ("A=1",))


def test_several_tables_get_folders_and_run_ids_of_their_own_and_one_moment() -> None:
    made = launch("--table", "Forum", "--table", "Thread", "--output", "s3://data/x", *LOGS)
    jobs = [job.given for job in made.jobs]
    assert [given.text(OUTPUT) for given in jobs] == ["s3://data/x/Forum", "s3://data/x/Thread"]
    assert [given.text(RUN_ID) for given in jobs] == [f"{RUN}.Forum", f"{RUN}.Thread"]
    assert {given.text(SCHEDULED_TIME) for given in jobs} == {"2026-11-23T03:00:00Z"}
    assert [job.job_arguments.count("--table") for job in made.jobs] == [1, 1]


def test_several_tables_into_a_bucket_alone_leave_the_folder_to_the_job() -> None:
    made = launch("--table", "Forum", "--table", "Thread", "--output", "s3://data", *LOGS)
    assert {job.given.text(OUTPUT) for job in made.jobs} == {"s3://data"}


@pytest.mark.parametrize(
    ("kind", "words", "expected"),
    [
        ("import", ("--table", "T1x", "--input", "s3://data/x"), ("--table", "T1x", "--input", "s3://data/x")),
        ("verify", ("s3://data/x", "--table", "T1x"), ("--table", "T1x")),
        ("verify", ("s3://data/x",), ()),
    ],
    ids=["import", "verify against a table", "verify alone"],
)
def test_import_and_verify_are_one_job(kind: str, words: tuple[str, ...], expected: tuple[str, ...]) -> None:
    line = options(kind, *words, *LOGS, "--config", "m5")
    made = launch_of(kind, line, start=RunStart(RUN, "eu-west-1"))
    (job,) = made.jobs
    assert job.job_arguments[: len(expected)] == expected
    assert made.data_uris == ("s3://data/x",)
    assert job.job_arguments.count("s3://data/x") == 1


def test_long_table_names_give_distinct_run_ids_that_fit() -> None:
    ids = {table_run_id(RUN, "t" * 200 + end, several=True) for end in "ab"}
    assert len(ids) == 2
    assert max(map(len, ids)) <= MAX_RUN_ID


def test_logs_are_needed_on_a_cluster() -> None:
    with pytest.raises(UsageError, match="needs --logs"):
        launch("--table", "Forum", "--output", "s3://data/x")


def test_every_bad_option_is_told() -> None:
    with pytest.raises(UsageError) as refused:
        launch("--table", "Forum", "--output", "s3://data/x", *LOGS, "--tag", "x", "--max-cost", "cheap")
    assert "--tag" in str(refused.value)
    assert "--max-cost" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "command", "kind"),
    [
        (["wait", "r"], "wait", None),
        (["plan", "export", "--table", "T1x", "--output", "s3://data/x"], "plan", "export"),
        (["policy", "launcher", "--bucket", "b1b"], "policy", None),
        (["migrate-config", "p.json"], "migrate-config", None),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_verbs(words: list[str], command: str, kind: str | None) -> None:
    line = line_of(words, file=None)
    assert (line.verb, line.kind) == (command, kind)


def test_policy_takes_account_and_region_of_the_credentials_unless_given() -> None:
    given = options("policy", "launcher", "--bucket", "b1b", "--region", "us-gov-west-1")
    scope = policy_query(given, account="123456789012", region="eu-west-1").scope
    assert (scope.account, scope.region, scope.partition) == ("123456789012", "us-gov-west-1", "aws-us-gov")
    assert (scope.tables, scope.logs.uri) == (("Forum", "Thread", "Reply"), "s3://b1b/logs")
    with pytest.raises(UsageError, match="--bucket"):
        policy_query(options("policy", "service"), account="1", region="r")


def test_schedule_is_named_after_verb_and_table() -> None:
    given = options("schedule", "export", "--table", "T1x", "--output", "s3://data/x", "--cron", "0 3 * * ? *")
    schedule = schedule_of(given, kind="export", table="my.Forum")
    assert (schedule.name, schedule.expression) == ("export-my-Forum", "cron(0 3 * * ? *)")


def test_every_option_of_the_launcher_is_read() -> None:
    """A row that nothing outside its table asks for would be an option that does nothing."""
    asked = set()
    for path in (PROJECT / "dynamodb_pipeline").rglob("*.py"):
        if path.name != "launcher_options.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            asked |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            asked |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    rows = {name for name, value in vars(launcher_options).items() if value in launcher_options.LAUNCHER_ROWS}
    assert len(rows) > 40
    assert rows - asked == set()


@pytest.mark.parametrize("words", [("--table", "Forum"), ("--throughput-percent", "30"), ("--cron", "0 3 * * ? *")])
def test_a_refresh_takes_no_option_that_it_would_not_obey(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"--refresh renews the code alone: leave out {words[0]};"):
        read_line(["schedule", "import", "--refresh", "--schedule-name", "nightly", *words])


@pytest.mark.parametrize("kind", ["export", "import", "verify"])
def test_a_refresh_needs_no_option_of_the_job(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = read_line(["schedule", kind, "--refresh", "--schedule-name", "nightly"])
    assert (line.kind, line.options[launcher_options.REFRESH], line.options[launcher_options.SCHEDULE_NAME]) == (
        kind,
        True,
        "nightly",
    )
    with pytest.raises(UsageError, match="required"):
        read_line(["schedule", kind, "--schedule-name", "nightly"])
