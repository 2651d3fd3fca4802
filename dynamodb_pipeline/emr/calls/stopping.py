"""Stops what we started: cancels steps, ends clusters, and waits a bounded time to see it happen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.emr.calls.clock import Clock
from dynamodb_pipeline.emr.calls.clusters import ClusterView, StepView, read_cluster, read_steps
from dynamodb_pipeline.emr.calls.patient_calls import patient
from dynamodb_pipeline.errors import ClusterError

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_emr.literals import StepCancellationOptionType

logger = logging.getLogger(__name__)

CANCEL_WAIT_S = 60.0
# EMR needs 1 to 5 minutes to end a cluster, during which it stores the last logs.
END_WAIT_S = 900.0
POLL_S = 10.0


def cancel_steps(emr: EMRClient, cluster_id: str, step_ids: tuple[str, ...], *, clock: Clock) -> tuple[StepView, ...]:
    """
    Ask the steps to stop (SIGTERM), then kill them; return how they stand after at most two minutes.

    Cancelling does not trigger ActionOnFailure; pending steps go at once, running ones need label 5.28 or newer.
    """
    steps: tuple[StepView, ...] = ()
    options: tuple[StepCancellationOptionType, ...] = ("SEND_INTERRUPT", "TERMINATE_PROCESS")
    for option in options:
        _ask_to_cancel(emr, cluster_id, step_ids, option=option, clock=clock)
        steps = _until_final(emr, cluster_id, step_ids, clock=clock)
        if all(step.final for step in steps):
            return steps
    return steps


def _ask_to_cancel(
    emr: EMRClient, cluster_id: str, step_ids: tuple[str, ...], *, option: StepCancellationOptionType, clock: Clock
) -> None:
    reply = patient(
        lambda: emr.cancel_steps(ClusterId=cluster_id, StepIds=list(step_ids), StepCancellationOption=option),
        what="elasticmapreduce:CancelSteps",
        clock=clock,
    )
    for answer in reply.get("CancelStepsInfoList", []):
        if answer.get("Status") == "FAILED":
            logger.info("step %s was not cancelled: %s", answer.get("StepId"), answer.get("Reason"))


def _until_final(emr: EMRClient, cluster_id: str, step_ids: tuple[str, ...], *, clock: Clock) -> tuple[StepView, ...]:
    deadline_s = clock.now() + CANCEL_WAIT_S
    while True:
        steps = tuple(step for step in read_steps(emr, cluster_id, clock=clock) if step.id in step_ids)
        if all(step.final for step in steps) or clock.now() >= deadline_s:
            return steps
        clock.sleep(POLL_S)


def terminate_cluster(emr: EMRClient, cluster_id: str, *, clock: Clock) -> ClusterView:
    """
    End the cluster and return it as last seen, after at most 15 minutes.

    Raises:
        DeniedError: elasticmapreduce:TerminateJobFlows is missing.
        ClusterError: EMR refuses, e.g. because somebody switched termination protection on.
    """
    what = "elasticmapreduce:TerminateJobFlows"
    try:
        patient(lambda: emr.terminate_job_flows(JobFlowIds=[cluster_id]), what=what, clock=clock)
    except Exception as err:
        if error_code(err) != "ValidationException":
            raise
        why = without_secrets(str(err))
        msg = f"EMR refuses to end {cluster_id} ({why}); it is still billing: remove its termination protection"
        raise ClusterError(msg) from err
    return await_end(emr, cluster_id, clock=clock)


def await_end(emr: EMRClient, cluster_id: str, *, clock: Clock, wait_s: float = END_WAIT_S) -> ClusterView:
    """The cluster when it has ended, or as it stands after `wait_s` seconds."""
    deadline_s = clock.now() + wait_s
    while True:
        cluster = read_cluster(emr, cluster_id, clock=clock)
        if cluster.ended or clock.now() >= deadline_s:
            return cluster
        clock.sleep(POLL_S)
