"""
DynamoDB's own rules for a whole item: its key, its indexed attributes, its values, its size.

Items have upper-case tags; `tags.to_dynamodb` brings the others here. Whatever passes is taken by the service,
so that a bad item stops an import before its file is written and not in the middle of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.items.numbers import canonical_number
from dynamodb_pipeline.formats.items.value_rules import members_size_bytes

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
WRITE_UNIT_BYTES = 1024  # developer guide, "DynamoDB throughput capacity": one unit for each KB begun


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
