"""
Starts the cluster of a run exactly once.

RunJobFlow has no idempotency token, so a lost reply leaves two possibilities. The client must not repeat by
itself (`attempts=1`); before every second call the cluster is looked for by its name, which carries the run id.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.emr.calls.clock import Clock, utc
from dynamodb_pipeline.emr.calls.clusters import ENDED_STATES, FoundCluster, clusters_named, since
from dynamodb_pipeline.emr.calls.patient_calls import passing_error
from dynamodb_pipeline.errors import ClusterError, PreconditionError

logger = logging.getLogger(__name__)

CALLS = 3
# ListClusters may show a new cluster late; we look this often, this far apart, before a second call.
LOOKS = 6
LOOK_PAUSE_S = 15.0
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Launched:
    """The cluster of the run; `existed` when it was there already and nothing was started."""

    cluster_id: str
    existed: bool


def launch_cluster(emr: Any, request: dict[str, Any], *, clock: Clock) -> Launched:
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


def _start(emr: Any, request: dict[str, Any], *, clock: Clock) -> Launched:
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
    msg = (
        f"RunJobFlow was not answered {CALLS} times ({code}) and no cluster is named {request['Name']}; "
        f"before another try: aws emr list-clusters --active; no cluster of this run is known to exist"
    )
    raise ClusterError(msg)


def _may_repeat(err: Exception) -> str:
    """The error's code when a second call makes sense; raises otherwise."""
    if error_code(err) in {"ValidationException", "InvalidRequestException"}:
        msg = f"EMR refuses the request, nothing was started: {without_secrets(str(err))}"
        raise PreconditionError(msg) from err
    return passing_error(err, what="elasticmapreduce:RunJobFlow").code


def _look_for(emr: Any, name: str, *, clock: Clock, created_after: Any) -> FoundCluster | None:
    for _ in range(LOOKS):
        clock.sleep(LOOK_PAUSE_S)
        clusters = clusters_named(emr, name, clock=clock, created_after=created_after)
        if clusters:
            return clusters[0]
    return None
