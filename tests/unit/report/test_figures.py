"""Several records are one run; what a record lacks is not made up; the command that goes on."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from dynamodb_pipeline.report.figures import resume_of, seconds_between
from dynamodb_pipeline.report.table_figures import bytes_text, count_text
from tests.unit.report.records import IMPORTED, RUN, STOPPED, exported, figures, record


def of_table(table: str, **changes: Any) -> Any:
    """The record of one table's own job on a cluster."""
    return record(run_id=f"{RUN}.{table}", table_names=[table], **changes)


def test_several_records_are_one_run() -> None:
    run = figures(
        of_table("Forum", tables=[exported("Forum")]),
        of_table("Reply", ended="2026-11-23T04:00:00Z", **STOPPED),
        run=RUN,
    )
    assert (run.run_id, run.state, run.exit_code, run.duration_s) == (RUN, "failed", 5, 3600)
    assert [table.name for table in run.tables] == ["Forum", "Reply"]
    assert [table.error for table in run.tables] == [None, STOPPED["error"]]


@pytest.mark.parametrize(("codes", "worst"), [((0, 0), 0), ((0, 8), 8), ((5, 4), 4), ((6, 5), 6), ((0, 77), 1)])
def test_the_worst_exit_code_is_the_runs(codes: tuple[int, int], worst: int) -> None:
    records = [of_table(name, exit_code=code) for name, code in zip("AB", codes)]
    assert figures(*records, run=RUN).exit_code == worst


def test_a_run_is_running_while_one_table_is() -> None:
    run = figures(of_table("A"), of_table("B", state="running", exit_code=None, ended=None), run=RUN)
    assert (run.state, run.exit_code, run.ended, run.duration_s) == ("running", None, None, None)


@pytest.mark.parametrize("names", [["Orders"], ["Forum", "Reply"]], ids=["one", "two"])
def test_a_run_that_failed_before_its_figures_still_names_its_tables(names: list[str]) -> None:
    run = figures(record(table_names=names, state="failed", exit_code=3, error="no such table"))
    assert [table.name for table in run.tables] == names
    assert [table.figures for table in run.tables] == [()] * len(names)


def test_a_resumed_run_says_when_it_began() -> None:
    assert figures(record()).notes == ()
    (note,) = figures(record(first_started="2026-11-22T03:00:00Z")).notes
    assert "2026-11-22T03:00:00Z" in note


@pytest.mark.parametrize(
    ("moments", "seconds"),
    [
        (("2026-11-23T03:00:00Z", "2026-11-23T03:00:01Z"), 1.0),
        (("2026-11-23T03:00:00Z", None), None),
        (("2026-11-23T03:00:00Z", "later"), None),
        (("2026-11-23T03:00:00Z", "2026-11-23T03:00:01"), None),
    ],
    ids=["both", "no end", "no moment", "no zone"],
)
def test_seconds_need_two_moments(moments: tuple[str, str | None], seconds: float | None) -> None:
    assert seconds_between(*moments) == seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1,024 bytes (1.0 KiB)"),
        (3 * 1024**3, "3,221,225,472 bytes (3.0 GiB)"),
        (2 * 1024**5, "2,251,799,813,685,248 bytes (2,048.0 TiB)"),
        ("many", "many bytes"),
    ],
    ids=str,
)
def test_sizes_are_told_exactly_and_roundly(size: Any, text: str) -> None:
    assert bytes_text(size) == text


def test_counts_that_are_no_numbers_stay() -> None:
    assert [count_text(value) for value in (1234, 60.5, True, None)] == ["1,234", "60.5", "True", "None"]


def test_a_stopped_export_goes_on_with_its_tables_and_its_id() -> None:
    run = figures(of_table("Forum", tables=[exported("Forum")]), of_table("Reply", **STOPPED), run=RUN)
    resume = resume_of(run, logs="s3://my-bucket/logs")
    assert resume is not None
    assert resume.command == (
        "dynamodb-pipeline export ... --table Forum --table Reply --region eu-west-1 "
        f"--logs s3://my-bucket/logs --run-id {RUN}"
    )


@pytest.mark.parametrize("code", [1, 5, 6, 7, 130, 143])
def test_the_command_that_the_run_named_itself_is_shown_as_it_is(code: int) -> None:
    named = f"dynamodb-pipeline export --table Orders --local --logs s3://my-bucket/logs --run-id {RUN}"
    resume = resume_of(figures(record(**{**STOPPED, "exit_code": code}, resume=named)), logs="s3://other/logs")
    assert resume is not None
    assert resume.command == named
    assert resume.note == ("Give a longer --timeout." if code == 6 else "")


def test_a_step_names_spark_submit_and_the_page_the_launcher_too() -> None:
    named = f"spark-submit ... jobs/export_table.py --table Orders --run-id {RUN}"
    resume = resume_of(figures(record(**STOPPED, resume=named)), logs=None)
    assert resume is not None
    assert (resume.command, "dynamodb-pipeline command" in resume.note) == (named, True)


def test_a_run_that_is_done_has_nothing_to_go_on_with() -> None:
    """Whatever an earlier attempt left in the record."""
    assert resume_of(figures(record(resume="dynamodb-pipeline export")), logs=None) is None


def test_several_jobs_go_on_as_one_run() -> None:
    """Each named its own spark-submit; the launcher starts all of them again by the run's id."""
    jobs = (of_table(name, **STOPPED, resume=f"spark-submit ... --run-id {RUN}.{name}") for name in ("A", "B"))
    resume = resume_of(figures(*jobs, run=RUN), logs=None)
    assert resume is not None
    assert resume.command.endswith(f"--table A --table B --region eu-west-1 --run-id {RUN}")


def test_after_a_deadline_a_longer_one_is_advised() -> None:
    resume = resume_of(figures(record(**{**IMPORTED, **STOPPED, "exit_code": 6})), logs=None)
    assert resume is not None
    assert "--timeout" in resume.note
    assert "import ... --table Orders" in resume.command
    assert "--logs" not in resume.command


@pytest.mark.parametrize("code", [0, 2, 3, 4, 8, 9, None])
def test_other_endings_have_no_command(code: int | None) -> None:
    assert resume_of(figures(record(exit_code=code)), logs="s3://my-bucket/logs") is None


def test_the_command_is_quoted_for_a_shell() -> None:
    resume = resume_of(figures(record(**STOPPED)), logs="s3://my-bucket/lo gs;rm -rf x")
    assert resume is not None
    assert shlex.split(resume.command)[-3] == "s3://my-bucket/lo gs;rm -rf x"
