"""
An item from one spelling of the type tags to another, with a look at what each tag stands over.

A value here is one known tag over content of that tag's JSON type, and nothing else. What DynamoDB makes of
the contents is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NoReturn

from dynamodb_pipeline.formats.items.item_error import ItemError


class Spelling(dict[str, "tuple[str, _Convert]"]):
    """A tag as it stands -> the tag to write and the conversion of its content; learns tags it first sees."""

    def __init__(self, written: Mapping[str, str], *, upper_tag: Callable[[str], str | None]) -> None:
        super().__init__({upper: (tag, _CONVERSIONS[upper]) for upper, tag in written.items()})
        self._upper_tag = upper_tag
        self.texts = {tag: written[upper] for upper in ("S", "N", "B") for tag in (upper, upper.lower())}

    def __missing__(self, tag: str) -> tuple[str, _Convert]:
        upper = self._upper_tag(tag)
        if upper is None:
            reason = "unknown type tag; DynamoDB has S, N, B, SS, NS, BS, BOOL, NULL, L and M"
            raise ItemError(reason)
        self[tag] = self[upper]
        return self[tag]


_Convert = Callable[[Any, Spelling], Any]


def convert_item(tree: Any, spelling: Spelling) -> dict[str, Any]:
    """
    `tree` with its tags written as `spelling` says.

    Raises:
        ItemError: an unknown tag, none or several, or content of another JSON type.
    """
    try:
        return _members(tree, spelling)
    except RecursionError:
        reason = "nested deeper than DynamoDB's 32 levels"
        raise ItemError(reason) from None


def _members(members: Any, spelling: Spelling) -> dict[str, Any]:
    """The members of an item or of a map, each with its converted value."""
    if not isinstance(members, dict):
        reason = "a JSON object expected here"
        raise ItemError(reason)
    converted: dict[str, Any] = {}
    name = ""
    try:
        for name, value in members.items():
            converted[name] = _value(value, spelling)
    except ItemError as err:
        raise err.within(name) from None
    return converted


def _value(value: Any, spelling: Spelling) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        _refuse_value(value)
    (tag,) = value
    content = value[tag]
    if content.__class__ is str and tag in spelling.texts:  # the most frequent: no further calls
        return {spelling.texts[tag]: content}
    written, convert = spelling[tag]
    return {written: convert(content, spelling)}


def _text(content: Any, _: Spelling) -> str:
    if content.__class__ is str:  # a bare number is another class
        text: str = content
        return text
    reason = "text expected under this tag"
    raise ItemError(reason)


def _number(content: Any, _: Spelling) -> str:
    if isinstance(content, str):
        return str(content)
    reason = "number expected under this tag, as text or as a bare JSON number"
    raise ItemError(reason)


def _flag(content: Any, _: Spelling) -> bool:
    if content.__class__ is bool:
        flag: bool = content
        return flag
    reason = "true or false expected under this tag"
    raise ItemError(reason)


def _elements(content: Any, spelling: Spelling, *, convert: _Convert) -> list[Any]:
    if not isinstance(content, list):
        reason = "array expected under this tag"
        raise ItemError(reason)
    converted: list[Any] = []
    try:
        for element in content:
            converted.append(convert(element, spelling))
    except ItemError as err:
        raise err.within(len(converted)) from None
    return converted


def _list(content: Any, spelling: Spelling) -> list[Any]:
    return _elements(content, spelling, convert=_value)


def _set_of(tag: str, convert: _Convert) -> _Convert:
    def convert_set(content: Any, spelling: Spelling) -> list[Any]:
        try:
            return _elements(content, spelling, convert=convert)
        except ItemError as err:
            raise err.within(tag) from None

    return convert_set


def _refuse_value(value: Any) -> NoReturn:
    reason = 'value must be an object with one type tag, such as {"S": "text"}'
    if isinstance(value, dict):
        reason = f"value must have exactly one type tag, not {len(value)}"
    raise ItemError(reason)


_CONVERSIONS: dict[str, _Convert] = {
    "S": _text,
    "N": _number,
    "B": _text,
    "SS": _set_of("SS", _text),
    "NS": _set_of("NS", _number),
    "BS": _set_of("BS", _text),
    "BOOL": _flag,
    "NULL": _flag,
    "L": _list,
    "M": _members,
}
