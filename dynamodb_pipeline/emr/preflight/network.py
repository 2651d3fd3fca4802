"""Preflight of the subnet: it exists, has addresses, and its nodes can reach S3 and DynamoDB."""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, failed, ok, unknown, warning

MISSING_SUBNET = {"InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound", "InvalidSubnetID.Malformed"}
GATEWAY_SERVICES = ("s3", "dynamodb")


def subnet_of(ec2: Any, subnet_id: str) -> dict[str, Any] | None:
    """DescribeSubnets' answer, None when there is no such subnet."""
    from botocore.exceptions import ClientError

    try:
        subnets = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    except ClientError as err:
        if error_code(err) in MISSING_SUBNET:
            return None
        raise
    return dict(subnets[0]) if subnets else None


def check_subnet(ec2: Any, subnet_id: str, *, config: ClusterConfig) -> CheckResult:
    """The subnet exists and has an address for every node."""
    subnet = subnet_of(ec2, subnet_id)
    if subnet is None:
        return failed("subnet", f"subnet {subnet_id} does not exist in this region", remedy="check --subnet")
    free, needed = subnet["AvailableIpAddressCount"], sum(group.count for group in config.groups)
    if free < needed:
        detail = f"subnet {subnet_id} has {free} free addresses, the cluster needs {needed}"
        return failed("subnet", detail, remedy="use another subnet (--subnet)")
    return ok("subnet", f"{subnet_id} in {subnet['AvailabilityZone']}, {free} free addresses")


def zone_of(ec2: Any, subnet_id: str | None) -> str | None:
    """The subnet's availability zone, None without a subnet."""
    subnet = subnet_of(ec2, subnet_id) if subnet_id else None
    return str(subnet["AvailabilityZone"]) if subnet else None


def check_routes(ec2: Any, subnet_id: str, *, region: str) -> CheckResult:
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


def _route_table(ec2: Any, subnet: dict[str, Any]) -> dict[str, Any]:
    """The subnet's own route table, else the VPC's main one."""
    own = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    main = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "association.main", "Values": ["true"]}]
    for filters in (own, main):
        tables = ec2.describe_route_tables(Filters=filters)["RouteTables"]
        if tables:
            return dict(tables[0])
    return {}


def _missing_endpoints(ec2: Any, subnet: dict[str, Any], table: dict[str, Any], *, region: str) -> list[str]:
    filters = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    endpoints = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    table_id = table.get("RouteTableId")
    present = {
        endpoint["ServiceName"].removeprefix(f"com.amazonaws.{region}.")
        for endpoint in endpoints
        if endpoint.get("VpcEndpointType") == "Interface" or table_id in endpoint.get("RouteTableIds", [])
    }
    return [name for name in GATEWAY_SERVICES if name not in present]
