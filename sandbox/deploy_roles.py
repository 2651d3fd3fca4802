"""
Puts the roles of `policy roles-template` into the sandbox's IAM and EMR.

moto's CloudFormation would need packages that nothing else here needs, so the template's four kinds of resources are
made one by one; a kind that is not known here is an error and not left out.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.processes import SandboxError
from sandbox.stack import Sandbox

ORDER = ("AWS::IAM::Role", "AWS::IAM::InstanceProfile", "AWS::EMR::SecurityConfiguration", "AWS::IAM::ManagedPolicy")


def deploy_roles(sandbox: Sandbox, template: dict[str, Any], *, region: str) -> None:
    """Make every resource of the template; what another region's deployment made already is kept."""
    unknown = {r["Type"] for r in template["Resources"].values()} - set(ORDER)
    if unknown:
        raise SandboxError(f"the roles template has resources the sandbox cannot make: {', '.join(sorted(unknown))}")
    iam, emr = sandbox.client("iam"), sandbox.client("emr", region=region)
    for kind in ORDER:
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                _make(kind, resource.get("Properties", {}), iam=iam, emr=emr)


def _make(kind: str, properties: dict[str, Any], *, iam: Any, emr: Any) -> None:
    if kind == "AWS::IAM::Role":
        _make_role(properties, iam)
    elif kind == "AWS::IAM::InstanceProfile":
        _make_profile(properties, iam)
    elif kind == "AWS::EMR::SecurityConfiguration":
        _make_security_configuration(properties, emr)


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


def _make_profile(properties: dict[str, Any], iam: Any) -> None:
    name = properties["InstanceProfileName"]
    try:
        iam.create_instance_profile(InstanceProfileName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        return
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
