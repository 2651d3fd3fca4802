"""Preflight of identities: who calls, which roles there are, and whether the caller may hand them to EMR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.emr.check_result import CheckResult, failed, ok, unknown
from dynamodb_pipeline.emr.launch_settings import PIPELINE_TAG
from dynamodb_pipeline.errors import ExitCode

DEPLOY = "deploy policies/roles.json, or name your own with --service-role and --node-role"
POLICY = "`dynamodb-pipeline policy launcher` prints a policy that allows exactly this"


@dataclass(frozen=True)
class Caller:
    """The account and principal behind the credentials."""

    account: str
    arn: str

    @property
    def policy_source_arn(self) -> str:
        """The IAM principal: `assumed-role/R/session` acts by the policies of role R."""
        if ":assumed-role/" not in self.arn:
            return self.arn
        role = self.arn.split("/")[1]
        return f"arn:{self.arn.split(':')[1]}:iam::{self.account}:role/{role}"


def check_credentials(sts: Any) -> tuple[CheckResult, Caller | None]:
    """The credentials work; nothing else can be checked without them."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as err:
        remedy = "renew them, or set a profile, environment or role"
        result = failed("credentials", f"not usable: {err}", remedy=remedy, exit_code=ExitCode.DENIED)
        return result, None
    caller = Caller(account=found["Account"], arn=found["Arn"])
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


def check_launch_permissions(iam: Any, caller: Caller, *, role_names: tuple[str, ...]) -> CheckResult:
    """The caller may launch a tagged cluster and pass both roles, as IAM's policy simulator judges."""
    launch = iam.simulate_principal_policy(
        PolicySourceArn=caller.policy_source_arn,
        ActionNames=["elasticmapreduce:RunJobFlow"],
        ContextEntries=[_entry(f"elasticmapreduce:RequestTag/{PIPELINE_TAG}", "true")],
    )
    partition = caller.arn.split(":")[1]
    passing = iam.simulate_principal_policy(
        PolicySourceArn=caller.policy_source_arn,
        ActionNames=["iam:PassRole"],
        ResourceArns=[f"arn:{partition}:iam::{caller.account}:role/{name}" for name in role_names],
    )
    results = [*launch["EvaluationResults"], *passing["EvaluationResults"]]
    denied = [f"{r['EvalActionName']} on {r.get('EvalResourceName', '*')}" for r in results if not _allowed(r)]
    if not denied:
        return ok("permissions", "RunJobFlow with the tag, and PassRole on both roles")
    if all(text.startswith("iam:PassRole") for text in denied):
        # The simulator is not told iam:PassedToService, so a condition on it looks like a refusal.
        return unknown("permissions", f"not clear: {', '.join(denied)}", remedy=POLICY)
    return failed("permissions", f"not allowed: {', '.join(denied)}", remedy=POLICY, exit_code=ExitCode.DENIED)


def _entry(key: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}


def _allowed(result: dict[str, Any]) -> bool:
    return bool(result.get("EvalDecision") == "allowed")
