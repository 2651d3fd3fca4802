"""
Gives EMR the steps of a run exactly once: with a cluster of their own, or on one that was there before and stays there
after, where only our own steps are touched.

RunJobFlow has no idempotency token, so a lost reply leaves two possibilities. The client must not repeat by
itself (`attempts=1`); before every second call the cluster is looked for by its name, which carries the run id.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.emr.calls.clock import Clock, utc
from dynamodb_pipeline.emr.calls.clusters import (
    ENDED_STATES,
    ClusterView,
    FoundCluster,
    clusters_named,
    read_cluster,
    read_steps,
    since,
)
from dynamodb_pipeline.emr.calls.patient_calls import passing_error, patient
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.errors import ClusterError, PreconditionError
from dynamodb_pipeline.settings.run_commands import runs_command

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_emr.type_defs import StepConfigTypeDef

logger = logging.getLogger(__name__)

CALLS = 3
# ListClusters may show a new cluster late; we look this often, this far apart, before a second call.
LOOKS = 6
LOOK_PAUSE_S = 15.0
CLOCK_SKEW = timedelta(minutes=5)
PAUSE_S = 15.0


@dataclass(frozen=True)
class Launched:
    """The cluster of the run; `existed` when it was there already and nothing was started."""

    cluster_id: str
    existed: bool


def launch_cluster(emr: EMRClient, request: dict[str, Any], *, clock: Clock) -> Launched:
    """
    Return the run's cluster: the living one of that name, else a new one.

    Args:
        emr: a client that does not repeat calls by itself.
        request: `run_job_flow_request(...)`.

    Raises:
        DeniedError: a permission is missing.
        PreconditionError: EMR refuses the request, or an older cluster of the run is still ending.
        ClusterError: no answer, and no such cluster to be seen.
    """
    standing = _living(clusters_named(emr, request["Name"], clock=clock, created_after=since(clock)))
    if standing is not None:
        return Launched(standing.id, existed=True)
    return _start(emr, request, clock=clock)


def _living(clusters: list[FoundCluster]) -> FoundCluster | None:
    for cluster in clusters:
        if cluster.state == "TERMINATING":
            msg = f"cluster {cluster.id} of the same run is still terminating; launch again when it is gone"
            raise PreconditionError(msg)
        if cluster.state not in ENDED_STATES:
            return cluster
    return None


def _start(emr: EMRClient, request: dict[str, Any], *, clock: Clock) -> Launched:
    began = utc(clock.now()) - CLOCK_SKEW
    code = ""
    for call in range(1, CALLS + 1):
        try:
            return Launched(emr.run_job_flow(**request)["JobFlowId"], existed=False)
        except Exception as err:
            code = _may_repeat(err)
            logger.warning("RunJobFlow call %d: %s; looking for %s", call, code, request["Name"])
        started = _look_for(emr, request["Name"], clock=clock, created_after=began)
        if started is not None:
            return Launched(started.id, existed=False)
    command = runs_command(region=emr.meta.region_name)
    msg = (
        f"RunJobFlow was not answered {CALLS} times ({code}) and no cluster is named {request['Name']}; "
        f"before another try look whether one has come after all: {command}"
    )
    raise ClusterError(msg)


def _may_repeat(err: Exception) -> str:
    """The error's code when a second call makes sense; raises otherwise."""
    if error_code(err) in {"ValidationException", "InvalidRequestException"}:
        msg = f"EMR refuses the request, nothing was started: {without_secrets(str(err))}"
        raise PreconditionError(msg) from err
    return passing_error(err, what="elasticmapreduce:RunJobFlow").code


def _look_for(emr: EMRClient, name: str, *, clock: Clock, created_after: Any) -> FoundCluster | None:
    for _ in range(LOOKS):
        clock.sleep(LOOK_PAUSE_S)
        clusters = clusters_named(emr, name, clock=clock, created_after=created_after)
        if clusters:
            return clusters[0]
    return None


def standing_cluster(emr: EMRClient, cluster_id: str, *, clock: Clock) -> ClusterView:
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


def group_nodes(emr: EMRClient, cluster_id: str, *, clock: Clock) -> tuple[NodeGroup, ...]:
    """The instance groups of a running cluster, as Spark is sized from them."""
    what = "elasticmapreduce:ListInstanceGroups"
    reply = patient(lambda: emr.list_instance_groups(ClusterId=cluster_id), what=what, clock=clock)
    return tuple(
        NodeGroup(g["InstanceGroupType"], g["InstanceType"], g.get("RequestedInstanceCount", 1))
        for g in reply["InstanceGroups"]
    )


def add_steps(emr: EMRClient, cluster_id: str, steps: list[StepConfigTypeDef], *, clock: Clock) -> list[str]:
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


def _added(emr: EMRClient, cluster_id: str, steps: list[StepConfigTypeDef], *, clock: Clock) -> dict[str, str]:
    """Ids by name after one call; empty when it was throttled or not answered."""
    try:
        reply = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=steps)
    except Exception as err:
        code = passing_error(err, what="elasticmapreduce:AddJobFlowSteps").code
        logger.warning("AddJobFlowSteps: %s; looking for the steps", code)
        clock.sleep(PAUSE_S)
        return {}
    return {step["Name"]: step_id for step, step_id in zip(steps, reply["StepIds"])}
