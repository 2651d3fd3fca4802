"""
What a server or proxy saw: one row per request and resource, the judge of rates.

Client-side counters hide retries and CloudWatch has one-minute steps; this is neither. Rows are kept in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

OK = "ok"
TABLE = "table"

Clock = Callable[[], float]


class LedgerRow(NamedTuple):
    """One request as one resource felt it; `time_s` counts from the ledger's start."""

    time_s: float
    operation: str  # "Scan", "BatchWriteItem", "PUT object" ...
    table: str  # table or bucket name
    resource: str  # "table" or "index:<name>"
    units: float  # capacity units consumed
    item_count: int  # items read, or items really put
    size_bytes: int  # body bytes that carried them
    outcome: str  # "ok", an error code, or the name of the fault


class Ledger:
    """An append-only list of rows with its own zero of time."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._started_s = clock()
        self._rows: list[LedgerRow] = []

    def now_s(self) -> float:
        """Seconds since the ledger started or was last reset."""
        return self._clock() - self._started_s

    def add(
        self,
        operation: str,
        *,
        table: str = "",
        units: float = 0.0,
        items: int = 0,
        size_bytes: int = 0,
        resource: str = TABLE,
        outcome: str = OK,
    ) -> None:
        """Append one row, stamped now (list.append is atomic, so threads need no lock)."""
        row = LedgerRow(self.now_s(), operation, table, resource, units, items, size_bytes, outcome)
        self._rows.append(row)

    def reset(self) -> None:
        """Forget every row and start time at zero again."""
        self._rows = []
        self._started_s = self._clock()

    def rows(self) -> list[LedgerRow]:
        """A copy of the rows so far, in the order they were added."""
        return list(self._rows)

    def count(self, *, operation: str | None = None, outcome: str | None = None) -> int:
        """How many rows have this operation and outcome (None: any)."""
        return sum(1 for _ in self._matching(operation, outcome))

    def units(self, *, operation: str | None = None, resource: str = TABLE) -> float:
        """Capacity units of one resource over the whole ledger."""
        return sum(row.units for row in self._matching(operation, None) if row.resource == resource)

    def _matching(self, operation: str | None, outcome: str | None) -> Iterator[LedgerRow]:
        for row in self._rows:
            if operation in (None, row.operation) and outcome in (None, row.outcome):
                yield row


def rows_to_json(rows: list[LedgerRow]) -> list[list[object]]:
    """Rows as plain lists in field order, for sending over HTTP."""
    return [list(row) for row in rows]


def rows_from_json(lists: list[list[object]]) -> list[LedgerRow]:
    """The inverse of `rows_to_json`."""
    return [LedgerRow(*fields) for fields in lists]  # type: ignore[arg-type]  # JSON lists are untyped
