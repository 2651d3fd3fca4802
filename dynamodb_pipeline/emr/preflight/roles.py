"""Preflight of identities: who calls, which roles there are, and whether the caller may hand them to EMR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.emr.preflight.check_result import CheckResult, error_text, failed, ok
from dynamodb_pipeline.errors import ExitCode

DEPLOY = "deploy policies/roles.json, or name your own with --service-role and --node-role"
POLICY = "`dynamodb-pipeline policy launcher` prints a policy that allows exactly this"


@dataclass(frozen=True)
class Caller:
    """The account and principal behind the credentials."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.arn.split(":")[1]

    @property
    def policy_source_arn(self) -> str:
        """The IAM principal: `assumed-role/R/session` acts by the policies of role R."""
        if ":assumed-role/" not in self.arn:
            return self.arn
        role = self.arn.split("/")[1]
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"


def check_credentials(sts: Any) -> tuple[CheckResult, Caller | None]:
    """The credentials work; nothing else can be checked without them."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as err:
        remedy = "renew them, or set a profile, environment or role"
        result = failed("credentials", f"not usable: {error_text(err)}", remedy=remedy, exit_code=ExitCode.DENIED)
        return result, None
    caller = Caller(account=identity["Account"], arn=identity["Arn"])
    return ok("credentials", caller.arn), caller


def check_service_role(iam: Any, role_name: str) -> CheckResult:
    """EMR's service role exists and trusts EMR."""
    try:
        role = iam.get_role(RoleName=role_name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return failed("service-role", f"role {role_name!r} does not exist", remedy=DEPLOY)
    if "elasticmapreduce.amazonaws.com" not in str(role.get("AssumeRolePolicyDocument", "")):
        remedy = "add elasticmapreduce.amazonaws.com to its trust policy"
        return failed("service-role", f"role {role_name!r} does not trust EMR", remedy=remedy)
    return ok("service-role", role_name)


def check_node_role(iam: Any, profile_name: str) -> CheckResult:
    """The nodes' instance profile exists and holds a role (a role alone is not enough)."""
    try:
        profile = iam.get_instance_profile(InstanceProfileName=profile_name)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        detail = f"instance profile {profile_name!r} does not exist"
        return failed("node-role", detail, remedy=f"{DEPLOY} (a role needs an instance profile of the same name)")
    if not profile.get("Roles"):
        remedy = f"aws iam add-role-to-instance-profile --instance-profile-name {profile_name} --role-name ROLE"
        return failed("node-role", f"instance profile {profile_name!r} holds no role", remedy=remedy)
    return ok("node-role", profile_name)


def role_of_profile(iam: Any, profile_name: str) -> str | None:
    """ARN of the role inside an instance profile, None when there is none (a check of its own says so)."""
    try:
        roles = iam.get_instance_profile(InstanceProfileName=profile_name)["InstanceProfile"]["Roles"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return str(roles[0]["Arn"]) if roles else None


def role_arn(iam: Any, role_name: str) -> str | None:
    """ARN of a role, None when there is none."""
    try:
        return str(iam.get_role(RoleName=role_name)["Role"]["Arn"])
    except iam.exceptions.NoSuchEntityException:
        return None
