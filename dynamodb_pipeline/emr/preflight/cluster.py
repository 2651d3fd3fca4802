"""
Preflight of the cluster: its type is listed for its label and offered in its zone, its security configuration exists,
the quota holds, EMR may use its network, its subnet has addresses, and its nodes reach S3 and DynamoDB from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.emr.cluster.cluster_config import PIPELINE_TAG, ClusterConfig
from dynamodb_pipeline.emr.cluster.instance_types import instance_type
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, failed, ok, skipped, warning
from dynamodb_pipeline.emr.preflight.permissions import Caller, Question, refusals
from dynamodb_pipeline.emr.request.run_job_flow_request import MANAGED_POLICY_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, RouteTableTypeDef, SubnetTypeDef, TagTypeDef, VpcEndpointTypeDef
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_service_quotas import ServiceQuotasClient

# Running on-demand standard (A, C, D, H, I, M, R, T, Z) instances, counted in vCPUs.
VCPU_QUOTA = "L-1216C47A"
TYPE_REMEDY = "use --config m5, or a label that lists the type (--set ReleaseLabel=...)"
LABEL_REMEDY = "--set ReleaseLabel=... takes another; those that there are: aws emr list-release-labels --region"
NO_SUCH_NAME = {"InvalidRequestException", "ValidationException"}  # EMR's, of a release or configuration
MISSING_SUBNET = {"InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound", "InvalidSubnetID.Malformed"}
GATEWAY_SERVICES = ("s3", "dynamodb")
DEFAULT_SUBNETS: list[FilterTypeDef] = [{"Name": "default-for-az", "Values": ["true"]}]
# EMR makes these for a VPC's first cluster, or takes those that are there:
# https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-man-sec-groups.html
EMR_GROUPS = ["ElasticMapReduce-master", "ElasticMapReduce-slave"]
EMR_GROUPS += ["ElasticMapReduce-Master-Private", "ElasticMapReduce-Slave-Private", "ElasticMapReduce-ServiceAccess"]
TAG_KEY, TAG_VALUE = MANAGED_POLICY_TAG


def types_of(config: ClusterConfig) -> set[str]:
    """The instance types of a cluster."""
    return {group.type_name for group in config.groups}


def zones_with_types(ec2: EC2Client, config: ClusterConfig) -> set[str]:
    """The zones of the region in which EC2 offers every type of the cluster."""
    filters: list[FilterTypeDef] = [{"Name": "instance-type", "Values": sorted(types_of(config))}]
    reply = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=filters)
    offers = {(offer["Location"], offer["InstanceType"]) for offer in reply["InstanceTypeOfferings"]}
    zones = {zone for zone, _ in offers}
    return {zone for zone in zones if all((zone, name) in offers for name in types_of(config))}


def choose_subnet(ec2: EC2Client, config: ClusterConfig) -> str | None:
    """
    The default subnet for a cluster that names none, None where there is none that would do.

    EMR itself takes any default subnet, and the subnet decides the zone: a type that is offered in some zones only then
    ends the launch. Of those whose zone has the types, one with EMR's tag comes first.
    """
    subnets = ec2.describe_subnets(Filters=DEFAULT_SUBNETS)["Subnets"]
    zones = zones_with_types(ec2, config) if subnets else set()
    good = [subnet for subnet in subnets if subnet["AvailabilityZone"] in zones]
    good.sort(key=lambda subnet: (tags_of(subnet).get(TAG_KEY) != TAG_VALUE, subnet["AvailabilityZone"]))
    return good[0]["SubnetId"] if good else None


def tags_of(thing: Any) -> dict[str, str]:
    """The tags of a subnet, VPC or security group."""
    tags: list[TagTypeDef] = thing.get("Tags", [])
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


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


def check_subnet(subnet: SubnetTypeDef | None, subnet_id: str, *, config: ClusterConfig) -> CheckResult:
    """The subnet exists and has an address for every node."""
    if subnet is None:
        return failed("subnet", f"subnet {subnet_id} does not exist in this region", remedy="check --subnet")
    free, needed = subnet["AvailableIpAddressCount"], sum(group.count for group in config.groups)
    if free < needed:
        detail = f"subnet {subnet_id} has {free} free addresses, the cluster needs {needed}"
        return failed("subnet", detail, remedy="use another subnet (--subnet)")
    return ok("subnet", f"{subnet_id} in {subnet['AvailabilityZone']}, {free} free addresses")


def check_routes(ec2: EC2Client, subnet: SubnetTypeDef, *, region: str) -> CheckResult:
    """
    The subnet is public, or private with ways to S3 and DynamoDB.

    A private subnet without them hangs until the provisioning deadline, so it is refused here.
    """
    table = _route_table(ec2, subnet)
    targets = {str(route.get("GatewayId", route.get("NatGatewayId", ""))) for route in table.get("Routes", [])}
    if any(target.startswith("igw-") for target in targets):
        return ok("routes", "public subnet (internet gateway)")
    if any(route.get("NatGatewayId") or route.get("TransitGatewayId") for route in table.get("Routes", [])):
        remedy = "S3 and DynamoDB gateway endpoints are free, NAT is charged per GiB"
        return warning("routes", "private subnet through NAT", remedy=remedy)
    present = {service_of(endpoint) for endpoint in endpoints_of(ec2, subnet, table)}
    missing = [name for name in GATEWAY_SERVICES if name not in present]
    if missing:
        detail = f"private subnet without gateway endpoint for {' and '.join(missing)}"
        place = f"--region {region} --vpc-id {subnet['VpcId']} --route-table-ids {table.get('RouteTableId', '')}"
        start = "cn.com.amazonaws" if region.startswith("cn-") else "com.amazonaws"
        names = [f"{start}.{region}.{name}" for name in missing]
        remedy = "; ".join(f"aws ec2 create-vpc-endpoint {place} --service-name {name}" for name in names)
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


def endpoints_of(ec2: EC2Client, subnet: SubnetTypeDef, table: RouteTableTypeDef) -> list[VpcEndpointTypeDef]:
    """The VPC's endpoints that this subnet's traffic takes: those of its route table, and interfaces."""
    filters: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    table_id = table.get("RouteTableId")
    return [
        one
        for one in ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        if one.get("VpcEndpointType") == "Interface" or table_id in one.get("RouteTableIds", [])
    ]


def service_of(endpoint: VpcEndpointTypeDef) -> str:
    """`s3` of com.amazonaws.eu-west-1.s3."""
    return endpoint["ServiceName"].rpartition(".")[2]


def check_vpc(ec2: EC2Client, subnet: SubnetTypeDef, *, region: str) -> CheckResult:
    """
    Nodes find each other by names that the VPC gives them, at private addresses.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-vpc-host-job-flows.html
    """
    vpc_id = subnet["VpcId"]
    support = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")["EnableDnsSupport"]
    names = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")["EnableDnsHostnames"]
    off = {"DNS resolution": ("support", support), "DNS hostnames": ("hostnames", names)}
    wrong = {what: option for what, (option, value) in off.items() if not value.get("Value")}
    if wrong:
        call = f"aws ec2 modify-vpc-attribute --region {region} --vpc-id {vpc_id}"
        remedy = "; ".join(f"{call} --enable-dns-{option} Value=true" for option in wrong.values())
        return failed("vpc", f"{vpc_id} has no {' and no '.join(wrong)}: nodes do not find each other", remedy=remedy)
    if not ip_network(subnet["CidrBlock"]).is_private:
        remedy = "use a subnet of private addresses (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)"
        return warning("vpc", f"{subnet['SubnetId']} has the public addresses {subnet['CidrBlock']}", remedy=remedy)
    return ok("vpc", f"{vpc_id}: DNS resolution and hostnames, private addresses")


def check_endpoint_policies(ec2: EC2Client, subnet: SubnetTypeDef, needs: Iterable[tuple[str, str]]) -> CheckResult:
    """
    No policy of an endpoint that the subnet's traffic takes leaves out what nodes need.

    A statement with a condition is taken to allow nothing: whether it holds on a node is not known here.

    Args:
        needs: (action, ARN), such as `("s3:GetObject", "arn:aws:s3:::bucket/key")`.
    """
    taken = endpoints_of(ec2, subnet, _route_table(ec2, subnet))
    endpoints = [one for one in taken if service_of(one) in GATEWAY_SERVICES]
    refused = [
        f"{action} on {arn} by {one['VpcEndpointId']}"
        for one in endpoints
        for action, arn in needs
        if action.startswith(f"{service_of(one)}:") and not policy_allows(one.get("PolicyDocument"), action, arn)
    ]
    if refused:
        remedy = "allow it in the endpoint's policy, https://docs.aws.amazon.com/emr/latest/ManagementGuide/"
        remedy += "private-subnet-iampolicy.html, or use another --subnet"
        return warning("endpoint-policies", f"not allowed {', '.join(refused)}", remedy=remedy)
    return ok("endpoint-policies", f"{len(endpoints)} of S3 or DynamoDB, none leaves out what nodes need")


def node_needs(region: str, *, partition: str, wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """
    What nodes ask of S3 and DynamoDB: `wanted` by the run, and Amazon Linux's and EMR's packages and EMR's own logs.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/private-subnet-iampolicy.html
    """
    start = f"arn:{partition}:s3:::"
    own = (f"al2023-repos-{region}-de612dc2", f"repo.{region}.emr.amazonaws.com", f"prod.{region}.appinfo.src")
    read = [("s3:GetObject", f"{start}{bucket}/example") for bucket in own]
    return [*wanted, *read, ("s3:PutObject", f"{start}aws157-logs-prod-{region}/example")]


def policy_allows(document: str | None, action: str, arn: str) -> bool:
    """Whether an endpoint's policy lets everybody do this; without one everything is allowed."""
    statements = json.loads(document)["Statement"] if document else []
    listed = statements if isinstance(statements, list) else [statements]
    met = {
        one["Effect"]
        for one in listed
        if _names(one.get("Action"), action.lower(), lower=True)
        and _names(one.get("Resource"), arn)
        and (one["Effect"] == "Deny" or not one.get("Condition"))
    }
    return not document or met == {"Allow"}


def _names(patterns: Any, text: str, *, lower: bool = False) -> bool:
    every = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatchcase(text, one.lower() if lower else one) for one in every if isinstance(one, str))


def check_zone(
    ec2: EC2Client, config: ClusterConfig, *, subnet: SubnetTypeDef | None, region: str, other_config: str
) -> CheckResult:
    """EC2 offers the types in the subnet's zone; without a subnet, why none was chosen."""
    zones, names = zones_with_types(ec2, config), ", ".join(sorted(types_of(config)))
    where = f"zones that offer it: {', '.join(sorted(zones))}" if zones else f"no zone of {region} offers it"
    remedy = f"{other_config}; or give --subnet in one of the zones that offer it" if zones else other_config
    if subnet is None:
        return failed("instance-offering", f"no default subnet for {names}: {where}", remedy=remedy)
    zone = subnet["AvailabilityZone"]
    if zone not in zones:
        return failed("instance-offering", f"EC2 does not offer {names} in {zone}; {where}", remedy=remedy)
    return ok("instance-offering", f"{names} in {zone}")


def check_default_vpc(ec2: EC2Client, *, region: str) -> CheckResult:
    """Without a subnet in the request there must be a default VPC with default subnets."""
    if ec2.describe_subnets(Filters=DEFAULT_SUBNETS)["Subnets"]:
        return ok("subnet", "a default subnet, which EMR takes")
    remedy = f"give --subnet, or once: aws ec2 create-default-vpc --region {region}"
    return failed("subnet", f"{region} has no default VPC, or none of its default subnets is left", remedy=remedy)


@dataclass(frozen=True)
class NetworkPart:
    """Something of the network that EMR uses with its service role: what it does there, and the tags it carries."""

    id: str
    arn: str
    action: str
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def question(self) -> Question:
        context = {f"aws:ResourceTag/{key}": value for key, value in self.tags.items()}
        return Question((self.action,), (self.arn,), context)


def network_parts(ec2: EC2Client, subnet: SubnetTypeDef, *, caller: Caller, region: str) -> list[NetworkPart]:
    """The subnet, EMR's security groups in its VPC, and the VPC itself where EMR has yet to make those."""
    place = f"arn:{caller.partition}:ec2:{region}:{caller.account}"
    subnet_id, vpc_id = subnet["SubnetId"], subnet["VpcId"]
    named: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": EMR_GROUPS}]
    groups = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    parts = [NetworkPart(subnet_id, f"{place}:subnet/{subnet_id}", "ec2:CreateNetworkInterface", tags_of(subnet))]
    for group in groups:
        arn, action = f"{place}:security-group/{group['GroupId']}", "ec2:AuthorizeSecurityGroupIngress"
        parts.append(NetworkPart(group["GroupId"], arn, action, tags_of(group)))
    if not groups:
        (vpc,) = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
        parts.append(NetworkPart(vpc_id, f"{place}:vpc/{vpc_id}", "ec2:CreateSecurityGroup", tags_of(vpc)))
    return parts


def check_network_rights(
    iam: IAMClient, role_arn: str | None, parts: Iterable[NetworkPart], *, region: str
) -> CheckResult:
    """
    EMR's service role may use the subnet and make or use its security groups.

    AWS's AmazonEMRServicePolicy_v2 allows that where they carry a tag, which no one but their owner gives them:
    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-managed-iam-policies.html
    """
    if role_arn is None:
        return skipped("network-rights", "there is no such role yet", see="service-role")
    refused = [part for part in parts if refusals(iam, role_arn, [part.question])]
    if not refused:
        return ok("network-rights", f"{role_arn.rpartition('/')[2]} may use the subnet and its security groups")
    ids = " ".join(part.id for part in refused)
    detail = f"{role_arn.rpartition('/')[2]} may not {refused[0].action.partition(':')[2]} in {ids}"
    if all(part.tags.get(TAG_KEY) == TAG_VALUE for part in refused):
        return failed("network-rights", detail, remedy="give the role the managed policy AmazonEMRServicePolicy_v2")
    remedy = f"aws ec2 create-tags --region {region} --resources {ids} --tags Key={TAG_KEY},Value={TAG_VALUE}"
    return failed("network-rights", f"{detail}: the tag {TAG_KEY} is missing", remedy=remedy)


def check_tag(request: dict[str, Any]) -> CheckResult:
    """The mandatory tag is in the request itself; without it policies refuse every later EMR call."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
    if tags.get(PIPELINE_TAG) == "true":
        return ok("tag", f"{PIPELINE_TAG}=true is in the request")
    return failed("tag", f"{PIPELINE_TAG}=true is missing", remedy="launch with this tool; it always sets the tag")


def check_label_offers_types(emr: EMRClient, config: ClusterConfig, *, region: str) -> CheckResult:
    """EMR lists the types for this label in this region."""
    offered = _listed_types(emr, config.release_label)
    if offered is None:
        detail = f"EMR does not know the release {config.release_label} here"
        return failed("instance-type", detail, remedy=f"{LABEL_REMEDY} {region}")
    missing = sorted(types_of(config) - offered)
    if missing:
        detail = f"EMR does not list {', '.join(missing)} for {config.release_label} here"
        return failed("instance-type", detail, remedy=TYPE_REMEDY)
    return ok("instance-type", f"{config.release_label} lists {', '.join(sorted(types_of(config)))}")


def _listed_types(emr: EMRClient, label: str) -> set[str] | None:
    """The types that EMR lists for a release, None for one that it does not know."""
    from botocore.exceptions import ClientError

    offered: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        try:
            page = emr.list_supported_instance_types(ReleaseLabel=label, **marker)
        except ClientError as err:
            if error_code(err) not in NO_SUCH_NAME:
                raise
            return None
        offered.update(offer["Type"] for offer in page.get("SupportedInstanceTypes", []))
        if not page.get("Marker"):
            return offered
        marker = {"Marker": page["Marker"]}


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
        if error_code(err) not in NO_SUCH_NAME:
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
