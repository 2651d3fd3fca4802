"""All clusters: one lock around the pure state machine, and a hand-over of what it wants done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from sandbox.emr.events import Effect, Event
from sandbox.emr.lifecycle import Moment, react
from sandbox.emr.records import Cluster
from sandbox.emr.settings import Pace

Perform = Callable[[Cluster, Effect], None]


class Fleet:
    """
    The clusters of all regions.

    Args:
        clock: the time in epoch seconds.
        pace: the pace that holds now.
        perform: does an effect in the world without waiting for it; called under the lock, in order.
    """

    def __init__(self, *, clock: Callable[[], float], pace: Callable[[], Pace], perform: Perform) -> None:
        self._clock = clock
        self._pace = pace
        self._perform = perform
        self._clusters: dict[str, Cluster] = {}
        self._changed = threading.Condition(threading.RLock())

    def launch(self, cluster: Cluster, effects: Sequence[Effect]) -> None:
        """Take in a new cluster and do the first things for it."""
        with self._changed:
            self._clusters[cluster.id] = cluster
            self._do(cluster, effects)

    def send(self, cluster_id: str, event: Event) -> Cluster:
        """Let an event happen to a cluster; return the cluster after it."""
        with self._changed:
            moment = Moment(self._clock(), self._pace())
            cluster, effects = react(self._clusters[cluster_id], event, moment)
            self._clusters[cluster_id] = cluster
            self._do(cluster, effects)
            self._changed.notify_all()
            return cluster

    def _do(self, cluster: Cluster, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self._perform(cluster, effect)

    def find(self, cluster_id: str, *, region: str | None = None) -> Cluster | None:
        """Return a cluster as it is now, None when there is none of that id (in that region)."""
        with self._changed:
            cluster = self._clusters.get(cluster_id)
        return cluster if cluster and region in (None, cluster.region) else None

    def all(self, *, region: str | None = None) -> list[Cluster]:
        """Return all clusters, newest first."""
        with self._changed:
            clusters = list(self._clusters.values())
        return [cluster for cluster in reversed(clusters) if region in (None, cluster.region)]

    def wait_until(self, is_met: Callable[[], bool], *, timeout_s: float) -> bool:
        """Wait until a condition over the clusters holds; return False when time is up."""
        with self._changed:
            return self._changed.wait_for(is_met, timeout_s)
