"""What a service that does not answer means to a run that has begun."""

from __future__ import annotations

from dynamodb_pipeline.errors import ExitCode, PreconditionError, UnreachableError
from dynamodb_pipeline.run.run import stopped_part_way


def test_silence_in_a_later_attempt_never_says_that_nothing_was_written() -> None:
    unreachable = UnreachableError("S3 cannot be reached")
    assert ExitCode.of_error(unreachable) is ExitCode.PRECONDITION
    assert ExitCode.of_error(stopped_part_way(unreachable)) is ExitCode.STOPPED
    refused = PreconditionError("table 't' is DELETING")
    assert stopped_part_way(refused) is refused
