"""What a failed Spark job says of its cause reaches the driver with its exit code."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.errors import DeniedError, ExitCode, StoppedError
from dynamodb_pipeline.workers.failures import MARK, WorkerFailure, carry_exit_code, task_failure

SPARK = """An error occurred while calling o91.runJob.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times: {cause}
    at org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)
"""


def test_exit_code_and_message_survive_the_trip():
    with pytest.raises(WorkerFailure) as failed, carry_exit_code():
        raise DeniedError("S3 refuses put_object\non s3://b/k (AccessDenied)")
    text = SPARK.format(cause=f'Traceback (most recent call last):\n  File "x"\nWorkerFailure: {failed.value}\n')
    found = task_failure(text)
    assert isinstance(found, WorkerFailure)
    assert found.exit_code is ExitCode.DENIED
    assert str(found) == "S3 refuses put_object on s3://b/k (AccessDenied)"


def test_lost_executor_can_be_resumed_and_names_its_cause():
    text = SPARK.format(cause="ExecutorLostFailure (executor 1 exited)\nCaused by: java.io.IOException: No space left")
    found = task_failure(text)
    assert isinstance(found, StoppedError)
    assert "java.io.IOException: No space left" in str(found)


def test_bug_in_python_stays_a_bug():
    assert task_failure(SPARK.format(cause="Traceback (most recent call last):\nKeyError: 'x'")) is None


def test_error_that_is_not_ours_passes_unmarked():
    with pytest.raises(KeyError) as failed, carry_exit_code():
        raise KeyError("x")
    assert MARK not in str(failed.value)
