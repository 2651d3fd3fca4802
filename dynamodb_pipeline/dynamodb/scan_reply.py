"""
What a Scan reply says besides its items, found without parsing the items.

A page of 1 MB takes 20 ms to parse and its lines can be made without that (formats.retag), so only the members around
`Items` are parsed, from both ends of the body. This is exact and not a guess, for three reasons:

- Inside a JSON string every quote is escaped, so the bytes `"Items":[` and `],"` hold real quotes wherever they occur.
- The first `"Items":[` is the reply's own member: those that can stand before it hold no lists.
- After a real list in an attribute value stands `}` (`{"L":[...]}`), so `],"` is either the end of Items, or a quote
  that ends a string whose text ends in `],`. Taken for the end of Items, the latter leaves a rest whose quotes are
  inside out, and such a rest never parses up to the end of the body.

Whatever does not fit exactly (blanks, another order of things, a member twice) is parsed whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.aws.request_errors import BadReply
from dynamodb_pipeline.rate.budget import Units

ITEMS_START = b'"Items":['
ITEMS_END = b'],"'
ENDS_TRIED_MAX = 8


@dataclass(frozen=True)
class ScanPage:
    """
    One page of a scan.

    Attributes:
        body: the reply as it came; its Items are still to be read.
        count: how many items `Items` must hold; to be compared by whoever reads them.
        last_evaluated_key: JSON of the key to go on from, None at the end of the segment. An empty page may have one.
        consumed: read units by resource.
    """

    body: bytes
    count: int
    scanned_count: int
    last_evaluated_key: bytes | None
    consumed: Units


def scan_page_of(body: bytes) -> ScanPage:
    """
    Return the page a Scan reply holds.

    Raises:
        BadReply: a required field is missing or of another type, or Count is wrong (when the body had to be parsed).
    """
    fields = members_around_items(body)
    if fields is None:
        fields = _parsed(body)
        items = fields.get("Items")
        if not isinstance(items, list) or len(items) != fields.get("Count"):
            raise bad_field(operation="Scan", name="Items", problem="is missing or is not as long as Count says")
    return ScanPage(
        body,
        count_field(fields, "Count"),
        count_field(fields, "ScannedCount"),
        _start_key(fields),
        units_field("Scan", fields),
    )


def members_around_items(body: bytes) -> dict[str, Any] | None:
    """Return the reply's members but Items, or None when the body must be parsed whole to be sure."""
    start = body.find(ITEMS_START)
    before = _object(body[:start].rstrip(b",") + b"}") if start > 0 else None
    if before is None:
        return None
    after = _members_after_items(body, start + len(ITEMS_START))
    if after is None or before.keys() & after.keys() or "Items" in before or "Items" in after:
        return None
    return {**before, **after}


def _members_after_items(body: bytes, start: int) -> dict[str, Any] | None:
    end = len(body)
    for _ in range(ENDS_TRIED_MAX):
        end = body.rfind(ITEMS_END, start, end)
        if end < 0:
            return {} if body.endswith(b"]}") else None
        members = _object(b"{" + body[end + 2 :])
        if members is not None:
            return members
    return None


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _parsed(body: bytes) -> dict[str, Any]:
    fields = _object(body)
    if fields is None:
        raise bad_field(operation="Scan", name="body", problem="is not a JSON object")
    return fields


def _start_key(fields: Mapping[str, Any]) -> bytes | None:
    if "LastEvaluatedKey" not in fields:
        return None
    key = fields["LastEvaluatedKey"]
    if not isinstance(key, dict) or not key:
        raise bad_field(operation="Scan", name="LastEvaluatedKey", problem="is not a key")
    return json.dumps(key, separators=(",", ":")).encode()


def count_field(fields: Mapping[str, Any], name: str) -> int:
    """Return a count a reply must hold."""
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise bad_field(operation="Scan", name=name, problem="is missing or is no count")
    return value


def units_field(operation: str, fields: Mapping[str, Any]) -> Units:
    """
    Return the units a reply's ConsumedCapacity states, by resource.

    CapacityUnits is the total of table, local and global indexes (API reference, ConsumedCapacity). A local
    index uses the table's capacity, a global one its own.
    """
    consumed = fields.get("ConsumedCapacity")
    if not isinstance(consumed, dict):
        raise bad_field(operation=operation, name="ConsumedCapacity", problem="is missing")
    indexes = consumed.get("GlobalSecondaryIndexes") or {}
    try:
        units = {f"index:{name}": float(index["CapacityUnits"]) for name, index in indexes.items()}
        table_units = float(consumed["CapacityUnits"]) - sum(units.values())
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as err:
        raise bad_field(operation=operation, name="ConsumedCapacity", problem="states no units") from err
    if not all(0 <= value < math.inf for value in (table_units, *units.values())):  # NaN is not either
        raise bad_field(operation=operation, name="ConsumedCapacity", problem="does not add up")
    return {"table": table_units, **units}


def bad_field(*, operation: str, name: str, problem: str) -> BadReply:
    """Return the error for a reply that is whole by its CRC but not an answer."""
    return BadReply(f"{operation}: bad reply: {name} {problem}", code="bad reply", status=200)
