"""
The quick way from a line to its item, for lines that are regular in every respect.

It only ever says yes: None means that the careful way (`dialect_lines`) has to look, which also finds the words for
an error. Both give the same item; a property test holds them together. Quick because Python's C parser is left
alone (objects become tuples of pairs, so a member that stands there twice is still seen) and one pass over the
result checks, converts and builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecoder
from typing import Any, Callable

from dynamodb_pipeline.formats.items.json_text import HALF_OF_PAIR
from dynamodb_pipeline.formats.items.tags import TAGS, NumberLiteral

Tags = Mapping[str, "tuple[str, _Convert | None]"]
_Convert = Callable[[Any, "Tags"], Any]
_Scan = Callable[[str, int], "tuple[Any, int]"]
_Pairs = tuple[tuple[str, Any], ...]


class _IrregularError(ValueError):
    """Not for the quick way; caught here."""


def quick_json_item(line: bytes, tags: Tags) -> dict[str, Any] | None:
    """The item of a JSON line whose every tag is in `tags`, or None."""
    try:
        return _members(_json(line), tags)
    except _DECLINED:
        return None


def quick_native_item(line: bytes, tags: Tags) -> dict[str, Any] | None:
    """The item inside a native export's `{"Item": {...}}`, or None."""
    try:
        ((name, members),) = _json(line)
        return _members(members, tags) if name == "Item" else None
    except _DECLINED:
        return None


def quick_hive_item(line: bytes, tags: Tags) -> dict[str, Any] | None:
    """The item of a line of Hive text, or None."""
    try:
        text = _regular_text(line)
        pairs, position, length = [], 0, len(text)
        while position <= length:
            end = text.index("\x03", position)
            value, stop = _scan_lenient(text, end + 1)
            if stop != length and text[stop] != "\x02":
                return None
            pairs.append((text[position:end], value))
            position = stop + 1
        return None if any(not name or "\x02" in name for name, _ in pairs) else _members(tuple(pairs), tags)
    except _DECLINED:
        return None


def _json(line: bytes) -> Any:
    text = _regular_text(line)
    value, end = _scan(text, 0)
    if end != len(text):
        raise _IrregularError
    return value


def _regular_text(line: bytes) -> str:
    text = line.decode("utf-8")
    if "\\u" in text and HALF_OF_PAIR.search(text):
        raise _IrregularError
    return text


def _members(pairs: _Pairs, tags: Tags) -> dict[str, Any]:
    if pairs.__class__ is not tuple:  # arrays are lists
        raise _IrregularError
    members = {name: _value(value, tags) for name, value in pairs}
    if len(members) != len(pairs):
        raise _IrregularError
    return members


def _value(value: Any, tags: Tags) -> dict[str, Any]:
    if value.__class__ is not tuple:
        raise _IrregularError
    ((tag, content),) = value
    written, convert = tags[tag]
    if convert is not None:
        return {written: convert(content, tags)}
    if content.__class__ is not str:
        raise _IrregularError
    return {written: content}


def _list(content: Any, tags: Tags) -> list[Any]:
    if content.__class__ is not list:
        raise _IrregularError
    return [_value(value, tags) for value in content]


def _set(content: Any, _: Tags) -> list[Any]:
    if content.__class__ is not list or any(element.__class__ is not str for element in content):
        raise _IrregularError
    texts: list[Any] = content
    return texts


def _bool(content: Any, _: Tags) -> bool:
    if content.__class__ is not bool:
        raise _IrregularError
    flag: bool = content
    return flag


def _spellings(*spell: Callable[[str], str]) -> dict[str, tuple[str, _Convert | None]]:
    return {change(tag): (tag, _CONVERSIONS[tag]) for change in spell for tag in TAGS}


_CONVERSIONS: dict[str, _Convert | None] = {
    **dict.fromkeys(("S", "N", "B")),  # None: text, left as it is
    **dict.fromkeys(("SS", "NS", "BS"), _set),
    **dict.fromkeys(("BOOL", "NULL"), _bool),
    "L": _list,
    "M": _members,
}
UPPER_CASE_TAGS: Tags = _spellings(str.upper)
LOWER_FIRST_TAGS: Tags = {
    **_spellings(str.lower, lambda tag: tag[0].lower() + tag[1:]),
    "nULLValue": ("NULL", _bool),
}

_DECLINED = (ValueError, KeyError, TypeError, StopIteration, RecursionError)
_HOOKS: dict[str, Any] = {"object_pairs_hook": tuple, "parse_int": NumberLiteral, "parse_float": NumberLiteral}
# The decoder's own function; typeshed does not know it.
_scan: _Scan = JSONDecoder(strict=True, **_HOOKS).scan_once  # type: ignore[attr-defined]
_scan_lenient: _Scan = JSONDecoder(strict=False, **_HOOKS).scan_once  # type: ignore[attr-defined]
