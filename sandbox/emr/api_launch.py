"""RunJobFlow: a new cluster, and whether its instances will ever run."""

from __future__ import annotations

from typing import Any

from sandbox.emr import access, api, catalogue, events, identifiers, lifecycle, refusals
from sandbox.emr.api import Call, Service
from sandbox.emr.events import After, Effect
from sandbox.emr.records import Cluster, ErrorDetail, InstanceGroup, Node, Reason

DOCS = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/"


def run_job_flow(service: Service, call: Call) -> dict[str, Any]:
    """Take in a new cluster."""
    refusals.check_run_job_flow(call.params, region=call.region)
    tags = api.tags_of(call)
    access.check_request_tag(
        service.settings().require_tag, tags, principal=call.principal, action="elasticmapreduce:RunJobFlow"
    )
    cluster = _new_cluster(service, call, tags)
    service.fleet.launch(cluster, _first_effects(service, cluster))
    return {"JobFlowId": cluster.id, "ClusterArn": cluster.arn}


def _new_cluster(service: Service, call: Call, tags: dict[str, str]) -> Cluster:
    groups = tuple(
        InstanceGroup(identifiers.group_id(), config) for config in refusals.instance_groups(call.params["Instances"])
    )
    now_s = service.clock()
    idle = call.params.get("AutoTerminationPolicy") or {}
    return Cluster(
        id=identifiers.cluster_id(),
        region=call.region,
        account_id=service.account_id,
        request=call.params,
        created_s=now_s,
        steps=api.new_steps(call.params.get("Steps", []), now_s=now_s),
        groups=groups,
        nodes=tuple(node for group in groups for node in _nodes(group)),
        tags=tags,
        idle_timeout_s=idle.get("IdleTimeout"),
        is_protected=bool(call.params["Instances"].get("TerminationProtected", False)),
        step_concurrency=call.params.get("StepConcurrencyLevel", 1),
    )


def _nodes(group: InstanceGroup) -> list[Node]:
    role, kind = group.config["InstanceRole"], group.config["InstanceType"]
    count = group.config["InstanceCount"]
    return [Node(identifiers.instance_id(), group.id, role, kind, "127.0.0.1") for _ in range(count)]


def _first_effects(service: Service, cluster: Cluster) -> tuple[Effect, ...]:
    pace = service.settings().pace
    if service.faults.for_cluster("stuck-starting"):
        return ()
    failure = _provisioning_failure(service, cluster)
    return (After(pace.starting_s, failure),) if failure else lifecycle.launched(pace)


def _provisioning_failure(service: Service, cluster: Cluster) -> events.ProvisioningFailed | None:
    zone = _zone(service, cluster)
    types = [group.config["InstanceType"] for group in cluster.groups]
    if service.faults.for_cluster("capacity"):
        return no_capacity(types[0], zone)
    absent = sorted(set(types) - catalogue.types_offered_in_zone(zone))
    return type_not_in_zone(absent, zone) if absent else None


def _zone(service: Service, cluster: Cluster) -> str:
    """AWS chooses a zone that has the types when neither subnet nor placement fixes one."""
    instances = cluster.request["Instances"]
    placed = instances.get("Placement", {}).get("AvailabilityZone")
    subnet = instances.get("Ec2SubnetId")
    fixed = placed or (subnet and service.zone_of(subnet, cluster.region))
    if fixed:
        return str(fixed)
    zones = [f"{cluster.region}{letter}" for letter in "abcdef"]
    types = {group.config["InstanceType"] for group in cluster.groups}
    return next((zone for zone in zones if types <= catalogue.types_offered_in_zone(zone)), zones[0])


def no_capacity(instance_type: str, zone: str) -> events.ProvisioningFailed:
    """Return what happens when EC2 has no more instances of a type."""
    code = "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"
    message = f"The requested instance type {instance_type} has insufficient capacity in {zone}."
    data = {"instance-type": instance_type, "availability-zone": zone, "public-doc": f"{DOCS}{code}.html"}
    return events.ProvisioningFailed(Reason("INTERNAL_ERROR", message), ErrorDetail(code, message, data))


def type_not_in_zone(types: list[str], zone: str) -> events.ProvisioningFailed:
    """Return what happens when the subnet lies in a zone without the type."""
    code = "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED"
    message = f"Instance types {', '.join(types)} are not supported in the availability zone {zone}."
    data = {"instance-types": ",".join(types), "availability-zones": zone, "public-doc": f"{DOCS}{code}.html"}
    return events.ProvisioningFailed(Reason("VALIDATION_ERROR", message), ErrorDetail(code, message, data))
