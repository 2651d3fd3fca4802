"""
How a cluster answers each event: its next state, and what is to be done. No clock, no process, no network.

States and reasons: EMR API Reference, ClusterStatus and StepStatus; Management Guide, "Understanding the cluster
lifecycle" and "Cancel steps".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.emr import events, records, step_changes
from sandbox.emr.events import After, Effect
from sandbox.emr.records import Cluster, Reason
from sandbox.emr.settings import Pace

Change = tuple[Cluster, tuple[Effect, ...]]
TERMINATING_ACTIONS = frozenset({"TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"})
BY_USER = Reason("USER_REQUEST", "Terminated by user request")
BY_IDLENESS = Reason("USER_REQUEST", "Cluster auto-terminated after its idle timeout")
ALL_DONE = Reason("ALL_STEPS_COMPLETED", "Steps completed")
DONE_WITH_ERRORS = Reason("ALL_STEPS_COMPLETED", "Steps completed with errors")
CUT_BY_THE_END = {"PENDING": "CANCELLED", "RUNNING": "INTERRUPTED", "CANCEL_PENDING": "CANCELLED"}
STEP_FAILED = Reason("STEP_FAILURE", "Shut down as step failed")


@dataclass(frozen=True)
class Moment:
    """When the event came (epoch seconds), and how fast this sandbox's clusters live."""

    now_s: float
    pace: Pace


def launched(pace: Pace) -> tuple[Effect, ...]:
    """Return what a new cluster waits for: its instances."""
    return (After(pace.starting_s, events.Provisioned()),)


def react(cluster: Cluster, event: events.Event, moment: Moment) -> Change:
    """Return the cluster after `event` and what is to be done; a cluster that is over answers nothing."""
    if cluster.state in records.OVER_CLUSTER_STATES:
        return cluster, ()
    return REACTIONS[type(event)](cluster, event, moment)


def _provisioned(cluster: Cluster, _: events.Provisioned, __: Moment) -> Change:
    if cluster.state != "STARTING":
        return cluster, ()
    return replace(cluster, state="BOOTSTRAPPING"), (events.RunBootstrapActions(),)


def _provisioning_failed(cluster: Cluster, event: events.ProvisioningFailed, moment: Moment) -> Change:
    details = (event.detail,) if event.detail else ()
    failed = replace(cluster, error_details=(*cluster.error_details, *details))
    return _end(failed, "TERMINATED_WITH_ERRORS", event.reason, moment)


def _bootstrap_ended(cluster: Cluster, event: events.BootstrapEnded, moment: Moment) -> Change:
    if cluster.state != "BOOTSTRAPPING":
        return cluster, ()
    if event.failure:
        failed = replace(cluster, error_details=(*cluster.error_details, event.failure))
        reason = Reason("BOOTSTRAP_FAILURE", event.failure.message)
        return _end(failed, "TERMINATED_WITH_ERRORS", reason, moment)
    return _settle(replace(cluster, state="RUNNING", ready_s=moment.now_s), moment)


def _steps_added(cluster: Cluster, event: events.StepsAdded, moment: Moment) -> Change:
    return _settle(replace(cluster, steps=(*cluster.steps, *event.steps)), moment)


def _step_ended(cluster: Cluster, event: events.StepEnded, moment: Moment) -> Change:
    step = cluster.step(event.step_id)
    if step is None or step.state not in records.OCCUPYING_STEP_STATES:
        return cluster, ()
    ended = step_changes.ended(step, event, now_s=moment.now_s)
    after = cluster.with_step(ended)
    if ended.state == "FAILED" and step.action_on_failure in TERMINATING_ACTIONS:
        return _end(after, "TERMINATED_WITH_ERRORS", STEP_FAILED, moment)
    if ended.state == "FAILED" and step.action_on_failure == "CANCEL_AND_WAIT":
        after = step_changes.cut(after, {"PENDING": "CANCELLED"}, now_s=moment.now_s)
    return _settle(after, moment)


def _cancel_requested(cluster: Cluster, event: events.CancelRequested, moment: Moment) -> Change:
    effects: list[Effect] = []
    for step_id in event.step_ids:
        step = cluster.step(step_id)
        if step and step.state == "PENDING":
            cluster = cluster.with_step(replace(step, state="CANCELLED", ended_s=moment.now_s))
        elif step and step.state == "RUNNING":
            cluster = cluster.with_step(replace(step, state="CANCEL_PENDING"))
            effects.append(events.InterruptStep(step_id, event.option))
    settled, more = _settle(cluster, moment)
    return settled, (*effects, *more)


def _settle(cluster: Cluster, moment: Moment) -> Change:
    """Start what may start; with nothing left to run, wait or end as RunJobFlow asked."""
    if cluster.state not in records.READY_CLUSTER_STATES:
        return cluster, ()
    started, starting = step_changes.start_pending(cluster, now_s=moment.now_s)
    if started.active_steps:
        return replace(started, state="RUNNING", waiting_since_s=None), tuple(map(events.RunStep, starting))
    if started.keeps_alive:
        return _wait(started, moment)
    failed = any(step.state == "FAILED" for step in started.steps)
    return _end(started, "TERMINATED", DONE_WITH_ERRORS if failed else ALL_DONE, moment)


def _wait(cluster: Cluster, moment: Moment) -> Change:
    since_s = cluster.waiting_since_s if cluster.state == "WAITING" else None
    waiting = replace(
        cluster,
        state="WAITING",
        reason=Reason("", "Cluster ready to run steps."),
        waiting_since_s=moment.now_s if since_s is None else since_s,
    )
    return waiting, () if since_s is not None else _idle_timer(waiting, moment)


def _idle_timer(cluster: Cluster, moment: Moment) -> tuple[Effect, ...]:
    due_s = _idle_due_s(cluster, moment)
    return () if due_s is None else (After(max(0.0, due_s - moment.now_s), events.IdleTimedOut()),)


def _idle_due_s(cluster: Cluster, moment: Moment) -> float | None:
    if cluster.state != "WAITING" or cluster.waiting_since_s is None or cluster.idle_timeout_s is None:
        return None
    return cluster.waiting_since_s + cluster.idle_timeout_s * moment.pace.idle_factor


def _idle_timed_out(cluster: Cluster, _: events.IdleTimedOut, moment: Moment) -> Change:
    """A timer of an earlier wait or of a shorter policy comes too early: then another is set."""
    due_s = _idle_due_s(cluster, moment)
    if due_s is None:
        return cluster, ()
    if moment.now_s < due_s:
        return cluster, _idle_timer(cluster, moment)
    return _end(cluster, "TERMINATED", BY_IDLENESS, moment)


def _idle_timeout_set(cluster: Cluster, event: events.IdleTimeoutSet, moment: Moment) -> Change:
    changed = replace(cluster, idle_timeout_s=event.idle_timeout_s)
    return changed, _idle_timer(changed, moment)


def _terminate_requested(cluster: Cluster, _: events.TerminateRequested, moment: Moment) -> Change:
    return _end(cluster, "TERMINATED", BY_USER, moment)


def _nodes_lost(cluster: Cluster, _: events.NodesLost, moment: Moment) -> Change:
    reason = Reason("INSTANCE_FAILURE", f"The master instance ({cluster.leader.id}) was terminated outside of EMR")
    ended, effects = _end(cluster, "TERMINATED_WITH_ERRORS", reason, moment)
    return ended, tuple(events.ReleaseNodes(logs_survive=False) for _ in effects)


def _end(cluster: Cluster, state: str, reason: Reason, moment: Moment) -> Change:
    """
    Begin to terminate; the steps end here.

    AWS does not write down what a running step becomes. StepState has INTERRUPTED, which boto3's waiter does not
    know, so that clients have to.
    """
    if cluster.state == "TERMINATING":
        return cluster, ()
    ending = step_changes.cut(cluster, CUT_BY_THE_END, now_s=moment.now_s)
    return replace(ending, state="TERMINATING", reason=reason, ending_state=state), (events.ReleaseNodes(),)


def _nodes_released(cluster: Cluster, _: events.NodesReleased, moment: Moment) -> Change:
    return replace(cluster, state=cluster.ending_state, ended_s=moment.now_s), ()


def _protection_set(cluster: Cluster, event: events.ProtectionSet, _: Moment) -> Change:
    return replace(cluster, is_protected=event.is_protected), ()


def _concurrency_set(cluster: Cluster, event: events.ConcurrencySet, moment: Moment) -> Change:
    return _settle(replace(cluster, step_concurrency=event.level), moment)


def _tags_changed(cluster: Cluster, event: events.TagsChanged, _: Moment) -> Change:
    merged = {**cluster.tags, **dict(event.tags)}
    return replace(cluster, tags={key: value for key, value in merged.items() if value is not None}), ()


REACTIONS: dict[type, Callable[[Cluster, Any, Moment], Change]] = {
    events.Provisioned: _provisioned,
    events.ProvisioningFailed: _provisioning_failed,
    events.BootstrapEnded: _bootstrap_ended,
    events.StepsAdded: _steps_added,
    events.StepEnded: _step_ended,
    events.CancelRequested: _cancel_requested,
    events.TerminateRequested: _terminate_requested,
    events.NodesLost: _nodes_lost,
    events.IdleTimedOut: _idle_timed_out,
    events.IdleTimeoutSet: _idle_timeout_set,
    events.ProtectionSet: _protection_set,
    events.ConcurrencySet: _concurrency_set,
    events.TagsChanged: _tags_changed,
    events.NodesReleased: _nodes_released,
}
