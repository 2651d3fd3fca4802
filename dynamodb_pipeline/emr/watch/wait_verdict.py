"""
Judges one look at a run: what it means, never what to do about it (lifecycle.py acts). Pure: no client, no clock.

Steps are judged one by one, never by the cluster's state: with ActionOnFailure=CONTINUE a cluster ends TERMINATED
although a step FAILED.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dynamodb_pipeline.emr.calls.cluster_state import ClusterView, StepView
from dynamodb_pipeline.emr.request.launch_settings import RunLimits

# The job stops itself at its timeout; the launcher only steps in when that did not happen.
GRACE_S = 300.0


class WaitVerdict(Enum):
    """What one look means."""

    GO_ON = "go on"
    FINISHED = "every step is final"
    CLUSTER_LOST = "the cluster ended before its steps"
    NOT_PROVISIONED = "the cluster did not start in time"
    STEP_OVERDUE = "a step runs longer than its timeout"


@dataclass(frozen=True)
class Look:
    """One look at a run: the cluster and our steps at `at_s` (seconds since the epoch)."""

    cluster: ClusterView
    steps: tuple[StepView, ...]
    at_s: float

    @property
    def running(self) -> tuple[StepView, ...]:
        return tuple(step for step in self.steps if step.state in {"RUNNING", "CANCEL_PENDING"})

    @property
    def unfinished(self) -> tuple[StepView, ...]:
        return tuple(step for step in self.steps if not step.final)


def verdict(look: Look, *, limits: RunLimits, began_s: float) -> WaitVerdict:
    """
    Judge a look.

    Args:
        limits: of provisioning and of each step.
        began_s: when the wait for provisioning began, seconds since the epoch.
    """
    if look.steps and not look.unfinished:
        return WaitVerdict.FINISHED
    if look.cluster.ended:
        return WaitVerdict.CLUSTER_LOST
    if look.cluster.starting and look.at_s - began_s > limits.provisioning_s:
        return WaitVerdict.NOT_PROVISIONED
    return WaitVerdict.STEP_OVERDUE if overdue_steps(look, limits=limits) else WaitVerdict.GO_ON


def overdue_steps(look: Look, *, limits: RunLimits) -> tuple[StepView, ...]:
    """Running steps past their timeout and the grace in which the job should have stopped itself."""
    latest = look.at_s - limits.timeout_s - GRACE_S
    return tuple(step for step in look.running if step.started and step.started.timestamp() < latest)
