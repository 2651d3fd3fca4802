"""Instance types the job is sized for: processors, memory that YARN may use, first labels and regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.emr.cluster.packaged_files import packaged_json
from dynamodb_pipeline.emr.cluster.release_labels import parse_label
from dynamodb_pipeline.errors import UsageError, shown

TABLE = "instance_types.json"


@dataclass(frozen=True)
class InstanceType:
    """One EC2 type. `yarn_memory_mb` is what EMR gives to YARN's containers on a core node of this type."""

    name: str
    vcpu_count: int
    memory_mib: int
    yarn_memory_mb: int
    first_labels: tuple[str, ...]
    previous_generation: bool

    def regions(self) -> tuple[str, ...] | None:
        """The only regions that offer the type, or None when it is not limited by region."""
        return previous_generation_regions() if self.previous_generation else None


def known_types() -> tuple[str, ...]:
    """Names of all types in the table."""
    return tuple(packaged_json(TABLE)["types"])


def previous_generation_regions() -> tuple[str, ...]:
    """Regions where EC2 still offers m3."""
    return tuple(packaged_json(TABLE)["previous_generation_regions"])


def instance_type(name: str) -> InstanceType:
    """
    Return the table's row.

    Raises:
        UsageError: the type is not in the table, so nothing can be derived from it.
    """
    row = packaged_json(TABLE)["types"].get(name)
    if row is None:
        msg = f"instance type {shown(name)} is not in the sizing table; use one of {', '.join(known_types())}"
        raise UsageError(msg)
    return _from_row(name, row)


def _from_row(name: str, row: dict[str, Any]) -> InstanceType:
    return InstanceType(
        name=name,
        vcpu_count=row["vcpu"],
        memory_mib=row["memory_mib"],
        yarn_memory_mb=row["yarn_memory_mb"],
        first_labels=tuple(row["first_labels"]),
        previous_generation=row["previous_generation"],
    )


def region_problem(type_name: str, region: str) -> str | None:
    """Why the type cannot be had in `region`: the regions that have it, and the config to use instead."""
    regions = instance_type(type_name).regions()
    if regions is None or region in regions:
        return None
    listed = ", ".join(regions)
    return f"{type_name} is not offered in {region}; regions that offer it: {listed}; here use --config m5"


def first_label_problem(type_name: str, label: str) -> str | None:
    """Why the label cannot start the type (each major line of EMR took it up at another release)."""
    wanted = parse_label(label)
    firsts = [parse_label(first) for first in instance_type(type_name).first_labels]
    same_major = [first for first in firsts if first[0] == wanted[0]]
    if wanted >= max(same_major or [first for first in firsts if first[0] < wanted[0]], default=(99, 0, 0)):
        return None
    needed = " or ".join(instance_type(type_name).first_labels)
    return f"{type_name} needs release label {needed} or newer, not {label}"
