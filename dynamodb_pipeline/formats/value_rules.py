"""
What DynamoDB takes as one attribute value, and how many bytes it counts for it.

One walk judges and measures: each value is looked at once and dispatched on its tag, and the path of a place
is put together only on the way out of a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NoReturn

from dynamodb_pipeline.formats.base64_text import decoded_length
from dynamodb_pipeline.formats.item_error import ItemError
from dynamodb_pipeline.formats.numbers import canonical_number, number_size_bytes

MAX_NAME_BYTES = 65_535  # API reference, PutItem, Item: "Key Length Constraints"
# "Nested attributes: up to 32 levels": an attribute's own value is level 1, so 31 maps around a text are
# accepted and 32 are not (recorded in dynamodb-conformance, limits/nestingDepth).
MAX_LEVELS = 32
# Developer guide, "DynamoDB item sizes and formats": 3 bytes for a list or map, 1 more for each element, 1
# for BOOL or NULL. A set counts its elements and no more (ExtendDB pull request 217, asked of the service).
_CONTAINER_BYTES = 3
_ELEMENT_BYTES = 1
_FLAG_BYTES = 1


def members_size_bytes(members: Mapping[str, Any], *, level: int = 1) -> int:
    """
    Names and values of an item or a map; `level` is the nesting level of its values.

    Raises:
        ItemError: a name or value DynamoDB would refuse.
    """
    size = 0
    name = ""
    try:
        for name, value in members.items():
            size += len(name) if name.isascii() and 0 < len(name) <= MAX_NAME_BYTES else _name_size(name)
            if value.__class__ is not dict or len(value) != 1:
                _refuse_value(value)
            ((tag, content),) = value.items()
            if tag == "S" and content.__class__ is str and content.isascii():  # the most frequent: no call
                size += len(content)
            else:
                size += _content_size(tag, content, level)
    except ItemError as err:
        raise err.within(name) from err.__cause__
    return size


def _content_size(tag: str, content: Any, level: int) -> int:
    measure = _FLAT.get(tag)
    if measure is not None:
        return measure(content)
    if tag not in _NESTING:
        reason = "unknown type tag; DynamoDB has S, N, B, SS, NS, BS, BOOL, NULL, L and M"
        raise ItemError(reason)
    if level >= MAX_LEVELS and content:
        reason = f"nested deeper than {MAX_LEVELS} levels"
        raise ItemError(reason)
    return _NESTING[tag](content, level + 1)


def _text_size(content: Any) -> int:
    return _utf8_length(_text(content))


def _number_size(content: Any) -> int:
    return number_size_bytes(_text(content))


def _binary_size(content: Any) -> int:
    return decoded_length(_text(content))


def _bool_size(content: Any) -> int:
    if content is True or content is False:
        return _FLAG_BYTES
    reason = "BOOL must be true or false"
    raise ItemError(reason)


def _null_size(content: Any) -> int:
    if content is True:
        return _FLAG_BYTES
    reason = "NULL must be true"
    raise ItemError(reason)


def _set_of(tag: str, measure: Callable[[Any], int], canonical: Callable[[str], str]) -> Callable[[Any], int]:
    """A set's rule: its elements' rule, at least one of them, none twice by its `canonical` text."""

    def measure_set(content: Any) -> int:
        if content.__class__ is not list or not content:
            reason = f"{tag} must be a JSON array with at least one element"
            raise ItemError(reason)
        size = index = 0
        seen = set()
        try:
            for index, element in enumerate(content):
                size += measure(element)
                seen.add(canonical(element))
                if len(seen) == index:
                    _refuse_repeated()
        except ItemError as err:
            raise err.within(tag, index) from err.__cause__
        return size

    return measure_set


def _list_size(content: Any, level: int) -> int:
    if content.__class__ is not list:
        reason = "L must be a JSON array"
        raise ItemError(reason)
    sizes: list[int] = []
    try:
        for value in content:
            if value.__class__ is not dict or len(value) != 1:
                _refuse_value(value)
            ((tag, element),) = value.items()
            sizes.append(_content_size(tag, element, level))
    except ItemError as err:
        raise err.within(len(sizes)) from err.__cause__
    return _CONTAINER_BYTES + _ELEMENT_BYTES * len(content) + sum(sizes)


def _map_size(content: Any, level: int) -> int:
    if content.__class__ is not dict:
        reason = "M must be a JSON object"
        raise ItemError(reason)
    return _CONTAINER_BYTES + _ELEMENT_BYTES * len(content) + members_size_bytes(content, level=level)


_FLAT: dict[str, Callable[[Any], int]] = {
    "S": _text_size,
    "N": _number_size,
    "B": _binary_size,
    "BOOL": _bool_size,
    "NULL": _null_size,
    "SS": _set_of("SS", _text_size, str),
    "NS": _set_of("NS", _number_size, canonical_number),
    "BS": _set_of("BS", _binary_size, str),  # canonical base64: equal bytes are equal texts
}
_NESTING: dict[str, Callable[[Any, int], int]] = {"L": _list_size, "M": _map_size}


def _text(content: Any) -> str:
    if content.__class__ is str:  # neither a bare number nor any other kind of str
        return content  # type: ignore[no-any-return]
    reason = "text expected"
    raise ItemError(reason)


def _utf8_length(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


def _name_size(name: str) -> int:
    length = _utf8_length(name)
    if not 1 <= length <= MAX_NAME_BYTES:
        reason = f"attribute name has {length} bytes, allowed are 1 to {MAX_NAME_BYTES}"
        raise ItemError(reason)
    return length


def _refuse_value(value: Any) -> NoReturn:
    if value.__class__ is not dict:
        reason = 'value must be an object with one type tag, such as {"S": "text"}'
    else:
        reason = f"value must have exactly one type tag, not {len(value)}"
    raise ItemError(reason)


def _refuse_repeated() -> NoReturn:
    reason = "set element stands there twice"
    raise ItemError(reason)
