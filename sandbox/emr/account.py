"""
What the sandbox's account holds besides clusters: whose policies say what, its network, EMR's clean-up role, its keys.

moto keeps all of it. It is looked at in this process and not over HTTP, where it would be recorded as somebody's call.
What AWS has in every account and moto has not is made here when it is first looked at: the default VPC's way to the
internet, and AWS's managed policies, by their own texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam import models as iam_models
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from sandbox.emr import network, simulator
from sandbox.emr.access import LAUNCHER, NODE, Principal
from sandbox.emr.iam_actions import ACCOUNT_ID
from sandbox.emr.policy_judge import ALLOWED, Policy, decision

CLEANUP_ROLE = "AWSServiceRoleForEMRCleanup"
EMR_SERVICE = "elasticmapreduce.amazonaws.com"
GROUPS = {"MASTER": "ElasticMapReduce-master", "CORE": "ElasticMapReduce-slave"}  # EMR's own, in a public subnet
iam_models.SERVICE_NAME_CONVERSION["elasticmapreduce"] = "EMRCleanup"  # moto would call the role by the service


@dataclass(frozen=True)
class Tagged:
    """Something of EC2 with its tags."""

    id: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subnet(Tagged):
    """A subnet; `zone` is its availability zone's name."""

    zone: str = ""
    vpc: Tagged = Tagged("")


class Account:
    """moto's account as EMR and IAM look at it."""

    def policies_of(self, principal: Principal) -> list[Policy] | None:
        """Return all policies of a caller; None for one that IAM does not know, who may do everything."""
        if principal.kind == LAUNCHER:
            user = _iam().get_user_from_access_key_id(principal.key) if principal.key else None
            return simulator.policies_in(_iam(), user.arn) if user else None
        if principal.kind == NODE:
            return self.policies_of_role(self.role_of_profile(principal.role) or principal.role)
        if principal.account:
            return simulator.policies_in(iam_backends[principal.account]["aws"], principal.role)
        return self.policies_of_role(principal.role)

    def arn_of(self, principal: Principal) -> str:
        """Return the ARN of the user or role that calls; of one that IAM does not know that of its whole account."""
        if principal.kind == LAUNCHER:
            user = _iam().get_user_from_access_key_id(principal.key) if principal.key else None
            return str(user.arn) if user else f"arn:aws:iam::{ACCOUNT_ID}:root"
        if principal.kind == NODE:
            return self.role_of_profile(principal.role) or _role_arn(principal.role)
        return _role_arn(principal.role)

    def owner_of_bucket(self, name: str) -> str | None:
        """Return the account of a bucket, None where there is no such one."""
        return s3_backends.bucket_accounts.get(name, (None, None))[1]

    def policy_of_bucket(self, name: str) -> Policy | None:
        """Return a bucket's own policy."""
        owner = self.owner_of_bucket(name)
        bucket = s3_backends[owner]["aws"].buckets.get(name) if owner else None
        return json.loads(bucket.policy) if bucket and bucket.policy else None

    def policies_of_role(self, name: str) -> list[Policy] | None:
        """Return the policies of a role by its name or ARN, None when there is no such role."""
        return simulator.policies_in(_iam(), _role_arn(name))

    def role_of_profile(self, name: str) -> str | None:
        """Return the ARN of the role in an instance profile, None when there is none."""
        for profile in _iam().instance_profiles.values():
            if name in (profile.name, profile.arn) and profile.roles:
                return str(profile.roles[0].arn)
        return None

    def has_cleanup_role(self) -> bool:
        return any(role.name == CLEANUP_ROLE for role in _iam().roles.values())

    def make_cleanup_role(self) -> None:
        """Do what EMR does at the first launch in an account."""
        _iam().create_service_linked_role(EMR_SERVICE, "", "")

    def subnet(self, subnet_id: str, region: str) -> Subnet | None:
        """Return a subnet of the region, None when there is no such one."""
        found = [one for zone in _ec2(region).subnets.values() for one in zone.values() if one.id == subnet_id]
        return _subnet(found[0], region) if found else None

    def default_subnets(self, region: str) -> list[Subnet]:
        """Return the default VPC's default subnets by zone; none when there is no default VPC."""
        vpc = _ec2(region).get_default_vpc()
        if vpc is None:
            return []
        reach_internet(region)
        found = [one for zone in _ec2(region).subnets.values() for one in zone.values()]
        own = [one for one in found if one.vpc_id == vpc.id and one.default_for_az in (True, "true")]
        return sorted((_subnet(one, region) for one in own), key=lambda one: one.zone)

    def network_problem(self, subnet_id: str, region: str) -> str | None:
        """Return why nodes in this subnet do not come up, None when they do; see network.problem."""
        reach_internet(region)
        found = [one for zone in _ec2(region).subnets.values() for one in zone.values() if one.id == subnet_id]
        return network.problem(_ec2(region), found[0]) if found else None

    def emr_groups(self, vpc_id: str, region: str) -> dict[str, Tagged]:
        """Return EMR's own security groups in a VPC by name."""
        groups = _ec2(region).describe_security_groups(filters={"vpc-id": [vpc_id]})
        return {one.name: _tagged(one) for one in groups if one.name in GROUPS.values()}

    def make_emr_groups(self, vpc_id: str, region: str, tags: Mapping[str, str]) -> None:
        """Make EMR's security groups as it does for a VPC's first cluster, with the cluster's tags."""
        for name in set(GROUPS.values()) - set(self.emr_groups(vpc_id, region)):
            description = f"{name} for the sandbox's clusters"
            _ec2(region).create_security_group(name, description, vpc_id=vpc_id, tags=dict(tags))

    def key_of_object(self, bucket: str, key: str) -> str | None:
        """Return the KMS key of a stored object, None when it has none of its own."""
        kept = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket)
        stored = kept.keys.get(key) if kept else None
        return getattr(stored, "kms_key_id", None) or None

    def key_of_bucket(self, bucket: str) -> str | None:
        """Return the KMS key that a bucket encrypts new objects with, None when it has none of its own."""
        kept = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket)
        rule = (kept.encryption or {}).get("Rule", {}) if kept else {}
        return rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") or None


def assumed_role(key: str) -> str | None:
    """Return the ARN of the role that STS gave this access key for, None for other keys."""
    for account in list(sts_backends.values()):
        found = account["aws"].get_assumed_role_from_access_key(key)
        if found:
            return str(found.role_arn)
    return None


def refuses_trust(role_arn: str, *, account: str, external_id: str | None) -> bool:
    """Return whether a role's trust document keeps a caller of this account out; that of an unknown role does not."""
    roles = iam_backends[role_arn.split(":")[4]]["aws"].roles.values()
    trust = next((one.assume_role_policy_document for one in roles if one.arn == role_arn), None)
    if trust is None:
        return False
    document = json.loads(trust) if isinstance(trust, str) else trust
    own = [one for one in document["Statement"] if one["Principal"].get("AWS") == f"arn:aws:iam::{account}:root"]
    context = {"sts:ExternalId": external_id} if external_id else {}
    policy = {"Statement": [{**one, "Resource": "*"} for one in own]}
    return decision([policy], "sts:AssumeRole", resource=role_arn, context=context) != ALLOWED


def _role_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"


def _iam() -> Any:
    return iam_backends[ACCOUNT_ID]["aws"]


def _ec2(region: str) -> Any:
    return ec2_backends[ACCOUNT_ID][region]


def _tagged(one: Any) -> Tagged:
    return Tagged(one.id, {tag["key"]: tag["value"] for tag in one.get_tags()})


def _subnet(one: Any, region: str) -> Subnet:
    vpc = _tagged(_ec2(region).vpcs[one.vpc_id])
    return Subnet(one.id, _tagged(one).tags, zone=one.availability_zone, vpc=vpc)


def reach_internet(region: str) -> None:
    """Give the default VPC its internet gateway, which every default VPC has (VPC User Guide, "Default VPCs")."""
    ec2 = _ec2(region)
    vpc = ec2.get_default_vpc()
    if vpc is None or ec2.describe_internet_gateways(filters={"attachment.vpc-id": [vpc.id]}):
        return
    gateway = ec2.create_internet_gateway()
    ec2.attach_internet_gateway(gateway.id, vpc.id)
    (table,) = ec2.describe_route_tables(filters={"vpc-id": vpc.id, "association.main": "true"})
    ec2.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)


def make_managed_policy(arn: str) -> None:
    """Put one of AWS's managed policies, by the text that moto has recorded, into IAM; loading all takes seconds."""
    name = arn.rpartition("/")[2]
    if ":aws:policy/" not in arn or any(policy.arn == arn for policy in _iam().managed_policies.values()):
        return
    text = iam_models.aws_managed_policies_data
    start = text.find(f'"{name}":')
    if start >= 0:
        data, _ = json.JSONDecoder().raw_decode(text, text.index("{", start))
        policy = iam_models.AWSManagedPolicy.from_data(name, ACCOUNT_ID, "us-east-1", data)
        _iam().managed_policies[policy.arn] = policy
