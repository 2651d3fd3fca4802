"""
Preflight of identities and permissions: who calls, which roles there are, whether the caller may hand them to EMR, and
what IAM's policy simulator says to every call that the run will make.

A right that is missing is found here, in seconds, and not hours later on a cluster. The simulator knows the policies
of the principal only; a bucket's or table's own policy may allow more, so for those a refusal is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamodb_pipeline.aws.api_errors import DENIED, error_code
from dynamodb_pipeline.emr.cluster.cluster_config import PIPELINE_TAG, tag_command
from dynamodb_pipeline.emr.documents.policies import POLICIES
from dynamodb_pipeline.emr.documents.policy_scope import SUFFIXES, PolicyScope, scope_options
from dynamodb_pipeline.emr.documents.policy_statements import CLEANUP_ROLE, Statement, cleanup_role_arn
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, error_text, failed, ok, skipped, unknown, warning
from dynamodb_pipeline.emr.request.launch_settings import REQUEST_TAG, RESOURCE_TAG
from dynamodb_pipeline.errors import ExitCode

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef, EvaluationResultTypeDef
    from mypy_boto3_sts import STSClient

    from dynamodb_pipeline.aws.clients import TableRole

DEPLOY = "{deploy-roles}; or name your own with --service-role and --node-role"
POLICY = "{policy launcher} prints a policy that allows exactly this"
# What watching and stopping a run takes; ListClusters finds it again.
OPERATE = ("DescribeCluster", "ListSteps", "CancelSteps", "TerminateJobFlows")
# On a standing cluster, which is sized from its groups, gets our steps and is never ended.
ON_STANDING = ("DescribeCluster", "ListInstanceGroups", "AddJobFlowSteps", "ListSteps", "CancelSteps")
# Of IAM; `${*}` is the character itself.
WILDCARD = re.compile(r"\*(?!\})")


@dataclass(frozen=True)
class Caller:
    """The account and principal behind the credentials; `source_arn` is whose policies decide."""

    account: str
    arn: str
    source_arn: str = ""

    @property
    def partition(self) -> str:
        """Such as `aws` or `aws-cn`, as the caller's ARN says."""
        return self.arn.split(":")[1]


def check_credentials(sts: STSClient, iam: IAMClient) -> tuple[CheckResult, Caller | None]:
    """The credentials work; nothing else can be checked without them."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as err:
        remedy = "renew them, or set a profile, environment or role"
        result = failed("credentials", f"not usable: {error_text(err)}", remedy=remedy, exit_code=ExitCode.DENIED)
        return result, None
    arn, account = identity["Arn"], identity["Account"]
    return ok("credentials", arn), Caller(account, arn, source_arn=policy_source_arn(iam, arn, account=account))


def policy_source_arn(iam: IAMClient, arn: str, *, account: str) -> str:
    """
    The IAM principal of a caller: `assumed-role/R/session` acts by the policies of role R.

    The session's ARN leaves out the role's path, which roles of Identity Center have; GetRole tells it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if ":assumed-role/" not in arn:
        return arn
    name = arn.split("/")[1]
    try:
        return iam.get_role(RoleName=name)["Role"]["Arn"]
    except (BotoCoreError, ClientError):
        return f"arn:{arn.split(':')[1]}:iam::{account}:role/{name}"  # most roles have no path


def check_service_role(iam: IAMClient, role_name: str) -> CheckResult:
    """EMR's service role exists and trusts EMR."""
    try:
        role = iam.get_role(RoleName=role_name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return failed("service-role", f"role {role_name!r} does not exist", remedy=DEPLOY)
    if "elasticmapreduce.amazonaws.com" not in str(role.get("AssumeRolePolicyDocument", "")):
        remedy = "add elasticmapreduce.amazonaws.com to its trust policy"
        return failed("service-role", f"role {role_name!r} does not trust EMR", remedy=remedy)
    return ok("service-role", role_name)


def check_cleanup_role(iam: IAMClient, caller: Caller) -> CheckResult:
    """EMR's own role for cleaning up is there, or the first launch may make it."""
    service = f"elasticmapreduce.{SUFFIXES.get(caller.partition, 'amazonaws.com')}"
    try:
        iam.get_role(RoleName=CLEANUP_ROLE)
    except iam.exceptions.NoSuchEntityException:
        arn = cleanup_role_arn(caller.account, partition=caller.partition, service=service)
        making = Question(("iam:CreateServiceLinkedRole",), (arn,), {"iam:AWSServiceName": service})
        if refusals(iam, caller.source_arn, [making]):
            detail = f"this account never used EMR: {CLEANUP_ROLE} is missing and the caller may not make it"
            remedy = f"aws iam create-service-linked-role --aws-service-name {service}"
            return failed("cleanup-role", detail, remedy=remedy, exit_code=ExitCode.DENIED)
        return ok("cleanup-role", f"{CLEANUP_ROLE} is made with this account's first launch")
    return ok("cleanup-role", CLEANUP_ROLE)


def check_node_role(iam: IAMClient, profile_name: str) -> CheckResult:
    """The nodes' instance profile exists and holds a role (a role alone is not enough)."""
    try:
        profile = iam.get_instance_profile(InstanceProfileName=profile_name)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        detail = f"instance profile {profile_name!r} does not exist"
        return failed("node-role", detail, remedy=f"{DEPLOY} (a role needs an instance profile of the same name)")
    if not profile.get("Roles"):
        command = f"aws iam add-role-to-instance-profile --instance-profile-name {profile_name}"
        remedy = f"put the nodes' role into it: {command} --role-name {profile_name}"
        return failed("node-role", f"instance profile {profile_name!r} holds no role", remedy=remedy)
    return ok("node-role", profile_name)


def role_of_profile(iam: IAMClient, profile_name: str) -> str | None:
    """ARN of the role inside an instance profile, None when there is none (a check of its own says so)."""
    try:
        roles = iam.get_instance_profile(InstanceProfileName=profile_name)["InstanceProfile"]["Roles"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return str(roles[0]["Arn"]) if roles else None


def role_arn(iam: IAMClient, role_name: str) -> str | None:
    """ARN of a role, None when there is none."""
    try:
        return str(iam.get_role(RoleName=role_name)["Role"]["Arn"])
    except iam.exceptions.NoSuchEntityException:
        return None


@dataclass(frozen=True)
class Question:
    """Actions on resources in a context, as the simulator is asked."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """
    One action that the policies do not allow.

    Attributes:
        depends_on: condition keys that the simulator was not told (an address, a second factor): with them the answer
            may be another.
    """

    action: str
    resource: str
    depends_on: tuple[str, ...] = ()

    def is_of_another(self, account: str) -> bool:
        """Whether it is about something of another account; an ARN of S3 says none."""
        return [*self.resource.split(":"), *[""] * 5][4] not in ("", account)


def refused_text(refused: Iterable[Refusal]) -> str:
    """`dynamodb:Scan, dynamodb:DescribeTable on arn:...; s3:GetObject on arn:...`: each resource once."""
    actions: dict[str, list[str]] = {}
    for one in refused:
        actions.setdefault(one.resource, []).append(one.action)
    return "; ".join(f"{', '.join(names)} on {resource}" for resource, names in actions.items())


def refusals(iam: IAMClient, principal_arn: str, questions: Iterable[Question]) -> list[Refusal]:
    """Everything asked that the principal's policies do not allow."""
    refused: list[Refusal] = []
    for question in questions:
        reply = iam.simulate_principal_policy(
            PolicySourceArn=principal_arn,
            ActionNames=list(question.actions),
            ResourceArns=list(question.resources),
            ContextEntries=[_entry(key, value) for key, value in question.context.items()],
        )
        refused += [_refusal(result) for result in reply["EvaluationResults"] if result["EvalDecision"] != "allowed"]
    return refused


def _refusal(result: EvaluationResultTypeDef) -> Refusal:
    """Keys of services that are not asked here (an S3 prefix) are missing too and mean nothing."""
    missing = [key for key in result.get("MissingContextValues", []) if key.startswith(("aws:", "iam:Assoc"))]
    return Refusal(result["EvalActionName"], result.get("EvalResourceName", "*"), tuple(missing))


def caller_may(iam: IAMClient, caller: Caller, action: str, resource: str) -> bool | None:
    """Whether the caller's own policies allow it; None where IAM does not say."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return not refusals(iam, caller.source_arn, [Question((action,), (resource,))])
    except (BotoCoreError, ClientError):
        return None


@dataclass(frozen=True)
class TableAccess:
    """
    How the caller comes to tables of another account.

    Attributes:
        command: prints that account's half.
        own: what prints the caller's.
    """

    iam: IAMClient
    caller: Caller
    command: str
    own: str = POLICY

    def refused(self, name: str, action: str, arn: str, *, message: str, other_half: str) -> CheckResult:
        """
        A call on something of another account that was refused: which of the two that must allow it does not.

        Args:
            message: AWS's; `no identity-based policy` in it means the caller's own.
            other_half: what of the other account may lack it.
        """
        allowed = caller_may(self.iam, self.caller, action, arn)
        if allowed is None and "no identity-based policy" in message:
            allowed = False
        detail, there = f"{action} on {arn} was refused", f"in account {arn.split(':')[4]}: {self.command}"
        if allowed is None:
            detail, remedy = f"{detail}: by the caller's own policy or {other_half}", f"{self.own}; {there}"
        elif allowed:
            detail, remedy = f"{detail}, which the caller's own policy allows: {other_half}", there
        else:
            detail, remedy = f"{detail}: the caller's own policy does not allow it", self.own
        return failed(name, detail, remedy=remedy, exit_code=ExitCode.DENIED)


def check_table_role(sts: STSClient, access: TableAccess, *, role: TableRole) -> CheckResult:
    """The caller may take the role in whose name tables are asked; its trust document only its own account may read."""
    from botocore.exceptions import ClientError

    agreed = {"ExternalId": role.external_id} if role.external_id else {}
    try:
        sts.assume_role(RoleArn=role.arn, RoleSessionName="preflight", **agreed)  # type: ignore[arg-type]
    except ClientError as err:
        if error_code(err) not in DENIED:
            raise
        external = "another external id than the one given" if agreed else "an external id, and none was given"
        trust = f"there is no such role, its trust document names not {access.caller.account}, or it wants {external}"
        return access.refused("table-role", "sts:AssumeRole", role.arn, message=str(err), other_half=trust)
    return ok("table-role", f"{role.arn} may be taken")


def _entry(key: str, value: str) -> ContextEntryTypeDef:
    return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}


def launch_questions(
    caller: Caller, *, region: str, passed: dict[str, str | None], log_group: str | None = None
) -> list[Question]:
    """
    What the launcher must be allowed.

    Args:
        log_group: of CloudWatch Logs, read by `logs`.
        passed: role ARN by the service that gets it; None for a role that does not exist, which another check says.
    """
    cluster = f"arn:{caller.partition}:elasticmapreduce:{region}:{caller.account}:cluster/j-0"
    launch = Question(("elasticmapreduce:RunJobFlow",), ("*",), {REQUEST_TAG: "true"})
    tag = Question(("elasticmapreduce:AddTags",), (cluster,), {REQUEST_TAG: "true"})
    idle_guard = Question(("elasticmapreduce:PutAutoTerminationPolicy",), (cluster,))  # knows no request tag
    operate = Question(tuple(f"elasticmapreduce:{name}" for name in OPERATE), (cluster,), {RESOURCE_TAG: "true"})
    find = Question(("elasticmapreduce:ListClusters",), ("*",))
    passing = [
        Question(("iam:PassRole",), (arn,), {"iam:PassedToService": service}) for service, arn in passed.items() if arn
    ]
    group = f"arn:{caller.partition}:logs:{region}:{caller.account}:log-group:{log_group}"
    reading = [Question(("logs:FilterLogEvents",), (group,))] if log_group else []
    return [launch, tag, idle_guard, operate, find, *passing, *reading]


def check_launch_permissions(
    iam: IAMClient, caller: Caller, *, region: str, passed: dict[str, str | None], log_group: str | None = None
) -> CheckResult:
    """The caller may launch, tag, watch and stop a cluster, and hand both roles to it."""
    questions = launch_questions(caller, region=region, passed=passed, log_group=log_group)
    refused = refusals(iam, caller.source_arn, questions)
    sure = [one for one in refused if not one.depends_on]
    if sure:
        return failed("permissions", f"not allowed: {refused_text(sure)}", remedy=POLICY, exit_code=ExitCode.DENIED)
    if refused:
        keys = ", ".join(dict.fromkeys(key for one in refused for key in one.depends_on))
        return unknown("permissions", f"{refused_text(refused[:1])} depends on {keys}", remedy=POLICY)
    return ok("permissions", "launch with the tag, watch, stop, and PassRole on the roles")


def standing_questions(caller: Caller, *, region: str, cluster_id: str, tags: dict[str, str]) -> list[Question]:
    """What the caller must be allowed on a standing cluster, judged by the tags that it carries."""
    cluster = f"arn:{caller.partition}:elasticmapreduce:{region}:{caller.account}:cluster/{cluster_id}"
    context = {f"elasticmapreduce:ResourceTag/{key}": value for key, value in tags.items()}
    return [Question(tuple(f"elasticmapreduce:{name}" for name in ON_STANDING), (cluster,), context)]


def check_standing_permissions(
    iam: IAMClient, caller: Caller, *, region: str, cluster_id: str, tags: dict[str, str]
) -> CheckResult:
    """The caller may give this cluster steps, and watch and cancel them."""
    asked = standing_questions(caller, region=region, cluster_id=cluster_id, tags=tags)
    refused = refusals(iam, caller.source_arn, asked)
    if not refused:
        return ok("permissions", f"give {cluster_id} steps, watch and cancel them")
    detail = f"not allowed: {refused_text(refused)}"
    if tags.get(PIPELINE_TAG) != "true":
        remedy = f"{tag_command(cluster_id, region=region)}; {{policy launcher}} allows clusters that carry the tag"
        return failed("permissions", detail, remedy=remedy, exit_code=ExitCode.DENIED)
    return failed("permissions", detail, remedy=POLICY, exit_code=ExitCode.DENIED)


def node_questions(statements: Iterable[Statement], *, region: str) -> list[Question]:
    """
    What nodes will ask, by the statements of the policy that is printed for them: each action on one thing of each
    resource, under the statement's conditions.
    """
    return [
        Question(
            tuple(one["Action"]), tuple(map(_example, _listed(one["Resource"]))), _example_context(one, region=region)
        )
        for one in statements
        if one["Resource"] and one["Effect"] == "Allow"
    ]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _example(pattern: str) -> str:
    """One thing that a pattern of IAM names; what is to be taken to the letter there stands as itself."""
    return re.sub(r"\$\{([*?$])\}", r"\1", WILDCARD.sub("example", pattern))


def _example_context(statement: Statement, *, region: str) -> dict[str, str]:
    tests = [(key, wanted) for keys in statement.get("Condition", {}).values() for key, wanted in keys.items()]
    first = {key: _listed(wanted)[0] for key, wanted in tests}
    return {
        key: WILDCARD.sub(region, text) if key == "kms:ViaService" else _example(text) for key, text in first.items()
    }


def node_policy_kind(verb: str) -> str:
    """Which of the printed policies the nodes of a verb have."""
    return "nodes-import" if verb == "import" else "nodes-export"


def questions_of_nodes(scope: PolicyScope, *, verb: str, region: str) -> list[Question]:
    """What the nodes of this run will ask of AWS."""
    statements = POLICIES[node_policy_kind(verb)](scope)["Statement"]
    if verb == "verify":  # it reads exports only
        statements = [{**one, "Action": ["s3:GetObject"]} if one["Sid"] == "Exports" else one for one in statements]
    return node_questions(statements, region=region)


def node_actions(scope: PolicyScope, *, verb: str, region: str) -> list[tuple[str, str]]:
    """The same as pairs of action and ARN."""
    asked = questions_of_nodes(scope, verb=verb, region=region)
    return [(action, arn) for one in asked for action in one.actions for arn in one.resources]


def check_node_permissions(
    iam: IAMClient, *, role_arn: str | None, scope: PolicyScope, verb: str, region: str
) -> CheckResult:
    """The nodes' role may do what the printed policy allows for this run: its tables, folders, keys and options."""
    if role_arn is None:
        return skipped("node-permissions", "there is no such role yet", see="node-role")
    kind, questions = node_policy_kind(verb), questions_of_nodes(scope, verb=verb, region=region)
    missing, account = refusals(iam, role_arn, questions), role_arn.split(":")[4]
    name = role_arn.rpartition("/")[2]
    if missing:
        options = "".join(f" {text}" for text in scope_options(scope))
        detail = f"role {name} is not allowed {refused_text(missing)}"
        needs = f"the role needs what this prints: {{policy {kind}}}{options}"
        if any(one.is_of_another(account) for one in missing):
            remedy = f"whatever another account opens, {needs}"
            return failed("node-permissions", detail, remedy=remedy, exit_code=ExitCode.DENIED)
        return warning(
            "node-permissions", detail, remedy=f"unless the own policy of table, bucket or key allows it, {needs}"
        )
    asked = dict.fromkeys(action for one in questions for action in one.actions)
    return ok("node-permissions", f"{name}: {', '.join(asked)}")
