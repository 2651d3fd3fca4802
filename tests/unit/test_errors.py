"""One row for each exit code, and all that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.emr.calls.clusters import StepView
from dynamodb_pipeline.emr.watch.run_records import job_result
from dynamodb_pipeline.errors import EXIT_CODES, ExitCode, PipelineError, worst


def test_every_code_has_a_row() -> None:
    without = [code.name for code in ExitCode if code not in EXIT_CODES]
    assert without == [], "give each a row of EXIT_CODES in errors.py; what else changes: CONTRIBUTING.md, an exit code"
    severities = [row.severity for row in EXIT_CODES.values()]
    twice = {code.name for code, row in EXIT_CODES.items() if severities.count(row.severity) > 1}
    assert twice == set(), "each code needs a severity of its own: of several codes the highest is the whole run's"


def test_every_error_has_a_code_of_the_table() -> None:
    errors = PipelineError.__subclasses__()
    assert len(errors) >= 7
    assert {error.exit_code for error in errors} <= set(EXIT_CODES)


def test_what_is_repeated_can_be_gone_on_with() -> None:
    """A second attempt of a job is a resume."""
    assert [code for code, row in EXIT_CODES.items() if row.retried and not row.resumable] == []
    assert {code for code, row in EXIT_CODES.items() if row.retried} == {ExitCode.UNEXPECTED, ExitCode.STOPPED}


@given(st.lists(st.sampled_from(sorted(ExitCode)), min_size=1))
def test_a_run_is_done_only_when_all_of_it_is(codes: list[ExitCode]) -> None:
    assert (worst(codes) is ExitCode.DONE) == (set(codes) == {ExitCode.DONE})
    assert worst(codes) in {*codes, ExitCode.STOPPED}


def test_a_run_that_did_something_does_not_say_that_nothing_was_written() -> None:
    refused = ExitCode.PRECONDITION
    assert worst([refused, refused]) is worst([refused, ExitCode.USAGE]) is refused
    for code in (ExitCode.DONE, ExitCode.SET_ASIDE, ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        assert worst([refused, code, refused]) is ExitCode.STOPPED
    assert worst([refused, ExitCode.DONE, ExitCode.INTEGRITY]) is ExitCode.INTEGRITY


def test_no_result_at_all_is_a_failure_of_the_cluster() -> None:
    assert worst([]) is ExitCode.CLUSTER


NO_CODES = [*("0", "5", None, True, False, 0.0, 5.0, [], {}, -1, 99, 256, 10**30)]


@pytest.mark.parametrize("value", NO_CODES, ids=repr)
def test_what_is_no_code_is_unexpected(value: object) -> None:
    assert ExitCode.of(value) is ExitCode.UNEXPECTED


@given(st.one_of(st.integers(), st.text(), st.booleans(), st.none(), st.floats()))
def test_nothing_but_0_is_done(value: object) -> None:
    assert (ExitCode.of(value) is ExitCode.DONE) == (type(value) is int and value == 0)


@dataclass
class Odd(Exception):
    exit_code: object


def test_an_error_with_an_odd_code_is_unexpected() -> None:
    assert ExitCode.of_error(Odd("0")) is ExitCode.UNEXPECTED
    assert ExitCode.of_error(ValueError()) is ExitCode.UNEXPECTED


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_step_that_did_not_complete_is_not_done_whatever_its_record_says(state: str) -> None:
    step = StepView("s-1", "export Forum", state, ())
    assert not job_result(step, {"exit_code": 0}).exit_code.row.finished


@pytest.mark.parametrize("code", [77, "0", None, True, [0]], ids=repr)
def test_a_step_that_completed_with_an_unknown_code_is_not_done(code: object) -> None:
    """EMR says COMPLETED; the job's own record says something this version does not know."""
    step = StepView("s-1", "export Forum", "COMPLETED", ())
    assert job_result(step, {"exit_code": code}).exit_code is ExitCode.UNEXPECTED
