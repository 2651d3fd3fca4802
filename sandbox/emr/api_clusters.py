"""EMR's operations on clusters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.emr import access, api, events, refusals, replies
from sandbox.emr.api import Call, Service

PAGE_SIZE = 50  # API Reference, ListClusters: at most 50 per call


def describe_cluster(service: Service, call: Call) -> dict[str, Any]:
    """Answer DescribeCluster."""
    return {"Cluster": replies.cluster(api.cluster_of(service, call))}


def list_clusters(service: Service, call: Call) -> dict[str, Any]:
    """Answer ListClusters; it looks at no tag, as its permission has no condition."""
    states = call.params.get("ClusterStates")
    after, before = (_epoch_s(call.params.get(name)) for name in ("CreatedAfter", "CreatedBefore"))
    found = [
        replies.cluster_summary(cluster)
        for cluster in service.fleet.all(region=call.region)
        if (not states or cluster.state in states)
        and (after is None or cluster.created_s >= after)
        and (before is None or cluster.created_s <= before)
    ]
    return replies.page(found, marker=call.params.get("Marker"), size=PAGE_SIZE, names=("Clusters", "Marker"))


def _epoch_s(value: Any) -> float | None:
    """A JSON timestamp is a number of seconds, rarely ISO text."""
    if isinstance(value, str):
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return None if value is None else float(value)


def terminate_job_flows(service: Service, call: Call) -> dict[str, Any]:
    """Begin to terminate the clusters; those that are over already stay so."""
    clusters = [api.find_cluster(service, call, cluster_id) for cluster_id in call.params["JobFlowIds"]]
    refusals.check_terminate(clusters)
    for cluster in clusters:
        service.fleet.send(cluster.id, events.TerminateRequested())
    return {}


def set_termination_protection(service: Service, call: Call) -> dict[str, Any]:
    """Set or lift protection."""
    for cluster_id in call.params["JobFlowIds"]:
        cluster = api.find_cluster(service, call, cluster_id)
        refusals.check_modifiable(cluster)
        service.fleet.send(cluster.id, events.ProtectionSet(call.params["TerminationProtected"]))
    return {}


def modify_cluster(service: Service, call: Call) -> dict[str, Any]:
    """Change how many steps run at once."""
    cluster = api.cluster_of(service, call)
    refusals.check_modifiable(cluster)
    level = call.params.get("StepConcurrencyLevel", cluster.step_concurrency)
    service.fleet.send(cluster.id, events.ConcurrencySet(level))
    return {"StepConcurrencyLevel": level}


def put_auto_termination_policy(service: Service, call: Call) -> dict[str, Any]:
    """Set after how much idle time the cluster ends."""
    cluster = api.cluster_of(service, call)
    refusals.check_modifiable(cluster)
    policy = call.params.get("AutoTerminationPolicy") or {}
    refusals.check_idle_policy(policy, label=cluster.request.get("ReleaseLabel", ""))
    service.fleet.send(cluster.id, events.IdleTimeoutSet(policy.get("IdleTimeout")))
    return {}


def get_auto_termination_policy(service: Service, call: Call) -> dict[str, Any]:
    """Tell it; without one the reply is empty."""
    idle_timeout_s = api.cluster_of(service, call).idle_timeout_s
    return {} if idle_timeout_s is None else {"AutoTerminationPolicy": {"IdleTimeout": int(idle_timeout_s)}}


def remove_auto_termination_policy(service: Service, call: Call) -> dict[str, Any]:
    """Remove it."""
    cluster = api.cluster_of(service, call)
    service.fleet.send(cluster.id, events.IdleTimeoutSet(None))
    return {}


def add_tags(service: Service, call: Call) -> dict[str, Any]:
    """Add tags. Its policy statement is tied to the tags in the request, not to the cluster's."""
    required, action = service.settings().require_tag, "elasticmapreduce:AddTags"
    access.check_request_tag(required, api.tags_of(call), principal=call.principal, action=action)
    cluster = service.fleet.find(call.params["ResourceId"], region=call.region)
    if cluster is None:
        raise refusals.unknown_cluster(call.params["ResourceId"])
    service.fleet.send(cluster.id, events.TagsChanged(tuple(api.tags_of(call).items())))
    return {}


def remove_tags(service: Service, call: Call) -> dict[str, Any]:
    """Remove tags."""
    cluster = api.cluster_of(service, call, member="ResourceId")
    service.fleet.send(cluster.id, events.TagsChanged(tuple((key, None) for key in call.params["TagKeys"])))
    return {}


def list_instance_groups(service: Service, call: Call) -> dict[str, Any]:
    """Answer ListInstanceGroups."""
    cluster = api.cluster_of(service, call)
    return {"InstanceGroups": [replies.instance_group(cluster, group) for group in cluster.groups]}


def list_instances(service: Service, call: Call) -> dict[str, Any]:
    """Answer ListInstances."""
    cluster = api.cluster_of(service, call)
    roles, group = call.params.get("InstanceGroupTypes"), call.params.get("InstanceGroupId")
    nodes = [
        replies.instance(cluster, node)
        for node in cluster.nodes
        if (not roles or node.role in roles) and group in (None, node.group_id)
    ]
    return {"Instances": nodes}


def list_bootstrap_actions(service: Service, call: Call) -> dict[str, Any]:
    """Answer ListBootstrapActions."""
    return {"BootstrapActions": replies.bootstrap_actions(api.cluster_of(service, call))}
