"""
What a failed DynamoDB request means: a class to catch and one row per documented error code.

The class says what to do (`kind`): wait and send again, repair the credentials or the clock, or stop. The
row says how the run ends when nothing helps: exit code and remedy. No error's text holds an item's contents
or a credential; DynamoDB's own messages can hold both, so only `safe_text` of them is kept in `str(error)`.
Sources: API reference "CommonErrors"; developer guide Programming.Errors; service model 2012-08-10.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from dynamodb_pipeline.errors import ExitCode, PipelineError

MESSAGE_CHARS_MAX = 300


class ErrorKind(Enum):
    """What can be done about a failed request."""

    THROTTLE = "wait and send again; the table is asked too much"
    TRANSIENT = "wait and send again; the request may have been carried out"
    BAD_REPLY = "send again a few times; the reply was damaged"
    CREDENTIALS = "refresh the credentials and send again once"
    CLOCK = "correct the clock and send again once"
    CONDITION = "the condition of a conditional write is false"
    STOP = "sending again cannot help"


class ThrottleReason(NamedTuple):
    """One of the ThrottlingReasons: e.g. TableReadKeyRangeThroughputExceeded, and the ARN it is about."""

    reason: str
    resource: str


class WireError(PipelineError):
    """
    A request that gave no usable reply.

    Attributes:
        code: DynamoDB's error code, or our own word ("connection reset") when there was no error reply.
        status: HTTP status, 0 when no reply came.
        body: the error reply as it came; for passing on, never for logs.
        exit_code: how the run ends when this error ends it.
    """

    kind = ErrorKind.STOP

    def __init__(self, text: str, *, code: str = "", status: int = 0, body: bytes = b"") -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.body = body


class Throttled(WireError):
    """Refused for capacity: nothing was read or written."""

    kind = ErrorKind.THROTTLE
    exit_code = ExitCode.STOPPED
    reasons: tuple[ThrottleReason, ...] = ()

    @property
    def key_range_only(self) -> bool:
        """True when only a hot partition was over its limit, which tells nothing about the table."""
        return bool(self.reasons) and all("KeyRange" in r.reason for r in self.reasons)


class Transient(WireError):
    """No reply, or a server-side failure: a write may or may not have happened, its units count as spent."""

    kind = ErrorKind.TRANSIENT
    exit_code = ExitCode.STOPPED


class BadReply(Transient):
    """The reply is damaged or lacks a required field: it must never be taken for an answer."""

    kind = ErrorKind.BAD_REPLY
    exit_code = ExitCode.INTEGRITY


class ExpiredCredentials(WireError):
    """The access key is not, or no longer, accepted."""

    kind = ErrorKind.CREDENTIALS
    exit_code = ExitCode.DENIED


class ClockSkewed(WireError):
    """The signature's time is too far from DynamoDB's; `server_time` is the reply's Date header."""

    kind = ErrorKind.CLOCK
    exit_code = ExitCode.DENIED
    server_time = ""


class ConditionFailed(WireError):
    """A conditional write found its condition false; it cost write units that the reply does not state."""

    kind = ErrorKind.CONDITION


class Denied(WireError):
    """The credentials lack a permission, or a KMS key may not be used."""

    exit_code = ExitCode.DENIED


class Gone(WireError):
    """The table does not exist (any more)."""

    exit_code = ExitCode.PRECONDITION


class Rejected(WireError):
    """The request itself is refused; the row of its code gives the exit code."""


class ErrorRow(NamedTuple):
    """One documented error code: what is raised for it, how the run ends, what its user can do."""

    raises: type[WireError]
    exit_code: ExitCode
    remedy: str


_BUSY = ErrorRow(
    Throttled, ExitCode.STOPPED, "lower the percentage or raise the table's capacity, then resume the run"
)
_ACCOUNT = ErrorRow(
    Throttled, ExitCode.STOPPED, "the account's quota is in use; raise it or resume the run later"
)
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
_GONE = ErrorRow(Gone, ExitCode.PRECONDITION, "check --region and the table's name; it may have been deleted")
_IN_USE = ErrorRow(Rejected, ExitCode.PRECONDITION, "wait until the table is ACTIVE")
_COLLECTION = ErrorRow(
    Rejected,
    ExitCode.STOPPED,
    "one partition key has reached 10 GB with a local secondary index; remove or split its items",
)
_REFUSED = ErrorRow(
    Rejected, ExitCode.INTEGRITY, "an item or option breaks DynamoDB's rules; verify the export"
)
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
    "PriorRequestNotComplete": _BUSY,
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
_VALUE_PATTERNS = (
    re.compile(
        r"(?<=[Vv]alue ')(.*)(?=' at ')", re.DOTALL
    ),  # "Value '...' at 'limit' failed to satisfy constraint"
    re.compile(r"(?<=numeric value: )(.*)", re.DOTALL),
    re.compile(r"(?<=[Vv]alue: )(.*)", re.DOTALL),
    re.compile(r"(?<=\[)([^\]]*)(?=\])", re.DOTALL),  # "Input collection [...] contains duplicates"
)


def row_of(code: str, *, status: int, message: str = "") -> ErrorRow:
    """Return the row of an error code; unknown codes are judged by the HTTP status."""
    if message.startswith(_SKEW_MESSAGES):
        return _CLOCK
    found = ERROR_CLASSES.get(code)
    if found is _PERMISSION and "kms:" in message.lower():
        return _KMS
    if found is not None:
        return found
    return _RETRY if status >= 500 else _STATUS_ROWS.get(status, _BUG)


def error_from_reply(operation: str, *, status: int, body: bytes, headers: Mapping[str, str]) -> WireError:
    """Return the exception for an error reply (HTTP status 300 and above) to `operation`."""
    fields = _error_fields(body)
    code = str(fields.get("__type") or headers.get("x-amzn-errortype", "")).split("#")[-1].split(":")[0]
    message = str(fields.get("message") or fields.get("Message") or "")
    row = row_of(code, status=status, message=message)
    reasons = _reasons(fields) if row.raises is Throttled else ()
    said = "; ".join(part for part in (safe_text(message), _reasons_text(reasons), row.remedy) if part)
    error = row.raises(
        f"{operation}: {code or f'HTTP {status}'}: {said}", code=code, status=status, body=body
    )
    error.exit_code = row.exit_code
    if isinstance(error, Throttled):
        error.reasons = reasons
    if isinstance(error, ClockSkewed):
        error.server_time = headers.get("date", "")
    return error


def safe_text(message: str) -> str:
    """Return a message without values of items and without the canonical request (it holds the token)."""
    text = message.split("\n", 1)[0]
    for pattern in _VALUE_PATTERNS:
        text = pattern.sub("...", text)
    return text if len(text) <= MESSAGE_CHARS_MAX else text[:MESSAGE_CHARS_MAX] + "..."


def _error_fields(body: bytes) -> dict[str, Any]:
    """A load balancer's error page is no JSON; then the status alone decides."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _reasons(fields: Mapping[str, Any]) -> tuple[ThrottleReason, ...]:
    listed = fields.get("ThrottlingReasons") or fields.get("throttlingReasons") or []
    entries = [r for r in listed if isinstance(r, dict)] if isinstance(listed, list) else []
    return tuple(ThrottleReason(str(r.get("reason", "")), str(r.get("resource", ""))) for r in entries)


def _reasons_text(reasons: tuple[ThrottleReason, ...]) -> str:
    return ", ".join(f"{r.reason} on {r.resource}" for r in reasons)
