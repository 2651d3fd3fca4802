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
    MANAGED_SERVICE_POLICY,
    launcher_policy,
    nodes_export_policy,
    nodes_import_policy,
    service_policy,
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
        "LauncherPolicy": _launcher_policy(inside),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "dynamodb-pipeline: roles, instance profiles and security configuration of its EMR clusters",
        "Resources": substituted(resources),
        "Outputs": {"LauncherPolicyArn": {"Value": {"Ref": "LauncherPolicy"}}},
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
    """A role and the instance profile of the same name, which EMR needs."""
    role_name = scope.import_role if kind == "nodes-import" else scope.export_role
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": role_name,
            "AssumeRolePolicyDocument": trust_document(kind, scope=scope),
            "Policies": [{"PolicyName": kind, "PolicyDocument": policy}],
        },
    }
    profile = {
        "Type": "AWS::IAM::InstanceProfile",
        "Properties": {"InstanceProfileName": role_name, "Roles": [{"Ref": f"{prefix}NodesRole"}]},
    }
    return {f"{prefix}NodesRole": role, f"{prefix}NodesProfile": profile}


def _launcher_policy(scope: PolicyScope) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "ManagedPolicyName": "dynamodb-pipeline-launcher-${AWS::Region}",
            "Description": "Launch and watch dynamodb-pipeline runs; attach it to people and CI",
            "PolicyDocument": launcher_policy(scope),
        },
    }
