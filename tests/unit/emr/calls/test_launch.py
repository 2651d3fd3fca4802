"""Never two clusters for one run, whatever is lost on the way."""

from __future__ import annotations

import pytest
from botocore.parsers import ResponseParserError

from dynamodb_pipeline.emr.calls.launch import CALLS, add_steps, group_nodes, launch_cluster, standing_cluster
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.errors import ClusterError, DeniedError, PreconditionError
from tests.unit.emr.builders import a_request, settings
from tests.unit.emr.fakes import LOST, THROTTLED, ClusterPlan, FakeClock, FakeEmr, client_error


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def emr(clock: FakeClock) -> FakeEmr:
    return FakeEmr(clock)


def test_a_run_starts_one_cluster_after_looking(emr: FakeEmr, clock: FakeClock) -> None:
    launched = launch_cluster(emr, a_request(), clock=clock)
    assert (launched.cluster_id, launched.existed) == (next(iter(emr.clusters)), False)
    assert emr.calls == ["ListClusters", "RunJobFlow"]


def test_a_living_cluster_of_the_run_is_taken(emr: FakeEmr, clock: FakeClock) -> None:
    first = launch_cluster(emr, a_request(), clock=clock)
    again = launch_cluster(emr, a_request(), clock=clock)
    assert (again.cluster_id, again.existed) == (first.cluster_id, True)
    assert len(emr.clusters) == 1


def test_another_runs_cluster_is_not_taken(emr: FakeEmr, clock: FakeClock) -> None:
    launch_cluster(emr, a_request(settings(run_id="20261123T030000Z-00000001")), clock=clock)
    assert not launch_cluster(emr, a_request(), clock=clock).existed
    assert len(emr.clusters) == 2


def test_a_run_whose_cluster_has_ended_gets_a_new_one(emr: FakeEmr, clock: FakeClock) -> None:
    """Resuming a stopped run: same run id, new cluster."""
    first = launch_cluster(emr, a_request(), clock=clock)
    emr.terminate_job_flows(JobFlowIds=[first.cluster_id])
    clock.sleep(3600)
    assert launch_cluster(emr, a_request(), clock=clock).cluster_id != first.cluster_id


def test_a_run_whose_cluster_is_still_ending_is_refused(emr: FakeEmr, clock: FakeClock) -> None:
    first = launch_cluster(emr, a_request(), clock=clock)
    emr.terminate_job_flows(JobFlowIds=[first.cluster_id])
    with pytest.raises(PreconditionError, match="still terminating"):
        launch_cluster(emr, a_request(), clock=clock)


def test_lost_reply_is_followed_by_a_search_not_a_second_cluster(emr: FakeEmr, clock: FakeClock) -> None:
    emr.fail_next("RunJobFlow", LOST, after_doing_it=True)
    launched = launch_cluster(emr, a_request(), clock=clock)
    assert list(emr.clusters) == [launched.cluster_id]
    assert emr.calls.count("RunJobFlow") == 1


def test_lost_reply_of_a_cluster_that_failed_at_once_is_found_too(clock: FakeClock) -> None:
    reason = {"Code": "VALIDATION_ERROR", "Message": "no capacity"}
    emr = FakeEmr(clock, plan=ClusterPlan(starting_s=0, bootstrapping_s=0, ending_s=0, fails=reason))
    emr.fail_next("RunJobFlow", LOST, after_doing_it=True)
    launch_cluster(emr, a_request(), clock=clock)
    assert len(emr.clusters) == 1


def test_lost_request_is_sent_again_after_the_search(emr: FakeEmr, clock: FakeClock) -> None:
    emr.fail_next("RunJobFlow", LOST)
    launch_cluster(emr, a_request(), clock=clock)
    assert len(emr.clusters) == 1
    second = len(emr.calls) - 1 - emr.calls[::-1].index("RunJobFlow")
    assert emr.calls[second - 1] == "ListClusters"


@pytest.mark.parametrize(
    "error",
    [THROTTLED, client_error("InternalServerException", status=500), ResponseParserError("an HTML page")],
    ids=["throttle", "5xx", "unreadable reply"],
)
def test_refused_call_is_repeated_a_bounded_number_of_times(emr: FakeEmr, clock: FakeClock, error: Exception) -> None:
    emr.fail_next("RunJobFlow", error, times=50)
    with pytest.raises(ClusterError, match="no cluster is named"):
        launch_cluster(emr, a_request(), clock=clock)
    assert emr.calls.count("RunJobFlow") == CALLS
    assert emr.clusters == {}


def test_throttled_search_is_repeated(emr: FakeEmr, clock: FakeClock) -> None:
    emr.fail_next("ListClusters", THROTTLED, times=3)
    launch_cluster(emr, a_request(), clock=clock)
    assert len(emr.clusters) == 1


def test_denied_call_names_the_action_and_the_policy_command(emr: FakeEmr, clock: FakeClock) -> None:
    text = (
        "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r "
        "because no identity-based policy allows it"
    )
    emr.fail_next("RunJobFlow", client_error("AccessDeniedException", message=text))
    with pytest.raises(DeniedError, match=r"iam:PassRole was denied on arn:aws:iam::1:role/r.*policy launcher"):
        launch_cluster(emr, a_request(), clock=clock)
    assert emr.calls.count("RunJobFlow") == 1


def test_expired_credentials_say_so(emr: FakeEmr, clock: FakeClock) -> None:
    emr.fail_next("ListClusters", client_error("ExpiredTokenException"))
    with pytest.raises(DeniedError, match="expired"):
        launch_cluster(emr, a_request(), clock=clock)


def test_request_that_emr_refuses_started_nothing(emr: FakeEmr, clock: FakeClock) -> None:
    emr.fail_next("RunJobFlow", client_error("ValidationException", message="Invalid InstanceProfile: x."))
    with pytest.raises(PreconditionError, match=r"nothing was started.*Invalid InstanceProfile"):
        launch_cluster(emr, a_request(), clock=clock)
    assert emr.calls.count("RunJobFlow") == 1


def test_steps_are_added_once_and_their_ids_returned(emr: FakeEmr) -> None:
    cluster_id = emr.standing()
    ids = add_steps(emr, cluster_id, a_request()["Steps"], clock=emr.clock)
    assert ids == [step.id for step in emr.clusters[cluster_id].steps]


@pytest.mark.parametrize("done", [True, False], ids=["reply lost", "request lost"])
def test_lost_call_adds_no_step_twice(emr: FakeEmr, done: bool) -> None:
    cluster_id = emr.standing()
    emr.fail_next("AddJobFlowSteps", LOST, after_doing_it=done)
    add_steps(emr, cluster_id, a_request()["Steps"], clock=emr.clock)
    assert len(emr.clusters[cluster_id].steps) == 1


def test_call_that_is_throttled_for_ever_ends(emr: FakeEmr) -> None:
    emr.fail_next("AddJobFlowSteps", THROTTLED, times=100)
    with pytest.raises(ClusterError, match="not listed"):
        add_steps(emr, emr.standing(), a_request()["Steps"], clock=emr.clock)


def test_nodes_of_a_running_cluster(emr: FakeEmr) -> None:
    nodes = group_nodes(emr, emr.standing(), clock=emr.clock)
    assert nodes == (NodeGroup("MASTER", "m5.xlarge", 1), NodeGroup("CORE", "m5.xlarge", 2))


def test_ended_cluster_takes_no_steps(emr: FakeEmr) -> None:
    cluster_id = emr.standing()
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    with pytest.raises(PreconditionError, match="leave out --cluster-id"):
        standing_cluster(emr, cluster_id, clock=emr.clock)
