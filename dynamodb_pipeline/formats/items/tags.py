"""
The type tags of every dialect, DynamoDB's own upper-case ones, and the way of an item between them.

The connector writes the first letter small and the others large (`s`, `sS`, `bOOL`): long ago it printed the
field names of a Java class. Tools around it wrote all letters small, or large. Tags are therefore compared
without case, and null has both of that class's names.

A value here is one known tag over content of that tag's JSON type, and nothing else. What DynamoDB makes of
the contents is not known here.

What programs leave that print an SDK's own objects as JSON is read where it can mean one thing only: a struct whose
other tags are null or marked as not set, bytes as Node's Buffer or by their indexes.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import Any, Callable, NoReturn

from dynamodb_pipeline.formats.items.item_error import ItemError

CONNECTOR_NULL, TEMPLATE_NULL = "nULL", "nULLValue"  # connector 5; connector 4 and so the templates
NULL_TAG_OPTIONS = (CONNECTOR_NULL, TEMPLATE_NULL)
CONNECTOR_TAGS = {
    "S": "s",
    "N": "n",
    "B": "b",
    "SS": "sS",
    "NS": "nS",
    "BS": "bS",
    "BOOL": "bOOL",
    "NULL": CONNECTOR_NULL,
    "L": "l",
    "M": "m",
}
TAGS = tuple(CONNECTOR_TAGS)

Spellings = Mapping[str, tuple[str, ...]]  # upper-case tag -> how a dialect's writers spell it
DYNAMODB_SPELLINGS: Spellings = {tag: (tag,) for tag in TAGS}
CONNECTOR_SPELLINGS: Spellings = {
    **{tag: (written,) for tag, written in CONNECTOR_TAGS.items()},
    "NULL": NULL_TAG_OPTIONS,
}
LOWER_CASE_SPELLINGS: Spellings = {tag: (tag.lower(),) for tag in TAGS}
_TAG_OF = {written.upper(): tag for tag, every in CONNECTOR_SPELLINGS.items() for written in every}

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Spelling(dict[str, "tuple[str, _Convert]"]):
    """
    A tag as it stands -> the tag to write and the conversion of its content; learns tags it first sees.

    `dumps`: SDK objects printed as JSON are taken, too.
    """

    def __init__(
        self, written: Mapping[str, str], *, upper_tag: Callable[[str], str | None], dumps: bool = False
    ) -> None:
        super().__init__({upper: (tag, _CONVERSIONS[upper]) for upper, tag in written.items()})
        self._upper_tag, self.dumps = upper_tag, dumps
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
        value = _only_tag_set(value, spelling)
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


def _binary(content: Any, spelling: Spelling) -> str:
    if content.__class__ is dict and spelling.dumps:
        return binascii.b2a_base64(_bytes_of(content), newline=False).decode()
    return _text(content, spelling)


def _bytes_of(dumped: dict[str, Any]) -> bytes:
    """Of Node's `{"type": "Buffer", "data": [27, ...]}` or a byte array's `{"0": 27, ...}`."""
    elements = dumped["data"] if dumped.keys() == _BUFFER and dumped["type"] == "Buffer" else list(dumped.values())
    by_index = dumped.keys() == _BUFFER or list(dumped) == [str(index) for index in range(len(dumped))]
    if isinstance(elements, list) and by_index and dumped and all(map(_is_byte, elements)):
        return bytes(map(int, elements))
    reason = "binary must be base64, or bytes as Node's Buffer or as an object of the indexes 0, 1, ... prints them"
    raise ItemError(reason)


def _is_byte(value: Any) -> bool:
    """Whether parsed JSON is a number from 0 to 255."""
    return isinstance(value, NumberLiteral) and str(value) in _BYTES


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


def _only_tag_set(value: Any, spelling: Spelling) -> dict[str, Any]:
    """The one member of an SDK's struct that is set, where nothing else can be meant. Raises ItemError elsewhere."""
    if not isinstance(value, dict) or not spelling.dumps:
        _refuse_value(value)
    present = {tag: content for tag, content in value.items() if content is not None}
    if not _SET_FLAGS.keys().isdisjoint(present):
        present = _without_unset(present)
    if len(present) != 1 or len(value) == 1:
        _refuse_value(value)
    for tag in value.keys() - _SET_FLAGS.keys():
        spelling[tag]  # refuses a member that is no tag
    return present


def _without_unset(struct: dict[str, Any]) -> dict[str, Any]:
    """What .NET's AttributeValue has set: it says so of each tag whose content could be empty, and no set ever is."""
    unset = {tag for flag, tag in _SET_FLAGS.items() if struct.get(flag) is False}
    unset |= {tag for tag in ("SS", "NS", "BS") if struct.get(tag) == []}
    unset |= {"NULL"} if struct.get("NULL") is False else set()
    flags = {flag for flag in _SET_FLAGS if struct.get(flag).__class__ is bool}
    return {tag: content for tag, content in struct.items() if tag not in unset | flags}


def _refuse_value(value: Any) -> NoReturn:
    reason = 'value must be an object with one type tag, such as {"S": "text"}'
    if isinstance(value, dict):
        reason = f"value must have exactly one type tag, not {len(value)}"
    raise ItemError(reason)


_BUFFER = {"type", "data"}
_BYTES = frozenset(map(str, range(256)))
_SET_FLAGS = {"IsBOOLSet": "BOOL", "IsLSet": "L", "IsMSet": "M"}
_CONVERSIONS: dict[str, _Convert] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "SS": _set_of("SS", _text),
    "NS": _set_of("NS", _number),
    "BS": _set_of("BS", _binary),
    "BOOL": _flag,
    "NULL": _flag,
    "L": _list,
    "M": _members,
}


class NumberLiteral(str):
    """A bare JSON number, kept as its literal text; a plain `str` in parsed JSON is JSON text."""

    __slots__ = ()


def dynamodb_tag(tag: str) -> str | None:
    """The upper-case tag for a tag of any dialect (`sS`, `nULLValue`, `bool`); None when it is no tag."""
    return _TAG_OF.get(tag.upper()) if tag.isascii() else None  # "ß".upper() is "SS"


def to_dynamodb(tree: Any) -> dict[str, Any]:
    """
    The item of a parsed line of any dialect: tags in upper case, numbers as text.

    Settles what each value is, one known tag over content of that tag's JSON type, and no more; whether
    DynamoDB takes the contents is `item_rules`' part. A bare JSON number under `N` or in `NS` becomes
    its literal text; anywhere else it is refused. Dumps of SDKs are read where they can mean one thing only.

    Raises:
        ItemError: no object, or a value with an unknown tag, two tags, none, or content of another type.
    """
    return convert_item(tree, _ANY_DIALECT)


def item_to_connector_line(item: Mapping[str, Any], *, null_tag: str = CONNECTOR_NULL) -> bytes:
    """
    The line that connector 5.0.0 writes for `item`, with its line end; attributes in the order given.

    Compact UTF-8; escaped are only `"`, `\\`, characters below 0x20 and U+2028/U+2029. `null_tag` is one of
    NULL_TAG_OPTIONS: `nULL` as connector 5 reads it, `nULLValue` as the old templates did.

    Raises:
        ItemError: as `to_dynamodb`, or a lone surrogate, which UTF-8 cannot hold.
    """
    text = _encode(convert_item(item, _TO_CONNECTOR[null_tag]))
    if not text.isascii():
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


_ANY_DIALECT = Spelling({tag: tag for tag in TAGS}, upper_tag=dynamodb_tag, dumps=True)
_TO_CONNECTOR = {
    null_tag: Spelling({**CONNECTOR_TAGS, "NULL": null_tag}, upper_tag=dynamodb_tag) for null_tag in NULL_TAG_OPTIONS
}
