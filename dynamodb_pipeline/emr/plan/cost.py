"""What a run costs, split by what is paid for; list prices, so an order of magnitude and not a bill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.emr.plan.estimate import DATA_FILE_BYTES, GIB, Estimate, TableFacts
from dynamodb_pipeline.emr.plan.prices import Prices

HOUR_S = 3600.0


@dataclass(frozen=True)
class RunCost:
    """
    US dollars. `capacity_usd` is what provisioned units are worth that are paid anyway; it is not in the total.
    """

    units_usd: float
    ec2_usd: float
    emr_usd: float
    s3_usd: float
    capacity_usd: float
    native_export_usd: float

    @property
    def total_usd(self) -> float:
        return self.units_usd + self.ec2_usd + self.emr_usd + self.s3_usd

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
    ec2_usd, emr_usd = _nodes_usd(groups, wall_s=wall_s, prices=prices)
    size_bytes = sum(facts.size_bytes for facts, _ in tables)
    return RunCost(
        units_usd=sum(_request_usd(kind, facts, estimate, prices) for facts, estimate in tables),
        ec2_usd=ec2_usd,
        emr_usd=emr_usd,
        s3_usd=_s3_usd(size_bytes, prices) if verb == "export" else 0.0,
        capacity_usd=sum(_capacity_usd(kind, facts, estimate, prices) for facts, estimate in tables),
        native_export_usd=size_bytes / GIB * prices.numbers["native_export_per_gib"],
    )


def prices_used(verb: str, groups: tuple[NodeGroup, ...]) -> list[str]:
    """Names of the prices in a run's total, as `Prices.unconfirmed` writes them."""
    kind = "write" if verb == "import" else "read"
    types = dict.fromkeys(group.type_name for group in groups)
    nodes = [f"{fee}.{type_name}" for type_name in types for fee in ("ec2_per_hour", "emr_per_hour")]
    stored = ["s3_put_per_thousand", "s3_gib_month", "native_export_per_gib"] if verb == "export" else []
    return [*nodes, f"{kind}_request_units_per_million", f"{kind}_unit_hour", *stored]


def _nodes_usd(groups: tuple[NodeGroup, ...], *, wall_s: float, prices: Prices) -> tuple[float, float]:
    hours = max(wall_s, 60.0) / HOUR_S  # EMR bills by the second, one minute at least
    ec2 = sum(group.count * prices.node_hour(group.type_name)[0] for group in groups)
    emr = sum(group.count * prices.node_hour(group.type_name)[1] for group in groups)
    return ec2 * hours, emr * hours


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


def _s3_usd(size_bytes: int, prices: Prices) -> float:
    """PUTs of the data files and a month of storage, uncompressed."""
    puts = math.ceil(size_bytes / DATA_FILE_BYTES) / 1000 * prices.numbers["s3_put_per_thousand"]
    return puts + size_bytes / GIB * prices.numbers["s3_gib_month"]
