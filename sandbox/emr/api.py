"""EMR's operations: a checked request in, a reply out. Everything that happens goes through the fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.emr import access, identifiers, refusals
from sandbox.emr.access import Principal
from sandbox.emr.faults import FaultBook
from sandbox.emr.fleet import Fleet
from sandbox.emr.launch_rules import Ground
from sandbox.emr.policy_judge import Policy
from sandbox.emr.protocol import ServiceError
from sandbox.emr.records import Cluster, Step
from sandbox.emr.settings import Settings


@dataclass(frozen=True)
class Service:
    """What every operation works with. `policies_of` tells a caller's policies, None for one that IAM does not know."""

    fleet: Fleet
    faults: FaultBook
    clock: Callable[[], float]
    settings: Callable[[], Settings]
    ground: Ground
    policies_of: Callable[[Principal], list[Policy] | None]
    account_id: str


@dataclass(frozen=True)
class Call:
    """One API call."""

    operation: str
    region: str
    principal: Principal
    params: Mapping[str, Any]


Operation = Callable[[Service, Call], dict[str, Any]]


def cluster_of(service: Service, call: Call, *, member: str = "ClusterId") -> Cluster:
    """Return the cluster a call names, after the tag rule; ServiceError when it has none or may not be touched."""
    return find_cluster(service, call, call.params[member])


def find_cluster(service: Service, call: Call, cluster_id: str) -> Cluster:
    """Return a cluster of the call's region, after the tag rule."""
    cluster = service.fleet.find(cluster_id, region=call.region)
    if cluster is None:
        raise refusals.unknown_cluster(cluster_id)
    access.check_resource_tag(
        service.settings().require_tag, cluster, principal=call.principal, action=f"elasticmapreduce:{call.operation}"
    )
    return cluster


def tags_of(call: Call) -> dict[str, str]:
    """Return the tags a call carries."""
    return {tag["Key"]: tag.get("Value", "") for tag in call.params.get("Tags", [])}


def new_steps(configs: Sequence[Mapping[str, Any]], *, now_s: float) -> tuple[Step, ...]:
    """Return pending steps of these StepConfigs."""
    return tuple(Step(id=identifiers.step_id(), config=config, created_s=now_s) for config in configs)


def answer(service: Service, operations: Mapping[str, Operation], call: Call) -> dict[str, Any]:
    """Check a call against EMR's model and run it; ServiceError for what this EMR has not."""
    if call.operation not in operations:
        raise ServiceError("UnknownOperationException", f"the sandbox's EMR has no {call.operation}")
    refusals.check_model(call.operation, call.params)
    return operations[call.operation](service, call)
