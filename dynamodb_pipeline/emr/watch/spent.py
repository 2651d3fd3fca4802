"""
What a run on a cluster was planned to cost, and what it came to; of a standing cluster that is its units alone.

The plan travels as a tag of the cluster: whoever finds the run finds its prices, without a file and without another
right. What was spent is the plan's own prices by what was really used: the cluster's life by EMR's clock, the units by
the runs' records. Both are list prices, an order of magnitude and no bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.emr.calls.clusters import ClusterView, cluster_view, found_cluster, step_view
from dynamodb_pipeline.emr.watch.run_lookup import is_named_by, is_of_schedule
from dynamodb_pipeline.emr.watch.run_records import scheduled_run
from dynamodb_pipeline.finished import units_done
from dynamodb_pipeline.settings.spark_conf import SHORTEST_S, STANDING, PlannedCost, RunPrices, known_sum

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_s3 import S3Client

PLAN_TAG = "dynamodb-pipeline:plan"


def spent(cluster: ClusterView, records: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """
    Return the plan and what the run came to, in US dollars; None of a cluster without a plan, or that has not ended.

    What is not known (of a schedule's run all but its cluster) is None, and not in the sum.

    Args:
        records: the run records of its jobs.
    """
    planned = PlannedCost.from_tag(dict(cluster.tags).get(PLAN_TAG, ""))
    if planned is None or cluster.created is None or cluster.ended_at is None:
        return None
    seconds = (cluster.ended_at - cluster.created).total_seconds()
    units_usd = planned.prices.units_usd(sum(units_done(record) or 0.0 for record in records))
    cluster_usd = planned.prices.cluster_usd(max(seconds, SHORTEST_S))
    return _sums(planned, cluster_usd=cluster_usd, units_usd=units_usd, cluster_s=round(seconds))


def is_on_standing(records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the jobs of these records say that their cluster stands there anyway."""
    return any(RunPrices.of_record(record).usd_per_hour == 0 for record in records)


def spent_on_standing(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The same of a run on a standing cluster: its units, where their price is known."""
    units = (RunPrices.of_record(record).units_usd(units_done(record)) for record in records)
    return _sums(PlannedCost(None, 0.0, None, None), cluster_usd=None, units_usd=known_sum(*units), cluster_s=None)


def _sums(
    planned: PlannedCost, *, cluster_usd: float | None, units_usd: float | None, cluster_s: int | None
) -> dict[str, Any]:
    actual = known_sum(cluster_usd, units_usd, planned.other)
    return {
        "planned_usd": planned.total,
        "actual_usd": None if actual is None else round(actual, 4),
        "cluster_usd": None if cluster_usd is None else round(cluster_usd, 4),
        "units_usd": None if units_usd is None else round(units_usd, 4),
        "other_usd": planned.other,
        "cluster_s": cluster_s,
    }


def spent_line(cost: Mapping[str, Any]) -> str:
    """`cost: about $0.37 (cluster $0.32, units $0.05, S3 $0.00), planned $0.42; list prices, no bill`."""
    names = {"cluster_usd": "cluster", "units_usd": "units", "other_usd": "S3"}
    parts = ", ".join(f"{name} ${cost[key]:.2f}" for key, name in names.items() if cost[key] is not None)
    if not parts:
        return f"cost: {STANDING}"
    planned = "" if cost["planned_usd"] is None else f", planned ${cost['planned_usd']:.2f}"
    known = f"cost: about ${cost['actual_usd']:.2f} ({parts}){planned}"
    return "; ".join([known, *_left_out(cost), "list prices, no bill"])


def _left_out(cost: Mapping[str, Any]) -> list[str]:
    """What a sum is without."""
    units = [] if cost["units_usd"] is not None else ["units of tables on demand: not counted"]
    return [STANDING, *units] if cost["cluster_usd"] is None else units


def cluster_of_run(emr: EMRClient, s3: S3Client, run: str, *, started: datetime) -> ClusterView | None:
    """
    The cluster that was started for a run alone, by a launch or by a schedule; None where there was none.

    Args:
        s3: for the record of a run whose id its job made itself.
        started: when its job did; a cluster is ready within a day.
    """
    day = timedelta(days=1)
    pages = emr.get_paginator("list_clusters").paginate(CreatedAfter=started - day, CreatedBefore=started + day)
    if run.startswith("j-"):
        return cluster_view(emr.describe_cluster(ClusterId=run)["Cluster"])
    listed = [found_cluster(cluster) for page in pages for cluster in page.get("Clusters", [])]
    named = (one for one in listed if is_named_by(run, one))
    fired = (one for one in listed if is_of_schedule(one, started) and _has_record(emr, s3, one.id, run))
    cluster = next(named, None) or next(fired, None)
    return None if cluster is None else cluster_view(emr.describe_cluster(ClusterId=cluster.id)["Cluster"])


def _has_record(emr: EMRClient, s3: S3Client, cluster_id: str, run: str) -> bool:
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    steps = (step_view(step) for page in pages for step in page.get("Steps", []))
    return any(scheduled_run(s3, step) == run for step in steps)
