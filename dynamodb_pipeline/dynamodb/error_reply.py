"""
An error reply of DynamoDB as the exception of its error code.

DynamoDB's messages can hold values of items and, after a wrong signature, the session token: only
`safe_text` of them goes into an exception's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from dynamodb_pipeline.aws.request_errors import ClockSkewed, Throttled, ThrottleReason, WireError
from dynamodb_pipeline.dynamodb.error_table import row_of

MESSAGE_CHARS_MAX = 300

_VALUE_PATTERNS = (
    re.compile(r"(?<=[Vv]alue ')(.*)(?=' at ')", re.DOTALL),  # "Value '...' at 'limit' failed to satisfy constraint"
    re.compile(r"(?<=numeric value: )(.*)", re.DOTALL),
    re.compile(r"(?<=[Vv]alue: )(.*)", re.DOTALL),
    re.compile(r"(?<=\[)(.*)(?=\])", re.DOTALL),  # "Input collection [...] contains duplicates"
)


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
    message = str(fields.get("message") or fields.get("Message") or "")
    row = row_of(code, status=status, message=message)
    error = row.raises("", code=code, status=status, body=body)
    error.exit_code = row.exit_code
    details = _details(error, fields, headers, now_s)
    explanation = "; ".join(part for part in (safe_text(message), details, row.remedy) if part)
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


def _offset_s(date: str, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - now_s
    except (TypeError, ValueError):
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
