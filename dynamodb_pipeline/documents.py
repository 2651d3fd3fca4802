"""
JSON documents of our own (run record, ledger, claims) as they are read back: strict, bounded, one type each.

Whoever may write the log folder can put anything there. What is no document of ours is told and left aside, or refused
with its address; it never becomes an error of Python's own, and nothing of it is believed by halves.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BYTES_MAX = 16 * 1024 * 1024  # run.json with 200 tables and a series of figures each stays far below
INTEGER_DIGITS_MAX = 19  # of 2**63
TEXT_CHARS_MAX = 1024 * 1024  # a scan's start key is the longest text in a ledger
NAMES_MAX = 10_000
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

Facts = dict[str, object]  # members of a document that are about to be written
Check = Callable[[object], Any]
Self = TypeVar("Self", bound="Document")


class DocumentError(ValueError):
    """The bytes are no such document; the text says which member and what it must be, never what it is."""


def read_object(data: bytes, *, bytes_max: int = BYTES_MAX) -> dict[str, Any]:
    """
    Return the members of one JSON object: UTF-8, each name once, finite numbers, whole ones of at most 19 digits.

    Raises:
        DocumentError: anything else, however deep or long.
    """
    if len(data) > bytes_max:
        msg = f"more than {bytes_max:,} bytes"
        raise DocumentError(msg)
    try:
        members = _DECODER.decode(data.decode("utf-8"))
    except RecursionError as err:
        msg = "nested too deep"
        raise DocumentError(msg) from err
    except ValueError as err:
        msg = str(err) if isinstance(err, DocumentError) else "no JSON"
        raise DocumentError(msg) from err
    if not isinstance(members, dict):
        msg = "no JSON object"
        raise DocumentError(msg)
    return members


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        msg = "a member stands twice"
        raise DocumentError(msg)
    return members


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > INTEGER_DIGITS_MAX:
        msg = "a number of too many digits"
        raise DocumentError(msg)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        msg = "a number that is not finite"
        raise DocumentError(msg)
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members_once, parse_int=_integer, parse_float=_finite, parse_constant=_finite
)


def to_bytes(members: Mapping[str, Any]) -> bytes:
    """The document as it is stored: sorted names, one line each, for people who look at it."""
    return (json.dumps(members, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def natural(value: object) -> int:
    """A whole number from 0 to 2**63 - 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        msg = "a whole number from 0 to 2^63 - 1"
        raise DocumentError(msg)
    return value


def string(value: object) -> str:
    """A text of at most 2**20 characters without halves of surrogate pairs."""
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX or not _is_unicode(value):
        msg = f"a text of at most {TEXT_CHARS_MAX:,} characters"
        raise DocumentError(msg)
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def base64_text(value: object) -> str:
    """Text of ASCII characters; its length is bounded by what carries it."""
    if not isinstance(value, str) or not value.isascii():
        msg = "a text in base64"
        raise DocumentError(msg)
    return value


def strings(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, (list, tuple)) or len(value) > NAMES_MAX:
        msg = f"a list of at most {NAMES_MAX:,} texts"
        raise DocumentError(msg)
    return tuple(map(string, value))


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        msg = "true or false"
        raise DocumentError(msg)
    return value


def moment(value: object) -> datetime:
    """A time as our documents write it, `2026-11-23T03:00:00Z`; ASCII digits only."""
    try:
        parsed = datetime.strptime(string(value), TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as err:
        msg = "a time such as 2026-11-23T03:00:00Z"
        raise DocumentError(msg) from err
    if f"{parsed:{TIME_FORMAT}}".rjust(20, "0") != value:
        msg = "a time such as 2026-11-23T03:00:00Z"
        raise DocumentError(msg)
    return parsed


def optional(check: Check) -> Check:
    """What `check` takes, or null."""
    return lambda value: None if value is None else check(value)


def several(check: Check) -> Check:
    """A list of what `check` takes, as a tuple."""

    def each(value: object) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            msg = "a list"
            raise DocumentError(msg)
        return tuple(map(check, value))

    return each


def member(check: Check, **how: Any) -> Any:
    """A field of a `Document` that is read through `check`; with a default it may be missing."""
    return dataclasses.field(metadata={"check": check}, **how)


@dataclasses.dataclass(frozen=True)
class Document:
    """A frozen type with one way from and to JSON; its fields are made by `member`."""

    @classmethod
    def from_json(cls: type[Self], members: object) -> Self:
        """
        Raises:
            DocumentError: a member is missing, unknown or not what it must be; names it.
        """
        if not isinstance(members, Mapping):
            msg = f"{cls.__name__}: no object"
            raise DocumentError(msg)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
        if not needed <= set(members) <= set(fields):
            missing, unknown = sorted(needed - set(members)), len(set(members) - set(fields))
            msg = f"{cls.__name__}: members missing {missing}, unknown {unknown}"
            raise DocumentError(msg)
        return cls(**{name: _checked(cls, fields[name], value) for name, value in members.items()})

    @classmethod
    def readable(cls: type[Self], members: Mapping[str, Any]) -> Self:
        """The document of a foreign or later writer: what it does not say rightly is as if it were missing."""
        read: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            try:
                read[field.name] = _checked(cls, field, members[field.name])
            except (KeyError, DocumentError):
                continue  # every field of such a document has a default
        return cls(**read)

    def to_json(self) -> Facts:
        """Its members, ready for JSON; those that hold their default are left out."""
        default = {field.name: field.default for field in dataclasses.fields(self)}
        return {name: value for name, value in facts_of(self).items() if value != default[name]}


def facts_of(record: DataclassInstance) -> Facts:
    """The fields of any dataclass as members, ready for JSON."""
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if hasattr(value, "to_json"):
        return value.to_json()
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _checked(cls: type[Document], field: dataclasses.Field[Any], value: object) -> Any:
    try:
        return field.metadata["check"](value)
    except DocumentError as err:
        msg = f"{cls.__name__}.{field.name}: expected {err}"
        raise DocumentError(msg) from err
