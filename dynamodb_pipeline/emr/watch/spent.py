"""
What a run on a cluster of its own was planned to cost, and what it came to.

The plan travels as a tag of the cluster: whoever finds the run finds its prices, without a file and without another
right. What was spent is the plan's own prices by what was really used: the cluster's life by EMR's clock, the units by
the runs' records. Both are list prices, an order of magnitude and no bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.emr.calls.clusters import ClusterView, cluster_view
from dynamodb_pipeline.finished import units_done
from dynamodb_pipeline.settings.spark_conf import SHORTEST_S, PlannedCost

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient

PLAN_TAG = "dynamodb-pipeline:plan"


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
    cluster_usd = planned.prices.cluster_usd(max(seconds, SHORTEST_S)) or 0.0
    units_usd = planned.prices.units_usd(sum(units_done(record) or 0.0 for record in records)) or 0.0
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
