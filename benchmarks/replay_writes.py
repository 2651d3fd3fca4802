"""
BatchWriteItem, PutItem and DeleteItem that count and forget.

A batch of our own benchmark items is recognised by its keys, so its units are known without parsing 28 KB of JSON;
any other batch is parsed and measured item by item.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from benchmarks.replay_items import KEY_DIGITS, KEY_NAME, KEY_PREFIX
from benchmarks.replay_table import ReplayTable
from sandbox.faults.item_sizes import item_size_bytes, write_units

_TABLE = re.compile(rb'"RequestItems"\s*:\s*\{\s*"([^"]+)"')
_KEY = re.compile(rb'"%b"\s*:\s*\{\s*"S"\s*:\s*"%b(\d{%d})"' % (KEY_NAME.encode(), KEY_PREFIX.encode(), KEY_DIGITS))
_CAPACITY_FORM = re.compile(rb'"ReturnConsumedCapacity"\s*:\s*"(\w+)"')
_PUT = b'"PutRequest"'


@dataclass(frozen=True)
class Batch:
    """
    A BatchWriteItem request: per write its units, in request order.

    `numbers` are those of our own benchmark items; None when any write is of another kind.
    """

    table_name: str
    capacity_form: str
    units: list[int]
    numbers: list[int] | None
    body: bytes

    @property
    def item_count(self) -> int:
        return len(self.units)

    def requests(self) -> list[dict[str, Any]]:
        """The write requests themselves (parses the body)."""
        requests: list[dict[str, Any]] = json.loads(self.body)["RequestItems"][self.table_name]
        return requests


class RefusedBatch(ValueError):
    """DynamoDB would refuse the whole batch."""


class WriteMeter:
    """Measures batches and remembers which benchmark items were written."""

    def __init__(self, table: ReplayTable, *, digest_puts: bool = False) -> None:
        self._own_units = [write_units(table.item_size_bytes(number)) for number in range(table.item_count)]
        self._digest_puts = digest_puts
        self.reset()

    def reset(self) -> None:
        """Forget everything written."""
        self._seen = bytearray(len(self._own_units))
        self.put_count = 0
        self.foreign_count = 0
        self._digest = 0

    def read(self, body: bytes) -> Batch:
        """The batch in a BatchWriteItem body. Raises RefusedBatch."""
        numbers = self._own_numbers(body)
        form = _CAPACITY_FORM.search(body[:256]) or _CAPACITY_FORM.search(body, max(0, len(body) - 256))
        units = self._parsed_units(body) if numbers is None else [self._own_units[number] for number in numbers]
        if not 1 <= len(units) <= 25:
            raise RefusedBatch(f"a batch has 1 to 25 writes, not {len(units)}")
        table = _TABLE.search(body)
        if table is None:
            raise RefusedBatch("no RequestItems")
        return Batch(table[1].decode(), form[1].decode() if form else "NONE", units, numbers, body)

    def written(self, batch: Batch, *, admitted: int) -> None:
        """Count the first `admitted` writes of the batch as done."""
        self.put_count += admitted
        if batch.numbers is None:
            self.foreign_count += admitted
        for number in (batch.numbers or ())[:admitted]:
            self._seen[number] = 1
        if self._digest_puts:
            self._add_to_digest(batch.requests()[:admitted])

    def summary(self) -> dict[str, object]:
        """Counts, and the order-independent digest of what was put (with `digest_puts`)."""
        return {
            "put_count": self.put_count,
            "foreign_count": self.foreign_count,
            "distinct_count": sum(self._seen),
            "digest": f"{self._digest:064x}" if self._digest_puts else None,
        }

    def _own_numbers(self, body: bytes) -> list[int] | None:
        numbers = [int(digits) for digits in _KEY.findall(body)]
        known = numbers and len(numbers) == body.count(_PUT)  # one more key than puts: there is a delete
        return numbers if known and max(numbers) < len(self._own_units) else None

    def _parsed_units(self, body: bytes) -> list[int]:
        tables = json.loads(body)["RequestItems"]
        if len(tables) != 1:
            raise RefusedBatch("this server takes one table in a batch")
        (requests,) = tables.values()
        return [write_units(_size_bytes(request)) for request in requests]

    def _add_to_digest(self, requests: list[dict[str, Any]]) -> None:
        for request in requests:
            self._digest = (self._digest + item_digest(request["PutRequest"]["Item"])) % (1 << 256)


def item_digest(item: dict[str, Any]) -> int:
    """SHA-256 of an item with sorted names and sorted sets, as a number to be summed modulo 2^256."""
    values = {name: _canonical(value) for name, value in item.items()}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def _canonical(value: dict[str, Any]) -> dict[str, Any]:
    ((tag, content),) = value.items()
    if tag in ("SS", "NS", "BS"):
        return {tag: sorted(content)}
    if tag == "L":
        return {tag: [_canonical(element) for element in content]}
    return {tag: {name: _canonical(element) for name, element in content.items()}} if tag == "M" else value


def _size_bytes(request: dict[str, Any]) -> int:
    ((kind, content),) = request.items()
    return item_size_bytes(content["Item"] if kind == "PutRequest" else content["Key"])
