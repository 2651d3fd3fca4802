"""
Which release labels and instance types exist where: AWS's own answers, as moto has recorded them.

moto itself ignores the region of ListSupportedInstanceTypes; here a type counts where EC2 offers it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from moto.utilities.utils import load_resource

# EMR Release Guide, application versions of each label
APPLICATIONS: Mapping[str, Mapping[str, str]] = {
    "emr-5.36.2": {"Hadoop": "2.10.1", "Spark": "2.4.8"},
    "emr-6.15.0": {"Hadoop": "3.3.6", "Spark": "3.4.1"},
    "emr-7.8.0": {"Hadoop": "3.4.1", "Spark": "3.5.4"},
    "emr-7.9.0": {"Hadoop": "3.4.1", "Spark": "3.5.5"},
    "emr-7.10.0": {"Hadoop": "3.4.1", "Spark": "3.5.5"},
    "emr-7.11.0": {"Hadoop": "3.4.1", "Spark": "3.5.6"},
    "emr-7.12.0": {"Hadoop": "3.4.1", "Spark": "3.5.6"},
    "emr-7.13.0": {"Hadoop": "3.4.2", "Spark": "3.5.6"},
    "emr-7.14.0": {"Hadoop": "3.4.2", "Spark": "3.5.8"},
}


@cache
def release_labels(region: str) -> tuple[str, ...]:
    """Return the labels of a region, newest first; none when the region is unknown."""
    return tuple(_recording(f"emr/resources/release-labels-{region}.json"))


@cache
def supported_types(label: str, region: str) -> tuple[str, ...]:
    """Return the instance types a label can use in a region, sorted."""
    of_label = set(_recording(f"emr/resources/instance-types-{label}.json"))
    return tuple(sorted(of_label & types_offered(region)))


@cache
def types_offered(region: str) -> frozenset[str]:
    """Return the instance types EC2 offers anywhere in a region."""
    rows = _recording(f"ec2/resources/instance_type_offerings/region/{region}.json")
    return frozenset(row["InstanceType"] for row in rows)


@cache
def types_offered_in_zone(zone: str) -> frozenset[str]:
    """Return the instance types EC2 offers in an availability zone such as `us-east-1a`."""
    rows = _recording(f"ec2/resources/instance_type_offerings/availability-zone/{zone[:-1]}.json")
    return frozenset(row["InstanceType"] for row in rows if row["Location"] == zone)


def type_details(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return EMR's SupportedInstanceType of each name that has one."""
    details = load_resource("emr/resources/instance_types.json")
    return [details[name] for name in names if name in details]


def applications(label: str) -> list[dict[str, str]]:
    """Return the applications of a label with their versions; names alone where the version is not known here."""
    known = APPLICATIONS.get(label)
    if known is None:
        return [{"Name": "Hadoop"}, {"Name": "Spark"}]
    return [{"Name": name, "Version": version} for name, version in known.items()]


def _recording(path: str) -> Any:
    """moto has no file for a region or label that AWS does not have."""
    try:
        return load_resource(path)
    except FileNotFoundError:
        return []
