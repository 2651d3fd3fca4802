"""
DynamoDB's own rules for a whole item: its key, its indexed attributes, its values, its size.

Items have upper-case tags; `tags.to_dynamodb` brings the others here. Whatever passes is taken by the service,
so that a bad item stops an import before its file is written and not in the middle of it. One walk judges and
measures a value: each is looked at once and dispatched on its tag, and the path of a place is put together only
on the way out of a failure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
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
TTL_YEARS, DAY_S = 5, 86_400
SAMPLE_BYTES = 64 * 1024  # of lines at a time whose TTL attribute is looked at
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


def ttl_attribute(described: Mapping[str, Any]) -> str | None:
    """The attribute by which a table's items expire, of a TimeToLiveDescription; None where they do not."""
    name = described.get("AttributeName")
    is_on = described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return name if is_on and isinstance(name, str) and name else None


def expiry_of(described: Mapping[str, Any], *, now_s: int) -> Expiry | None:
    """By what items of a table with this TimeToLiveDescription expire, None where they do not."""
    attribute = ttl_attribute(described)
    return None if attribute is None else Expiry(attribute, now_s)


@dataclass(frozen=True)
class Expiry:
    """
    Which items have expired, by a table's TTL attribute and at one moment; picklable.

    An item has when the attribute is a number below the present seconds since 1970 (API reference, UpdateTimeToLive).
    DynamoDB keeps what has no such attribute or none that is a number, and a time of more than five years ago, which
    it takes for a mistake (developer guide, "Using time to live (TTL) in DynamoDB").
    """

    attribute: str
    now_s: int

    @property
    def first_s(self) -> int:
        """Values below this mean nothing."""
        return self.now_s - TTL_YEARS * 365 * DAY_S

    def has_expired(self, item: Mapping[str, Any], *, within_s: int = 0) -> bool:
        """Whether an item has, or does within so many seconds; with the tags of DynamoDB or of the connector."""
        value = item.get(self.attribute)
        number = value.get("N", value.get("n")) if isinstance(value, dict) else None
        return isinstance(number, str) and self._is_between(number, self.now_s + within_s)

    def has_expired_text(self, text: bytes, *, within_s: int = 0) -> bool:
        """The same of an item's JSON, which is parsed only when such a value stands anywhere in it."""
        if _is_plain(self.attribute) and b"\\u" not in text:
            values = _ttl_values(self.attribute).findall(text)
            if not any(self._is_between(value.decode(), self.now_s + within_s) for value in values):
                return False
        item = json.loads(text)
        return self.has_expired(item.get("Item", item) if len(item) == 1 else item, within_s=within_s)

    def _is_between(self, number: str, end_s: int) -> bool:
        try:
            return self.first_s <= Decimal(number) < end_s
        except InvalidOperation:
            return False


def _is_plain(attribute: str) -> bool:
    """True for a name that JSON writes in one way, but for escapes of what needs none."""
    return re.fullmatch(r"[\w.: -]+", attribute, re.ASCII) is not None


@cache
def _ttl_values(attribute: str) -> re.Pattern[bytes]:
    """What finds the numbers of this attribute in JSON with the tags of DynamoDB or of the connector."""
    name = re.escape(json.dumps(attribute, ensure_ascii=False).encode())
    return re.compile(name + rb'\s*:\s*\{\s*"[Nn]"\s*:\s*"([-+.0-9eE]{1,200})"')


@dataclass
class ExpirySample:
    """
    How many of the items that were looked at expire within a day, or have. A few of all are enough for a hint: to look
    at each would cost an export a tenth of its speed.
    """

    expiry: Expiry
    items: int = 0
    expiring: int = 0

    def add(self, lines: bytes) -> None:
        """Look at the first of these lines, each an item."""
        for line in lines[:SAMPLE_BYTES].split(b"\n")[:-1]:
            self.items += 1
            self.expiring += self._expires(line)

    def _expires(self, line: bytes) -> bool:
        try:
            return self.expiry.has_expired_text(line, within_s=DAY_S)
        except (AttributeError, ValueError, RecursionError):  # no item: whoever reads it says so
            return False

    def line(self, total: int) -> str | None:
        """What to say of `total` items, None where none expires."""
        if not self.expiring:
            return None
        count = round(total * self.expiring / self.items)
        about = "about " if self.items < total else ""
        return (
            f"note: {about}{count:,} of {total:,} items expire within a day, or have (TTL attribute "
            f"{self.expiry.attribute!r}); --skip-expired leaves out those that have"
        )
