"""
A CloudFormation template with every role, instance profile and the security configuration.

The AWS page makes its users create roles by hand; this makes them in one deployment, limited to named tables and
folders. Account and region stay CloudFormation's own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from dynamodb_pipeline.emr.documents.policies import (
    INLINE_CHARACTERS,
    MANAGED_CHARACTERS,
    MANAGED_OF_A_ROLE,
    MANAGED_SERVICE_POLICY,
    launcher_policy,
    nodes_export_policy,
    nodes_import_policy,
    service_policy,
    split_policy,
    trust_document,
)
from dynamodb_pipeline.emr.documents.policy_scope import (
    CLOUDFORMATION_ACCOUNT,
    CLOUDFORMATION_PARTITION,
    CLOUDFORMATION_REGION,
    PolicyScope,
)
from dynamodb_pipeline.errors import UsageError

# IMDSv2 only, one hop: https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-create-security-configuration.html
SECURITY_CONFIGURATION = {
    "InstanceMetadataServiceConfiguration": {
        "MinimumInstanceMetadataServiceVersion": 2,
        "HttpPutResponseHopLimit": 1,
    }
}


def in_cloudformation(scope: PolicyScope) -> PolicyScope:
    """The scope with CloudFormation's own account, region and partition."""
    return replace(
        scope,
        account=CLOUDFORMATION_ACCOUNT,
        region=CLOUDFORMATION_REGION,
        partition=CLOUDFORMATION_PARTITION,
    )


def substituted(value: Any) -> Any:
    """
    `value` with every text that holds `${...}` wrapped in Fn::Sub; what IAM is to read as `${*}` is written `${!*}`.

    Raises:
        UsageError: a text that CloudFormation would resolve by itself, wherever it stands.
    """
    if isinstance(value, dict):
        return {key: substituted(member) for key, member in value.items()}
    if isinstance(value, list):
        return [substituted(member) for member in value]
    if not isinstance(value, str):
        return value
    refuse_dynamic_reference(value)
    return {"Fn::Sub": re.sub(r"\$\{(?=[*?$]\})", "${!", value)} if "${" in value else value


def refuse_dynamic_reference(text: str) -> None:
    """
    Raises:
        UsageError: `{{resolve:...}}`, for which CloudFormation would put a secret; it knows no escape.
    """
    if "{{resolve:" in text.lower():
        msg = f"{text[:100]!r} holds {{{{resolve:, which CloudFormation replaces by a secret; choose another name"
        raise UsageError(msg)


def roles_template(scope: PolicyScope) -> dict[str, Any]:
    """The whole template; deploy it with `--capabilities CAPABILITY_NAMED_IAM`."""
    inside = in_cloudformation(scope)
    resources = {
        "ServiceRole": _service_role(inside),
        **_node_resources("Export", inside, "nodes-export", nodes_export_policy(inside)),
        **_node_resources("Import", inside, "nodes-import", nodes_import_policy(inside)),
        "SecurityConfiguration": {
            "Type": "AWS::EMR::SecurityConfiguration",
            "Properties": {"Name": "dynamodb-pipeline", "SecurityConfiguration": SECURITY_CONFIGURATION},
        },
        **_launcher_policies(inside),
    }
    launcher = [name for name in resources if name.startswith("LauncherPolicy")]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "dynamodb-pipeline: roles, instance profiles and security configuration of its EMR clusters",
        "Resources": substituted(resources),
        "Outputs": {f"{name}Arn": {"Value": {"Ref": name}} for name in launcher},
    }


def _service_role(scope: PolicyScope) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": scope.service_role,
            "AssumeRolePolicyDocument": trust_document("service", scope=scope),
            "ManagedPolicyArns": [f"arn:{scope.partition}:iam::aws:policy/{MANAGED_SERVICE_POLICY}"],
            "Policies": [{"PolicyName": "pass-node-roles", "PolicyDocument": service_policy(scope)}],
        },
    }


def _node_resources(prefix: str, scope: PolicyScope, kind: str, policy: dict[str, Any]) -> dict[str, Any]:
    """
    A role and the instance profile of the same name, which EMR needs.

    What no longer fits into the role's own policy goes into managed ones of the same template.

    Raises:
        UsageError: more than a role can have.
    """
    role_name = scope.import_role if kind == "nodes-import" else scope.export_role
    first, *rest = split_policy(policy, most=INLINE_CHARACTERS)
    more = [part for one in rest for part in split_policy(one, most=MANAGED_CHARACTERS)]
    if len(more) > MANAGED_OF_A_ROLE:
        msg = (
            f"the tables of role {role_name} need {len(more)} managed policies and IAM lets a role have "
            f"{MANAGED_OF_A_ROLE}: name tables by how they begin, --table-prefix"
        )
        raise UsageError(msg)
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": role_name,
            "AssumeRolePolicyDocument": trust_document(kind, scope=scope),
            "Policies": [{"PolicyName": kind, "PolicyDocument": first}],
        },
    }
    profile = {
        "Type": "AWS::IAM::InstanceProfile",
        "Properties": {"InstanceProfileName": role_name, "Roles": [{"Ref": f"{prefix}NodesRole"}]},
    }
    managed = {
        f"{prefix}NodesPolicy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": f"{role_name}-{number}-${{AWS::Region}}",
                "PolicyDocument": part,
                "Roles": [{"Ref": f"{prefix}NodesRole"}],
            },
        }
        for number, part in enumerate(more, start=2)
    }
    return {f"{prefix}NodesRole": role, f"{prefix}NodesProfile": profile, **managed}


def _launcher_policies(scope: PolicyScope) -> dict[str, Any]:
    """The policy for people and CI; in as many as IAM needs, all of which are to be attached."""
    parts = split_policy(launcher_policy(scope), most=MANAGED_CHARACTERS)
    whole = f"attach all {len(parts)} to people and CI" if len(parts) > 1 else "attach it to people and CI"
    return {
        f"LauncherPolicy{number if number > 1 else ''}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": f"dynamodb-pipeline-launcher-${{AWS::Region}}{f'-{number}' if number > 1 else ''}",
                "Description": f"Launch and watch dynamodb-pipeline runs; {whole}",
                "PolicyDocument": part,
            },
        }
        for number, part in enumerate(parts, start=1)
    }
