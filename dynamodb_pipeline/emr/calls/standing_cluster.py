"""Runs steps on a cluster that was there before and stays there after: only our own steps are touched."""

from __future__ import annotations

import logging
from typing import Any

from dynamodb_pipeline.emr.calls.clock import Clock
from dynamodb_pipeline.emr.calls.clusters import ClusterView, read_cluster, read_steps
from dynamodb_pipeline.emr.calls.patient_calls import passing_error, patient
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.errors import ClusterError, PreconditionError

logger = logging.getLogger(__name__)

CALLS = 3
PAUSE_S = 15.0


def standing_cluster(emr: Any, cluster_id: str, *, clock: Clock) -> ClusterView:
    """
    Return a cluster that can take steps.

    Raises:
        PreconditionError: it has ended or is ending.
    """
    cluster = read_cluster(emr, cluster_id, clock=clock)
    if cluster.ended or cluster.state == "TERMINATING":
        msg = f"cluster {cluster_id} takes no steps: {cluster.reason_text()}; leave out --cluster-id"
        raise PreconditionError(msg)
    return cluster


def group_nodes(emr: Any, cluster_id: str, *, clock: Clock) -> tuple[NodeGroup, ...]:
    """The instance groups of a running cluster, as Spark is sized from them."""
    what = "elasticmapreduce:ListInstanceGroups"
    reply = patient(lambda: emr.list_instance_groups(ClusterId=cluster_id), what=what, clock=clock)
    return tuple(
        NodeGroup(g["InstanceGroupType"], g["InstanceType"], g.get("RequestedInstanceCount", 1))
        for g in reply["InstanceGroups"]
    )


def add_steps(emr: Any, cluster_id: str, steps: list[dict[str, Any]], *, clock: Clock) -> list[str]:
    """
    Add `steps` once and return their ids in the order given; those already waiting or running are not repeated.

    Raises:
        DeniedError: a permission is missing.
        ClusterError: no answer, and no such step to be seen.
    """
    for call in range(CALLS + 1):
        present = {step.name: step.id for step in read_steps(emr, cluster_id, clock=clock) if not step.final}
        missing = [step for step in steps if step["Name"] not in present]
        if missing and call < CALLS:
            present.update(_added(emr, cluster_id, missing, clock=clock))
        if all(step["Name"] in present for step in steps):
            return [present[step["Name"]] for step in steps]
    msg = f"AddJobFlowSteps on {cluster_id} was not answered {CALLS} times and our steps are not listed there"
    raise ClusterError(msg)


def _added(emr: Any, cluster_id: str, steps: list[dict[str, Any]], *, clock: Clock) -> dict[str, str]:
    """Ids by name after one call; empty when it was throttled or not answered."""
    try:
        reply = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=steps)
    except Exception as err:
        code = passing_error(err, what="elasticmapreduce:AddJobFlowSteps").code
        logger.warning("AddJobFlowSteps: %s; looking for the steps", code)
        clock.sleep(PAUSE_S)
        return {}
    return {step["Name"]: step_id for step, step_id in zip(steps, reply["StepIds"])}
