"""
Preflight of the cluster: its type is offered here, its security configuration exists, the quota holds, its subnet has
addresses, and its nodes can reach S3 and DynamoDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig
from dynamodb_pipeline.emr.cluster.instance_types import instance_type
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, failed, ok, unknown, warning
from dynamodb_pipeline.emr.request.launch_settings import PIPELINE_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.literals import LocationTypeType
    from mypy_boto3_ec2.type_defs import FilterTypeDef, RouteTableTypeDef, SubnetTypeDef
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_service_quotas import ServiceQuotasClient

MISSING_SUBNET = {"InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound", "InvalidSubnetID.Malformed"}
GATEWAY_SERVICES = ("s3", "dynamodb")
# Running on-demand standard (A, C, D, H, I, M, R, T, Z) instances, counted in vCPUs.
VCPU_QUOTA = "L-1216C47A"
TYPE_REMEDY = "use --config m5, or a subnet in a zone that offers the type (--subnet)"


def subnet_of(ec2: EC2Client, subnet_id: str) -> SubnetTypeDef | None:
    """DescribeSubnets' answer, None when there is no such subnet."""
    from botocore.exceptions import ClientError

    try:
        subnets = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    except ClientError as err:
        if error_code(err) in MISSING_SUBNET:
            return None
        raise
    return subnets[0] if subnets else None


def check_subnet(ec2: EC2Client, subnet_id: str, *, config: ClusterConfig) -> CheckResult:
    """The subnet exists and has an address for every node."""
    subnet = subnet_of(ec2, subnet_id)
    if subnet is None:
        return failed("subnet", f"subnet {subnet_id} does not exist in this region", remedy="check --subnet")
    free, needed = subnet["AvailableIpAddressCount"], sum(group.count for group in config.groups)
    if free < needed:
        detail = f"subnet {subnet_id} has {free} free addresses, the cluster needs {needed}"
        return failed("subnet", detail, remedy="use another subnet (--subnet)")
    return ok("subnet", f"{subnet_id} in {subnet['AvailabilityZone']}, {free} free addresses")


def zone_of(ec2: EC2Client, subnet_id: str | None) -> str | None:
    """The subnet's availability zone, None without a subnet."""
    subnet = subnet_of(ec2, subnet_id) if subnet_id else None
    return str(subnet["AvailabilityZone"]) if subnet else None


def check_routes(ec2: EC2Client, subnet_id: str, *, region: str) -> CheckResult:
    """
    The subnet is public, or private with ways to S3 and DynamoDB.

    A private subnet without them hangs until the provisioning deadline, so it is refused here.
    """
    subnet = subnet_of(ec2, subnet_id)
    if subnet is None:
        return unknown("routes", f"subnet {subnet_id} does not exist", remedy="check --subnet")
    table = _route_table(ec2, subnet)
    targets = {str(route.get("GatewayId", route.get("NatGatewayId", ""))) for route in table.get("Routes", [])}
    if any(target.startswith("igw-") for target in targets):
        return ok("routes", "public subnet (internet gateway)")
    if any(route.get("NatGatewayId") or route.get("TransitGatewayId") for route in table.get("Routes", [])):
        remedy = "S3 and DynamoDB gateway endpoints are free, NAT is charged per GiB"
        return warning("routes", "private subnet through NAT", remedy=remedy)
    missing = _missing_endpoints(ec2, subnet, table, region=region)
    if missing:
        detail = f"private subnet without gateway endpoint for {' and '.join(missing)}"
        remedy = "; ".join(f"aws ec2 create-vpc-endpoint for com.amazonaws.{region}.{name}" for name in missing)
        return failed("routes", detail, remedy=remedy)
    return ok("routes", "private subnet with S3 and DynamoDB gateway endpoints")


def _route_table(ec2: EC2Client, subnet: SubnetTypeDef) -> RouteTableTypeDef:
    """The subnet's own route table, else the VPC's main one."""
    own: list[FilterTypeDef] = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    main: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [subnet["VpcId"]]},
        {"Name": "association.main", "Values": ["true"]},
    ]
    for filters in (own, main):
        tables = ec2.describe_route_tables(Filters=filters)["RouteTables"]
        if tables:
            return tables[0]
    return {}


def _missing_endpoints(ec2: EC2Client, subnet: SubnetTypeDef, table: RouteTableTypeDef, *, region: str) -> list[str]:
    filters: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    endpoints = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    table_id = table.get("RouteTableId")
    present = {
        endpoint["ServiceName"].removeprefix(f"com.amazonaws.{region}.")
        for endpoint in endpoints
        if endpoint.get("VpcEndpointType") == "Interface" or table_id in endpoint.get("RouteTableIds", [])
    }
    return [name for name in GATEWAY_SERVICES if name not in present]


def check_tag(request: dict[str, Any]) -> CheckResult:
    """The mandatory tag is in the request itself; without it policies refuse every later EMR call."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
    if tags.get(PIPELINE_TAG) == "true":
        return ok("tag", f"{PIPELINE_TAG}=true is in the request")
    return failed("tag", f"{PIPELINE_TAG}=true is missing", remedy="launch with this tool; it always sets the tag")


def check_label_offers_types(emr: EMRClient, config: ClusterConfig) -> CheckResult:
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


def check_zone_offers_types(ec2: EC2Client, config: ClusterConfig, *, zone: str | None) -> CheckResult:
    """EC2 offers the types in the subnet's zone, or at least somewhere in the region."""
    kind: LocationTypeType = "availability-zone" if zone else "region"
    filters: list[FilterTypeDef] = [{"Name": "instance-type", "Values": sorted(_types(config))}]
    if zone:
        filters.append({"Name": "location", "Values": [zone]})
    reply = ec2.describe_instance_type_offerings(LocationType=kind, Filters=filters)
    missing = sorted(_types(config) - {offer["InstanceType"] for offer in reply["InstanceTypeOfferings"]})
    if missing:
        detail = f"EC2 does not offer {', '.join(missing)} in {zone or 'this region'}"
        return failed("instance-offering", detail, remedy=TYPE_REMEDY)
    return ok("instance-offering", f"offered in {zone or 'this region'}")


def check_security_configuration(emr: EMRClient, name: str | None) -> CheckResult:
    """The security configuration (IMDSv2 only) exists."""
    from botocore.exceptions import ClientError

    remedy = "{deploy-roles} (it creates `dynamodb-pipeline`)"
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


def check_quota(quotas: ServiceQuotasClient, config: ClusterConfig) -> CheckResult:
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
