"""EMR's operations on steps."""

from __future__ import annotations

from typing import Any

from sandbox.emr import api, events, refusals, replies
from sandbox.emr.api import Call, Service
from sandbox.emr.records import Cluster

PAGE_SIZE = 50  # API Reference, ListSteps


def add_job_flow_steps(service: Service, call: Call) -> dict[str, Any]:
    """Add steps to a cluster that lives."""
    cluster = api.cluster_of(service, call, member="JobFlowId")
    refusals.check_add_steps(cluster, call.params["Steps"])
    steps = api.new_steps(call.params["Steps"], now_s=service.clock())
    service.fleet.send(cluster.id, events.StepsAdded(steps))
    return {"StepIds": [step.id for step in steps]}


def describe_step(service: Service, call: Call) -> dict[str, Any]:
    """Answer DescribeStep."""
    step = api.cluster_of(service, call).step(call.params["StepId"])
    if step is None:
        raise refusals.unknown_step(call.params["StepId"])
    return {"Step": replies.step(step)}


def list_steps(service: Service, call: Call) -> dict[str, Any]:
    """Answer ListSteps, newest first."""
    states, ids = call.params.get("StepStates"), call.params.get("StepIds")
    found = [
        replies.step(step)
        for step in reversed(api.cluster_of(service, call).steps)
        if (not states or step.state in states) and (not ids or step.id in ids)
    ]
    return replies.page(found, marker=call.params.get("Marker"), size=PAGE_SIZE, names=("Steps", "Marker"))


def cancel_steps(service: Service, call: Call) -> dict[str, Any]:
    """Cancel pending and running steps; the reply says for each whether that is under way."""
    cluster = api.cluster_of(service, call)
    step_ids = tuple(call.params["StepIds"])
    refusals.check_cancel(cluster, step_ids)
    verdicts = [_verdict(cluster, step_id) for step_id in step_ids]
    accepted = tuple(verdict["StepId"] for verdict in verdicts if verdict["Status"] == "SUBMITTED")
    option = call.params.get("StepCancellationOption", "SEND_INTERRUPT")
    service.fleet.send(cluster.id, events.CancelRequested(accepted, option))
    return {"CancelStepsInfoList": verdicts}


def _verdict(cluster: Cluster, step_id: str) -> dict[str, str]:
    step = cluster.step(step_id)
    if step is None:
        return {"StepId": step_id, "Status": "FAILED", "Reason": "Step does not exist."}
    if not step.is_active:
        return {"StepId": step_id, "Status": "FAILED", "Reason": f"Step is already {step.state}."}
    label = cluster.request.get("ReleaseLabel", "")
    if step.state == "RUNNING" and not refusals.is_since(label, refusals.CANCEL_RUNNING_SINCE):
        return {"StepId": step_id, "Status": "FAILED", "Reason": f"{label} cannot cancel running steps."}
    return {"StepId": step_id, "Status": "SUBMITTED"}
