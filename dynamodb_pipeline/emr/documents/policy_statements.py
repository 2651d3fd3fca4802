"""
What a policy is limited to, and the statements it is made of. Pure builders; each condition key is one its actions
support.

Supported keys: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticmapreduce.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dynamodb_pipeline.addresses import ACROSS_ACCOUNTS, S3Uri
from dynamodb_pipeline.emr.documents.policy_scope import PolicyScope, iam_literal
from dynamodb_pipeline.emr.request.launch_settings import REQUEST_TAG, RESOURCE_TAG
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.finished import RATE_ORDER

Statement = dict[str, Any]
DEFINITION_READS = ("DescribeContinuousBackups", "DescribeTimeToLive", "ListTagsOfResource")  # for `_table.json`
CLEANUP_ROLE = "AWSServiceRoleForEMRCleanup"


def allow(sid: str, actions: Iterable[str], resources: Any, *, condition: dict[str, Any] | None = None) -> Statement:
    """One Allow statement."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
    if condition:
        statement["Condition"] = condition
    return statement


def deny(sid: str, actions: Iterable[str], resources: Any) -> Statement:
    """One Deny statement: what a broader Allow beside it does not mean."""
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), "Resource": resources}


def rate_order_arn(scope: PolicyScope) -> str:
    """The order of another speed of any run: written by people, only read by nodes."""
    return scope.objects_arn(scope.logs.child("runs")) + f"/{RATE_ORDER}"


def launch_statements(scope: PolicyScope) -> list[Statement]:
    """
    Start a cluster that carries the tag, and nothing else.

    RunJobFlow is judged by the tags in the request; AddTags by the same, because tags at creation need it;
    the idle guard inside the request needs PutAutoTerminationPolicy, which knows no request tag. In an account that
    never used EMR the first launch makes EMR's own role for cleaning up, in the name of whoever launches:
    https://docs.aws.amazon.com/emr/latest/ManagementGuide/using-service-linked-roles-cleanup.html
    """
    linked = {"StringEquals": {"iam:AWSServiceName": f"elasticmapreduce.{scope.suffix}"}}
    tagged = {"StringEquals": {REQUEST_TAG: "true"}}
    return [
        allow("LaunchTagged", ["elasticmapreduce:RunJobFlow"], "*", condition=tagged),
        allow("TagAtLaunch", ["elasticmapreduce:AddTags"], scope.cluster_arn, condition=tagged),
        allow("IdleGuard", ["elasticmapreduce:PutAutoTerminationPolicy"], scope.cluster_arn),
        allow("FirstLaunch", ["iam:CreateServiceLinkedRole"], _cleanup_role_arn(scope), condition=linked),
    ]


def _cleanup_role_arn(scope: PolicyScope) -> str:
    return cleanup_role_arn(scope.account, partition=scope.partition, service=f"elasticmapreduce.{scope.suffix}")


def cleanup_role_arn(account: str, *, partition: str, service: str) -> str:
    """EMR's service-linked role, one for the whole account; `service` such as `elasticmapreduce.amazonaws.com`."""
    return f"arn:{partition}:iam::{account}:role/aws-service-role/{service}/{CLEANUP_ROLE}"


def operate_statement(scope: PolicyScope) -> Statement:
    """Watch, stop and use clusters that carry the tag."""
    names = (
        "AddJobFlowSteps",
        "CancelSteps",
        "DescribeCluster",
        "ListInstanceGroups",
        "ListSteps",
        "TerminateJobFlows",
    )
    condition = {"StringEquals": {RESOURCE_TAG: "true"}}
    return allow("OperateTagged", [f"elasticmapreduce:{n}" for n in names], scope.cluster_arn, condition=condition)


def look_up_statement() -> Statement:
    """Read-only calls that know no resource."""
    actions = [
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
        "elasticmapreduce:DescribeSecurityConfiguration",
        "elasticmapreduce:ListClusters",
        "elasticmapreduce:ListSupportedInstanceTypes",
        "servicequotas:GetServiceQuota",
    ]
    return allow("LookUp", actions, "*")


def pass_role_statement(sid: str, scope: PolicyScope, role_arns: list[str], *, service: str) -> Statement:
    """Hand these roles to this service (`ec2`) and to no other; China has its services under both endings."""
    ending = "amazonaws.com*" if scope.suffix == "amazonaws.com.cn" else f"{scope.suffix}*"
    condition = {"StringLike": {"iam:PassedToService": f"{service}.{ending}"}}
    return allow(sid, ["iam:PassRole"], role_arns, condition=condition)


def pass_roles_statements(scope: PolicyScope) -> list[Statement]:
    """Hand the service role to EMR and the node roles to EC2."""
    nodes = [scope.role_arn(scope.export_role), scope.role_arn(scope.import_role)]
    return [
        pass_role_statement("PassService", scope, [scope.role_arn(scope.service_role)], service="elasticmapreduce"),
        pass_role_statement("PassNodes", scope, nodes, service="ec2"),
    ]


def read_roles_statements(scope: PolicyScope) -> list[Statement]:
    """
    Look at the roles before a launch; also at the caller's own where it is one of Identity Center's.

    A session names its role without the path that those have, and IAM's simulator wants the whole ARN.
    """
    names = (scope.service_role, scope.export_role, scope.import_role)
    roles = [scope.role_arn(name) for name in names]
    profiles = [arn.replace(":role/", ":instance-profile/") for arn in roles[1:]]
    others = [_cleanup_role_arn(scope), scope.role_arn("aws-reserved/sso.amazonaws.com/*")]
    return [
        allow("ReadRoles", ["iam:GetRole"], [*roles, *others]),
        allow("ReadProfiles", ["iam:GetInstanceProfile"], profiles),
    ]


def simulate_statement(scope: PolicyScope) -> Statement:
    """Ask IAM what the caller, whose name no policy can know, and the roles may do; read-only."""
    principals = [f"arn:{scope.partition}:iam::{scope.account}:{kind}/*" for kind in ("role", "user")]
    return allow("AskPermissions", ["iam:SimulatePrincipalPolicy"], principals)


def table_statements(scope: PolicyScope, names: Sequence[str]) -> list[Statement]:
    """These DynamoDB actions on the tables; on those of other accounts such as are answered there at all."""
    answered = [name for name in names if name in ACROSS_ACCOUNTS]
    wanted = (("Tables", names, scope.table_arns), ("OtherTables", answered, scope.other_table_arns))
    return [allow(sid, [f"dynamodb:{name}" for name in some], arns) for sid, some, arns in wanted if arns]


def about_tables(scope: PolicyScope, statements: list[Statement]) -> list[Statement]:
    """These statements; where the tables are another role's affair, the right to assume it in their place."""
    role = scope.table_role_arn
    return [allow("AssumeTableRole", ["sts:AssumeRole"], role)] if role else statements


def for_another_account(scope: PolicyScope, statements: list[Statement]) -> list[Statement]:
    """
    The statements as a resource's own policy has them: for these roles and users of another account, or for the whole
    of it, whose own policies decide who.

    Raises:
        UsageError: nobody said which account, or the principals are of others.
    """
    if scope.for_account is None:
        msg = "this document opens something to another account: give its id, --for-account 123456789012"
        raise UsageError(msg)
    others = [arn for arn in scope.principals if arn.split(":")[4] != scope.for_account]
    if others:
        msg = f"{', '.join(others)}: of another account than --for-account {scope.for_account}"
        raise UsageError(msg)
    principal = list(scope.principals) or f"arn:{scope.partition}:iam::{scope.for_account}:root"
    return [{"Sid": one["Sid"], "Principal": {"AWS": principal}, **one} for one in statements]


def find_tables_statements(scope: PolicyScope) -> list[Statement]:
    """Look for the tables of a pattern: their names, which know no resource, and their tags."""
    if not scope.table_prefixes:
        return []
    tagged = allow("TableTags", ["dynamodb:ListTagsOfResource"], scope.table_arns)
    return [allow("FindTables", ["dynamodb:ListTables"], "*"), tagged]


def autoscaling_statements(scope: PolicyScope) -> list[Statement]:
    """Read the autoscaling of the account's own tables, for `_table.json`; both calls know no resource."""
    names = ("DescribeScalableTargets", "DescribeScalingPolicies") if scope.table_arns else ()
    return [allow("Autoscaling", [f"application-autoscaling:{name}" for name in names], "*")] if names else []


def list_statement(scope: PolicyScope, places: Iterable[S3Uri]) -> list[Statement]:
    """
    List these folders. `IfExists` because HeadBucket, which finds a bucket's region, carries no prefix.
    """
    prefixes: dict[str, list[str]] = {}
    for place in places:
        wanted = prefixes.setdefault(scope.bucket_arn(place), [])
        wanted.extend(text for text in _prefixes(place) if text and text not in wanted)
    return [
        allow(f"List{number}", ["s3:ListBucket"], arn, condition={"StringLikeIfExists": {"s3:prefix": wanted}})
        for number, (arn, wanted) in enumerate(prefixes.items(), start=1)
    ]


def _prefixes(place: S3Uri) -> tuple[str, str]:
    """The folder's own listing, and that of all in it."""
    return f"{iam_literal(place.folder.key)}*", iam_literal(place.key)


def objects_statement(sid: str, scope: PolicyScope, actions: Iterable[str], places: Iterable[S3Uri]) -> Statement:
    """These actions on the objects of these folders."""
    arns = dict.fromkeys(scope.objects_arn(place) for place in places)
    return allow(sid, [f"s3:{name}" for name in actions], list(arns))


def key_statements(scope: PolicyScope, *, writes: bool) -> list[Statement]:
    """
    Use the buckets' and tables' KMS keys, through S3 and DynamoDB only.

    DynamoDB decrypts a table's key in the name of whoever reads or writes the table:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    """
    if not scope.kms_key_arns:
        return []
    actions = ["kms:Decrypt", "kms:GenerateDataKey"] if writes else ["kms:Decrypt"]
    condition = {"StringLike": {"kms:ViaService": [f"{name}.*.{scope.suffix}" for name in ("s3", "dynamodb")]}}
    return [allow("Keys", actions, list(scope.kms_key_arns), condition=condition)]


def log_group_statements(sid: str, scope: PolicyScope, names: Iterable[str]) -> list[Statement]:
    """These actions of CloudWatch Logs on the log group and its streams; none where logs go to S3 alone."""
    arns = scope.log_group_arns
    return [allow(sid, [f"logs:{name}" for name in names], arns)] if arns else []


def log_key_statements(scope: PolicyScope, names: Iterable[str]) -> list[Statement]:
    """
    These KMS actions on the keys of EMR's logs.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html#emr-log-encryption
    """
    keys = list(scope.log_key_arns)
    return [allow("LogKeys", [f"kms:{name}" for name in names], keys)] if keys else []
