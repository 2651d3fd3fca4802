"""
One look at a run: what it means, never what to do about it (lifecycle.py acts), and its line for people: one when
something changes, one every few minutes otherwise. Pure: no client, no clock.

Steps are judged one by one, never by the cluster's state: with ActionOnFailure=CONTINUE a cluster ends TERMINATED
although a step FAILED.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.clock import utc
from dynamodb_pipeline.emr.calls.clusters import ClusterView, StepView
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.errors import counted

# The job stops itself at its timeout; the launcher only steps in when that did not happen.
GRACE_S = 300.0
SILENCE_S = 300.0
STOPPING = "stopping as asked"


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


@dataclass(frozen=True)
class WatchLine:
    """A line, and the part of it whose change makes a new line worth printing."""

    text: str
    key: str
    at_s: float

    def worth_printing(self, last: WatchLine | None) -> bool:
        return last is None or self.key != last.key or self.at_s - last.at_s >= SILENCE_S


def watch_line(look: Look, *, began_s: float) -> WatchLine:
    """
    Where the run is, with the age of the running step, before one runs of the wait.

    E.g. `12:03:40 cluster j-1 RUNNING; step dynamodb-pipeline:export:Forum:r RUNNING; 1 of 2 steps ended (3 min)`.
    """
    key = "; ".join([title_of(look), *_step_keys(look)])
    age = duration_text(_age_s(look, began_s=began_s))
    return WatchLine(text=f"{utc(look.at_s):%H:%M:%S} {key} ({age})", key=key, at_s=look.at_s)


def title_of(look: Look) -> str:
    """What stands above the rows of the tables: `cluster j-1 RUNNING`, with EMR's reason where it gives one."""
    return f"cluster {look.cluster.id} {look.cluster.reason_text()}"


def _step_keys(look: Look) -> list[str]:
    done = sum(step.final for step in look.steps)
    keys = [f"step {step.name} {step.state}" for step in look.running]
    return [*keys, f"{done} of {counted(len(look.steps), 'step')} ended"] if look.steps else keys


def _age_s(look: Look, *, began_s: float) -> float:
    started = next((step.started for step in look.running if step.started), None)
    return look.at_s - (started.timestamp() if started else began_s)


def step_line(step: StepView) -> str:
    """One finished step for people: `step dynamodb-pipeline:export:Forum:r COMPLETED after 12 min`."""
    took = duration_text((step.ended - step.started).total_seconds()) if step.ended and step.started else None
    return f"step {step.name} {step.state}" + (f" after {took}" if took else "")


def cancelling_line(step_ids: Iterable[str]) -> str:
    """That steps passed their timeout."""
    return f"timeout: cancelling {', '.join(step_ids)}"


def detached_line(cluster_id: str, *, second_ctrl_c_s: float) -> str:
    """What still runs after the first Ctrl-C, and what a second one does."""
    return (
        f"detached: cluster {cluster_id} goes on without this terminal; "
        f"Ctrl-C again within {second_ctrl_c_s:.0f} s stops it now"
    )


def left_line(cluster_id: str, *, last: Look | None, attach: str, standing: bool) -> str:
    """That a cluster was left as it is because contact with EMR was lost; `last` is the last look at it."""
    seen = f"last seen {last.cluster.state} at {utc(last.at_s):%H:%M:%S}" if last else "not seen"
    after = "it is a standing cluster" if standing else "it ends after its last step"
    return f"cluster {cluster_id} ({seen}) was left as it is; {after}; attach: {attach}"
