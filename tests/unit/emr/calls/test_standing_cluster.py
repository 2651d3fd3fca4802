"""Steps on a cluster that stays: added once, sized to its own nodes."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.emr.calls.standing_cluster import add_steps, group_nodes, standing_cluster
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.errors import ClusterError, PreconditionError
from tests.unit.emr.builders import a_request
from tests.unit.emr.fakes import LOST, THROTTLED, FakeClock, FakeEmr


@pytest.fixture
def emr() -> FakeEmr:
    return FakeEmr(FakeClock())


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
