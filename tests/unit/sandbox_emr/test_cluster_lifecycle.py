"""The state machine of a cluster, by a clock that only the test moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.emr import events, lifecycle
from sandbox.emr.events import (
    BootstrapEnded,
    CancelRequested,
    InterruptStep,
    NodesLost,
    NodesReleased,
    Provisioned,
    ReleaseNodes,
    RunBootstrapActions,
    RunStep,
    StepEnded,
    StepsAdded,
    TerminateRequested,
)
from sandbox.emr.records import ErrorDetail, FailureDetails, Reason, Step
from tests.unit.sandbox_emr.emr_builders import PACE, START_S, Life, cluster_of, step_of

FAILURE = FailureDetails("Unknown Error.", "Command exiting with ret '1'", "s3://b/stderr.gz")
IDLE_S = 600.0


def running(*steps: Step, keep_alive: bool = False, concurrency: int = 1) -> Life:
    """Return a cluster that has just begun to run its steps."""
    cluster = cluster_of(*steps, keep_alive=keep_alive, step_concurrency=concurrency)
    return Life(cluster).happen(Provisioned(), BootstrapEnded())


def waiting(*, idle_timeout_s: float | None = None) -> Life:
    """Return a cluster that waits for steps."""
    cluster = cluster_of(keep_alive=True, idle_timeout_s=idle_timeout_s)
    return Life(cluster).happen(Provisioned(), BootstrapEnded())


def test_a_launched_cluster_waits_for_its_instances_as_long_as_the_pace_says() -> None:
    [effect] = lifecycle.launched(PACE)
    assert effect == events.After(100.0, Provisioned())


def test_a_cluster_lives_through_all_states_in_order() -> None:
    life = Life(cluster_of(step_of("s-1")))
    seen = [life.cluster.state]
    for event in (Provisioned(), BootstrapEnded(), StepEnded("s-1"), NodesReleased()):
        life.pass_s(60).happen(event)
        seen.append(life.cluster.state)
    assert seen == ["STARTING", "BOOTSTRAPPING", "RUNNING", "TERMINATING", "TERMINATED"]
    assert life.effects == [RunBootstrapActions(), RunStep("s-1"), ReleaseNodes()]
    assert (life.cluster.ready_s, life.cluster.ended_s) == (START_S + 120, START_S + 240)
    [only] = life.cluster.steps
    assert (only.started_s, only.ended_s) == (START_S + 120, START_S + 180)


def test_steps_run_one_after_the_other() -> None:
    life = running(step_of("s-1"), step_of("s-2"))
    assert life.step_states == ["RUNNING", "PENDING"]
    life.happen(StepEnded("s-1"))
    assert life.step_states == ["COMPLETED", "RUNNING"]


def test_as_many_steps_run_at_once_as_the_level_allows() -> None:
    life = running(step_of("s-1"), step_of("s-2"), step_of("s-3"), concurrency=2)
    assert life.step_states == ["RUNNING", "RUNNING", "PENDING"]
    assert life.happen(events.ConcurrencySet(3)).step_states == ["RUNNING"] * 3


@pytest.mark.parametrize(
    ("on_failure", "keep_alive", "states", "cluster_state", "reason"),
    [
        ("CONTINUE", False, ["FAILED", "RUNNING"], "RUNNING", ""),
        ("TERMINATE_CLUSTER", True, ["FAILED", "CANCELLED"], "TERMINATING", "STEP_FAILURE"),
        ("TERMINATE_JOB_FLOW", False, ["FAILED", "CANCELLED"], "TERMINATING", "STEP_FAILURE"),
        ("CANCEL_AND_WAIT", True, ["FAILED", "CANCELLED"], "WAITING", ""),
        ("CANCEL_AND_WAIT", False, ["FAILED", "CANCELLED"], "TERMINATING", "ALL_STEPS_COMPLETED"),
    ],
)
def test_a_failed_step_acts_as_it_says(
    on_failure: str, keep_alive: bool, states: list[str], cluster_state: str, reason: str
) -> None:
    life = running(step_of("s-1", on_failure=on_failure), step_of("s-2"), keep_alive=keep_alive)
    life.happen(StepEnded("s-1", FAILURE))
    assert (life.step_states, life.cluster.state, life.cluster.reason.code) == (states, cluster_state, reason)
    assert life.cluster.steps[0].failure == FAILURE


def test_a_step_without_an_action_takes_the_cluster_with_it() -> None:
    """API Reference, StepConfig: TERMINATE_CLUSTER is the default of the API (the CLI's is CONTINUE)."""
    bare = replace(step_of("s-1"), config={"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar"}})
    life = running(bare, keep_alive=True).happen(StepEnded("s-1", FAILURE), NodesReleased())
    assert life.cluster.state == "TERMINATED_WITH_ERRORS"


def test_a_cluster_whose_step_failed_and_continued_is_terminated_with_a_message_only() -> None:
    life = running(step_of("s-1")).happen(StepEnded("s-1", FAILURE), NodesReleased())
    assert life.cluster.state == "TERMINATED"
    assert life.cluster.reason == Reason("ALL_STEPS_COMPLETED", "Steps completed with errors")


def test_a_pending_step_is_cancelled_at_once_a_running_one_when_its_process_ends() -> None:
    life = running(step_of("s-1", on_failure="TERMINATE_CLUSTER"), step_of("s-2"), keep_alive=True)
    life.happen(CancelRequested(("s-2", "s-1", "s-unknown"), "TERMINATE_PROCESS"))
    assert life.step_states == ["CANCEL_PENDING", "CANCELLED"]
    assert life.effects[-1] == InterruptStep("s-1", "TERMINATE_PROCESS")
    life.happen(StepEnded("s-1", FAILURE))
    assert (life.step_states, life.cluster.state) == (["CANCELLED", "CANCELLED"], "WAITING")
    assert life.cluster.steps[0].failure is None


def test_a_step_that_is_being_cancelled_still_holds_its_place() -> None:
    life = running(step_of("s-1"), step_of("s-2")).happen(CancelRequested(("s-1",)))
    assert life.step_states == ["CANCEL_PENDING", "PENDING"]


def test_cancelling_all_that_was_left_ends_a_transient_cluster() -> None:
    life = running(step_of("s-1"), step_of("s-2")).happen(CancelRequested(("s-2",)), StepEnded("s-1"))
    assert life.cluster.state == "TERMINATING"


@pytest.mark.parametrize("before", ["STARTING", "BOOTSTRAPPING"])
def test_a_cluster_can_be_terminated_before_it_runs_and_nothing_starts_after(before: str) -> None:
    life = Life(cluster_of(step_of("s-1"), state=before)).happen(TerminateRequested())
    life.happen(Provisioned(), BootstrapEnded(), StepsAdded((step_of("s-9"),)))
    assert life.effects == [ReleaseNodes()]
    life.happen(NodesReleased())
    assert (life.cluster.state, life.step_states[0]) == ("TERMINATED", "CANCELLED")


def test_terminating_cuts_the_running_step_off_whatever_its_process_says_later() -> None:
    life = running(step_of("s-1"), step_of("s-2")).happen(TerminateRequested(), StepEnded("s-1", FAILURE))
    assert life.step_states == ["INTERRUPTED", "CANCELLED"]


def test_the_first_reason_to_end_stays() -> None:
    life = running(step_of("s-1", on_failure="TERMINATE_CLUSTER")).happen(StepEnded("s-1", FAILURE))
    life.happen(TerminateRequested(), NodesLost(), NodesReleased())
    assert (life.cluster.state, life.cluster.reason.code) == ("TERMINATED_WITH_ERRORS", "STEP_FAILURE")
    assert life.effects.count(ReleaseNodes()) == 1


def test_a_cluster_that_is_over_answers_nothing_more() -> None:
    life = running(step_of("s-1")).happen(StepEnded("s-1"), NodesReleased())
    before = life.cluster
    life.happen(TerminateRequested(), StepsAdded((step_of("s-2"),)), events.TagsChanged((("k", "v"),)))
    assert life.cluster == before


def test_lost_nodes_take_their_logs_with_them() -> None:
    life = running(step_of("s-1")).happen(NodesLost(), NodesReleased())
    assert life.effects[-1] == ReleaseNodes(logs_survive=False)
    assert (life.cluster.state, life.cluster.reason.code) == ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE")


def test_a_failed_bootstrap_action_ends_the_cluster_before_any_step() -> None:
    detail = ErrorDetail("BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", "On the master instance ...")
    life = Life(cluster_of(step_of("s-1"), keep_alive=True)).happen(Provisioned(), BootstrapEnded(detail))
    assert RunStep("s-1") not in life.effects
    life.happen(NodesReleased())
    assert (life.cluster.state, life.cluster.reason.code) == ("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE")
    assert life.cluster.error_details == (detail,)


def test_instances_that_never_come_end_the_cluster_with_their_reason() -> None:
    failed = events.ProvisioningFailed(Reason("INTERNAL_ERROR", "no capacity"), ErrorDetail("CODE", "no capacity"))
    life = Life(cluster_of(step_of("s-1"))).happen(failed, Provisioned(), NodesReleased())
    assert life.cluster.state == "TERMINATED_WITH_ERRORS"
    assert life.cluster.reason == Reason("INTERNAL_ERROR", "no capacity")


def test_a_waiting_cluster_runs_what_is_added_and_waits_again() -> None:
    life = waiting().happen(StepsAdded((step_of("s-1"),)))
    assert (life.cluster.state, life.cluster.waiting_since_s) == ("RUNNING", None)
    life.pass_s(30).happen(StepEnded("s-1"))
    assert (life.cluster.state, life.cluster.waiting_since_s) == ("WAITING", START_S + 30)


def test_an_idle_cluster_ends_exactly_after_its_time() -> None:
    life = waiting(idle_timeout_s=IDLE_S)
    assert life.pass_s(IDLE_S - 1).cluster.state == "WAITING"
    assert life.pass_s(1).cluster.state == "TERMINATING"


def test_a_timer_that_goes_off_early_is_set_again() -> None:
    """Timers count by another clock than the one that states are judged by."""
    life = waiting(idle_timeout_s=IDLE_S).pass_s(IDLE_S - 0.001).happen(events.IdleTimedOut())
    life.timers = life.timers[1:]
    assert life.cluster.state == "WAITING"
    assert life.pass_s(0.001).cluster.state == "TERMINATING"


def test_a_timer_of_an_earlier_wait_does_not_end_a_later_one() -> None:
    life = waiting(idle_timeout_s=IDLE_S).pass_s(IDLE_S - 1)
    life.happen(StepsAdded((step_of("s-1"),)), StepEnded("s-1"))
    assert life.pass_s(2).cluster.state == "WAITING"


def test_work_in_between_starts_the_idle_time_anew() -> None:
    life = waiting(idle_timeout_s=IDLE_S).pass_s(IDLE_S - 1)
    life.happen(StepsAdded((step_of("s-1"),))).pass_s(IDLE_S).happen(StepEnded("s-1"))
    assert life.pass_s(IDLE_S - 1).cluster.state == "WAITING"
    assert life.pass_s(1).cluster.state == "TERMINATING"


def test_a_longer_policy_outlives_the_timer_of_the_shorter_one() -> None:
    life = waiting(idle_timeout_s=IDLE_S).pass_s(10).happen(events.IdleTimeoutSet(2 * IDLE_S))
    assert life.pass_s(IDLE_S).cluster.state == "WAITING"
    assert life.pass_s(IDLE_S).cluster.state == "TERMINATING"


def test_without_a_policy_a_cluster_waits_for_ever() -> None:
    life = waiting(idle_timeout_s=IDLE_S).happen(events.IdleTimeoutSet(None))
    assert life.pass_s(100 * IDLE_S).cluster.state == "WAITING"


def test_a_factor_shortens_the_idle_time_only_for_the_machine() -> None:
    life = waiting(idle_timeout_s=IDLE_S)
    fast = Life(life.cluster, now_s=START_S, pace=replace(PACE, idle_factor=0.01))
    fast.happen(events.IdleTimeoutSet(IDLE_S)).pass_s(6)
    assert (fast.cluster.state, fast.cluster.idle_timeout_s) == ("TERMINATING", IDLE_S)


def test_a_late_timer_of_a_stuck_cluster_does_nothing() -> None:
    life = Life(cluster_of(state="RUNNING")).happen(Provisioned(), BootstrapEnded(), events.IdleTimedOut())
    assert (life.cluster.state, life.effects) == ("RUNNING", [])


def test_tags_are_added_and_removed() -> None:
    life = waiting().happen(events.TagsChanged((("a", "1"), ("b", "2"))), events.TagsChanged((("a", None),)))
    assert life.cluster.tags == {"b": "2"}
