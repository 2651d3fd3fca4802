"""From logs and EMR's own words to one probable cause with a remedy."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import pytest

from dynamodb_pipeline.emr.calls.clusters import ClusterView, StepView
from dynamodb_pipeline.emr.watch.diagnosis import (
    LOG_WAIT_S,
    diagnose_step,
    diagnosis,
    matching_row,
    troubleshooting_rows,
)
from dynamodb_pipeline.emr.watch.run_records import JobResult
from dynamodb_pipeline.emr.watch.step_logs import (
    job_error_line,
    last_lines,
    last_traceback,
    printed_result,
    step_log_files,
)
from dynamodb_pipeline.errors import ExitCode
from tests.unit.emr.aws import LOGS, LOGS_URI, account

TWO_TRACEBACKS = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in <module>
    raise RuntimeError("second")
RuntimeError: second
26/11/23 03:10:12 INFO ShutdownHookManager
"""


def test_last_traceback_ends_with_its_own_line() -> None:
    found = last_traceback(TWO_TRACEBACKS)
    assert found is not None
    assert found.splitlines()[0] == "Traceback (most recent call last):"
    assert found.splitlines()[-1] == "RuntimeError: second"
    assert "first" not in found


@pytest.mark.parametrize(
    "text", ["", "INFO all well", "Traceback (most recent call last):"], ids=["empty", "none", "cut"]
)
def test_no_traceback(text: str) -> None:
    assert last_traceback(text) is None


def test_jobs_own_error_line_is_found_among_sparks() -> None:
    text = (
        "INFO x\nERROR SparkContext: boom\nERROR 3 (precondition refused): table 'T' not found in eu-west-1\nINFO y\n"
    )
    assert job_error_line(text) == "ERROR 3 (precondition refused): table 'T' not found in eu-west-1"


def test_printed_result_is_the_last_json_with_an_exit_code() -> None:
    text = 'x\n{"exit_code": 0, "kind": "a"}\n{"other": 1}\n{"exit_code": 5, "error": "e"}\n{"exit_code": broken\n'
    assert printed_result(text) == {"exit_code": 5, "error": "e"}
    assert printed_result("nothing") == {}


def test_last_lines_skip_blank_ones() -> None:
    assert last_lines("a\n\nb\n \nc\n", count=2) == "b\nc"


def test_last_lines_skip_what_spark_and_command_runner_always_say() -> None:
    """What the step runner printed for a missing program, with Spark's lines around it."""
    text = "26/11/23 03:10:12 INFO Utils: x\n[Errno 2] No such file or directory: 'spark-submit'\n"
    text += "Command exiting with ret '127'\n26/11/23 03:10:12 WARN Utils: y\n"
    assert last_lines(text) == "[Errno 2] No such file or directory: 'spark-submit'"


# Each bullet of the AWS page's troubleshooting list, as it really sounds, and the row that must answer.
PAGE_BULLETS = {
    "table-missing": "ResourceNotFoundException: Requested resource not found: Table: Forum not found",
    "key-schema": "The provided key element does not match the schema",
    "tag-missing": "User: x is not authorized to perform: elasticmapreduce:RunJobFlow on resource: *",
    "bucket-missing": "NoSuchBucket: The specified bucket does not exist",
    "bucket-denied": "User: x is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/exports/x",
    "timeout": "ERROR 6 (deadline reached): the run's own deadline of 12 h passed",
    "manifest-elsewhere": "manifest entry lies in another bucket; allow it with --allow-bucket old",
    "permission-missing": "AccessDeniedException: not authorized to perform: dynamodb:Scan on resource: x",
    "role-missing": "ValidationException: Invalid InstanceProfile: dynamodb-pipeline-export.",
    "quota": "VALIDATION_ERROR: The requested number of instances exceeds your EC2 quota (VcpuLimitExceeded)",
    "log-folder": "--logs s3://bucket: name a folder (s3://bucket/logs), never the bucket's top level",
}


@pytest.mark.parametrize(("row", "text"), PAGE_BULLETS.items(), ids=list(PAGE_BULLETS))
def test_each_bullet_of_the_page_finds_its_row(row: str, text: str) -> None:
    found = matching_row([text])
    assert found is not None
    assert (found.name, found.from_page) == (row, True)
    assert "\n" not in found.remedy


def test_every_row_of_the_table_is_provoked_here() -> None:
    assert {row.name for row in troubleshooting_rows() if row.from_page} == set(PAGE_BULLETS)
    assert {row.name for row in troubleshooting_rows() if not row.from_page} == set(OURS)


OURS = {
    "no-capacity": "EC2_INSUFFICIENT_CAPACITY_INSTANCE: no capacity",
    "type-not-offered": "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED: m3.xlarge in eu-west-1d",
    "credentials-expired": "ExpiredTokenException: The security token included in the request is expired",
    "other-account": "User: x is not authorized to perform: dynamodb:Scan on resource: "
    "arn:aws:dynamodb:eu-west-1:210987654321:table/T because no resource-based policy allows the dynamodb:Scan action",
    "kms-denied": "User: x is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms",
    "connector-missing": "java.lang.ClassNotFoundException: org.apache.hadoop.dynamodb.read.DynamoDBInputFormat",
    "boto3-missing": "ModuleNotFoundError: No module named 'boto3'",
    "code-changed": "s3://l/code/x.zip has SHA-256 aa, expected bb: the code was changed after upload",
    "python-too-old": "python3 is 3.7.16; the job needs 3.9",
    "out-of-memory": "java.lang.OutOfMemoryError: Java heap space",
    "run-folder-in-use": "s3://d/x is in use by run r1 (table Forum), not finished",
    "subnet": "The subnet subnet-1 does not have enough free addresses: subnet not have enough",
    "security-configuration": "The security configuration dynamodb-pipeline does not exist",
    "node-lost": "ExecutorLostFailure (executor 1 exited)",
    "disk-full": "OSError: [Errno 28] No space left on device",
    "throttled": "ProvisionedThroughputExceededException: Rate exceeded",
    "empty-read": "ERROR 4 (integrity failure): the export of 'Forum' has no items but the table has",
    "block-public-access": "VALIDATION_ERROR: the security group sg-1 violates the Block Public Access configuration",
    "network-tag": "VALIDATION_ERROR: Service role arn:aws:iam::1:role/dynamodb-pipeline-service has insufficient EC2 "
    "permissions",
    "cleanup-role": "Service-linked role 'AWSServiceRoleForEMRCleanup' for EMR is required. Please create this role",
    "no-default-vpc": "VALIDATION_ERROR: The VPC/subnet configuration was invalid: No default VPC for this user",
    "bootstrap": "BOOTSTRAP_FAILURE: On the master instance (i-1), bootstrap action 2 returned a non-zero return code",
}


@pytest.mark.parametrize(("row", "text"), OURS.items(), ids=list(OURS))
def test_each_of_our_rows(row: str, text: str) -> None:
    found = matching_row([text])
    assert found is not None
    assert found.name == row


def test_the_most_telling_text_wins() -> None:
    found = matching_row(["something new", "NoSuchBucket", "OutOfMemoryError"])
    assert found is not None
    assert found.name == "bucket-missing"


def test_an_unknown_symptom_is_told_in_its_own_words() -> None:
    found = diagnosis(["ValueError: never seen"], traceback=None, log_uris=())
    assert (found.probable_cause, found.row, found.remedy) == ("ValueError: never seen", None, "")


def test_no_evidence_is_said() -> None:
    assert diagnosis([], traceback=None, log_uris=()).probable_cause == "nothing was recorded"


STEP = StepView(id="s-1", name="p:export:Forum:r", state="FAILED", arguments=())
CLUSTER = ClusterView(id="j-1", name="p-export-r", state="TERMINATED_WITH_ERRORS", log_uri=f"{LOGS_URI}/emr/")


def failed(**changes: Any) -> JobResult:
    values: dict[str, Any] = {"step": STEP, "exit_code": ExitCode.CLUSTER, "record": {}, "error": None}
    return JobResult(**{**values, **changes})


def put_log(s3: Any, name: str, data: bytes) -> None:
    s3.put_object(Bucket=LOGS, Key=f"app/emr/j-1/steps/s-1/{name}", Body=data)


@pytest.mark.parametrize("name", ["stderr.gz", "stderr.txt.gz", "stderr.2026-11-23-03.gz"])
def test_logs_are_found_whatever_their_name(name: str) -> None:
    with account() as made:
        put_log(made.s3, name, gzip.compress(b"ValueError: x"))
        put_log(made.s3, "controller.gz", gzip.compress(b"not wanted"))
        files = step_log_files(made.s3, CLUSTER.log_uri or "", cluster_id="j-1", step_id="s-1")
        assert [file.text for file in files] == ["ValueError: x"]


def test_cut_gzip_gives_what_is_there() -> None:
    with account() as made:
        whole = gzip.compress(b"line\n" * 10_000)
        put_log(made.s3, "stderr.gz", whole[: len(whole) // 2])
        (file,) = step_log_files(made.s3, CLUSTER.log_uri or "", cluster_id="j-1", step_id="s-1")
        assert file.text.startswith("line\n")


def test_emrs_own_log_address_and_s3n_are_understood() -> None:
    with account() as made:
        put_log(made.s3, "stdout.gz", gzip.compress(TWO_TRACEBACKS.encode()))
        cluster = ClusterView(id="j-1", name="n", state="TERMINATED", log_uri=f"s3n://{LOGS}/app/emr/")
        found = diagnose_step(made.s3, failed(), cluster=cluster, clock=made.clock)
        assert found.probable_cause == "RuntimeError: second"
        assert found.log_uris[-1] == f"s3://{LOGS}/app/emr/j-1/steps/s-1/"


def test_late_logs_are_waited_for_a_bounded_time() -> None:
    with account() as made:
        diagnose_step(made.s3, failed(), cluster=CLUSTER, clock=made.clock)
        assert LOG_WAIT_S <= made.clock.passed_s < LOG_WAIT_S + 30


def test_no_wait_when_the_job_told_its_error_itself() -> None:
    with account() as made:
        result = failed(error="table 'T' not found in eu-west-1")
        found = diagnose_step(made.s3, result, cluster=CLUSTER, clock=made.clock)
        assert made.clock.passed_s == 0
        assert found.row == "table-missing"
        assert "table 'T' not found in eu-west-1" in found.probable_cause


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("INTERRUPTED", "TERMINATED (USER_REQUEST: Terminated by user request)"),
        ("FAILED", "note: AccessDeniedException, the export needs none of it"),
    ],
)
def test_a_step_whose_cluster_was_ended_is_explained_by_that_and_by_no_note_of_its_job(state: str, cause: str) -> None:
    step = replace(STEP, state=state)
    ended = replace(CLUSTER, state="TERMINATED", reason_code="USER_REQUEST", reason="Terminated by user request")
    with account() as made:
        put_log(made.s3, "stderr.gz", gzip.compress(b"note: AccessDeniedException, the export needs none of it\n"))
        found = diagnose_step(made.s3, failed(step=step), cluster=ended, clock=made.clock)
        assert cause in found.probable_cause
        assert (found.row is None) is (state == "INTERRUPTED")


def test_emrs_failure_details_serve_when_there_is_no_log() -> None:
    step = StepView(
        id="s-1", name="n", state="FAILED", arguments=(),
        failure=(("LogFile", "s3://l/x/stderr.gz"), ("Message", "Exception in thread main"), ("Reason", "Unknown")),
    )  # fmt: skip
    with account() as made:
        found = diagnose_step(made.s3, failed(step=step), cluster=CLUSTER, clock=made.clock)
        assert found.probable_cause == "Exception in thread main"
        assert found.log_uris[0] == "s3://l/x/stderr.gz"
