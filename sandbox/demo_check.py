"""Compares tables item by item, by value: `1.0` is `1`, sets have no order. Independent of the library's own code."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from decimal import Context, Decimal
from typing import Any

Item = dict[str, Any]
DIGITS = Context(prec=50)  # more than DynamoDB's 38, so that no value is rounded here


def scan_items(client: Any, table: str) -> Iterator[Item]:
    """Every item of a table as boto3 gives it."""
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def by_value(value: Any) -> Any:
    """A form in which equal attribute values are equal Python objects, whatever their spelling."""
    ((tag, content),) = value.items()
    if tag == "N":
        return tag, DIGITS.create_decimal(content).normalize(DIGITS)
    if tag == "NS":
        return tag, frozenset(DIGITS.create_decimal(n).normalize(DIGITS) for n in content)
    if tag in ("SS", "BS"):
        return tag, frozenset(_bytes(x) if tag == "BS" else x for x in content)
    if tag == "B":
        return tag, _bytes(content)
    if tag == "L":
        return tag, tuple(by_value(x) for x in content)
    if tag == "M":
        return tag, tuple(sorted((name, by_value(x)) for name, x in content.items()))
    return tag, content


def _bytes(content: Any) -> bytes:
    return base64.b64decode(content) if isinstance(content, str) else bytes(content)


def items_by_key(items: Iterable[Item], keys: tuple[str, ...]) -> dict[Any, Any]:
    """Items in comparable form by their comparable key."""
    return {tuple(by_value(i[k]) for k in keys): tuple(sorted((n, by_value(v)) for n, v in i.items())) for i in items}


def differences(expected: dict[Any, Any], found: dict[Any, Any]) -> dict[str, int]:
    """How many items are missing, extra or different."""
    return {
        "missing": len(expected.keys() - found.keys()),
        "extra": len(found.keys() - expected.keys()),
        "different": sum(1 for k in expected.keys() & found.keys() if expected[k] != found[k]),
    }


def sdk_item(item: Item) -> Item:
    """DynamoDB JSON (binary as base64 text) as boto3's client takes it (binary as bytes)."""
    return {name: _sdk_value(value) for name, value in item.items()}


def _sdk_value(value: Item) -> Item:
    ((tag, content),) = value.items()
    if tag == "B":
        return {tag: base64.b64decode(content)}
    if tag == "BS":
        return {tag: [base64.b64decode(x) for x in content]}
    if tag == "L":
        return {tag: [_sdk_value(x) for x in content]}
    if tag == "M":
        return {tag: {name: _sdk_value(x) for name, x in content.items()}}
    return value


def exact(number: str) -> Decimal:
    """The number's value with all its digits."""
    return DIGITS.create_decimal(number)
