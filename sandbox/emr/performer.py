"""Do in the world what the state machine wants: timers, bootstrap actions, steps, and their end."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.emr import access, events, yarn_applications
from sandbox.emr.access import Principals
from sandbox.emr.bootstrap import BootstrapRun
from sandbox.emr.events import Effect, Event
from sandbox.emr.faults import FaultBook
from sandbox.emr.node import Node
from sandbox.emr.processes import CLUSTER_MARK, NodeProcess, kill_strays
from sandbox.emr.records import Cluster
from sandbox.emr.settings import Settings
from sandbox.emr.step_run import StepRun

Send = Callable[[str, Event], Any]
WATCHER_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Surroundings:
    """What the performer finds: its own address, its folder, the settings that hold now, faults, principals."""

    url: Callable[[], str]
    folder: Path
    settings: Callable[[], Settings]
    faults: FaultBook
    principals: Principals
    client: Callable[[str, str], Any]


class Performer:
    """Starts what is wanted without waiting for it; what comes of it is sent to the fleet as events."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._send: Send = lambda _cluster_id, _event: None
        self._lock = threading.Lock()
        self._processes: dict[str, dict[str, NodeProcess]] = {}
        self._threads: dict[str, list[threading.Thread]] = {}
        self._timers: set[threading.Timer] = set()
        self._lost: set[str] = set()
        self._is_closed = False

    def deliver_to(self, send: Send) -> None:
        """Set who takes the events; before the first effect."""
        self._send = send

    def perform(self, cluster: Cluster, effect: Effect) -> None:
        """Begin one effect."""
        if isinstance(effect, events.After):
            self._later(effect.delay_s, cluster.id, effect.event)
        elif isinstance(effect, events.RunBootstrapActions):
            self._in_background(cluster.id, partial(self._bootstrap, cluster))
        elif isinstance(effect, events.RunStep):
            self._in_background(cluster.id, partial(self._run_step, cluster, effect.step_id))
        elif isinstance(effect, events.InterruptStep):
            scope = self._around.settings().node.interrupt_scope
            self._process(cluster.id, effect.step_id).interrupt(effect.option, scope=scope)
        else:
            self._release(cluster, logs_survive=effect.logs_survive)

    def close(self) -> None:
        """Stop every timer and every process of every cluster."""
        with self._lock:
            self._is_closed = True
            timers, clusters = list(self._timers), list(self._processes)
        for timer in timers:
            timer.cancel()
        for cluster_id in clusters:
            self._stop_processes(cluster_id)

    def _later(self, delay_s: float, cluster_id: str, event: Event) -> None:
        def deliver() -> None:
            self._timers.discard(timer)
            self._send(cluster_id, event)

        timer = threading.Timer(delay_s, deliver)
        timer.daemon = True
        with self._lock:
            if self._is_closed:
                return
            self._timers.add(timer)
        timer.start()

    def _in_background(self, cluster_id: str, action: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                action()
            except Exception:  # a bug of the sandbox must not look like a step that never ends
                traceback.print_exc()
                self._send(cluster_id, events.NodesLost())

        thread = threading.Thread(target=guarded, daemon=True)
        with self._lock:
            self._threads.setdefault(cluster_id, []).append(thread)
        thread.start()

    def _process(self, cluster_id: str, name: str) -> NodeProcess:
        with self._lock:
            return self._processes.setdefault(cluster_id, {}).setdefault(name, NodeProcess())

    def _node(self, cluster: Cluster) -> Node:
        return Node(
            cluster=cluster,
            settings=self._around.settings().node,
            folder=self._around.folder / cluster.id,
            url=self._around.url(),
            access_key=self._around.principals.key_for(access.NODE, cluster.node_role),
        )

    def _bootstrap(self, cluster: Cluster) -> None:
        node = self._node(cluster)
        node.prepare()
        run = BootstrapRun(
            node=node,
            client=self._around.client("s3", node.access_key),
            process_for=partial(self._process, cluster.id, "bootstrap"),
            fails_on_demand=self._around.faults.for_cluster("bootstrap-failure") is not None,
        )
        self._send(cluster.id, events.BootstrapEnded(run.run()))

    def _run_step(self, cluster: Cluster, step_id: str) -> None:
        step = cluster.step(step_id)
        assert step, "the state machine starts only steps it has"
        lost = self._around.faults.for_cluster("cluster-lost")
        if lost:
            self._later(lost.after_s, cluster.id, events.NodesLost())
        node = self._node(cluster)
        run = StepRun(
            node=node,
            step=step,
            client=self._around.client("s3", node.access_key),
            process=self._process(cluster.id, step_id),
            push_s=self._around.settings().pace.log_push_s,
            is_cut=lambda: cluster.id in self._lost,
            logs=self._around.client("logs", node.access_key),
        )
        failure = run.run()
        yarn_applications.kill_tagged(node.settings.yarn_url, step_id)
        self._send(cluster.id, events.StepEnded(step_id, failure))

    def _release(self, cluster: Cluster, *, logs_survive: bool) -> None:
        if not logs_survive:
            self._lost.add(cluster.id)
        with self._lock:
            watchers = self._threads.pop(cluster.id, [])
        threading.Thread(target=self._wind_down, args=(cluster.id, watchers), daemon=True).start()

    def _wind_down(self, cluster_id: str, watchers: Sequence[threading.Thread]) -> None:
        """Stop the processes; those who watched them send the last logs and end; then the nodes are gone."""
        self._stop_processes(cluster_id)
        for watcher in watchers:
            watcher.join(WATCHER_TIMEOUT_S)
        self._later(self._around.settings().pace.terminating_s, cluster_id, events.NodesReleased())

    def _stop_processes(self, cluster_id: str) -> None:
        with self._lock:
            processes = dict(self._processes.get(cluster_id, {}))
        for process in processes.values():
            process.interrupt("TERMINATE_PROCESS")
        kill_strays(CLUSTER_MARK, cluster_id)
        for name in processes:
            yarn_applications.kill_tagged(self._around.settings().node.yarn_url, name)
