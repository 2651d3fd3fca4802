"""
What DynamoDB was asked and what it charged, and the rate that follows: the judge of the promise about throughput.

Pure; sandbox/metering_proxy.py fills it. It takes DynamoDB's own numbers from the replies and shares no code with
the budget it judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

TABLE = "table"
_TABLE_NAME = re.compile(rb'"(?:TableName"\s*:|RequestItems"\s*:\s*\{)\s*"([^"]+)"')
_CONSUMED = re.compile(rb'"ConsumedCapacity"\s*:\s*')
_DECODER = json.JSONDecoder()


class Call(NamedTuple):
    """One request: when its reply came (s since the ledger began), for what, and at what cost."""

    time_s: float
    took_s: float
    operation: str  # "Scan", "BatchWriteItem" ...
    table: str  # "" when the request names none
    status: int
    request_bytes: int
    reply_bytes: int
    units: dict[str, float] | None  # by resource: "table", "index:<name>"; None: the request did not ask

    def units_of(self, resource: str) -> float:
        """Return the units of one resource, 0.0 when none are known."""
        return (self.units or {}).get(resource, 0.0)


@dataclass(frozen=True)
class Windows:
    """
    The sums of units over every window of `seconds`.

    `least_units` looks only at windows that lie inside the run; None when the run is shorter than one.
    """

    seconds: float
    most_units: float
    least_units: float | None


def windows(calls: Sequence[Call], seconds: float, *, resource: str = TABLE) -> Windows:
    """Return the highest and the lowest sum of any window of `seconds`, wherever it starts."""
    marks = sorted((call.time_s, call.units_of(resource)) for call in calls)
    return Windows(seconds=seconds, most_units=_most(marks, seconds), least_units=_least(marks, seconds))


def most_ahead(calls: Sequence[Call], units_per_s: float, *, resource: str = TABLE) -> float:
    """
    Return by how many units the calls were ahead of that rate at most, counted from the beginning of the ledger.

    A machine that stands still for a while, which moves calls from one window into another, can only make it smaller.
    """
    ahead = consumed = 0.0
    for time_s, units in sorted((call.time_s, call.units_of(resource)) for call in calls):
        consumed += units
        ahead = max(ahead, consumed - units_per_s * time_s)
    return ahead


def _most(marks: list[tuple[float, float]], seconds: float) -> float:
    """The fullest window begins with a call: [t, t + seconds)."""
    most = total = 0.0
    end = 0
    for start, units in marks:
        while end < len(marks) and marks[end][0] < start + seconds:
            total += marks[end][1]
            end += 1
        most = max(most, total)
        total -= units
    return most


def _least(marks: list[tuple[float, float]], seconds: float) -> float | None:
    """The emptiest window begins right after a call: (t, t + seconds]; it may not pass the last one."""
    least: float | None = None
    total, end = 0.0, 0
    for index, (start, _) in enumerate(marks):
        if start + seconds > marks[-1][0]:
            break
        while end < len(marks) and marks[end][0] <= start + seconds:
            total += marks[end][1]
            end += 1
        total -= marks[index][1]
        least = total if least is None else min(least, total)
    return least


def table_name(request_body: bytes) -> str:
    """Return the table a request body names first, "" when none."""
    found = _TABLE_NAME.search(request_body)
    return found[1].decode() if found else ""


def consumed_units(reply_body: bytes) -> dict[str, float] | None:
    """
    Return the units of a reply by resource, summed over its tables; None when it carries none.

    The reply is not parsed (a page of 1 MB would take longer than to serve it). An attribute of an item that is
    called ConsumedCapacity is told apart by its value: numbers of items are text in DynamoDB's JSON.
    """
    for found in _CONSUMED.finditer(reply_body):
        tail = reply_body[found.end() :].decode()
        value, _ = _DECODER.raw_decode(tail)
        entries = value if isinstance(value, list) else [value]
        if entries and all(_is_capacity(entry) for entry in entries):
            return _sum_by_resource(entries)
    return None


def _is_capacity(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("CapacityUnits"), (int, float))


def _sum_by_resource(entries: list[dict[str, Any]]) -> dict[str, float]:
    units: dict[str, float] = {}
    for entry in entries:
        table = entry.get("Table", entry)
        units[TABLE] = units.get(TABLE, 0.0) + float(table["CapacityUnits"])
        indexes = {**entry.get("GlobalSecondaryIndexes", {}), **entry.get("LocalSecondaryIndexes", {})}
        for name, index in indexes.items():
            units[f"index:{name}"] = units.get(f"index:{name}", 0.0) + float(index["CapacityUnits"])
    return units
