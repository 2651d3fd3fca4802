"""
What AWS looks at when it has taken a RunJobFlow: its own roles, the network, the zone, keys. Each failure in its words.

All of it is judged by the service role's real policies, AWS's AmazonEMRServicePolicy_v2 among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.emr import catalogue
from sandbox.emr.account import CLEANUP_ROLE, EMR_SERVICE, GROUPS, Subnet, Tagged
from sandbox.emr.events import ProvisioningFailed
from sandbox.emr.iam_actions import ACCOUNT_ID, Action
from sandbox.emr.permissions import refused_action
from sandbox.emr.policy_judge import Policy
from sandbox.emr.records import Cluster, ErrorDetail, Reason

DOCS = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/"
NO_CLEANUP_ROLE = (
    f"Service-linked role '{CLEANUP_ROLE}' for EMR is required. "
    "Please create this role directly or add permission to create it in your IAM entity."
)
NO_PROVISIONING = "On the master instance (i-00000000000000000), application provisioning failed"
NO_DEFAULT_VPC = "The VPC/subnet configuration was invalid: No default VPC for this user"


class Ground(Protocol):
    """What a launch stands on; see account.Account."""

    def policies_of_role(self, name: str) -> list[Policy] | None: ...
    def role_of_profile(self, name: str) -> str | None: ...
    def has_cleanup_role(self) -> bool: ...
    def make_cleanup_role(self) -> None: ...
    def subnet(self, subnet_id: str, region: str) -> Subnet | None: ...
    def default_subnets(self, region: str) -> list[Subnet]: ...
    def emr_groups(self, vpc_id: str, region: str) -> dict[str, Tagged]: ...
    def network_problem(self, subnet_id: str, region: str) -> str | None: ...
    def make_emr_groups(self, vpc_id: str, region: str, tags: Mapping[str, str]) -> None: ...


@dataclass(frozen=True)
class Launch:
    """A new cluster, the policies of whoever launches it (None: everything), and the zone EMR takes by itself."""

    cluster: Cluster
    callers_policies: list[Policy] | None
    default_zone: str | None = None

    @property
    def region(self) -> str:
        return self.cluster.region

    @property
    def service_role(self) -> str:
        return str(self.cluster.request.get("ServiceRole", ""))

    @property
    def types(self) -> list[str]:
        return [group.config["InstanceType"] for group in self.cluster.groups]


def cleanup_action() -> Action:
    """What the first launch of an account needs."""
    place = f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/{EMR_SERVICE}/{CLEANUP_ROLE}"
    return Action("iam:CreateServiceLinkedRole", place, {"iam:AWSServiceName": EMR_SERVICE})


def placed(launch: Launch, ground: Ground) -> Subnet | None:
    """Return the subnet of a cluster: the request's, or a default one, whatever its zone offers."""
    instances = launch.cluster.request["Instances"]
    if instances.get("Ec2SubnetId"):
        return ground.subnet(instances["Ec2SubnetId"], launch.region)
    wanted = instances.get("Placement", {}).get("AvailabilityZone") or launch.default_zone
    found = ground.default_subnets(launch.region)
    return next((one for one in found if one.zone == wanted), found[0] if found else None)


def failure(launch: Launch, ground: Ground) -> ProvisioningFailed | None:
    """Return why the cluster never gets its instances, None when it does; what EMR makes on the way is made."""
    if not ground.has_cleanup_role():
        if refused_action(launch.callers_policies, [cleanup_action()]):
            return _invalid(NO_CLEANUP_ROLE)
        ground.make_cleanup_role()
    subnet = placed(launch, ground)
    if subnet is None:
        return _invalid(NO_DEFAULT_VPC)
    refused = refused_action(ground.policies_of_role(launch.service_role), list(_ec2_actions(launch, subnet, ground)))
    if refused:
        arn = f"arn:aws:iam::{ACCOUNT_ID}:role/{launch.service_role.rpartition('/')[2]}"
        return _invalid(f"Service role {arn} has insufficient EC2 permissions")
    ground.make_emr_groups(subnet.vpc.id, launch.region, launch.cluster.tags)
    return (
        _absent_type(launch, subnet.zone)
        or _unusable_log_key(launch, ground)
        or _unusable_network(subnet, launch.region, ground)
    )


def _ec2_actions(launch: Launch, subnet: Subnet, ground: Ground) -> Iterator[Action]:
    """What EMR asks of EC2 and IAM with the service role: MG:emr-iam-role, AmazonEMRServicePolicy_v2."""
    place, asked = f"arn:aws:ec2:{launch.region}:{ACCOUNT_ID}", _tags("aws:RequestTag", launch.cluster.tags)
    yield Action("ec2:RunInstances", f"{place}:subnet/{subnet.id}", _tags("aws:ResourceTag", subnet.tags))
    yield Action("ec2:RunInstances", f"{place}:instance/*", asked)
    yield Action("ec2:RunInstances", f"{place}:volume/*", asked)
    yield Action("ec2:RunInstances", f"{place}:network-interface/*")
    groups = ground.emr_groups(subnet.vpc.id, launch.region)
    for group in groups.values():
        arn, tags = f"{place}:security-group/{group.id}", _tags("aws:ResourceTag", group.tags)
        yield Action("ec2:RunInstances", arn, tags)
        yield Action("ec2:AuthorizeSecurityGroupIngress", arn, tags)
    if set(groups) != set(GROUPS.values()):
        yield Action(
            "ec2:CreateSecurityGroup", f"{place}:vpc/{subnet.vpc.id}", _tags("aws:ResourceTag", subnet.vpc.tags)
        )
        yield Action("ec2:CreateSecurityGroup", f"{place}:security-group/*", asked)
    node_role = ground.role_of_profile(launch.cluster.node_role)
    if node_role:
        yield Action("iam:PassRole", node_role, {"iam:PassedToService": "ec2.amazonaws.com"})


def _tags(kind: str, tags: Mapping[str, str]) -> dict[str, str]:
    return {f"{kind}/{key}": value for key, value in tags.items()}


def _absent_type(launch: Launch, zone: str) -> ProvisioningFailed | None:
    absent = sorted(set(launch.types) - catalogue.types_offered_in_zone(zone))
    return type_not_in_zone(absent, zone) if absent else None


def _unusable_log_key(launch: Launch, ground: Ground) -> ProvisioningFailed | None:
    """MG:emr-plan-debugging: EMR describes the key with its service role before it uses it."""
    key = launch.cluster.request.get("LogEncryptionKmsKeyId")
    described = [Action("kms:DescribeKey", key)] if key else []
    if refused_action(ground.policies_of_role(launch.service_role), described):
        return _invalid(f"Service role {launch.service_role} is not authorized to perform: kms:DescribeKey on {key}")
    return None


def _unusable_network(subnet: Subnet, region: str, ground: Ground) -> ProvisioningFailed | None:
    """EMR does not look: nodes that do not come up end the cluster, in words that do not say why."""
    if ground.network_problem(subnet.id, region) is None:
        return None
    return ProvisioningFailed(Reason("BOOTSTRAP_FAILURE", NO_PROVISIONING))


def _invalid(message: str, detail: ErrorDetail | None = None) -> ProvisioningFailed:
    return ProvisioningFailed(Reason("VALIDATION_ERROR", message), detail)


def no_capacity(instance_type: str, zone: str) -> ProvisioningFailed:
    """Return what happens when EC2 has no more instances of a type."""
    code = "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"
    message = f"The requested instance type {instance_type} has insufficient capacity in {zone}."
    data = {"instance-type": instance_type, "availability-zone": zone, "public-doc": f"{DOCS}{code}.html"}
    return ProvisioningFailed(Reason("INTERNAL_ERROR", message), ErrorDetail(code, message, data))


def type_not_in_zone(types: list[str], zone: str) -> ProvisioningFailed:
    """Return what happens when the subnet lies in a zone without the type."""
    code = "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED"
    message = f"Instance types {', '.join(types)} are not supported in the availability zone {zone}."
    data = {"instance-types": ",".join(types), "availability-zones": zone, "public-doc": f"{DOCS}{code}.html"}
    return _invalid(message, ErrorDetail(code, message, data))
