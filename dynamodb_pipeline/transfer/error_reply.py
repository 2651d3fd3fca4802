"""
An error reply of DynamoDB as the exception of its error code.

DynamoDB's messages can hold values of items and, after a wrong signature, the session token: only
`safe_text` of them goes into an exception's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from dynamodb_pipeline.transfer.error_table import row_of
from dynamodb_pipeline.transfer.wire_errors import ClockSkewed, Throttled, ThrottleReason, WireError

MESSAGE_CHARS_MAX = 300

_VALUE_PATTERNS = (
    re.compile(r"(?<=[Vv]alue ')(.*)(?=' at ')", re.DOTALL),  # "Value '...' at 'limit' failed to satisfy constraint"
    re.compile(r"(?<=numeric value: )(.*)", re.DOTALL),
    re.compile(r"(?<=[Vv]alue: )(.*)", re.DOTALL),
    re.compile(r"(?<=\[)([^\]]*)(?=\])", re.DOTALL),  # "Input collection [...] contains duplicates"
)


def error_from_reply(operation: str, *, status: int, body: bytes, headers: Mapping[str, str]) -> WireError:
    """Return the exception for an error reply (HTTP status 300 and above) to `operation`."""
    fields = _error_fields(body)
    code = str(fields.get("__type") or headers.get("x-amzn-errortype", "")).split("#")[-1].split(":")[0]
    message = str(fields.get("message") or fields.get("Message") or "")
    row = row_of(code, status=status, message=message)
    reasons = _reasons(fields) if row.raises is Throttled else ()
    said = "; ".join(part for part in (safe_text(message), _reasons_text(reasons), row.remedy) if part)
    error = row.raises(f"{operation}: {code or f'HTTP {status}'}: {said}", code=code, status=status, body=body)
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
