"""What botocore's own retries call throttling or transient, ours repeat too, for S3 and for the control plane."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import is_no_answer, is_throttling
from dynamodb_pipeline.aws.request_errors import Throttled, Transient
from dynamodb_pipeline.errors import DeniedError
from dynamodb_pipeline.store.s3_errors import s3_error

TRANSIENT = set(TransientRetryableChecker._TRANSIENT_ERROR_CODES)
# DynamoDB's own words (dynamodb/error_replies.py has their rows); elsewhere a limit that waiting does not change.
OF_DYNAMODB = {"LimitExceededException", "ProvisionedThroughputExceededException", "TransactionInProgressException"}
THROTTLED = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - TRANSIENT - OF_DYNAMODB


def refused(code: str) -> ClientError:
    meta = {"HTTPStatusCode": 400}
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": meta}, "Op")  # type: ignore[typeddict-item]


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_a_throttled_call_is_repeated(code: str) -> None:
    assert is_throttling(refused(code))
    assert type(s3_error(refused(code), operation="put_object", where=S3Uri("b", "k"))) is Throttled


@pytest.mark.parametrize("code", sorted(TRANSIENT))
def test_a_call_that_was_not_finished_is_repeated(code: str) -> None:
    assert is_no_answer(refused(code))
    assert not is_throttling(refused(code)), "it may have been carried out"
    assert type(s3_error(refused(code), operation="put_object", where=S3Uri("b", "k"))) is Transient


def test_the_lists_of_botocore_are_there() -> None:
    assert {"SlowDown", "ThrottlingException"} <= THROTTLED
    assert "RequestTimeout" in TRANSIENT


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "RequestTimeTooSkewed", "400"])
def test_credentials_that_s3_refuses_are_to_be_renewed_and_no_right_is_to_be_granted(code: str) -> None:
    """400 is all that the answer to a HEAD says of a token that has expired."""
    err = s3_error(refused(code), operation="head_bucket", where=S3Uri("b", ""))
    assert isinstance(err, DeniedError)
    assert "grant" not in str(err)
    assert ("clock" if code == "RequestTimeTooSkewed" else "renew the credentials") in str(err)


def test_a_right_that_s3_misses_is_to_be_granted() -> None:
    err = s3_error(refused("AccessDenied"), operation="put_object", where=S3Uri("b", "k"))
    assert isinstance(err, DeniedError)
    assert "grant s3:PutObject" in str(err)
