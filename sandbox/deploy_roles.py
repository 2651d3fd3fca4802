"""
Puts the roles of `policy roles-template` into the sandbox's IAM and EMR.

moto's CloudFormation would need packages that nothing else here needs, so the template's four kinds of resources are
made one by one; a kind that is not known here is an error and not left out.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.emr.iam_actions import ACCOUNT_ID
from sandbox.processes import SandboxError
from sandbox.stack import Sandbox

ORDER = ("AWS::IAM::Role", "AWS::IAM::InstanceProfile", "AWS::EMR::SecurityConfiguration", "AWS::IAM::ManagedPolicy")


def deploy_roles(sandbox: Sandbox, template: dict[str, Any], *, region: str) -> None:
    """Make every resource of the template; roles of another region's deployment get this region's policies too."""
    unknown = {r["Type"] for r in template["Resources"].values()} - set(ORDER)
    if unknown:
        raise SandboxError(f"the roles template has resources the sandbox cannot make: {', '.join(sorted(unknown))}")
    iam, emr = sandbox.client("iam"), sandbox.client("emr", region=region)
    resources = resolved(template["Resources"], region=region)
    for kind in ORDER:
        for resource in resources.values():
            if resource["Type"] == kind:
                _make(kind, resource.get("Properties", {}), iam=iam, emr=emr)
    tag_default_network(sandbox, region=region)
    for resource in resources.values():
        for policy in resource.get("Properties", {}).get("Policies", []):
            _put_policy(resource["Properties"]["RoleName"], policy, iam=iam, region=region)


def tag_default_network(sandbox: Sandbox, *, region: str) -> None:
    """Give the default VPC and its subnets the tag that EMR's managed policy asks for, as the user does once."""
    ec2 = sandbox.client("ec2", region=region)
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    ids = [vpc["VpcId"], *(subnet["SubnetId"] for subnet in subnets)]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}])


def _put_policy(role_name: str, policy: dict[str, Any], *, iam: Any, region: str) -> None:
    document = json.dumps(policy["PolicyDocument"])
    iam.put_role_policy(RoleName=role_name, PolicyName=f"{policy['PolicyName']}-{region}", PolicyDocument=document)


def resolved(value: Any, *, region: str) -> Any:
    """Return `value` with every Fn::Sub replaced by its text, CloudFormation's own names filled in."""
    known = {"${AWS::AccountId}": ACCOUNT_ID, "${AWS::Region}": region, "${AWS::Partition}": "aws"}
    known["${AWS::URLSuffix}"] = "amazonaws.com"
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text: str = value["Fn::Sub"]
        for name, replacement in known.items():
            text = text.replace(name, replacement)
        return text
    if isinstance(value, dict):
        return {key: resolved(member, region=region) for key, member in value.items()}
    return [resolved(member, region=region) for member in value] if isinstance(value, list) else value


def _make(kind: str, properties: dict[str, Any], *, iam: Any, emr: Any) -> None:
    if kind == "AWS::IAM::Role":
        _make_role(properties, iam)
    elif kind == "AWS::IAM::InstanceProfile":
        _make_profile(properties, iam)
    elif kind == "AWS::EMR::SecurityConfiguration":
        _make_security_configuration(properties, emr)
    else:
        _make_managed_policy(properties, iam)


def _make_security_configuration(properties: dict[str, Any], emr: Any) -> None:
    """The sandbox keeps them for all regions together."""
    name, document = properties["Name"], json.dumps(properties["SecurityConfiguration"])
    try:
        emr.describe_security_configuration(Name=name)
    except emr.exceptions.InvalidRequestException:
        emr.create_security_configuration(Name=name, SecurityConfiguration=document)


def _make_role(properties: dict[str, Any], iam: Any) -> None:
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    try:
        iam.create_role(RoleName=properties["RoleName"], AssumeRolePolicyDocument=trust)
    except iam.exceptions.EntityAlreadyExistsException:
        return
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=properties["RoleName"], PolicyArn=arn)


def _make_managed_policy(properties: dict[str, Any], iam: Any) -> None:
    document = json.dumps(properties["PolicyDocument"])
    try:
        iam.create_policy(PolicyName=properties["ManagedPolicyName"], PolicyDocument=document)
    except iam.exceptions.EntityAlreadyExistsException:
        return


def _make_profile(properties: dict[str, Any], iam: Any) -> None:
    name = properties["InstanceProfileName"]
    try:
        iam.create_instance_profile(InstanceProfileName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        return
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
