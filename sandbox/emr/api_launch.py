"""RunJobFlow: a new cluster, and whether its instances will ever run."""

from __future__ import annotations

from typing import Any

from sandbox.emr import access, api, events, identifiers, launch_rules, lifecycle, refusals
from sandbox.emr.api import Call, Service
from sandbox.emr.events import After, Effect
from sandbox.emr.launch_rules import Launch
from sandbox.emr.records import Cluster, InstanceGroup, Node


def run_job_flow(service: Service, call: Call) -> dict[str, Any]:
    """Take in a new cluster."""
    refusals.check_run_job_flow(call.params, region=call.region)
    subnet = call.params["Instances"].get("Ec2SubnetId")
    if subnet and service.ground.subnet(subnet, call.region) is None:
        raise refusals.invalid("The supplied ec2SubnetId is not valid.")
    tags = api.tags_of(call)
    access.check_request_tag(
        service.settings().require_tag, tags, principal=call.principal, action="elasticmapreduce:RunJobFlow"
    )
    cluster = _new_cluster(service, call, tags)
    service.fleet.launch(cluster, _first_effects(service, call, cluster))
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


def _first_effects(service: Service, call: Call, cluster: Cluster) -> tuple[Effect, ...]:
    pace = service.settings().pace
    if service.faults.for_cluster("stuck-starting"):
        return ()
    failure = _provisioning_failure(service, call, cluster)
    return (After(pace.starting_s, failure),) if failure else lifecycle.launched(pace)


def _provisioning_failure(service: Service, call: Call, cluster: Cluster) -> events.ProvisioningFailed | None:
    zone = service.settings().default_zone
    launch = Launch(cluster, service.policies_of(call.principal), default_zone=zone)
    if service.faults.for_cluster("capacity"):
        subnet = launch_rules.placed(launch, service.ground)
        return launch_rules.no_capacity(launch.types[0], subnet.zone if subnet else cluster.region)
    return launch_rules.failure(launch, service.ground)
