"""
DynamoDB's own rules for a whole item: its key, its indexed attributes, its values, its size.

Items have upper-case tags; `tags.to_dynamodb` brings the others here. Whatever passes is taken by the service,
so that a bad item stops an import before its file is written and not in the middle of it. One walk judges and
measures a value: each is looked at once and dispatched on its tag, and the path of a place is put together only
on the way out of a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, NamedTuple, NoReturn

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.items.scalars import (
    canonical_number,
    canonical_size_bytes,
    decoded_length,
    number_size_bytes,
)

MAX_NAME_BYTES = 65_535  # API reference, PutItem, Item: "Key Length Constraints"
# "Nested attributes: up to 32 levels": an attribute's own value is level 1, so 31 maps around a text are
# accepted and 32 are not (recorded in dynamodb-conformance, limits/nestingDepth).
MAX_LEVELS = 32
# Developer guide, "DynamoDB item sizes and formats": 3 bytes for a list or map, 1 more for each element, 1
# for BOOL or NULL. A set counts its elements and no more (ExtendDB pull request 217, asked of the service).
_CONTAINER_BYTES = 3
_ELEMENT_BYTES = 1
_FLAG_BYTES = 1
__all__ = [
    "ItemError",
    "ItemFacts",
    "canonical_number",
    "check_item",
    "item_size_bytes",
    "validate_item",
    "write_units",
]

MAX_ITEM_BYTES = 409_600  # 400 KB, developer guide, "Quotas and limits"; exactly this many are accepted
TTL_YEARS = 5
WRITE_UNIT_BYTES = 1024  # developer guide, "DynamoDB throughput capacity": one unit for each KB begun


def members_size_bytes(members: Mapping[str, Any], *, level: int = 1) -> int:
    """
    Names and values of an item or a map; `level` is the nesting level of its values.

    Raises:
        ItemError: a name or value DynamoDB would refuse.
    """
    if members.__class__ is not dict:
        reason = "a JSON object expected here"
        raise ItemError(reason)
    size = 0
    name = ""
    try:
        for name, value in members.items():
            if value.__class__ is not dict or len(value) != 1:
                _refuse_value(value)
            (tag,) = value
            content = value[tag]
            if tag == "S" and content.__class__ is str and content.isascii():  # the most frequent: no call
                size += len(content)
            elif tag in _FLAT:
                size += _FLAT[tag](content)
            else:
                size += _nested_size(tag, content, level)
            size += len(name) if name.isascii() else _utf8_length(name)
    except ItemError as err:
        raise err.within(name) from err.__cause__
    if "" in members or size > MAX_NAME_BYTES:
        _check_names(members)
    return size


def flat_size(tag: str, content: Any) -> int:
    """
    Bytes of a value that is no list or map.

    Raises:
        ItemError: `content` is nothing DynamoDB would take under `tag`.
    """
    return _FLAT[tag](content)


def _nested_size(tag: str, content: Any, level: int) -> int:
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
    return number_size_bytes(content if content.__class__ is str else _text(content))


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


def _string_set_size(content: Any) -> int:
    if content.__class__ is list and content and set(map(type, content)) == {str}:
        joined = "".join(content)
        if joined.isascii() and len(set(content)) == len(content):
            return len(joined)
    return _set_size("SS", content, str, _utf8_length)


def _number_set_size(content: Any) -> int:
    return _set_size("NS", content, canonical_number, canonical_size_bytes)


def _binary_set_size(content: Any) -> int:
    return _set_size("BS", content, str, decoded_length)  # canonical base64: equal bytes are equal texts


def _set_size(tag: str, content: Any, canonical: Callable[[str], str], measure: Callable[[str], int]) -> int:
    """Size of a set; its elements are told apart by their `canonical` text, which `measure` judges."""
    if content.__class__ is not list or not content:
        reason = f"{tag} must be a JSON array with at least one element"
        raise ItemError(reason)
    sizes: dict[str, int] = {}
    try:
        for element in content:
            text = canonical(_text(element))
            if text in sizes:
                _refuse_repeated()
            sizes[text] = measure(text)
    except ItemError as err:
        raise err.within(tag, len(sizes)) from err.__cause__
    return sum(sizes.values())


def _list_size(values: Any, level: int) -> int:
    if values.__class__ is not list:
        reason = "L must be a JSON array"
        raise ItemError(reason)
    sizes: list[int] = []
    try:
        for value in values:
            if value.__class__ is not dict or len(value) != 1:
                _refuse_value(value)
            (tag,) = value
            content = value[tag]
            sizes.append(_FLAT[tag](content) if tag in _FLAT else _nested_size(tag, content, level))
    except ItemError as err:
        raise err.within(len(sizes)) from err.__cause__
    return _CONTAINER_BYTES + _ELEMENT_BYTES * len(values) + sum(sizes)


def _map_size(content: Any, level: int) -> int:
    size = members_size_bytes(content, level=level)
    return _CONTAINER_BYTES + _ELEMENT_BYTES * len(content) + size


_FLAT: dict[str, Callable[[Any], int]] = {
    "S": _text_size,
    "N": _number_size,
    "B": _binary_size,
    "BOOL": _bool_size,
    "NULL": _null_size,
    "SS": _string_set_size,
    "NS": _number_set_size,
    "BS": _binary_set_size,
}
_NESTING: dict[str, Callable[[Any, int], int]] = {"L": _list_size, "M": _map_size}


def _text(content: Any) -> str:
    if content.__class__ is str:  # neither a bare number nor any other kind of str
        text: str = content
        return text
    reason = "text expected"
    raise ItemError(reason)


def _utf8_length(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        length = _utf8_length(name)
        if not 1 <= length <= MAX_NAME_BYTES:
            reason = f"attribute name has {length} bytes, allowed are 1 to {MAX_NAME_BYTES}"
            raise ItemError(reason, (name,))


def _refuse_value(value: Any) -> NoReturn:
    if value.__class__ is not dict:
        reason = 'value must be an object with one type tag, such as {"S": "text"}'
    else:
        reason = f"value must have exactly one type tag, not {len(value)}"
    raise ItemError(reason)


def _refuse_repeated() -> NoReturn:
    reason = "set element stands there twice"
    raise ItemError(reason)


class ItemFacts(NamedTuple):
    """Of a valid item: its size by DynamoDB's rule, and its key's canonical bytes if a schema was given."""

    size_bytes: int
    key: bytes | None


def check_item(
    item: Mapping[str, Any], *, keys: KeySchema | None = None, index_keys: tuple[IndexKeys, ...] = ()
) -> ItemFacts:
    """
    Judge and measure `item`.

    Raises:
        ItemError: DynamoDB would refuse it; `.path` is the place, `.reason` the rule.
    """
    size_bytes = members_size_bytes(item)
    if size_bytes > MAX_ITEM_BYTES:
        reason = f"item has {size_bytes} bytes, DynamoDB takes {MAX_ITEM_BYTES}"
        raise ItemError(reason)
    key = keys.key_of(item) if keys is not None else None
    for index in index_keys:
        index.check(item)
    return ItemFacts(size_bytes, key)


def validate_item(
    item: Mapping[str, Any], *, keys: KeySchema | None = None, index_keys: tuple[IndexKeys, ...] = ()
) -> None:
    """Raise ItemError when DynamoDB would refuse `item`; see `check_item`."""
    check_item(item, keys=keys, index_keys=index_keys)


def item_size_bytes(item: Mapping[str, Any]) -> int:
    """
    The size DynamoDB counts: UTF-8 of names and values, not the length of any line.

    Beyond 400 KB too; any other broken rule raises ItemError.
    """
    return members_size_bytes(item)


def write_units(size_bytes: int) -> int:
    """Write units of one put of an item of `size_bytes`."""
    return max(1, -(-size_bytes // WRITE_UNIT_BYTES))


def expired_range(now_s: int) -> tuple[int, int]:
    """
    Values of a TTL attribute, in seconds since 1970, by which an item had expired at `now_s`: from the first on and
    below the second.

    DynamoDB keeps what has no such attribute or none that is a number, and a time of more than five years ago, which
    it takes for a mistake: "Using time to live (TTL) in DynamoDB", developer guide.
    """
    return now_s - TTL_YEARS * 365 * 86_400, now_s
