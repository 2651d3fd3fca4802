"""
What EMR refuses: rules over a request and what exists, without state of their own.

Quotas and ranges: EMR API Reference, RunJobFlow, StepConfig, AutoTerminationPolicy, CancelSteps. AWS fixes neither
the wording of a message nor, everywhere, which of ValidationException and InvalidRequestException it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.emr import catalogue, model_check
from sandbox.emr.protocol import ServiceError
from sandbox.emr.records import ENDING_CLUSTER_STATES, Cluster

MAX_STEP_CHARACTERS = 10_240
MAX_ACTIVE_STEPS = 256
IDLE_TIMEOUT_S = (60, 604_800)
MAX_STEP_CONCURRENCY = 256
AUTO_TERMINATION_SINCE = {5: (5, 30, 0), 6: (6, 1, 0)}
STEP_CONCURRENCY_SINCE = (5, 28, 0)
CANCEL_RUNNING_SINCE = (5, 28, 0)
LABEL = re.compile(r"^emr-(\d+)\.(\d+)\.(\d+)$")
LOG_URI = re.compile(r"^s3n?://[^/]+(/.*)?$")


def invalid(message: str) -> ServiceError:
    """Return the error of a request whose values cannot be."""
    return ServiceError("ValidationException", message)


def check_model(operation: str, params: Mapping[str, Any]) -> None:
    """Refuse what EMR's own model does not allow, values of enums included."""
    found = model_check.problems("emr", operation, params)
    if found:
        raise invalid(f"{len(found)} validation error(s) detected: {'; '.join(found)}")


def check_run_job_flow(params: Mapping[str, Any], *, region: str) -> None:
    """Refuse a cluster that EMR would not even try to start."""
    for problem in _cluster_problems(params, region):
        raise invalid(problem)


def _cluster_problems(params: Mapping[str, Any], region: str) -> Iterator[str]:
    label = params.get("ReleaseLabel", "")
    yield from _role_problems(params)
    if label not in catalogue.release_labels(region):
        yield f"The supplied release label is invalid: {label}."
    yield from _group_problems(instance_groups(params["Instances"]), label, region)
    if params.get("LogUri") and not LOG_URI.match(params["LogUri"]):
        yield f"Invalid log URI: {params['LogUri']}"
    yield from _concurrency_problems(params.get("StepConcurrencyLevel", 1), label)
    yield from _idle_problems(params.get("AutoTerminationPolicy"), label)
    yield from step_problems(params.get("Steps", []), concurrency=params.get("StepConcurrencyLevel", 1))


def _role_problems(params: Mapping[str, Any]) -> Iterator[str]:
    if not params.get("ServiceRole"):
        yield "ServiceRole is required for creating cluster."
    if not params.get("JobFlowRole"):
        yield "InstanceProfile is required for creating cluster."


def instance_groups(instances: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the groups of an Instances member, the old MasterInstanceType form included; ServiceError for fleets."""
    if "InstanceFleets" in instances:
        raise invalid("this sandbox has instance groups only; describe the cluster with InstanceGroups")
    if "InstanceGroups" in instances:
        return list(instances["InstanceGroups"])
    count = int(instances.get("InstanceCount", 1))
    leader = instances.get("MasterInstanceType", "")
    groups = [{"InstanceRole": "MASTER", "InstanceType": leader, "InstanceCount": 1}]
    if count > 1:
        worker = instances.get("SlaveInstanceType", leader)
        groups.append({"InstanceRole": "CORE", "InstanceType": worker, "InstanceCount": count - 1})
    return list(groups)


def _group_problems(groups: Sequence[Mapping[str, Any]], label: str, region: str) -> Iterator[str]:
    roles = [group["InstanceRole"] for group in groups]
    if roles.count("MASTER") != 1 or roles.count("CORE") > 1:
        yield "A cluster has exactly one MASTER instance group and at most one CORE instance group."
    for group in groups:
        if group["InstanceType"] not in catalogue.supported_types(label, region):
            yield f"Instance type '{group['InstanceType']}' is not supported."
        if group["InstanceRole"] == "MASTER" and group["InstanceCount"] not in (1, 3):
            yield "Master instance group must have exactly 3 instances for HA clusters."
        if group["InstanceCount"] < 1:
            yield f"Instance group {group['InstanceRole']} must have at least 1 instance."


def _concurrency_problems(level: int, label: str) -> Iterator[str]:
    if not 1 <= level <= MAX_STEP_CONCURRENCY:
        yield f"StepConcurrencyLevel must lie between 1 and {MAX_STEP_CONCURRENCY}."
    if level > 1 and not is_since(label, STEP_CONCURRENCY_SINCE):
        yield f"StepConcurrencyLevel above 1 needs emr-5.28.0 or later, not {label}."


def _idle_problems(policy: Mapping[str, Any] | None, label: str) -> Iterator[str]:
    if policy is None:
        return
    least, most = IDLE_TIMEOUT_S
    if not least <= policy.get("IdleTimeout", least) <= most:
        yield f"IdleTimeout must lie between {least} and {most} seconds."
    version = version_of(label)
    if version < AUTO_TERMINATION_SINCE.get(version[0], (0, 0, 0)):
        yield f"Auto-termination is not supported for release label {label}."


def check_idle_policy(policy: Mapping[str, Any] | None, *, label: str) -> None:
    """Refuse an auto-termination policy out of range."""
    for problem in _idle_problems(policy, label):
        raise invalid(problem)


def step_problems(steps: Sequence[Mapping[str, Any]], *, concurrency: int) -> Iterator[str]:
    """Yield what is wrong with steps that are to be added."""
    if len(steps) > MAX_ACTIVE_STEPS:
        yield f"Maximum number of steps in one request ({MAX_ACTIVE_STEPS}) exceeded."
    for step in steps:
        size = step_characters(step)
        if size > MAX_STEP_CHARACTERS:
            yield f"The size of step '{step['Name']}' ({size}) exceeds the maximum of {MAX_STEP_CHARACTERS} characters."
        if concurrency > 1 and step.get("ActionOnFailure", "TERMINATE_CLUSTER") != "CONTINUE":
            yield f"ActionOnFailure of step '{step['Name']}' is not valid: StepConcurrencyLevel is above 1."


def step_characters(step: Mapping[str, Any]) -> int:
    """Return the characters of all strings of one step: jar, class, arguments, properties."""
    jar = step["HadoopJarStep"]
    texts = [jar.get("Jar", ""), jar.get("MainClass", ""), *jar.get("Args", [])]
    pairs = [text for pair in jar.get("Properties", []) for text in (pair.get("Key", ""), pair.get("Value", ""))]
    return sum(len(text) for text in (*texts, *pairs))


def check_add_steps(cluster: Cluster, steps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse steps for a cluster that ends or is full, and steps that cannot be."""
    check_modifiable(cluster)
    if len(cluster.active_steps) + len(steps) > MAX_ACTIVE_STEPS:
        raise invalid("Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') exceeded.")
    for problem in step_problems(steps, concurrency=cluster.step_concurrency):
        raise invalid(problem)


def check_modifiable(cluster: Cluster) -> None:
    """Refuse to change a cluster that ends or is over."""
    if cluster.state in ENDING_CLUSTER_STATES:
        raise invalid("A job flow that is shutting down, terminated, or finished may not be modified.")


def check_cancel(cluster: Cluster, step_ids: Sequence[str]) -> None:
    """Refuse to cancel too many steps at once; from 7.14.0 it is 100 (Management Guide, "Cancel steps")."""
    most = 100 if is_since(cluster.request.get("ReleaseLabel", ""), (7, 14, 0)) else MAX_ACTIVE_STEPS
    if len(step_ids) > most:
        raise invalid(f"At most {most} steps can be cancelled in one request.")


def check_terminate(clusters: Sequence[Cluster]) -> None:
    """Refuse to terminate protected clusters."""
    if any(cluster.is_protected and cluster.state not in ENDING_CLUSTER_STATES for cluster in clusters):
        raise invalid("Could not shut down one or more job flows since they are termination protected.")


def version_of(label: str) -> tuple[int, int, int]:
    """Return a label's version, (0, 0, 0) when it has none."""
    found = LABEL.match(label)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def is_since(label: str, version: tuple[int, int, int]) -> bool:
    """Return whether a label is of that version or later."""
    return version_of(label) >= version


def unknown_cluster(cluster_id: str) -> ServiceError:
    """Return the error for a cluster id that this region does not have."""
    message = f"Cluster id '{cluster_id}' is not valid."
    return ServiceError("InvalidRequestException", message, ErrorCode="NoSuchCluster")


def unknown_step(step_id: str) -> ServiceError:
    """Return the error for a step id that the cluster does not have."""
    return ServiceError("InvalidRequestException", f"Step id '{step_id}' is not valid.")
