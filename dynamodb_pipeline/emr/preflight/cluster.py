"""Preflight of the cluster: its type is offered here, its security configuration exists, the quota holds."""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig
from dynamodb_pipeline.emr.cluster.instance_types import instance_type
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, failed, ok, warning
from dynamodb_pipeline.emr.request.launch_settings import PIPELINE_TAG

# Running on-demand standard (A, C, D, H, I, M, R, T, Z) instances, counted in vCPUs.
VCPU_QUOTA = "L-1216C47A"
TYPE_REMEDY = "use --config m5, or a subnet in a zone that offers the type (--subnet)"


def check_tag(request: dict[str, Any]) -> CheckResult:
    """The mandatory tag is in the request itself; without it policies refuse every later EMR call."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
    if tags.get(PIPELINE_TAG) == "true":
        return ok("tag", f"{PIPELINE_TAG}=true is in the request")
    return failed("tag", f"{PIPELINE_TAG}=true is missing", remedy="launch with this tool; it always sets the tag")


def check_label_offers_types(emr: Any, config: ClusterConfig) -> CheckResult:
    """EMR lists the types for this label in this region."""
    offered: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        page = emr.list_supported_instance_types(ReleaseLabel=config.release_label, **marker)
        offered.update(offer["Type"] for offer in page.get("SupportedInstanceTypes", []))
        if not page.get("Marker"):
            break
        marker = {"Marker": page["Marker"]}
    missing = sorted({group.type_name for group in config.groups} - offered)
    if missing:
        detail = f"EMR does not list {', '.join(missing)} for {config.release_label} here"
        return failed("instance-type", detail, remedy=TYPE_REMEDY)
    return ok("instance-type", f"{config.release_label} lists {', '.join(sorted(_types(config)))}")


def _types(config: ClusterConfig) -> set[str]:
    return {group.type_name for group in config.groups}


def check_zone_offers_types(ec2: Any, config: ClusterConfig, *, zone: str | None) -> CheckResult:
    """EC2 offers the types in the subnet's zone, or at least somewhere in the region."""
    kind, place = ("availability-zone", zone) if zone else ("region", None)
    filters = [{"Name": "instance-type", "Values": sorted(_types(config))}]
    if place:
        filters.append({"Name": "location", "Values": [place]})
    reply = ec2.describe_instance_type_offerings(LocationType=kind, Filters=filters)
    missing = sorted(_types(config) - {offer["InstanceType"] for offer in reply["InstanceTypeOfferings"]})
    if missing:
        detail = f"EC2 does not offer {', '.join(missing)} in {place or 'this region'}"
        return failed("instance-offering", detail, remedy=TYPE_REMEDY)
    return ok("instance-offering", f"offered in {place or 'this region'}")


def check_security_configuration(emr: Any, name: str | None) -> CheckResult:
    """The security configuration (IMDSv2 only) exists."""
    from botocore.exceptions import ClientError

    remedy = "deploy policies/roles.json, which creates `dynamodb-pipeline`"
    if name is None:
        detail = "none: nodes also answer version 1 of the instance metadata service"
        return warning("security-config", detail, remedy=remedy)
    try:
        emr.describe_security_configuration(Name=name)
    except ClientError as err:
        if error_code(err) not in {"InvalidRequestException", "ValidationException"}:
            raise
        remedy = f"{remedy}; or give --security-configuration none"
        return failed("security-config", f"security configuration {name!r} does not exist", remedy=remedy)
    return ok("security-config", name)


def check_quota(quotas: Any, config: ClusterConfig) -> CheckResult:
    """The account's vCPU quota is at least what the cluster needs; what runs beside it is not counted."""
    needed = sum(group.count * instance_type(group.type_name).vcpu_count for group in config.groups)
    quota = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=VCPU_QUOTA)["Quota"]["Value"]
    remedy = f"ask for more in Service Quotas (EC2, {VCPU_QUOTA}), or use smaller or fewer nodes (--set)"
    if needed > quota:
        return failed("quota", f"the cluster needs {needed} vCPUs, the account's quota is {quota:.0f}", remedy=remedy)
    if needed > quota / 2:
        detail = f"the cluster takes {needed} of {quota:.0f} vCPUs"
        return warning("quota", detail, remedy="other running instances count too; see Service Quotas")
    return ok("quota", f"{needed} of {quota:.0f} vCPUs")
