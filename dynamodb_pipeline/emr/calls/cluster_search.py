"""Finds the clusters of a run without local state; ListClusters returns no tags, so it goes by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dynamodb_pipeline.emr.calls.clock import Clock, utc
from dynamodb_pipeline.emr.calls.patient_calls import patient

# EMR keeps terminated clusters in its lists for two months.
LOOK_BACK = timedelta(days=60)


@dataclass(frozen=True)
class FoundCluster:
    """One line of ListClusters."""

    id: str
    name: str
    state: str
    created: datetime | None


def list_clusters(
    emr: Any, *, clock: Clock, created_after: datetime, states: tuple[str, ...] = ()
) -> list[FoundCluster]:
    """All clusters created since, newest first as EMR lists them; `states` limits them when given."""
    request: dict[str, Any] = {"CreatedAfter": created_after}
    if states:
        request["ClusterStates"] = list(states)
    clusters: list[FoundCluster] = []
    while True:
        page = patient(lambda: emr.list_clusters(**request), what="elasticmapreduce:ListClusters", clock=clock)
        clusters.extend(_found_cluster(cluster) for cluster in page.get("Clusters", []))
        if not page.get("Marker"):
            return clusters
        request["Marker"] = page["Marker"]


def _found_cluster(cluster: dict[str, Any]) -> FoundCluster:
    status = cluster["Status"]
    created = (status.get("Timeline") or {}).get("CreationDateTime")
    return FoundCluster(id=cluster["Id"], name=cluster.get("Name", ""), state=status["State"], created=created)


def clusters_named(emr: Any, name: str, *, clock: Clock, created_after: datetime) -> list[FoundCluster]:
    """Clusters with exactly this name, newest first."""
    listed = list_clusters(emr, clock=clock, created_after=created_after)
    return [cluster for cluster in listed if cluster.name == name]


def since(clock: Clock, *, back: timedelta = LOOK_BACK) -> datetime:
    """The start of a search that goes `back` from now."""
    return utc(clock.now()) - back
