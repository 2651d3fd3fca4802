"""
What a run costs, split by what is paid for, by the dated price file: list prices of its region, so an order of
magnitude and not a bill.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dynamodb_pipeline.durations import HOUR_S
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.emr.cluster.packaged_files import json_file, packaged_json
from dynamodb_pipeline.emr.plan.estimate import DATA_FILE_BYTES, GIB, Estimate, TableFacts, scan_units
from dynamodb_pipeline.errors import UsageError

SHIPPED = "prices-2026-11-23.json"
NUMBERS = (
    "read_request_units_per_million",
    "write_request_units_per_million",
    "read_unit_hour",
    "write_unit_hour",
    "s3_put_per_thousand",
    "s3_gib_month",
    "native_export_per_gib",
)
UnitsUsd = Callable[[str, "TableFacts", "Estimate", "Prices"], float]
NODE_EXTRAS = ("ebs_gib_month", "public_ipv4_hour")  # price files of before have neither; the shipped one's count then
MONTH_H = 730  # https://aws.amazon.com/ebs/pricing/ divides a month's price by its hours


@dataclass(frozen=True)
class Prices:
    """
    Prices in US dollars, as of `date`, of `region`; node prices are by instance type and hour.

    Attributes:
        ebs_gib: of disks that EMR gives to a node of the type, its root included.
        unconfirmed: patterns of names (`emr_per_hour.m3.*`, `s3_gib_month`) of prices not read from their source.
    """

    date: str
    region: str
    ec2_per_hour: dict[str, float]
    emr_per_hour: dict[str, float]
    ebs_gib: dict[str, float]
    numbers: dict[str, float]
    unconfirmed: tuple[str, ...] = ()

    def doubtful(self, names: Iterable[str]) -> list[str]:
        """Those of these prices that are not confirmed."""
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in self.unconfirmed)]

    def node_hour(self, type_name: str) -> tuple[float, float]:
        """
        EC2 price and EMR fee of one node for one hour.

        Raises:
            UsageError: the file has no price for the type.
        """
        if type_name not in self.ec2_per_hour or type_name not in self.emr_per_hour:
            msg = f"the price file of {self.date} has no price for {type_name}; add it to a file of yours: --prices"
            raise UsageError(msg)
        return self.ec2_per_hour[type_name], self.emr_per_hour[type_name]

    def extras_hour(self, type_name: str) -> float:
        """Disks and the public address of one node for one hour; in a private subnet it has no such address."""
        disks = self.ebs_gib.get(type_name, 0.0) * self.numbers["ebs_gib_month"] / MONTH_H
        return disks + self.numbers["public_ipv4_hour"]


def node_hour_usd(groups: Iterable[NodeGroup], prices: Prices) -> float:
    """What all nodes cost in one hour: EC2, EMR's fee, disks and addresses."""
    return sum(_hour_usd(tuple(groups), prices))


def _hour_usd(groups: tuple[NodeGroup, ...], prices: Prices) -> tuple[float, float, float]:
    """EC2, EMR's fee, and disks with addresses."""
    ec2 = sum(group.count * prices.node_hour(group.type_name)[0] for group in groups)
    emr = sum(group.count * prices.node_hour(group.type_name)[1] for group in groups)
    return ec2, emr, sum(group.count * prices.extras_hour(group.type_name) for group in groups)


def load_prices(path: Path | None = None, *, region: str | None = None) -> Prices:
    """
    Read the prices of a region from the shipped file, or the user's own of the same form.

    A region that the file does not have gets those of the region it is of, which says `Prices.region`.

    Raises:
        UsageError: unreadable, not JSON, or a price is missing or not a number.
    """
    shipped = packaged_json(SHIPPED)
    table = shipped if path is None else _read(path)
    problems = [name for name in NUMBERS if not _is_price(table.get(name))]
    problems += [name for name in NODE_EXTRAS if not _is_price(table.get(name, 0.0))]
    problems += [name for name in ("ec2_per_hour", "emr_per_hour") if not isinstance(table.get(name), dict)]
    problems += [name for name in ("date", "region") if not isinstance(table.get(name), str)]
    if problems:
        msg = f"price file {path or SHIPPED} lacks {', '.join(problems)}; its form is that of {SHIPPED}"
        raise UsageError(msg)
    if region in table.get("regions", {}):
        table = _in_region(table, str(region))
    return Prices(
        date=table["date"],
        region=table["region"],
        ec2_per_hour=dict(table["ec2_per_hour"]),
        emr_per_hour=dict(table["emr_per_hour"]),
        ebs_gib=dict(table.get("ebs_gib", shipped["ebs_gib"])),
        numbers={
            **{name: float(table[name]) for name in NUMBERS},
            **{name: float(table.get(name, shipped[name])) for name in NODE_EXTRAS},
        },
        unconfirmed=tuple(map(str, table.get("unconfirmed", ()))),
    )


def _in_region(table: dict[str, Any], region: str) -> dict[str, Any]:
    """The file's prices with a region's over them; none of those was confirmed, nor is one taken from elsewhere."""
    regional: dict[str, Any] = table["regions"][region]
    ec2 = {**table["ec2_per_hour"], **regional.get("ec2_per_hour", {})}
    date = table.get("regions_date", table["date"])
    return {**table, **regional, "region": region, "date": date, "ec2_per_hour": ec2, "unconfirmed": ["*"]}


def _is_price(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _read(path: Path) -> dict[str, Any]:
    table = json_file(path, what="price file")
    return table if isinstance(table, dict) else {}


@dataclass(frozen=True)
class RunCost:
    """
    US dollars; `extras_usd` are the nodes' disks and public addresses. `capacity_usd` is what provisioned units are
    worth that are paid anyway; it is not in the total.
    """

    units_usd: float
    ec2_usd: float
    emr_usd: float
    extras_usd: float
    s3_usd: float
    capacity_usd: float
    native_export_usd: float

    @property
    def total_usd(self) -> float:
        return self.units_usd + self.ec2_usd + self.emr_usd + self.extras_usd + self.s3_usd

    def to_json(self) -> dict[str, Any]:
        parts = {name: round(value, 4) for name, value in vars(self).items()}
        return {**parts, "total_usd": round(self.total_usd, 4)}


def run_cost(
    verb: str,
    tables: list[tuple[TableFacts, Estimate]],
    *,
    groups: tuple[NodeGroup, ...],
    wall_s: float,
    prices: Prices,
) -> RunCost:
    """
    RunCost of one run.

    Args:
        groups: the cluster's nodes; empty when it stands there anyway.
        wall_s: seconds from launch to the cluster's end.
    """
    kind = "write" if verb == "import" else "read"
    ec2_usd, emr_usd, extras_usd = _nodes_usd(groups, wall_s=wall_s, prices=prices)
    size_bytes = sum(facts.size_bytes for facts, _ in tables)
    return RunCost(
        units_usd=sum(_table_usd(_request_usd, kind, facts, estimate, prices) for facts, estimate in tables),
        ec2_usd=ec2_usd,
        emr_usd=emr_usd,
        extras_usd=extras_usd,
        s3_usd=_s3_usd(size_bytes, prices) if verb == "export" else 0.0,
        capacity_usd=sum(_table_usd(_capacity_usd, kind, facts, estimate, prices) for facts, estimate in tables),
        native_export_usd=native_export_usd((facts for facts, _ in tables), prices),
    )


def prices_used(verb: str, groups: tuple[NodeGroup, ...]) -> list[str]:
    """Names of the prices in a run's total, as `Prices.unconfirmed` writes them."""
    kind = "write" if verb == "import" else "read"
    types = dict.fromkeys(group.type_name for group in groups)
    nodes = [f"{fee}.{type_name}" for type_name in types for fee in ("ec2_per_hour", "emr_per_hour")]
    nodes += NODE_EXTRAS if groups else ()
    stored = ["s3_put_per_thousand", "s3_gib_month", "native_export_per_gib"] if verb == "export" else []
    return [*nodes, f"{kind}_request_units_per_million", f"{kind}_unit_hour", *stored]


def _nodes_usd(groups: tuple[NodeGroup, ...], *, wall_s: float, prices: Prices) -> tuple[float, float, float]:
    hours = max(wall_s, 60.0) / HOUR_S  # EMR bills by the second, one minute at least
    ec2, emr, extras = _hour_usd(groups, prices)
    return ec2 * hours, emr * hours, extras * hours


def _table_usd(usd: UnitsUsd, kind: str, facts: TableFacts, estimate: Estimate, prices: Prices) -> float:
    """What a table's units come to, those of a pass over it before the writes too."""
    scan = Estimate(units=estimate.scan_units, rate_s=0.0, nodes_s=0.0)
    return usd(kind, facts, estimate, prices) + usd("read", facts, scan, prices)


def _request_usd(kind: str, facts: TableFacts, estimate: Estimate, prices: Prices) -> float:
    if not facts.on_demand:
        return 0.0
    units = estimate.units * (facts.written_copies if kind == "write" else 1)
    return units / 1_000_000 * prices.numbers[f"{kind}_request_units_per_million"]


def _capacity_usd(kind: str, facts: TableFacts, estimate: Estimate, prices: Prices) -> float:
    if facts.on_demand:
        return 0.0
    units = estimate.units * (facts.written_copies if kind == "write" else 1)
    return units / HOUR_S * prices.numbers[f"{kind}_unit_hour"]


@dataclass(frozen=True)
class ChangesCost:
    """What `--only-changes` costs and saves: a read of the whole table against the writes of what is equal."""

    read_units: int
    read_usd: float
    write_units: int
    write_usd: float

    @property
    def worth_percent(self) -> int:
        """It costs less when fewer than this percent of the items differ; 0: never."""
        return max(0, math.floor(100 * (1 - self.read_usd / self.write_usd))) if self.write_usd else 0


def changes_cost(facts: TableFacts, estimate: Estimate, prices: Prices) -> ChangesCost:
    """Of one import; of provisioned capacity what its units are worth that are paid anyway."""
    reads = Estimate(units=scan_units(facts), rate_s=0.0, nodes_s=0.0)
    usd = _request_usd if facts.on_demand else _capacity_usd
    written = estimate.units * facts.written_copies
    return ChangesCost(reads.units, usd("read", facts, reads, prices), written, usd("write", facts, estimate, prices))


def native_export_usd(tables: Iterable[TableFacts], prices: Prices) -> float:
    """What DynamoDB's own export of these tables would cost."""
    return sum(facts.size_bytes for facts in tables) / GIB * prices.numbers["native_export_per_gib"]


def _s3_usd(size_bytes: int, prices: Prices) -> float:
    """PUTs of the data files and a month of storage, uncompressed."""
    puts = math.ceil(size_bytes / DATA_FILE_BYTES) / 1000 * prices.numbers["s3_put_per_thousand"]
    return puts + size_bytes / GIB * prices.numbers["s3_gib_month"]
