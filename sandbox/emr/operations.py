"""The operations this EMR has, by the name clients call them."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.emr import api_clusters, api_launch, api_releases, api_steps
from sandbox.emr.api import Operation

OPERATIONS: Mapping[str, Operation] = {
    "RunJobFlow": api_launch.run_job_flow,
    "DescribeCluster": api_clusters.describe_cluster,
    "ListClusters": api_clusters.list_clusters,
    "TerminateJobFlows": api_clusters.terminate_job_flows,
    "SetTerminationProtection": api_clusters.set_termination_protection,
    "ModifyCluster": api_clusters.modify_cluster,
    "PutAutoTerminationPolicy": api_clusters.put_auto_termination_policy,
    "GetAutoTerminationPolicy": api_clusters.get_auto_termination_policy,
    "RemoveAutoTerminationPolicy": api_clusters.remove_auto_termination_policy,
    "AddTags": api_clusters.add_tags,
    "RemoveTags": api_clusters.remove_tags,
    "ListInstanceGroups": api_clusters.list_instance_groups,
    "ListInstances": api_clusters.list_instances,
    "ListBootstrapActions": api_clusters.list_bootstrap_actions,
    "AddJobFlowSteps": api_steps.add_job_flow_steps,
    "DescribeStep": api_steps.describe_step,
    "ListSteps": api_steps.list_steps,
    "CancelSteps": api_steps.cancel_steps,
    "ListReleaseLabels": api_releases.list_release_labels,
    "DescribeReleaseLabel": api_releases.describe_release_label,
    "ListSupportedInstanceTypes": api_releases.list_supported_instance_types,
}
# Kept by moto, which knows nothing of clusters when it answers them
MOTO_OPERATIONS = frozenset(
    {
        "CreateSecurityConfiguration",
        "DescribeSecurityConfiguration",
        "DeleteSecurityConfiguration",
        "GetBlockPublicAccessConfiguration",
        "PutBlockPublicAccessConfiguration",
    }
)
