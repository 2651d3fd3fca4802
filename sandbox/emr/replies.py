"""Clusters and steps in the shapes of EMR's API: times are epoch seconds, absent members are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.emr import catalogue
from sandbox.emr.records import Cluster, ErrorDetail, InstanceGroup, Node, Reason, Step

REPEATED_MEMBERS = (  # of RunJobFlow, in DescribeCluster under the same name
    "ReleaseLabel",
    "ServiceRole",
    "LogUri",
    "LogEncryptionKmsKeyId",
    "SecurityConfiguration",
    "AutoScalingRole",
    "ScaleDownBehavior",
    "CustomAmiId",
    "EbsRootVolumeSize",
    "EbsRootVolumeIops",
    "EbsRootVolumeThroughput",
    "RepoUpgradeOnBoot",
    "KerberosAttributes",
    "OSReleaseLabel",
    "Configurations",
    "MonitoringConfiguration",
)
NODE_STATES = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "RUNNING": "RUNNING",
    "WAITING": "RUNNING",
    "TERMINATING": "SHUTTING_DOWN",
    "TERMINATED": "TERMINATED",
    "TERMINATED_WITH_ERRORS": "TERMINATED",
}


def cluster(record: Cluster) -> dict[str, Any]:
    """Return DescribeCluster's Cluster."""
    instances = record.request["Instances"]
    return {
        **{name: record.request[name] for name in REPEATED_MEMBERS if name in record.request},
        **cluster_summary(record),
        "Applications": _applications(record),
        "AutoTerminate": not record.keeps_alive,
        "Ec2InstanceAttributes": _ec2_attributes(record, instances),
        "InstanceCollectionType": "INSTANCE_GROUP",
        "MasterPublicDnsName": record.leader.address,
        "StepConcurrencyLevel": record.step_concurrency,
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        "TerminationProtected": record.is_protected,
        "VisibleToAllUsers": True,
    }


def cluster_summary(record: Cluster) -> dict[str, Any]:
    """Return an entry of ListClusters. As on AWS it has no tags."""
    return {
        "Id": record.id,
        "Name": record.request["Name"],
        "ClusterArn": record.arn,
        "NormalizedInstanceHours": 0,
        "Status": {
            "State": record.state,
            "StateChangeReason": reason(record.reason),
            "ErrorDetails": [_error_detail(detail) for detail in record.error_details],
            "Timeline": _present(
                CreationDateTime=record.created_s, ReadyDateTime=record.ready_s, EndDateTime=record.ended_s
            ),
        },
    }


def step(record: Step) -> dict[str, Any]:
    """Return DescribeStep's Step, also an entry of ListSteps."""
    jar = record.config["HadoopJarStep"]
    return {
        "Id": record.id,
        "Name": record.name,
        "ActionOnFailure": record.action_on_failure,
        "Config": _present(
            Jar=jar.get("Jar"),
            MainClass=jar.get("MainClass"),
            Args=jar.get("Args", []),
            Properties={pair["Key"]: pair["Value"] for pair in jar.get("Properties", [])},
        ),
        "Status": _step_status(record),
    }


def _step_status(record: Step) -> dict[str, Any]:
    failure = record.failure
    details = failure and _present(Reason=failure.reason, Message=failure.message, LogFile=failure.log_file)
    timeline = _present(CreationDateTime=record.created_s, StartDateTime=record.started_s, EndDateTime=record.ended_s)
    return _present(
        State=record.state,
        StateChangeReason=reason(record.reason),
        FailureDetails=details,
        Timeline=timeline,
    )


def reason(record: Reason) -> dict[str, str]:
    """Return a StateChangeReason; AWS sends an empty one when there is nothing to say."""
    members = {"Code": record.code, "Message": record.message}
    return {name: value for name, value in members.items() if value}


def instance_group(record: Cluster, group: InstanceGroup) -> dict[str, Any]:
    """Return an entry of ListInstanceGroups."""
    config, count = group.config, group.config["InstanceCount"]
    return {
        **{name: config[name] for name in ("BidPrice", "Configurations", "AutoScalingPolicy") if name in config},
        "Id": group.id,
        "Name": config.get("Name", ""),
        "Market": config.get("Market", "ON_DEMAND"),
        "InstanceGroupType": config["InstanceRole"],
        "InstanceType": config["InstanceType"],
        "RequestedInstanceCount": count,
        "RunningInstanceCount": count if NODE_STATES[record.state] in ("BOOTSTRAPPING", "RUNNING") else 0,
        "Status": {"State": NODE_STATES[record.state], "StateChangeReason": {}, "Timeline": _nodes_timeline(record)},
    }


def instance(record: Cluster, node: Node) -> dict[str, Any]:
    """Return an entry of ListInstances."""
    return {
        "Id": node.id.replace("i-", "ci-"),
        "Ec2InstanceId": node.id,
        "InstanceGroupId": node.group_id,
        "InstanceType": node.instance_type,
        "Market": "ON_DEMAND",
        "PrivateDnsName": node.address,
        "PublicDnsName": node.address,
        "Status": {"State": NODE_STATES[record.state], "StateChangeReason": {}, "Timeline": _nodes_timeline(record)},
    }


def bootstrap_actions(record: Cluster) -> list[dict[str, Any]]:
    """Return ListBootstrapActions' commands."""
    actions = record.request.get("BootstrapActions", [])
    scripts = [(action["Name"], action["ScriptBootstrapAction"]) for action in actions]
    return [{"Name": name, "ScriptPath": script["Path"], "Args": script.get("Args", [])} for name, script in scripts]


def _nodes_timeline(record: Cluster) -> dict[str, Any]:
    return _present(CreationDateTime=record.created_s, ReadyDateTime=record.ready_s, EndDateTime=record.ended_s)


def _applications(record: Cluster) -> list[dict[str, str]]:
    label = record.request.get("ReleaseLabel", "")
    versions = {app["Name"]: app.get("Version", "") for app in catalogue.applications(label)}
    names = [app["Name"] for app in record.request.get("Applications", [])] or ["Hadoop"]
    return [{"Name": name, "Version": versions.get(name, "")} for name in names]


def _ec2_attributes(record: Cluster, instances: Mapping[str, Any]) -> dict[str, Any]:
    return _present(
        Ec2SubnetId=instances.get("Ec2SubnetId"),
        Ec2KeyName=instances.get("Ec2KeyName"),
        Ec2AvailabilityZone=instances.get("Placement", {}).get("AvailabilityZone", f"{record.region}a"),
        IamInstanceProfile=record.node_role,
        EmrManagedMasterSecurityGroup=instances.get("EmrManagedMasterSecurityGroup"),
        EmrManagedSlaveSecurityGroup=instances.get("EmrManagedSlaveSecurityGroup"),
        ServiceAccessSecurityGroup=instances.get("ServiceAccessSecurityGroup"),
    )


def _error_detail(record: ErrorDetail) -> dict[str, Any]:
    """ErrorData is a list of maps with one pair each, as AWS's examples show it."""
    data = [{key: value} for key, value in record.data.items()]
    return {"ErrorCode": record.code, "ErrorMessage": record.message, "ErrorData": data}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def page(
    entries: Iterable[Any], *, marker: str | None, size: int, names: tuple[str, str] = ("", "Marker")
) -> dict[str, Any]:
    """Return one page of a list under `names[0]`, with the next marker under `names[1]` when there is more."""
    everything = list(entries)
    start = int(marker or 0)
    shown = {names[0]: everything[start : start + size]}
    return {**shown, names[1]: str(start + size)} if start + size < len(everything) else shown
