"""What a run's record says of going on."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.errors import EXIT_CODES, ExitCode
from dynamodb_pipeline.finished import RunState


@pytest.mark.parametrize(
    ("record", "resumable"),
    [
        ({"state": "running"}, True),  # killed, or still at work: its heartbeat tells
        ({"state": "done", "exit_code": 0}, False),
        ({"state": "failed", "exit_code": 77}, True),  # none of ours counts as a bug
        ({"state": "failed", "exit_code": True}, True),
        ({"state": "failed"}, False),
        ({"state": "stuck", "exit_code": 5}, False),
        ({}, False),
    ],
)
def test_run_with_something_left_to_do_is_resumable(record: dict[str, Any], resumable: bool) -> None:
    assert RunState.readable(record).is_resumable is resumable


@pytest.mark.parametrize("code", ExitCode)
def test_failed_run_is_resumable_as_the_table_of_exit_codes_says(code: ExitCode) -> None:
    assert RunState.readable({"state": "failed", "exit_code": int(code)}).is_resumable is EXIT_CODES[code].resumable
