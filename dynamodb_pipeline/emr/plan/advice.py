"""What a plan says beside its figures: warnings about what will probably go wrong, and hints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.emr.cluster.release_labels import support_text
from dynamodb_pipeline.emr.cluster.sizing import layout_of_groups
from dynamodb_pipeline.emr.plan.cost import Prices, changes_cost, native_export_usd
from dynamodb_pipeline.emr.plan.estimate import GIB, START_UP_S, Estimate, TableFacts, slots_for_rate
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.errors import counted
from dynamodb_pipeline.settings.job_options import FILTER, INDEX, MIRROR, ONLY_CHANGES, PROJECTION
from dynamodb_pipeline.settings.parse import REFUSED_TOGETHER

# Below this a cluster's start-up costs more than the export.
SMALL_BYTES = GIB
NOT_WITH_CHANGES = [row for pair in REFUSED_TOGETHER if ONLY_CHANGES in pair for row in pair[:2] if row != ONLY_CHANGES]


@dataclass(frozen=True)
class Fleet:
    """The nodes of a run. A standing cluster's are paid anyway (`billed` False) and are there at once."""

    groups: tuple[NodeGroup, ...]
    release_label: str
    billed: bool = True

    @property
    def start_s(self) -> float:
        return START_UP_S if self.billed else 0.0


def plan_warnings(
    settings: LaunchSettings,
    *,
    fleet: Fleet,
    estimates: list[tuple[TableFacts, Estimate]],
    prices: Prices,
    today: date,
) -> list[str]:
    """What will probably go wrong: a timeout, a label without support, prices of another region."""
    warnings = [_timeout_warning(settings, facts, one) for facts, one in estimates]
    warnings += [_unknown_warning(facts) for facts, _ in estimates]
    warnings += [_vector_warning(facts) for facts, _ in estimates]
    support = support_text(fleet.release_label, today=today)
    warnings.append(support if "PAST" in support else None)
    if prices.region != settings.region:
        warnings.append(f"prices are those of {prices.region}, not of {settings.region}; --prices FILE gives others")
    return [warning for warning in warnings if warning]


def _unknown_warning(facts: TableFacts) -> str | None:
    if facts.is_known:
        return None
    return f"time and cost are without the writes into {facts.table_name}: the size of what is imported is not known"


def _vector_warning(facts: TableFacts) -> str | None:
    if not facts.vector_indexes:
        return None
    names = ", ".join(facts.vector_indexes)
    return f"cost is without the vector indexes of {facts.table_name} ({names}): written vectors are billed by bytes"


def _timeout_warning(settings: LaunchSettings, facts: TableFacts, estimate: Estimate) -> str | None:
    limit_s = settings.limits.timeout_s
    if estimate.data_s <= limit_s:
        return None
    needed_h = math.ceil(estimate.data_s * 1.25 / 3600)
    return (
        f"{facts.table_name} needs about {duration_text(estimate.data_s)}, "
        f"more than --timeout {duration_text(limit_s)}; give --timeout {needed_h}h or a higher rate "
        "(sizes are hours old, so it is not refused)"
    )


def plan_notes(
    settings: LaunchSettings,
    *,
    fleet: Fleet,
    estimates: list[tuple[TableFacts, Estimate]],
    prices: Prices,
    today: date,
) -> list[str]:
    """What is good to know: support, timeout, the reader that suits, the alternatives."""
    notes = [support_text(fleet.release_label, today=today), f"timeout {duration_text(settings.limits.timeout_s)}"]
    if settings.verb == "export":
        notes += [_reader_note(fleet, estimates), _native_note(estimates, prices), *_part_notes(settings)]
    if settings.verb == "import":
        notes += [note for one in estimates for note in _changes_notes(settings, *one, prices)]
    known = all(facts.is_known for facts, _ in estimates)
    if fleet.billed and known and sum(facts.size_bytes for facts, _ in estimates) < SMALL_BYTES:
        notes.append("below 1 GiB a cluster mostly starts and stops: --local does the same here")
    return notes


def _part_notes(settings: LaunchSettings) -> list[str]:
    """What reading a part of a table saves, and what it does not."""
    given = settings.jobs[0].given
    less = [str(row) for row in (FILTER, PROJECTION) if row in given]
    save = "save" if len(less) > 1 else "saves"
    notes = [f"{' and '.join(less)} {save} no read units: DynamoDB reads and bills every item whole"] if less else []
    if INDEX in given:
        notes.append(f"{INDEX}: units and time are those of the index, which holds no more than was projected into it")
    return notes


def _reader_note(fleet: Fleet, estimates: list[tuple[TableFacts, Estimate]]) -> str:
    """Which reader suits: the connector unless the nodes cannot keep up with the rate."""
    slow = next(((facts, one) for facts, one in estimates if one.nodes_bound), None)
    if slow is None:
        return "reader: the connector keeps up with the rate on these nodes"
    core = next(group for group in fleet.groups if group.role == "CORE")
    per_node = layout_of_groups("export", fleet.groups).slots / core.count
    nodes = math.ceil(slots_for_rate(slow[0]) / per_node)
    return (
        f"reader: the nodes, not the rate, bound {slow[0].table_name}; {nodes} core nodes would use the whole rate "
        f"(--set Instances.InstanceGroups.CORE.InstanceCount={nodes}), or --reader direct, which needs less of them"
    )


def _changes_notes(settings: LaunchSettings, facts: TableFacts, estimate: Estimate, prices: Prices) -> list[str]:
    """Both ways of an import, all of it or what differs, in units, money and time; and which to take."""
    given = settings.jobs[0].given
    if not facts.is_known or any(row in given for row in NOT_WITH_CHANGES):
        return []
    if not facts.held_bytes and not facts.is_scanned:
        return []  # an empty table, as far as is known: everything differs
    cost = changes_cost(facts, estimate, prices)
    scan_s = cost.read_units / facts.scan_units_per_s
    read = f"{counted(cost.read_units, 'read unit')} (${cost.read_usd:.2f}, {duration_text(scan_s)})"
    write = f"{counted(cost.write_units, 'write unit')} (${cost.write_usd:.2f}, {duration_text(estimate.write_s)})"
    if MIRROR in given and ONLY_CHANGES not in given:
        return [f"{MIRROR} reads the whole table anyway, {read}: with {ONLY_CHANGES} too, which is recommended, only "
                f"what differs is written of {write}"]  # fmt: skip
    assumed = "" if facts.held_bytes else "; DynamoDB does not say the table's size yet, so that of the input is taken"
    both = f"{ONLY_CHANGES} takes {read} and writes what differs, a plain import {write}"
    if cost.worth_percent == 0:
        return [f"{both}: {ONLY_CHANGES} would not pay{assumed}"]
    return [
        f"{both}: {ONLY_CHANGES} is recommended where fewer than {cost.worth_percent} % of the items differ{assumed}"
    ]


def _native_note(estimates: list[tuple[TableFacts, Estimate]], prices: Prices) -> str:
    usd = native_export_usd((facts for facts, _ in estimates), prices)
    return (
        f"DynamoDB's own export would cost about ${usd:.2f} and no read units, "
        "but needs point-in-time recovery and cannot be imported into an existing table by AWS"
    )
