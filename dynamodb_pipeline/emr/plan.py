"""
The plan of a run: rate, units, minutes, nodes, money; warnings; and the one refusal, over an explicit limit.

Sizes are hours stale, so a plan never refuses by itself: only `--max-cost` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from dynamodb_pipeline.emr.clock import duration_text
from dynamodb_pipeline.emr.cluster_config import NodeGroup
from dynamodb_pipeline.emr.cost import Cost, run_cost
from dynamodb_pipeline.emr.estimate import GIB, START_UP_S, Estimate, TableFacts, estimate, slots_for_rate
from dynamodb_pipeline.emr.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.prices import Prices
from dynamodb_pipeline.emr.release_labels import support_text
from dynamodb_pipeline.emr.sizing import SparkLayout, layout_of_groups
from dynamodb_pipeline.errors import PreconditionError

# Below this a cluster's start-up costs more than the export.
SMALL_BYTES = GIB


@dataclass(frozen=True)
class Fleet:
    """The nodes of a run. A standing cluster's are paid anyway (`billed` False) and are there at once."""

    groups: tuple[NodeGroup, ...]
    release_label: str
    billed: bool = True

    @property
    def start_s(self) -> float:
        return START_UP_S if self.billed else 0.0


@dataclass(frozen=True)
class Plan:
    """What a run will probably take; seconds and US dollars."""

    verb: str
    tables: tuple[tuple[TableFacts, Estimate], ...]
    fleet: Fleet
    layout: SparkLayout
    cost: Cost
    prices: Prices
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def wall_s(self) -> float:
        """From launch to the last step's end: tables run one after another."""
        return self.fleet.start_s + sum(found.data_s for _, found in self.tables)

    def lines(self) -> list[str]:
        """For people."""
        nodes = ", ".join(f"{group.count} x {group.type_name} {group.role}" for group in self.fleet.groups)
        return [
            *(_table_line(self.verb, facts, found) for facts, found in self.tables),
            f"nodes: {nodes}; {self.layout.slots} tasks at once",
            f"time: about {duration_text(self.wall_s)}, {duration_text(self.fleet.start_s)} of it start-up",
            *_cost_lines(self),
            *(f"note: {note}" for note in self.notes),
            *(f"WARNING: {warning}" for warning in self.warnings),
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "tables": [_table_json(facts, found) for facts, found in self.tables],
            "nodes": [vars(group) for group in self.fleet.groups],
            "tasks_at_once": self.layout.slots,
            "wall_s": round(self.wall_s),
            "cost": self.cost.to_json(),
            "prices": {"date": self.prices.date, "region": self.prices.region},
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def make_plan(
    settings: LaunchSettings,
    *,
    fleet: Fleet,
    tables: tuple[TableFacts, ...],
    prices: Prices,
    today: date,
) -> Plan:
    """
    Plan a run on these nodes.

    Raises:
        PreconditionError: it costs more than `--max-cost`.
        UsageError: no price for one of the nodes.
    """
    layout = layout_of_groups(settings.verb, fleet.groups)
    found = [(facts, estimate(settings.verb, facts, slots=layout.slots)) for facts in tables]
    wall_s = fleet.start_s + sum(one.data_s for _, one in found)
    billed = fleet.groups if fleet.billed else ()
    cost = run_cost(settings.verb, found, groups=billed, wall_s=wall_s, prices=prices)
    plan = Plan(
        verb=settings.verb,
        tables=tuple(found),
        fleet=fleet,
        layout=layout,
        cost=cost,
        prices=prices,
        warnings=tuple(_warnings(settings, fleet=fleet, found=found, prices=prices, today=today)),
        notes=tuple(_notes(settings, fleet=fleet, found=found, cost=cost, today=today)),
    )
    refuse_over_budget(plan, settings.limits.max_cost_usd)
    return plan


def refuse_over_budget(plan: Plan, max_cost_usd: float | None) -> None:
    """
    Raises:
        PreconditionError: the plan's total is above the limit; nothing was started.
    """
    if max_cost_usd is not None and plan.cost.total_usd > max_cost_usd:
        msg = f"the run would cost about ${plan.cost.total_usd:.2f}, over --max-cost {max_cost_usd:.2f}; not started"
        raise PreconditionError(msg)


def _table_line(verb: str, facts: TableFacts, found: Estimate) -> str:
    kind = "write" if verb == "import" else "read"
    size = f"{facts.size_bytes / GIB:,.2f} GiB, {facts.item_count:,} items"
    return (
        f"{facts.table_name}: {size}; {found.units:,} {kind} units; rate {facts.rate_text}; "
        f"about {duration_text(found.data_s)}"
    )


def _table_json(facts: TableFacts, found: Estimate) -> dict[str, Any]:
    return {
        "table": facts.table_name,
        "size_bytes": facts.size_bytes,
        "item_count": facts.item_count,
        "units": found.units,
        "units_per_s": facts.units_per_s,
        "rate": facts.rate_text,
        "data_s": round(found.data_s),
        "bound_by": "nodes" if found.nodes_bound else "rate",
    }


def _cost_lines(plan: Plan) -> list[str]:
    cost = plan.cost
    parts = f"units ${cost.units_usd:.2f}, EC2 ${cost.ec2_usd:.2f}, EMR ${cost.emr_usd:.2f}, S3 ${cost.s3_usd:.2f}"
    priced = f"list prices of {plan.prices.date}, {plan.prices.region}"
    lines = [f"cost: about ${cost.total_usd:.2f} ({parts}; {priced})"]
    if cost.capacity_usd >= 0.005:
        lines.append(f"capacity used: ${cost.capacity_usd:.2f} worth of provisioned units that are paid anyway")
    return lines


def _warnings(
    settings: LaunchSettings,
    *,
    fleet: Fleet,
    found: list[tuple[TableFacts, Estimate]],
    prices: Prices,
    today: date,
) -> list[str]:
    warnings = [_timeout_warning(settings, facts, one) for facts, one in found]
    support = support_text(fleet.release_label, today=today)
    warnings.append(support if "PAST" in support else None)
    if prices.region != settings.region:
        warnings.append(f"prices are those of {prices.region}, not of {settings.region}; --prices FILE gives others")
    return [warning for warning in warnings if warning]


def _timeout_warning(settings: LaunchSettings, facts: TableFacts, found: Estimate) -> str | None:
    limit_s = settings.limits.timeout_s
    if found.data_s <= limit_s:
        return None
    needed_h = math.ceil(found.data_s * 1.25 / 3600)
    return (
        f"{facts.table_name} needs about {duration_text(found.data_s)}, more than --timeout {duration_text(limit_s)}; "
        f"give --timeout {needed_h}h or a higher rate (sizes are hours old, so it is not refused)"
    )


def _notes(
    settings: LaunchSettings,
    *,
    fleet: Fleet,
    found: list[tuple[TableFacts, Estimate]],
    cost: Cost,
    today: date,
) -> list[str]:
    notes = [support_text(fleet.release_label, today=today), f"timeout {duration_text(settings.limits.timeout_s)}"]
    if settings.verb == "export":
        notes += [_reader_note(fleet, found), _native_note(cost)]
    if sum(facts.size_bytes for facts, _ in found) < SMALL_BYTES:
        notes.append("below 1 GiB a cluster mostly starts and stops: --local does the same here")
    return notes


def _reader_note(fleet: Fleet, found: list[tuple[TableFacts, Estimate]]) -> str:
    """Which reader suits: the connector unless the nodes cannot keep up with the rate."""
    slow = next(((facts, one) for facts, one in found if one.nodes_bound), None)
    if slow is None:
        return "reader: the connector keeps up with the rate on these nodes"
    core = next(group for group in fleet.groups if group.role == "CORE")
    per_node = layout_of_groups("export", fleet.groups).slots / core.count
    nodes = math.ceil(slots_for_rate(slow[0]) / per_node)
    return (
        f"reader: the nodes, not the rate, bound {slow[0].table_name}; {nodes} core nodes would use the whole rate "
        f"(--set Instances.InstanceGroups.CORE.InstanceCount={nodes}), or --reader direct, which needs less of them"
    )


def _native_note(cost: Cost) -> str:
    return (
        f"DynamoDB's own export would cost about ${cost.native_export_usd:.2f} and no read units, "
        "but needs point-in-time recovery and cannot be imported into an existing table by AWS"
    )
