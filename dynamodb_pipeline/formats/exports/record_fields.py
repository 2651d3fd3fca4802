"""Checks of single fields of a JSON document: each names the field, what was expected and what was found."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from dynamodb_pipeline.formats.items.json_text import integer
from dynamodb_pipeline.formats.items.tags import NumberLiteral

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FILE_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\x00-\x1f\x7f]{1,255}")
_SHOWN_CHARS = 64


class FieldError(ValueError):
    """A field is not as it must be."""


def refuse(field: str, *, expected: str, actual: object) -> FieldError:
    """The error to raise: `files[3].sha256: expected 64 hex digits, found "abc"`."""
    shown = json.dumps(actual, ensure_ascii=True, default=str)
    return FieldError(f"{field}: expected {expected}, found {shown[:_SHOWN_CHARS]}")


def text(field: str, value: object) -> None:
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise refuse(field, expected="a text of 1 to 4096 characters", actual=value)


def whole_number(field: str, value: object) -> None:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise refuse(field, expected="a whole number from 0 to 2^63 - 1", actual=value)


def at_least(field: str, value: int, least: int, *, why: str) -> None:
    if value < least:
        raise refuse(field, expected=f"at least {least} ({why})", actual=value)


def equal(field: str, value: object, expected: object, *, why: str) -> None:
    if value != expected:
        raise refuse(field, expected=f"{json.dumps(expected)} ({why})", actual=value)


def one_of(field: str, value: object, allowed: Collection[object]) -> None:
    if value not in allowed or isinstance(value, bool):
        raise refuse(field, expected=" or ".join(map(json.dumps, allowed)), actual=value)


def sha256_digits(field: str, value: object) -> None:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise refuse(field, expected="64 hex digits", actual=value)


def file_name(field: str, value: object) -> None:
    if not isinstance(value, str) or not _FILE_NAME.fullmatch(value):
        raise refuse(field, expected="a file name without '/'", actual=value)


def ordered_times(first_field: str, first: object, second_field: str, second: object) -> None:
    """Both ISO 8601 in UTC (`2026-11-23T03:00:00Z`), the second not before the first."""
    if _moment(first_field, first) > _moment(second_field, second):
        raise refuse(second_field, expected=f"not before {first_field} {first}", actual=second)


def distinct(field: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise refuse(field, expected="each name once", actual=value)
        seen.add(value)


def members_of(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refuse(field, expected="an object", actual=type(value).__name__)
    return value


def list_of(field: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise refuse(field, expected="a list", actual=type(value).__name__)
    return value


def exactly(field: str, value: object, names: set[str]) -> None:
    """An object with exactly these members: none missing, none unknown."""
    actual = set(members_of(field, value))
    if actual != names:
        missing, unknown = sorted(names - actual), sorted(actual - names)
        raise refuse(field, expected=f"its members (missing {missing}, unknown {unknown})", actual=sorted(actual))


def plain_numbers(value: Any) -> Any:
    """Parsed JSON with number literals as `int`; what is no whole number stays a literal, to be refused."""
    if isinstance(value, NumberLiteral):
        try:
            return integer(value)
        except ValueError:
            return value
    if isinstance(value, list):
        return [plain_numbers(entry) for entry in value]
    if isinstance(value, dict):
        return {name: plain_numbers(entry) for name, entry in value.items()}
    return value


def _moment(field: str, value: object) -> datetime:
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        pass
    raise refuse(field, expected="ISO 8601 in UTC, for instance 2026-11-23T03:00:00Z", actual=value)
