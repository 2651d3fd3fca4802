"""
The type tags of every dialect, DynamoDB's own upper-case ones, and the way between them.

The connector writes the first letter small and the others large (`s`, `sS`, `bOOL`): long ago it printed the
field names of a Java class. Tools around it wrote all letters small, or large. Tags are therefore compared
without case, and null has both of that class's names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from dynamodb_pipeline.formats.item_error import ItemError

NULL_TAG_OPTIONS = ("nULL", "nULLValue")
CONNECTOR_TAGS = {
    "S": "s",
    "N": "n",
    "B": "b",
    "SS": "sS",
    "NS": "nS",
    "BS": "bS",
    "BOOL": "bOOL",
    "NULL": "nULL",
    "L": "l",
    "M": "m",
}
TAGS = tuple(CONNECTOR_TAGS)

_Convert = Callable[[Any, "_Rules"], Any]
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class NumberLiteral(str):
    """A bare JSON number, kept as its literal text; a plain `str` in parsed JSON is JSON text."""

    __slots__ = ()


def dynamodb_tag(tag: str) -> str | None:
    """The upper-case tag for a tag of any dialect (`sS`, `nULLValue`, `bool`); None when it is no tag."""
    upper = tag.upper()
    if upper in CONNECTOR_TAGS:
        return upper
    return "NULL" if upper == "NULLVALUE" else None


def to_dynamodb(tree: Any) -> dict[str, Any]:
    """
    The item of a parsed line of any dialect: tags in upper case, numbers as text.

    Settles what each value is, one known tag over content of that tag's JSON type, and no more; whether
    DynamoDB takes the contents is `attribute_values`' part. A bare JSON number under `N` or in `NS` becomes
    its literal text; anywhere else it is refused.

    Raises:
        ItemError: no object, or a value with an unknown tag, two tags, none, or content of another type.
    """
    return _item(tree, _ANY_DIALECT)


def item_to_connector_line(item: Mapping[str, Any], *, null_tag: str = "nULL") -> bytes:
    """
    The line that connector 5.0.0 writes for `item`, with its line end; attributes in the order given.

    Compact UTF-8; escaped are only `"`, `\\`, characters below 0x20 and U+2028/U+2029. `null_tag` is one of
    NULL_TAG_OPTIONS: `nULL` as connector 5 reads it, `nULLValue` as the old templates did.

    Raises:
        ItemError: as `to_dynamodb`, or a lone surrogate, which UTF-8 cannot hold.
    """
    text = _encode(_item(item, _TO_CONNECTOR[null_tag]))
    if not text.isascii():
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


class _Rules(dict[str, "tuple[str, _Convert]"]):
    """A tag as it stands -> the tag to write, and the check and conversion of its content."""

    def __missing__(self, tag: str) -> tuple[str, _Convert]:
        upper = dynamodb_tag(tag)
        if upper is None:
            reason = "unknown type tag; DynamoDB has S, N, B, SS, NS, BS, BOOL, NULL, L and M"
            raise ItemError(reason)
        self[tag] = self[upper]
        return self[tag]


def _item(tree: Any, rules: _Rules) -> dict[str, Any]:
    try:
        return _members(tree, rules)
    except RecursionError:
        reason = "nested deeper than DynamoDB's 32 levels"
        raise ItemError(reason) from None


def _members(members: Any, rules: _Rules) -> dict[str, Any]:
    """The members of an item or of a map, each with its converted value."""
    if not isinstance(members, dict):
        reason = "an object expected here"
        raise ItemError(reason)
    converted: dict[str, Any] = {}
    name = ""
    try:
        for name, value in members.items():
            converted[name] = _value(value, rules)
    except ItemError as err:
        raise err.within(name) from None
    return converted


def _value(value: Any, rules: _Rules) -> dict[str, Any]:
    if not isinstance(value, dict):
        reason = 'value must be an object with one type tag, such as {"S": "text"}'
        raise ItemError(reason)
    if len(value) != 1:
        reason = f"value must have exactly one type tag, not {len(value)}"
        raise ItemError(reason)
    ((tag, content),) = value.items()
    written, convert = rules[tag]
    return {written: convert(content, rules)}


def _text(content: Any, _: _Rules) -> str:
    if content.__class__ is str:
        return content  # type: ignore[no-any-return]
    reason = "text expected under this tag"
    raise ItemError(reason)


def _number(content: Any, _: _Rules) -> str:
    if isinstance(content, str):
        return str(content)
    reason = "number expected under this tag, as text or as a bare JSON number"
    raise ItemError(reason)


def _bool(content: Any, _: _Rules) -> bool:
    if content.__class__ is bool:
        return content  # type: ignore[no-any-return]
    reason = "true or false expected under this tag"
    raise ItemError(reason)


def _list(content: Any, rules: _Rules) -> list[Any]:
    return _elements(content, _value, rules)


def _set_of(tag: str, convert: _Convert) -> _Convert:
    def convert_set(content: Any, rules: _Rules) -> list[Any]:
        try:
            return _elements(content, convert, rules)
        except ItemError as err:
            raise err.within(tag) from None

    return convert_set


def _elements(content: Any, convert: _Convert, rules: _Rules) -> list[Any]:
    if not isinstance(content, list):
        reason = "array expected under this tag"
        raise ItemError(reason)
    converted: list[Any] = []
    try:
        converted.extend(convert(element, rules) for element in content)
    except ItemError as err:
        raise err.within(len(converted)) from None
    return converted


_CONVERSIONS: dict[str, _Convert] = {
    "S": _text,
    "N": _number,
    "B": _text,
    "SS": _set_of("SS", _text),
    "NS": _set_of("NS", _number),
    "BS": _set_of("BS", _text),
    "BOOL": _bool,
    "NULL": _bool,
    "L": _list,
    "M": _members,
}
_ANY_DIALECT = _Rules({tag: (tag, convert) for tag, convert in _CONVERSIONS.items()})
_TO_CONNECTOR = {
    null_tag: _Rules({tag: (names[tag], convert) for tag, convert in _CONVERSIONS.items()})
    for null_tag in NULL_TAG_OPTIONS
    for names in [{**CONNECTOR_TAGS, "NULL": null_tag}]
}
