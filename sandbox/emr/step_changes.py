"""How a cluster's steps change state: started in order, ended by their process, cut off by the cluster's end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sandbox.emr.events import StepEnded
from sandbox.emr.records import OCCUPYING_STEP_STATES, Cluster, Step


def start_pending(cluster: Cluster, *, now_s: float) -> tuple[Cluster, tuple[str, ...]]:
    """Set as many pending steps to RUNNING as may run at once; return the cluster and the ids of those steps."""
    running = sum(step.state in OCCUPYING_STEP_STATES for step in cluster.steps)
    pending = [step for step in cluster.steps if step.state == "PENDING"]
    starting = pending[: max(0, cluster.step_concurrency - running)]
    for step in starting:
        cluster = cluster.with_step(replace(step, state="RUNNING", started_s=now_s))
    return cluster, tuple(step.id for step in starting)


def ended(step: Step, event: StepEnded, *, now_s: float) -> Step:
    """Return a step whose process ended; a cancelled one is CANCELLED however that was, without FailureDetails."""
    if step.state == "CANCEL_PENDING":
        return replace(step, state="CANCELLED", ended_s=now_s)
    state = "FAILED" if event.failure else "COMPLETED"
    return replace(step, state=state, ended_s=now_s, failure=event.failure)


def cut(cluster: Cluster, changes: Mapping[str, str], *, now_s: float) -> Cluster:
    """Return the cluster with each step in a state of `changes` ended in the state that it names."""
    steps = (
        replace(step, state=changes[step.state], ended_s=now_s) if step.state in changes else step
        for step in cluster.steps
    )
    return replace(cluster, steps=tuple(steps))
