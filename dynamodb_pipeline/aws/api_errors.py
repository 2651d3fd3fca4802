"""
Sorts what AWS calls can raise: wait and repeat, give up, or unknown whether it happened.

Codes are named one by one; what is not named is not repeated.
"""

from __future__ import annotations

import re
from typing import Any

from dynamodb_pipeline.errors import DeniedError

# The lists of botocore's standard retry mode, apart from codes that mean something else outside of DynamoDB.
THROTTLING = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
UNFINISHED = {"PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException"}
SERVER_FAULTS = {"InternalServerException", "InternalServerError", "InternalFailure", "ServiceUnavailable"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"}
INVALID_KEYS = {"InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure"}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "NotAuthorized"}
NOT_AUTHORIZED = re.compile(r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>\S+))?")


def error_code(err: Exception) -> str:
    """The service's error code, or the exception's class name when no service answered."""
    return str(_response(err).get("Error", {}).get("Code", type(err).__name__))


def _response(err: Exception) -> dict[str, Any]:
    return getattr(err, "response", None) or {}  # botocore's connection errors carry None


def is_throttling(err: Exception) -> bool:
    """The service refused the call for now; it did not happen."""
    return error_code(err) in THROTTLING


def is_no_answer(err: Exception) -> bool:
    """The call may or may not have happened: the connection broke, or the server failed."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError
    from botocore.parsers import ResponseParserError

    status = _response(err).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    unanswered = isinstance(err, (NoConnection, HTTPClientError, ResponseParserError))
    return unanswered or status >= 500 or error_code(err) in SERVER_FAULTS | UNFINISHED


def is_denied(err: Exception) -> bool:
    """A permission or the credentials are the cause."""
    from botocore.exceptions import (
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        TokenRetrievalError,
    )

    missing = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError)
    return isinstance(err, missing) or error_code(err) in DENIED | EXPIRED | INVALID_KEYS


def denied_error(err: Exception, *, call: str) -> DeniedError:
    """The permission error in our words; `call` is the IAM action tried."""
    code = error_code(err)
    if code in EXPIRED:
        return DeniedError(f"the credentials have expired ({code} at {call}); renew them and attach again")
    if code not in DENIED:
        return DeniedError(f"no usable AWS credentials ({code} at {call}); set a profile, environment or role")
    refused = NOT_AUTHORIZED.search(str(err))
    action = refused["action"] if refused else call
    resource = f" on {refused['resource']}" if refused and refused["resource"] else ""
    hint = "the statement that allows it: `dynamodb-pipeline policy launcher --help`"
    return DeniedError(f"{action} was denied{resource}; {hint}")
