"""
The plan of a run: rate, units, minutes, nodes, money; warnings; and the one refusal, over an explicit limit.

Sizes are hours stale, so a plan never refuses by itself: only `--max-cost` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.cluster.sizing import SparkLayout, layout_of_groups
from dynamodb_pipeline.emr.plan.advice import Fleet, plan_notes, plan_warnings
from dynamodb_pipeline.emr.plan.cost import Prices, RunCost, prices_used, run_cost
from dynamodb_pipeline.emr.plan.estimate import Estimate, TableFacts, estimate
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.errors import PreconditionError, counted, size_text


@dataclass(frozen=True)
class Plan:
    """What a run will probably take; seconds and US dollars."""

    verb: str
    tables: tuple[tuple[TableFacts, Estimate], ...]
    fleet: Fleet
    layout: SparkLayout
    cost: RunCost
    prices: Prices
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def wall_s(self) -> float:
        """From launch to the last step's end: tables run one after another."""
        return self.fleet.start_s + sum(estimate.data_s for _, estimate in self.tables)

    @property
    def planned_units(self) -> float:
        """Units of all tables, those of written indexes too."""
        copies = ((facts.written_copies if self.verb == "import" else 1, one) for facts, one in self.tables)
        return sum(one.units * count + one.scan_units for count, one in copies)

    @property
    def unconfirmed_prices(self) -> list[str]:
        """Prices in the cost that were not read from their source."""
        return self.prices.doubtful(prices_used(self.verb, self.fleet.groups if self.fleet.billed else ()))

    def lines(self) -> list[str]:
        """For people."""
        nodes = ", ".join(f"{group.count} x {group.type_name} {group.role}" for group in self.fleet.groups)
        return [
            *(_table_line(self.verb, facts, estimate) for facts, estimate in self.tables),
            f"nodes: {nodes}; {counted(self.layout.slots, 'task')} at once",
            f"time: about {duration_text(self.wall_s)}, {duration_text(self.fleet.start_s)} of it start-up",
            *_cost_lines(self),
            *(f"note: {note}" for note in self.notes),
            *(f"WARNING: {warning}" for warning in self.warnings),
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "tables": [_table_json(facts, estimate) for facts, estimate in self.tables],
            "nodes": [vars(group) for group in self.fleet.groups],
            "tasks_at_once": self.layout.slots,
            "wall_s": round(self.wall_s),
            "cost": self.cost.to_json(),
            "prices": {
                "date": self.prices.date,
                "region": self.prices.region,
                "unconfirmed": self.unconfirmed_prices,
            },
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
    estimates = [(facts, estimate(settings.verb, facts, slots=layout.slots)) for facts in tables]
    wall_s = fleet.start_s + sum(one.data_s for _, one in estimates)
    billed = fleet.groups if fleet.billed else ()
    cost = run_cost(settings.verb, estimates, groups=billed, wall_s=wall_s, prices=prices)
    plan = Plan(
        verb=settings.verb,
        tables=tuple(estimates),
        fleet=fleet,
        layout=layout,
        cost=cost,
        prices=prices,
        warnings=tuple(plan_warnings(settings, fleet=fleet, estimates=estimates, prices=prices, today=today)),
        notes=tuple(plan_notes(settings, fleet=fleet, estimates=estimates, prices=prices, today=today)),
    )
    refuse_over_budget(plan, settings.limits.max_cost_usd)
    return plan


def refuse_over_budget(plan: Plan, max_cost_usd: float | None) -> None:
    """
    Raises:
        PreconditionError: the plan's total is above the limit, or not known; nothing was started.
    """
    if max_cost_usd is None:
        return
    unknown = next((facts for facts, _ in plan.tables if not facts.is_known), None)
    if unknown is not None:
        msg = f"--max-cost {max_cost_usd:.2f} cannot be kept to: the import's size is not known ({unknown.basis})"
        raise PreconditionError(msg)
    if plan.cost.total_usd > max_cost_usd:
        msg = f"the run would cost about ${plan.cost.total_usd:.2f}, over --max-cost {max_cost_usd:.2f}; not started"
        raise PreconditionError(msg)


def _table_line(verb: str, facts: TableFacts, estimate: Estimate) -> str:
    kind = "write unit" if verb == "import" else "read unit"
    if not facts.is_known:
        return f"{facts.table_name}: size, units and time not known ({facts.basis}); rate {facts.rate_text}"
    if verb != "import" and not facts.item_count and not facts.size_bytes:
        read = f"{facts.table_name} ({facts.basis})" if facts.basis else facts.table_name
        return (
            f"{read}: empty, or filled within the last six hours, which is how often DynamoDB counts; "
            f"rate {facts.rate_text}"
        )
    basis = f" ({facts.basis})" if facts.basis else ""
    size = f"{size_text(facts.size_bytes)}, {counted(facts.item_count, 'item')}{basis}"
    scan = f" after {counted(estimate.scan_units, 'read unit')} of the table itself" if estimate.scan_units else ""
    return (
        f"{facts.table_name}: {size}; {counted(estimate.units, kind)}{scan}; rate {facts.rate_text}; "
        f"about {duration_text(estimate.data_s)}"
    )


def _table_json(facts: TableFacts, estimate: Estimate) -> dict[str, Any]:
    sizes = {"size_bytes": facts.size_bytes, "item_count": facts.item_count, "units": estimate.units}
    return {
        "table": facts.table_name,
        **(sizes if facts.is_known else dict.fromkeys(sizes)),
        **({"scan_units": estimate.scan_units} if facts.is_scanned and facts.is_known else {}),
        "basis": facts.basis or "DescribeTable, up to six hours old",
        "units_per_s": facts.units_per_s,
        "rate": facts.rate_text,
        "data_s": round(estimate.data_s) if facts.is_known else None,
        "bound_by": "nodes" if estimate.nodes_bound else "rate",
    }


def _cost_lines(plan: Plan) -> list[str]:
    cost = plan.cost
    nodes = f"EC2 ${cost.ec2_usd:.2f}, EMR ${cost.emr_usd:.2f}, disks and addresses ${cost.extras_usd:.2f}"
    parts = f"units ${cost.units_usd:.2f}, {nodes}, S3 ${cost.s3_usd:.2f}"
    priced = f"list prices of {plan.prices.date}, {plan.prices.region}"
    lines = [f"cost: about ${cost.total_usd:.2f} ({parts}; {priced})"]
    if plan.unconfirmed_prices:
        lines.append(f"prices not confirmed at their source: {', '.join(plan.unconfirmed_prices)}")
    if cost.capacity_usd >= 0.005:
        lines.append(f"capacity used: ${cost.capacity_usd:.2f} worth of provisioned units that are paid anyway")
    return lines
