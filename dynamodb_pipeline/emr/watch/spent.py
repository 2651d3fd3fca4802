"""
What a run on a cluster of its own was planned to cost, and what it came to.

The plan travels as a tag of the cluster: whoever finds the run finds its prices, without a file and without another
right. What was spent is the plan's own prices by what was really used: the cluster's life by EMR's clock, the units by
the runs' records. Both are list prices, an order of magnitude and no bill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.durations import HOUR_S
from dynamodb_pipeline.emr.calls.clusters import ClusterView, cluster_view
from dynamodb_pipeline.finished import units_done

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient

PLAN_TAG = "dynamodb-pipeline:plan"
AMOUNT = r"=([0-9]{1,9}\.[0-9]{4})"
TAG_FORM = re.compile(f"total{AMOUNT} hour{AMOUNT} million{AMOUNT} other{AMOUNT}")
SHORTEST_S = 60.0  # EMR and EC2 bill a minute at least


@dataclass(frozen=True)
class PlannedCost:
    """
    A plan's US dollars.

    Attributes:
        total: of the whole run.
        hour: of the cluster for an hour.
        million: of a million read or write units of tables on demand; 0 where capacity is paid anyway.
        other: of what does not depend on time and units: requests and storage of S3.
    """

    total: float
    hour: float
    million: float
    other: float

    @classmethod
    def of(cls, *, total: float, units_usd: float, other: float, units: float, seconds: float) -> PlannedCost:
        """From a plan's sums, its units and its seconds; what is neither units nor other is the cluster's."""
        cluster = total - units_usd - other
        million = units_usd / units * 1_000_000 if units else 0.0
        return cls(total, cluster * HOUR_S / max(seconds, SHORTEST_S), million, other)

    @classmethod
    def from_tag(cls, text: str) -> PlannedCost | None:
        """What a tag says, None of any other text."""
        match = TAG_FORM.fullmatch(text)
        return cls(*map(float, match.groups())) if match else None

    def tag(self) -> str:
        """`total=0.4200 hour=1.2000 million=0.6250 other=0.0100`: of the characters that a tag may have."""
        return " ".join(f"{name}={max(0.0, amount):.4f}" for name, amount in vars(self).items())


def spent(cluster: ClusterView, records: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """
    Return the plan and what the run came to, in US dollars; None of a cluster without a plan, or that has not ended.

    Args:
        records: the run records of its jobs.
    """
    planned = PlannedCost.from_tag(dict(cluster.tags).get(PLAN_TAG, ""))
    if planned is None or cluster.created is None or cluster.ended_at is None:
        return None
    seconds = (cluster.ended_at - cluster.created).total_seconds()
    cluster_usd = planned.hour * max(seconds, SHORTEST_S) / HOUR_S
    units_usd = planned.million * sum(units_done(record) or 0.0 for record in records) / 1_000_000
    return {
        "planned_usd": planned.total,
        "actual_usd": round(cluster_usd + units_usd + planned.other, 4),
        "cluster_usd": round(cluster_usd, 4),
        "units_usd": round(units_usd, 4),
        "other_usd": planned.other,
        "cluster_s": round(seconds),
    }


def spent_line(cost: Mapping[str, Any]) -> str:
    """`cost: about $0.37 (cluster $0.32, units $0.05, S3 $0.00), planned $0.42`."""
    parts = f"cluster ${cost['cluster_usd']:.2f}, units ${cost['units_usd']:.2f}, S3 ${cost['other_usd']:.2f}"
    return f"cost: about ${cost['actual_usd']:.2f} ({parts}), planned ${cost['planned_usd']:.2f}; list prices, no bill"


def cluster_of_run(emr: EMRClient, run: str, *, started: datetime) -> ClusterView | None:
    """
    The cluster that was started for a run alone, None where there was none: of a standing cluster the run pays nothing.

    Args:
        started: when its job did; a cluster is ready within a day.
    """
    day = timedelta(days=1)
    pages = emr.get_paginator("list_clusters").paginate(CreatedAfter=started - day, CreatedBefore=started + day)
    listed = (cluster for page in pages for cluster in page.get("Clusters", []))
    name = next((one["Id"] for one in listed if one.get("Name", "").endswith(f"-{run}")), None)
    return None if name is None else cluster_view(emr.describe_cluster(ClusterId=name)["Cluster"])
