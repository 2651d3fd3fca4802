"""
An error reply of DynamoDB as the exception of its error code: one row for each code that DynamoDB documents, with what
is raised for it, how the run ends and what its user can do.

DynamoDB's messages can hold values of items and, after a wrong signature, the session token: only
`safe_text` of them goes into an exception's text.

Sources: API reference, "Common Errors" and each operation's errors; developer guide, "Error handling with
DynamoDB"; service model 2012-08-10.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from dynamodb_pipeline.aws.request_errors import (
    ClockSkewed,
    ConditionFailed,
    Denied,
    ExpiredCredentials,
    Gone,
    Rejected,
    Throttled,
    ThrottleReason,
    Transient,
    WireError,
)
from dynamodb_pipeline.errors import PROGRAM, ExitCode

MESSAGE_CHARS_MAX = 300

_VALUE_PATTERNS = (
    re.compile(r"(?<=[Vv]alue ')(.*)(?=' at ')", re.DOTALL),  # "Value '...' at 'limit' failed to satisfy constraint"
    re.compile(r"(?<=numeric value: )(.*)", re.DOTALL),
    re.compile(r"(?<=[Vv]alue: )(.*)", re.DOTALL),
    re.compile(r"(?<=\[)(.*)(?=\])", re.DOTALL),  # "Input collection [...] contains duplicates"
)


class ErrorRow(NamedTuple):
    """One documented error code: what is raised for it, how the run ends, what its user can do."""

    raises: type[WireError]
    exit_code: ExitCode
    remedy: str


_BUSY = ErrorRow(Throttled, ExitCode.STOPPED, "lower the percentage or raise the table's capacity, then resume the run")
_ACCOUNT = ErrorRow(Throttled, ExitCode.STOPPED, "the account's quota is in use; raise it or resume the run later")
_RETRY = ErrorRow(Transient, ExitCode.STOPPED, "resume the run later")
_REFRESH = ErrorRow(
    ExpiredCredentials, ExitCode.DENIED, "renew the credentials; whose they are: `aws sts get-caller-identity`"
)
_CLOCK = ErrorRow(ClockSkewed, ExitCode.DENIED, "set this machine's clock (chronyd, ntpd)")
_PERMISSION = ErrorRow(
    Denied,
    ExitCode.DENIED,
    "grant the role this action on this resource; `dynamodb-pipeline policy --help` shows how to print what is needed",
)
# Between two accounts. What is open to a whole account leaves it to the caller's own policy, and a refusal for want of
# that names the table's all the same: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_OTHER_ACCOUNT = ErrorRow(
    Denied,
    ExitCode.DENIED,
    "a table of another account takes two policies, its own and the caller's: `preflight` with the same options names "
    "the one that is missing and prints its command",
)
_BETWEEN_ACCOUNTS = re.compile(
    r"arn:[\w-]+:(?:iam|sts)::(?P<account>\d{12}):.* dynamodb:(?P<action>\w+) on resource: "
    r"(?P<table>arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/[\w.-]+)(?:/index/(?P<index>[\w.-]+))?(?![\w.*/-])",
    re.ASCII,
)
_WRITES = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
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
    if row is _PERMISSION and "no resource-based policy" in message:
        return _OTHER_ACCOUNT
    if row is not None:
        return row
    return _RETRY if status >= 500 else _STATUS_ROWS.get(status, _BUG)


def error_from_reply(
    operation: str, *, status: int, body: bytes, headers: Mapping[str, str], now_s: float
) -> WireError:
    """
    Return the exception for an error reply (any HTTP status but 200) to `operation`.

    Args:
        headers: by lower-case name.
        now_s: this machine's clock when the reply came, seconds since the epoch.
    """
    fields = _error_fields(body)
    code = str(fields.get("__type") or headers.get("x-amzn-errortype", "")).split("#")[-1].split(":")[0]
    message = _message(fields)
    row = row_of(code, status=status, message=message)
    error = row.raises("", code=code, status=status, body=body)
    error.exit_code = row.exit_code
    details = _details(error, fields, headers, now_s)
    remedy = row.remedy + (_table_policy(message) if row is _OTHER_ACCOUNT else "")
    explanation = "; ".join(part for part in (safe_text(message), details, remedy) if part)
    error.args = (f"{operation}: {code or f'HTTP {status}'}: {explanation}",)
    return error


def _details(error: WireError, fields: Mapping[str, Any], headers: Mapping[str, str], now_s: float) -> str:
    """Fill in what only some classes have; return it in words."""
    if isinstance(error, Throttled):
        error.reasons = _reasons(fields)
        return ", ".join(f"{r.reason} on {r.resource}" for r in error.reasons)
    if isinstance(error, ClockSkewed):
        error.offset_s = _offset_s(headers.get("date", ""), now_s)
        return _offset_text(error.offset_s)
    return ""


def _table_policy(message: str) -> str:
    """The command that prints the table's own policy, of the caller, action and table that the refusal names."""
    refused = _BETWEEN_ACCOUNTS.search(message)
    if refused is None:
        return ""
    writes = refused["action"] in _WRITES
    index = f" --index {refused['index']}" if refused["index"] else ""
    command = f"{PROGRAM} policy table-resource --for-account {refused['account']} --table {refused['table']}{index}"
    unsure = "" if writes or index else " (for an import with --for import)"
    return f"; the table's own prints `{command}{' --for import' if writes else ''}`{unsure}"


def _offset_s(date: str, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - now_s
    except (TypeError, ValueError, OverflowError):
        return None


def _offset_text(offset_s: float | None) -> str:
    if offset_s is None:
        return ""
    return f"this machine's clock is {abs(offset_s):.0f} s {'behind' if offset_s > 0 else 'ahead'}"


def safe_text(message: str) -> str:
    """Return a message without values of items and without the canonical request (it holds the token)."""
    text = message.split("\n", 1)[0]
    for pattern in _VALUE_PATTERNS:
        text = pattern.sub("...", text)
    return text if len(text) <= MESSAGE_CHARS_MAX else text[:MESSAGE_CHARS_MAX] + "..."


def error_message(body: bytes) -> str:
    """The message of an error reply, all of it: it may hold values of items, and the session token."""
    return _message(_error_fields(body))


def _message(fields: Mapping[str, Any]) -> str:
    return str(fields.get("message") or fields.get("Message") or "")


def _error_fields(body: bytes) -> dict[str, Any]:
    """A load balancer's error page is no JSON; then the status alone decides."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _reasons(fields: Mapping[str, Any]) -> tuple[ThrottleReason, ...]:
    listed = fields.get("ThrottlingReasons") or fields.get("throttlingReasons") or []
    entries = [r for r in listed if isinstance(r, dict)] if isinstance(listed, list) else []
    return tuple(ThrottleReason(str(r.get("reason", "")), str(r.get("resource", ""))) for r in entries)
