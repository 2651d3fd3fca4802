"""
The size of an item by DynamoDB's documented rule, and the units it costs.

Written for the judge alone and on purpose not shared with the library: a mistake there must not hide itself here.
Source: developer guide, "DynamoDB item sizes and formats".
"""

from __future__ import annotations

from typing import Any

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
CONTAINER_BYTES = 3  # every list or map
ELEMENT_BYTES = 1  # every element of a list or map


def item_size_bytes(item: dict[str, Any]) -> int:
    """Bytes of an item in DynamoDB JSON: every name and every value."""
    return sum(_text(name) + _value(value) for name, value in item.items())


def write_units(size_bytes: int) -> int:
    """Write units of one put: each started KiB, at least one."""
    return max(1, -(-size_bytes // WRITE_UNIT_BYTES))


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """Read units of one page: each started 4 KiB of its total, half of it when eventually consistent."""
    blocks = max(1, -(-size_bytes // READ_UNIT_BYTES))
    return float(blocks) if consistent else blocks / 2


def _value(tagged: dict[str, Any]) -> int:
    ((tag, value),) = tagged.items()
    if tag in ("BOOL", "NULL"):
        return 1
    if tag == "L":
        return CONTAINER_BYTES + sum(ELEMENT_BYTES + _value(element) for element in value)
    if tag == "M":
        return CONTAINER_BYTES + sum(ELEMENT_BYTES + _text(name) + _value(element) for name, element in value.items())
    if tag in ("SS", "NS", "BS"):
        return sum(_scalar(tag[0], element) for element in value)
    return _scalar(tag, value)


def _scalar(tag: str, text: str) -> int:
    if tag == "S":
        return _text(text)
    if tag == "N":
        return _number(text)
    return len(text.rstrip("=")) * 3 // 4


def _number(text: str) -> int:
    """One byte per two significant digits (zeros at either end do not count), plus one, plus one for a minus sign."""
    mantissa = text.lower().partition("e")[0].lstrip("+-")
    significant = mantissa.replace(".", "").strip("0")
    return (len(significant) + 1) // 2 + 1 + text.startswith("-")


def _text(text: str) -> int:
    return len(text.encode("utf-8"))
