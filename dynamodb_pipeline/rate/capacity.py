"""
How many units per second a run may use, and in words how that follows from the table and the options.

Pure. The capacity is the provisioned value; for an on-demand table its own maximum, else its warm throughput, else what
DynamoDB says a new on-demand table takes. Never a guess without saying so: the derivation always names the source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dynamodb_pipeline.errors import UsageError, shown

PERCENT_MIN = 1
PERCENT_MAX = 150  # as the Data Pipeline templates: dynamodb.throughput.*.percent up to 1.5
PERCENT_DEFAULT = Decimal(25)
RATIO_MAX = Decimal("1.5")

# Developer guide, "On-demand capacity mode", initial throughput of a new table
NEW_TABLE_UNITS = {"read": 12_000.0, "write": 4_000.0}

TABLE = "table"
_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *(%?)")


@dataclass(frozen=True)
class Throughput:
    """Read and write units/s; None where it is not set or not known."""

    read: float | None = None
    write: float | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any] | None, *, read: str, write: str) -> Throughput:
        """From a part of DescribeTable's reply; 0 and -1 (DynamoDB's "unlimited") count as not set."""
        values = [(data or {}).get(name) for name in (read, write)]
        return cls(*(float(value) if value is not None and value > 0 else None for value in values))

    def units(self, kind: str) -> float | None:
        """Units/s of kind "read" or "write"."""
        return self.read if kind == "read" else self.write


@dataclass(frozen=True)
class Capacity:
    """What DescribeTable says a table or index can take."""

    provisioned: Throughput = Throughput()
    maximum: Throughput = Throughput()  # on-demand: set by the owner
    warm: Throughput = Throughput()  # on-demand: what it takes at once

    @classmethod
    def from_description(cls, data: Mapping[str, Any], *, on_demand: bool) -> Capacity:
        """From DescribeTable's `Table` or one of its indexes; older SDKs leave the on-demand fields out."""
        provisioned = None if on_demand else data.get("ProvisionedThroughput")
        return cls(
            Throughput.of(provisioned, read="ReadCapacityUnits", write="WriteCapacityUnits"),
            Throughput.of(data.get("OnDemandThroughput"), read="MaxReadRequestUnits", write="MaxWriteRequestUnits"),
            Throughput.of(data.get("WarmThroughput"), read="ReadUnitsPerSecond", write="WriteUnitsPerSecond"),
        )

    def limit(self, kind: str) -> tuple[float, str]:
        """Units/s of kind "read" or "write", and where the figure comes from."""
        known = (
            (self.provisioned, "provisioned"),
            (self.maximum, "on-demand, its own maximum"),
            (self.warm, "on-demand, warm throughput"),
        )
        for throughput, source in known:
            units = throughput.units(kind)
            if units is not None:
                return units, source
        return NEW_TABLE_UNITS[kind], "on-demand, as a new table; no maximum or warm throughput is known"


@dataclass(frozen=True)
class RateChoice:
    """What the user asked for: a percent of the capacity, or `units` per second."""

    percent: Decimal | None
    units: float | None = None

    @property
    def of_capacity(self) -> RateChoice:
        """The same percent; units of one kind say nothing about the other: then the default percent."""
        return RateChoice(self.percent or PERCENT_DEFAULT)


@dataclass(frozen=True)
class AllowedRate:
    """
    Units per second the whole job may consume.

    Attributes:
        units_per_s: by resource, "table" and "index:<name>"; may be below 1.
        derivation: for people, such as "25% of 400 read units (provisioned) = 100/s".
    """

    units_per_s: Mapping[str, float]
    derivation: str

    @property
    def tightest(self) -> float:
        """The lowest of the rates: what a write that touches every index can reach."""
        return min(self.units_per_s.values())


def parse_percent(text: str, *, option: str = "throughput percent") -> Decimal:
    """
    The percent in `25`, `25%` or `2.5`.

    Raises:
        UsageError: no number, outside 1 to 150, or a bare number up to 1.5, which old users of ratios may have typed.
    """
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        msg = f"{option} {shown(text)} is not a number: write {PERCENT_MIN} to {PERCENT_MAX}, such as 25 or 25%"
        raise UsageError(msg)
    percent = Decimal(match[1])
    if not match[2] and 0 < percent <= RATIO_MAX:
        msg = f"{option} {text.strip()} looks like a ratio: write {_plain(percent * 100)}; for one percent write 1%"
        raise UsageError(msg)
    if not PERCENT_MIN <= percent <= PERCENT_MAX:
        msg = f"{option} {shown(text.strip())} is outside {PERCENT_MIN} to {PERCENT_MAX}"
        raise UsageError(msg)
    return percent


def read_rate(table: Capacity, choice: RateChoice, *, index: str | None = None) -> AllowedRate:
    """
    The rate of an export or verify: a Scan reads one thing only, the table or the global index of that name, whose
    capacity it is then. It is the resource "table" either way.
    """
    units, text = _share(table, choice, kind="read", of="" if index is None else f" of index {index!r}")
    return AllowedRate({TABLE: units}, text)


def write_rate(table: Capacity, choice: RateChoice, *, indexes: Mapping[str, Capacity]) -> AllowedRate:
    """
    The rate of an import: the table and every global secondary index have their own; local ones share the table's.

    An absolute number of units holds for the table; an index with less capacity keeps its own.
    """
    units, text = _share(table, choice, kind="write")
    shares = {name: _index_share(capacity, choice) for name, capacity in indexes.items()}
    rates = {TABLE: units, **{f"index:{name}": share for name, (share, _) in shares.items()}}
    slow = sorted((share, name, why) for name, (share, why) in shares.items() if share < units)
    if slow:
        text += f"; index {slow[0][1]!r} allows less: {slow[0][2]}"
    return AllowedRate(rates, text)


def _share(capacity: Capacity, choice: RateChoice, *, kind: str, of: str = "") -> tuple[float, str]:
    if choice.percent is None:
        units = choice.units or 0.0
        return units, f"{_plain(units)} {kind} units/s{of} (--{kind}-units)"
    limit, source = capacity.limit(kind)
    units = float(Decimal(str(limit)) * choice.percent / 100)
    return units, f"{_plain(choice.percent)}% of {_plain(limit)} {kind} units{of} ({source}) = {_plain(units)}/s"


def _index_share(capacity: Capacity, choice: RateChoice) -> tuple[float, str]:
    if choice.percent is not None:
        return _share(capacity, choice, kind="write")
    limit, source = capacity.limit("write")
    units = min(choice.units or 0.0, limit)
    return units, f"its {_plain(limit)} write units ({source}) = {_plain(units)}/s"


def _plain(number: float | Decimal) -> str:
    """`12,000` and `0.1`: thousands marked, no trailing zeros."""
    text = f"{number:,.6f}"
    return text.rstrip("0").rstrip(".")
