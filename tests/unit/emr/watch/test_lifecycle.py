"""The wait for a run: hours in milliseconds, every ending, and no cluster left behind."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.emr.calls.clusters import cluster_line, read_cluster
from dynamodb_pipeline.emr.calls.launch import launch_cluster
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.emr.watch.lifecycle import Ending, Outcome, RunTarget, RunWatch
from dynamodb_pipeline.emr.watch.look import GRACE_S
from dynamodb_pipeline.errors import ClusterError, DeniedError
from tests.unit.emr.builders import RUN, a_job, a_request, settings
from tests.unit.emr.fakes import LOST, THROTTLED, ClusterPlan, FakeClock, FakeEmr, StepPlan, client_error

HOUR_S = 3600.0


class Scene:
    """A launched run and what was said about it."""

    def __init__(self, plan: ClusterPlan | None = None, *, clock: FakeClock | None = None, tables: int = 1) -> None:
        self.clock = clock or FakeClock()
        self.emr = FakeEmr(self.clock, plan=plan)
        self.said: list[str] = []
        names = ["Forum", "Thread", "Reply"][:tables]
        request = a_request(settings(jobs=tuple(a_job(name) for name in names)))
        self.cluster_id = launch_cluster(self.emr, request, clock=self.clock).cluster_id

    def wait(self, **limits: Any) -> Outcome:
        return self.watch(**limits).wait()

    def watch(self, **limits: Any) -> RunWatch:
        target = RunTarget(cluster_id=self.cluster_id, run=RUN, region="eu-west-1", ours=True)
        return RunWatch(
            emr=self.emr,
            target=target,
            limits=RunLimits(**limits),
            clock=self.clock,
            attention=self.clock,
            say=self.said.append,
            jitter=lambda: 0.5,
        )

    def state(self) -> str:
        return self.emr.clusters[self.cluster_id].state


def test_a_run_of_six_hours_ends_well() -> None:
    """botocore's waiters give up after 30 minutes."""
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=6 * HOUR_S)}))
    outcome = scene.wait()
    assert outcome.ending is Ending.FINISHED
    assert [step.state for step in outcome.steps] == ["COMPLETED"]
    assert outcome.cluster.state == "TERMINATED"
    assert scene.clock.passed_s > 6 * HOUR_S


def test_looks_become_rare_but_not_rarer_than_half_a_minute() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}))
    scene.wait()
    assert max(scene.clock.slept_s) <= 36
    assert scene.emr.calls.count("DescribeCluster") < 2 * HOUR_S / 30 + 30


def test_steps_are_judged_one_by_one() -> None:
    """With CONTINUE the cluster ends TERMINATED although a step failed."""
    plan = ClusterPlan(steps={"Thread": StepPlan(ends="FAILED", failure={"Reason": "Unknown Error."})})
    outcome = Scene(plan, tables=3).wait()
    assert outcome.cluster.state == "TERMINATED"
    assert sorted(step.state for step in outcome.steps) == ["COMPLETED", "COMPLETED", "FAILED"]


def test_cluster_that_cannot_start_is_told_with_emrs_reason() -> None:
    reason = {"Code": "VALIDATION_ERROR", "Message": "The requested instance type m3.xlarge is not supported"}
    errors = [{"ErrorCode": "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED", "ErrorMessage": "not in eu-west-1d"}]
    outcome = Scene(ClusterPlan(fails=reason, errors=errors)).wait()
    assert outcome.ending is Ending.CLUSTER_LOST
    assert "not in eu-west-1d" in outcome.cluster.errors[0]
    assert cluster_line(outcome.cluster, region="eu-west-1").startswith(f"cluster {outcome.cluster.id} is ")


def test_provisioning_has_its_own_deadline() -> None:
    scene = Scene(ClusterPlan(starting_s=10 * HOUR_S))
    outcome = scene.wait(provisioning_s=900.0)
    assert outcome.ending is Ending.NOT_PROVISIONED
    assert scene.state() == "TERMINATED"
    assert 900 < scene.clock.passed_s < 1200


def test_overdue_step_is_cancelled_and_the_cluster_ended() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=10 * HOUR_S)}))
    outcome = scene.wait(timeout_s=HOUR_S)
    assert outcome.ending is Ending.TIMED_OUT
    assert [step.state for step in outcome.steps] == ["CANCELLED"]
    assert scene.state() == "TERMINATED"
    assert scene.clock.passed_s < HOUR_S + GRACE_S + 900


def test_job_gets_a_grace_to_stop_itself_at_its_timeout() -> None:
    """The job's own deadline ends it resumably; the launcher only steps in after it."""
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S + 60, ends="FAILED")}))
    assert scene.wait(timeout_s=HOUR_S).ending is Ending.FINISHED
    assert "CancelSteps" not in scene.emr.calls


def test_step_that_ignores_the_interrupt_is_killed() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=10 * HOUR_S, deaf=True)}))
    assert scene.wait(timeout_s=HOUR_S).ending is Ending.TIMED_OUT
    assert scene.emr.calls.count("CancelSteps") == 2
    assert scene.state() == "TERMINATED"


def test_other_tables_go_on_after_one_timed_out() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=10 * HOUR_S)}), tables=3)
    outcome = scene.wait(timeout_s=HOUR_S)
    assert outcome.ending is Ending.TIMED_OUT
    assert sorted(step.state for step in outcome.steps) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert len(outcome.timed_out_ids) == 1


def test_throttling_does_not_end_the_wait() -> None:
    scene = Scene()
    scene.emr.fail_next("DescribeCluster", THROTTLED, times=10)
    scene.emr.fail_next("ListSteps", LOST, times=5)
    assert scene.wait().ending is Ending.FINISHED


def test_lost_contact_ends_with_the_clusters_fate_and_how_to_attach() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}))
    scene.emr.fail_next("ListSteps", THROTTLED, times=10_000)
    with pytest.raises(ClusterError, match="lost contact") as lost:
        scene.wait()
    last = str(lost.value).splitlines()[-1]
    assert scene.cluster_id in last
    assert "left as it is" in last
    assert f"wait {RUN}" in last
    assert scene.clock.passed_s < HOUR_S


def test_expired_credentials_leave_the_cluster_running_and_say_so() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}))
    scene.emr.fail_next("DescribeCluster", client_error("ExpiredToken"), times=100)
    with pytest.raises(DeniedError, match=r"expired[\s\S]*ends after its last step"):
        scene.wait()
    assert "TerminateJobFlows" not in scene.emr.calls


def test_one_ctrl_c_detaches_and_says_what_runs_and_how_to_stop_it() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}), clock=FakeClock(interrupt_at_s=(600,)))
    outcome = scene.wait()
    assert outcome.ending is Ending.DETACHED
    assert "TerminateJobFlows" not in scene.emr.calls
    assert scene.said[-1] == f"attach: dynamodb-pipeline wait {RUN} --region eu-west-1"
    assert "Ctrl-C again within 10 s stops it now" in scene.said[-2]


def test_two_ctrl_c_end_the_cluster() -> None:
    clock = FakeClock(interrupt_at_s=(600, 605))
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}), clock=clock)
    assert scene.wait().ending is Ending.STOPPED_BY_USER
    assert scene.state() == "TERMINATED"


def test_sigterm_detaches_at_once() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}), clock=FakeClock(terminate_at_s=600))
    assert scene.wait().ending is Ending.DETACHED
    assert scene.clock.passed_s < 640


def test_terminated_cluster_leaves_its_steps_named() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}))
    watch = scene.watch()
    scene.clock.sleep(600)
    watch.look()
    scene.emr.terminate_job_flows(JobFlowIds=[scene.cluster_id])
    outcome = watch.wait()
    assert outcome.ending is Ending.FINISHED
    assert [step.state for step in outcome.steps] == ["INTERRUPTED"]


def test_progress_is_said_on_change_and_not_at_every_look() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}))
    scene.wait()
    assert 10 < len(scene.said) < 40
    assert any("BOOTSTRAPPING" in line for line in scene.said)


def test_fate_of_a_running_cluster_names_the_command_that_ends_it() -> None:
    scene = Scene(ClusterPlan(steps={"Forum": StepPlan(seconds=HOUR_S)}))
    scene.clock.sleep(600)
    line = cluster_line(read_cluster(scene.emr, scene.cluster_id, clock=scene.clock), region="eu-west-1")
    assert f"dynamodb-pipeline terminate {scene.cluster_id} --region eu-west-1" in line


def test_cluster_that_emr_refuses_to_end_is_said_to_be_billing() -> None:
    scene = Scene(ClusterPlan(starting_s=10 * HOUR_S))
    refusal = client_error("ValidationException", message="Could not shut down one or more job flows (protected)")
    scene.emr.fail_next("TerminateJobFlows", refusal)
    with pytest.raises(ClusterError, match="still billing"):
        scene.wait(provisioning_s=900.0)


class StandingScene:
    """A cluster of somebody else's with a foreign step and ours."""

    def __init__(self, *, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.emr = FakeEmr(self.clock, plan=ClusterPlan(steps={"Forum": StepPlan(seconds=10 * HOUR_S)}))
        self.cluster_id = self.emr.standing()
        self.step_id = self.emr.add_job_flow_steps(JobFlowId=self.cluster_id, Steps=a_request()["Steps"])["StepIds"][0]

    def wait(self, **limits: Any) -> Outcome:
        target = RunTarget(self.cluster_id, RUN, "eu-west-1", ours=False, step_ids=(self.step_id,))
        watch = RunWatch(self.emr, target, RunLimits(**limits), self.clock, self.clock, lambda _: None, lambda: 0.5)
        return watch.wait()


def test_on_a_standing_cluster_only_our_step_is_cancelled() -> None:
    scene = StandingScene()
    outcome = scene.wait(timeout_s=HOUR_S)
    assert outcome.ending is Ending.TIMED_OUT
    assert "TerminateJobFlows" not in scene.emr.calls
    assert "standing cluster" in cluster_line(outcome.cluster, region="eu-west-1")


def test_two_ctrl_c_on_a_standing_cluster_cancel_our_step_only() -> None:
    scene = StandingScene(clock=FakeClock(interrupt_at_s=(600, 605)))
    assert scene.wait().ending is Ending.STOPPED_BY_USER
    assert "CancelSteps" in scene.emr.calls
    assert "TerminateJobFlows" not in scene.emr.calls
