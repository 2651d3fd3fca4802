"""What each error means; codes and messages are those AWS documents, or those its service sends."""

from __future__ import annotations

import json

import botocore.session
import pytest

from dynamodb_pipeline.aws.request_errors import (
    ClockSkewed,
    Denied,
    ErrorKind,
    Rejected,
    Throttled,
    ThrottleReason,
    Transient,
    WireError,
)
from dynamodb_pipeline.aws.retry import ATTEMPTS_MAX
from dynamodb_pipeline.cli.command_line import read_line
from dynamodb_pipeline.dynamodb.error_replies import ERROR_CLASSES, error_from_reply, row_of, safe_text
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.settings.run_commands import FOR_ACCOUNT

# API reference, "Common Errors", and developer guide, "Error messages and codes"
DOCUMENTED = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InternalFailure",
    "InternalServerError",
    "InvalidAction",
    "InvalidClientTokenId",
    "ItemCollectionSizeLimitExceededException",
    "ConditionalCheckFailedException",
    "LimitExceededException",
    "MalformedHttpRequestException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestAbortedException",
    "RequestEntityTooLargeException",
    "RequestExpired",
    "RequestLimitExceeded",
    "RequestTimeoutException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "SerializationException",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationError",
    "ValidationException",
]

OUR_OPERATIONS = ("DescribeTable", "Scan", "BatchWriteItem", "PutItem", "DeleteItem")


def parsed(fields: object, *, status: int = 400, **headers: str) -> WireError:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return error_from_reply("Scan", status=status, body=body, headers=headers, now_s=1_700_000_000.0)


@pytest.mark.parametrize("code", DOCUMENTED)
def test_documented_code_has_a_row(code: str):
    assert code in ERROR_CLASSES


def test_every_error_of_our_operations_in_the_service_model_has_a_row():
    model = botocore.session.get_session().get_service_model("dynamodb")
    named = {shape.name for op in OUR_OPERATIONS for shape in model.operation_model(op).error_shapes}
    assert named
    assert named <= ERROR_CLASSES.keys()


def test_every_code_botocore_calls_throttling_or_transient_is_repeated():
    from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

    transient = set(TransientRetryableChecker._TRANSIENT_ERROR_CODES)
    throttles = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - transient
    not_about_capacity = {"EC2ThrottledException", "TransactionInProgressException"}
    assert {ERROR_CLASSES[code].raises for code in throttles - not_about_capacity} == {Throttled}
    assert {ERROR_CLASSES[code].raises for code in transient} == {Transient}


@pytest.mark.parametrize("code", sorted(ERROR_CLASSES))
def test_row_gives_an_exit_code_and_a_remedy(code: str):
    row = ERROR_CLASSES[code]
    assert row.exit_code is not ExitCode.DONE
    assert row.remedy or row.raises.kind is ErrorKind.CONDITION
    if row.raises.kind in ATTEMPTS_MAX:
        assert row.exit_code in (ExitCode.STOPPED, ExitCode.INTEGRITY)


def test_kinds_that_are_repeated_are_exactly_those_with_a_bound():
    assert set(ATTEMPTS_MAX) == {ErrorKind.THROTTLE, ErrorKind.TRANSIENT, ErrorKind.BAD_REPLY}


@pytest.mark.parametrize(
    ("action", "of", "printed"),
    [
        ("PutItem", "", " --for import`"),
        ("Scan", "", "` (for an import with --for import)"),
        ("Scan", "/index/by-date", " --index by-date`"),
    ],
)
def test_the_refusal_of_a_table_of_another_account_says_the_whole_command(action: str, of: str, printed: str):
    """The text is AWS's own; the command is read by the command line as it stands."""
    table = "arn:aws:dynamodb:eu-west-1:210987654321:table/Tab"
    text = (
        f"User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: dynamodb:{action} on "
        f"resource: {table}{of} because no resource-based policy allows the dynamodb:{action} action"
    )
    said = str(parsed({"__type": "AccessDeniedException", "message": text}))
    command = f"dynamodb-pipeline policy table-resource --for-account 123456789012 --table {table}"
    assert said.endswith(f"`{command}{printed}")
    pasted = said.rpartition("prints `")[2].partition("`")[0]
    assert read_line(pasted.split()[1:]).options[FOR_ACCOUNT] == "123456789012"


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (500, Transient),
        (502, Transient),
        (599, Transient),
        (408, Transient),
        (429, Throttled),
        (400, Rejected),
        (403, Denied),
        (413, Rejected),
        (301, Rejected),
    ],
)
def test_unknown_code_is_judged_by_its_status(status: int, raised: type[WireError]):
    assert row_of("SomethingNew", status=status).raises is raised
    assert type(parsed(b"<html>Bad Gateway</html>", status=status)) is raised


@pytest.mark.parametrize(
    "fields",
    [
        {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow"},
        {"__type": "ThrottlingException", "Message": "slow"},
        {"__type": "com.amazon.coral.availability#ThrottlingException:http://x/", "message": "slow"},
    ],
    ids=["namespace", "bare", "with-address"],
)
def test_code_and_message_are_read_in_every_spelling(fields: dict[str, str]):
    error = parsed(fields)
    assert (type(error), error.code) == (Throttled, "ThrottlingException")
    assert "slow" in str(error)


def test_code_may_stand_in_a_header():
    error = parsed(b"", **{"x-amzn-errortype": "ThrottlingException:http://x/"})
    assert error.code == "ThrottlingException"


@pytest.mark.parametrize("name", ["ThrottlingReasons", "throttlingReasons"])
def test_reasons_of_a_throttle_are_kept_and_named(name: str):
    arn = "arn:aws:dynamodb:eu-west-1:1:table/orders"
    reason = "TableReadProvisionedThroughputExceeded"
    error = parsed({"__type": "ThrottlingException", name: [{"reason": reason, "resource": arn}]})
    assert isinstance(error, Throttled)
    assert error.reasons == (ThrottleReason(reason, arn),)
    assert f"{reason} on {arn}" in str(error)
    assert not error.key_range_only


@pytest.mark.parametrize(
    ("reasons", "only"),
    [
        (["TableReadKeyRangeThroughputExceeded"], True),
        (["TableWriteKeyRangeThroughputExceeded", "IndexWriteKeyRangeThroughputExceeded"], True),
        (["TableReadKeyRangeThroughputExceeded", "TableReadProvisionedThroughputExceeded"], False),
        ([], False),
    ],
)
def test_hot_partition_is_told_from_a_table_over_its_limit(reasons: list[str], only: bool):
    listed = [{"reason": r, "resource": "arn"} for r in reasons]
    error = parsed({"__type": "ProvisionedThroughputExceededException", "ThrottlingReasons": listed})
    assert isinstance(error, Throttled)
    assert error.key_range_only is only


@pytest.mark.parametrize("reasons", ["x", [1], {"reason": 1}, [{}]])
def test_malformed_reasons_do_not_hide_the_throttle(reasons: object):
    assert isinstance(parsed({"__type": "ThrottlingException", "ThrottlingReasons": reasons}), Throttled)


SKEWS = [
    "Signature expired: 20231114T221320Z is now earlier than 20231114T231320Z (20231114T232820Z - 15 min.)",
    "Signature not yet current: 20231114T221320Z is still later than 20231114T211320Z (20231114T210820Z + 5 min.)",
]


@pytest.mark.parametrize("message", SKEWS, ids=["behind", "ahead"])
def test_skewed_clock_is_told_from_a_wrong_signature_by_its_message(message: str):
    assert isinstance(parsed({"__type": "InvalidSignatureException", "message": message}), ClockSkewed)


@pytest.mark.parametrize(
    ("date", "said"),
    [("Tue, 14 Nov 2023 22:14:20 GMT", "60 s behind"), ("Tue, 14 Nov 2023 21:13:20 GMT", "3600 s ahead")],
)
def test_skewed_clock_is_named_with_seconds_and_direction(date: str, said: str):
    """The machine's clock says 22:13:20."""
    error = parsed({"__type": "RequestExpired"}, date=date)
    assert f"this machine's clock is {said}" in str(error)


def test_refusal_by_another_accounts_table_names_both_policies():
    message = "User: x is not authorized to perform: dynamodb:Scan on resource: arn:aws:dynamodb:eu-west-1:1:table/T"
    reasons = (
        f"because no {kind} policy allows the dynamodb:Scan action" for kind in ("resource-based", "identity-based")
    )
    texts = [str(parsed({"__type": "AccessDeniedException", "Message": f"{message} {why}"})) for why in reasons]
    assert ["two policies, its own and the caller's" in text for text in texts] == [True, False]


def test_refusal_by_the_key_of_the_table_names_kms():
    message = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:k"
    error = parsed({"__type": "AccessDeniedException", "Message": message})
    assert isinstance(error, Denied)
    assert "KMS key" in str(error)
    assert "arn:aws:kms:k" in str(error)


def test_denied_error_names_operation_action_and_resource():
    message = (
        "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: dynamodb:Scan on resource: "
        "arn:aws:dynamodb:eu-west-1:1:table/orders because no identity-based policy allows the dynamodb:Scan action"
    )
    error = parsed({"__type": "AccessDeniedException", "Message": message})
    assert "Scan: AccessDeniedException" in str(error)
    assert "table/orders" in str(error)
    assert error.exit_code is ExitCode.DENIED


SECRET = "item-value-that-nobody-may-see"


@pytest.mark.parametrize(
    "message",
    [
        f"1 validation error detected: Value '{SECRET}' at 'limit' failed to satisfy constraint: x",
        f"1 validation error detected: Value '{{a='b', {SECRET}}}' at 'requestItems' failed to satisfy constraint: x",
        f"The parameter cannot be converted to a numeric value: {SECRET}",
        f"One or more parameter values were invalid: Input collection [a]{SECRET}, b] contains duplicates.",
        f"The request signature we calculated does not match\n\nx-amz-security-token:{SECRET}\n",
        f"Unexpected value: {SECRET}",
    ],
    ids=["value", "quoted-value", "number", "set", "token", "other"],
)
def test_values_and_tokens_do_not_get_into_texts(message: str):
    assert SECRET not in safe_text(message)
    assert SECRET not in str(parsed({"__type": "ValidationException", "message": message}))


def test_long_message_is_cut():
    assert len(safe_text("x" * 10_000)) < 400


def test_body_of_an_error_is_kept_for_passing_on():
    assert json.loads(parsed({"__type": "ValidationException", "message": "m"}).body)["message"] == "m"
