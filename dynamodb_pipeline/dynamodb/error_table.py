"""
One row for each error code DynamoDB documents: what is raised for it, how the run ends, what its user can do.

Sources: API reference, "Common Errors" and each operation's errors; developer guide, "Error handling with
DynamoDB"; service model 2012-08-10.
"""

from __future__ import annotations

from typing import NamedTuple

from dynamodb_pipeline.aws.request_errors import (
    ClockSkewed,
    ConditionFailed,
    Denied,
    ExpiredCredentials,
    Gone,
    Rejected,
    Throttled,
    Transient,
    WireError,
)
from dynamodb_pipeline.errors import ExitCode


class ErrorRow(NamedTuple):
    """One documented error code: what is raised for it, how the run ends, what its user can do."""

    raises: type[WireError]
    exit_code: ExitCode
    remedy: str


_BUSY = ErrorRow(Throttled, ExitCode.STOPPED, "lower the percentage or raise the table's capacity, then resume the run")
_ACCOUNT = ErrorRow(Throttled, ExitCode.STOPPED, "the account's quota is in use; raise it or resume the run later")
_RETRY = ErrorRow(Transient, ExitCode.STOPPED, "resume the run later")
_REFRESH = ErrorRow(
    ExpiredCredentials, ExitCode.DENIED, "renew the credentials (aws sts get-caller-identity shows them)"
)
_CLOCK = ErrorRow(ClockSkewed, ExitCode.DENIED, "set this machine's clock (chronyd, ntpd)")
_PERMISSION = ErrorRow(
    Denied, ExitCode.DENIED, "grant the role this action on this resource; `policy` prints what is needed"
)
_SIGNATURE = ErrorRow(Denied, ExitCode.DENIED, "check the credentials and any proxy that changes headers")
_KMS = ErrorRow(Denied, ExitCode.DENIED, "enable the table's KMS key and allow the role kms:Decrypt on it")
# A table was there when it was described before the run: these come in the middle of one, when 3 would be wrong.
_GONE = ErrorRow(Gone, ExitCode.INTEGRITY, "check --region and the table's name; it may have been deleted")
_IN_USE = ErrorRow(Rejected, ExitCode.STOPPED, "wait until the table is ACTIVE, then resume the run")
_COLLECTION = ErrorRow(
    Rejected,
    ExitCode.STOPPED,
    "one partition key has reached 10 GB with a local secondary index; remove or split its items",
)
_REFUSED = ErrorRow(Rejected, ExitCode.INTEGRITY, "an item or option breaks DynamoDB's rules; verify the export")
_BUG = ErrorRow(Rejected, ExitCode.UNEXPECTED, "a bug: please report it")
_CONDITION = ErrorRow(ConditionFailed, ExitCode.UNEXPECTED, "")

ERROR_CLASSES: dict[str, ErrorRow] = {
    # capacity: nothing was done, send again later
    "ProvisionedThroughputExceededException": _BUSY,
    "ThrottlingException": _BUSY,
    "Throttling": _BUSY,
    "ThrottledException": _BUSY,
    "RequestThrottled": _BUSY,
    "RequestThrottledException": _BUSY,
    "TooManyRequestsException": _BUSY,
    "SlowDown": _BUSY,
    "KMSThrottlingException": _BUSY,
    "RequestLimitExceeded": _ACCOUNT,
    "LimitExceededException": _ACCOUNT,
    "BandwidthLimitExceeded": _ACCOUNT,
    # the service's side: may have been done
    "InternalServerError": _RETRY,
    "InternalServerErrorException": _RETRY,
    "InternalServerException": _RETRY,
    "InternalFailure": _RETRY,
    "InternalError": _RETRY,
    "ServiceUnavailable": _RETRY,
    "ServiceUnavailableException": _RETRY,
    "RequestTimeout": _RETRY,
    "RequestTimeoutException": _RETRY,
    "RequestAbortedException": _RETRY,
    "PriorRequestNotComplete": _RETRY,
    "ReplicatedWriteConflictException": _RETRY,
    "TransactionConflictException": _RETRY,
    "TransactionInProgressException": _RETRY,
    # credentials and signature
    "ExpiredToken": _REFRESH,
    "ExpiredTokenException": _REFRESH,
    "UnrecognizedClientException": _REFRESH,
    "InvalidClientTokenId": _REFRESH,
    "InvalidSignatureException": _REFRESH,  # a changed secret; a skewed clock is recognised by its message
    "SignatureDoesNotMatch": _REFRESH,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestInTheFuture": _CLOCK,
    "MissingAuthenticationToken": _SIGNATURE,
    "MissingAuthenticationTokenException": _SIGNATURE,
    "IncompleteSignature": _SIGNATURE,
    "IncompleteSignatureException": _SIGNATURE,
    # permission
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "NotAuthorized": _PERMISSION,
    "AuthFailure": _PERMISSION,
    "OptInRequired": ErrorRow(Denied, ExitCode.DENIED, "the account or region is not enabled for DynamoDB"),
    "KMSAccessDeniedException": _KMS,
    "KMSDisabledException": _KMS,
    "KMSInvalidStateException": _KMS,
    "KMSInvalidMacException": _KMS,
    "KMSNotFoundException": _KMS,
    "KMSOptInRequired": _KMS,
    # the table
    "ResourceNotFoundException": _GONE,
    "TableNotFoundException": _GONE,
    "IndexNotFoundException": _GONE,
    "ResourceInUseException": _IN_USE,
    "TableInUseException": _IN_USE,
    "ItemCollectionSizeLimitExceededException": _COLLECTION,
    "ConditionalCheckFailedException": _CONDITION,
    # the request
    "ValidationException": _REFUSED,
    "ValidationError": _REFUSED,
    "RequestEntityTooLarge": _REFUSED,
    "RequestEntityTooLargeException": _REFUSED,
    "SerializationException": _BUG,
    "MalformedHttpRequestException": _BUG,
    "UnknownOperationException": _BUG,
    "InvalidAction": _BUG,
    "TransactionCanceledException": _BUG,
    "DuplicateItemException": _BUG,
    "IdempotentParameterMismatchException": _BUG,
}

_STATUS_ROWS = {401: _SIGNATURE, 403: _PERMISSION, 404: _BUG, 408: _RETRY, 413: _REFUSED, 429: _BUSY}
_SKEW_MESSAGES = ("Signature expired", "Signature not yet current")


def row_of(code: str, *, status: int, message: str = "") -> ErrorRow:
    """Return the row of an error code; unknown codes are judged by the HTTP status."""
    if message.startswith(_SKEW_MESSAGES):
        return _CLOCK
    row = ERROR_CLASSES.get(code)
    if row is _PERMISSION and "kms:" in message.lower():
        return _KMS
    if row is not None:
        return row
    return _RETRY if status >= 500 else _STATUS_ROWS.get(status, _BUG)
