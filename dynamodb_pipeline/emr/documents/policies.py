"""
The policies and trust documents of every role, as `dynamodb-pipeline policy KIND` prints them.

Two node roles, so that an export can never write a table. `as-published` is the text of the AWS page we replace,
kept because people have it attached: its one condition is a request tag, which only RunJobFlow carries, so its
Describe* and Terminate* actions are never allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Callable

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.documents import policy_statements as st
from dynamodb_pipeline.emr.documents.policy_scope import (
    CLOUDFORMATION_ACCOUNT,
    CLOUDFORMATION_PARTITION,
    CLOUDFORMATION_REGION,
    PolicyScope,
    import_flags,
)
from dynamodb_pipeline.emr.request.launch_settings import REQUEST_TAG
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.run_commands import BUCKET, PolicyPlaces, policy_command

Policy = dict[str, Any]

# What the CloudWatch agent on the nodes calls.
LOG_AGENT = ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")

MANAGED_SERVICE_POLICY = "service-role/AmazonEMRServicePolicy_v2"


def policy_document(statements: list[st.Statement]) -> Policy:
    """Statements as a policy."""
    return {"Version": "2012-10-17", "Statement": statements}


def launcher_policy(scope: PolicyScope) -> Policy:
    """For the person or CI that launches: only tagged clusters, only these roles, tables and folders."""
    places = [scope.data, scope.logs, scope.code]
    return policy_document(
        [
            *st.launch_statements(scope),
            st.operate_statement(scope),
            st.look_up_statement(),
            *st.pass_roles_statements(scope),
            *st.read_roles_statements(scope),
            st.simulate_statement(scope),
            *st.about_tables(
                scope, [*st.table_statements(scope, ["DescribeTable"]), *st.find_tables_statements(scope)]
            ),
            *st.list_statement(scope, places),
            _bucket_settings(scope, places),
            st.objects_statement("ReadResults", scope, ["GetObject"], places),
            st.objects_statement("PutCode", scope, ["PutObject"], [scope.code]),
            st.allow("OrderRate", ["s3:PutObject"], st.rate_order_arn(scope)),
            *st.key_statements(scope, writes=True),
            *st.log_key_statements(scope, ["Decrypt"]),
            *st.log_group_statements("ReadLogGroup", scope, ["FilterLogEvents"]),
            st.allow("ReadSchedules", ["cloudformation:GetTemplate"], scope.stacks_arn),  # for `schedule --refresh`
        ]
    )


def _bucket_settings(scope: PolicyScope, places: list[S3Uri]) -> st.Statement:
    buckets = list(dict.fromkeys(scope.bucket_arn(place) for place in places))
    return st.allow("BucketSettings", ["s3:GetBucketPublicAccessBlock"], buckets)


def nodes_export_policy(scope: PolicyScope) -> Policy:
    """For the nodes of an export or verification: read the tables, write the exports, write no table."""
    return policy_document(
        [
            *st.about_tables(scope, _read_statements(scope)),
            *st.list_statement(scope, [scope.data, scope.logs, scope.code]),
            st.objects_statement("Exports", scope, ["GetObject", "PutObject"], [scope.data]),
            *_common_node_statements(scope),
        ]
    )


def _read_statements(scope: PolicyScope) -> list[st.Statement]:
    return [
        *st.table_statements(scope, ["DescribeTable", "Scan", *st.DEFINITION_READS]),
        *([st.allow("Indexes", ["dynamodb:Scan"], scope.index_arns)] if scope.index else []),
        *st.find_tables_statements(scope)[:1],  # ListTagsOfResource is among the definition's
        *st.autoscaling_statements(scope),
    ]


def _write_statements(scope: PolicyScope) -> list[st.Statement]:
    names = ["BatchWriteItem", "DescribeTable", "DescribeTimeToLive"]
    names += ["PutItem"] if scope.skip_existing else []
    names += ["Scan"] if scope.mirror or scope.only_changes else []  # deletions go through BatchWriteItem
    return st.table_statements(scope, names)


def table_export_policy(scope: PolicyScope) -> Policy:
    """For the role of `--table-role-arn` of exports and verifications, in the tables' account; no bucket."""
    return policy_document([*_read_statements(scope), *st.key_statements(scope, writes=False)])


def table_import_policy(scope: PolicyScope) -> Policy:
    """For the role of `--table-role-arn` of imports, in the tables' account; no bucket."""
    return policy_document([*_write_statements(scope), *st.key_statements(scope, writes=True)])


def table_resource_policy(scope: PolicyScope) -> Policy:
    """A table's own policy, for another account that names it by its ARN: what one run asks of it, and nothing else."""
    abroad = scope.seen_from_another_account()
    asked = _write_statements(abroad) if scope.for_import else _read_statements(abroad)
    return policy_document(st.for_another_account(scope, asked))


def bucket_policy(scope: PolicyScope) -> Policy:
    """The bucket's own policy, for another account that imports from it: list and read the exports."""
    reads = st.objects_statement("ReadExports", scope, ["GetObject"], [scope.data])
    return policy_document(st.for_another_account(scope, [reads, *st.list_statement(scope, [scope.data])]))


def key_policy(scope: PolicyScope) -> Policy:
    """What a key's own policy needs for another account that uses files or tables under it, through S3 or DynamoDB."""
    condition = {"StringLike": {"kms:ViaService": [f"{name}.*.{scope.suffix}" for name in ("s3", "dynamodb")]}}
    return policy_document(
        st.for_another_account(scope, [st.allow("ReadKey", ["kms:Decrypt"], "*", condition=condition)])
    )


def nodes_import_policy(scope: PolicyScope) -> Policy:
    """For the nodes of an import: write the tables, read the exports; more only for options that need it."""
    aside = [scope.set_aside] if scope.set_aside else []
    return policy_document(
        [
            *st.about_tables(scope, _write_statements(scope)),
            *st.list_statement(scope, [scope.data, scope.logs, scope.code, *aside]),
            st.objects_statement("Exports", scope, ["GetObject"], [scope.data]),
            *([st.objects_statement("SetAside", scope, ["GetObject", "PutObject"], aside)] if aside else []),
            *_common_node_statements(scope),
        ]
    )


def _common_node_statements(scope: PolicyScope) -> list[st.Statement]:
    written = [scope.logs.child("emr"), scope.logs.child("runs")]  # never the code beside them
    return [
        st.objects_statement("LogsAndRecords", scope, ["GetObject", "PutObject"], written),
        st.deny("OnlyReadRate", ["s3:PutObject"], st.rate_order_arn(scope)),
        st.objects_statement("Code", scope, ["GetObject"], [scope.code]),
        *st.key_statements(scope, writes=True),
        *st.log_key_statements(scope, ["Decrypt", "GenerateDataKey"]),
        *st.log_group_statements("WriteLogGroup", scope, LOG_AGENT),
    ]


def service_policy(scope: PolicyScope) -> Policy:
    """
    For EMR's service role, beside AWS's managed AmazonEMRServicePolicy_v2.

    The managed policy may hand on only a role named EMR_EC2_DefaultRole, so ours are added here.
    """
    nodes = [scope.role_arn(scope.export_role), scope.role_arn(scope.import_role)]
    return policy_document(
        [
            st.pass_role_statement("PassNodes", scope, nodes, service="ec2"),
            *st.log_key_statements(scope, ["DescribeKey"]),
        ]
    )


def schedule_policy(scope: PolicyScope, *, dead_letter_arn: str | None = None) -> Policy:
    """For EventBridge Scheduler's role: launch tagged clusters, and report what could not be launched."""
    queue = dead_letter_arn or f"arn:{scope.partition}:sqs:{scope.region}:{scope.account}:dynamodb-pipeline-*"
    return policy_document(
        [
            *st.launch_statements(scope),
            *st.pass_roles_statements(scope),
            st.allow("DeadLetters", ["sqs:SendMessage"], queue),
        ]
    )


def as_published_policy(_: PolicyScope) -> Policy:
    """The AWS page's inline policy EMRforDynamoDBDataPipeline, unchanged; it only ever allows RunJobFlow."""
    actions = [f"elasticmapreduce:{n}" for n in ("DescribeStep", "DescribeCluster", "RunJobFlow", "TerminateJobFlows")]
    condition = {"Null": {REQUEST_TAG: "false"}}
    return policy_document([{"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition}])


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; white space is not counted.
MANAGED_CHARACTERS = 6_144
INLINE_CHARACTERS = 10_240  # of all inline policies of one role together
MANAGED_OF_A_ROLE = 10
# Of a table's own policy, with its white space:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html
TABLE_POLICY_BYTES = 20 * 1024
# CloudFormation's own values at their longest: a policy is counted as IAM gets it.
LONGEST = {
    CLOUDFORMATION_ACCOUNT: "123456789012",
    CLOUDFORMATION_REGION: "ap-northeast-1",
    CLOUDFORMATION_PARTITION: "aws-us-gov",
    "${AWS::URLSuffix}": "amazonaws.com.cn",
}


def policy_characters(policy: Policy) -> int:
    """How long IAM finds a policy."""
    text = json.dumps(policy, separators=(",", ":"))
    for name, value in LONGEST.items():
        text = text.replace(name, value)
    return len(re.sub(r"\s", "", text))


def split_policy(policy: Policy, *, most: int) -> list[Policy]:
    """
    The policy in parts of at most `most` characters that allow the same together: whole statements, long ones by their
    resources.
    """
    parts: list[list[st.Statement]] = [[]]
    for statement in (piece for one in policy["Statement"] for piece in _pieces(one, most=most)):
        if policy_characters(policy_document([*parts[-1], statement])) > most and parts[-1]:
            parts.append([])
        parts[-1].append(statement)
    return [policy_document(part) for part in parts]


def _pieces(statement: st.Statement, *, most: int) -> Iterator[st.Statement]:
    resources = statement["Resource"]
    if policy_characters(policy_document([statement])) <= most or isinstance(resources, str) or len(resources) < 2:
        yield statement
        return
    half = len(resources) // 2
    for number, some in enumerate((resources[:half], resources[half:]), start=1):
        yield from _pieces({**statement, "Sid": f"{statement['Sid']}{number}", "Resource": some}, most=most)


TABLE_RESOURCE = "table-resource"
POLICIES: dict[str, Callable[[PolicyScope], Policy]] = {
    "launcher": launcher_policy,
    "service": service_policy,
    "nodes-export": nodes_export_policy,
    "nodes-import": nodes_import_policy,
    "schedule": schedule_policy,
    "table-export": table_export_policy,
    "table-import": table_import_policy,
    TABLE_RESOURCE: table_resource_policy,
    "bucket": bucket_policy,
    "key": key_policy,
    "as-published": as_published_policy,
}

ROLES_TEMPLATE = "roles-template"
POLICY_KINDS = (*POLICIES, ROLES_TEMPLATE)
NO_BUCKET = "none"  # of a document that names none
BUCKETLESS = ("table-export", "table-import", TABLE_RESOURCE)  # about tables alone
ACCOUNTLESS = (ROLES_TEMPLATE, "as-published")  # CloudFormation fills the account in; the page names none

NOTES = {
    "service": f"attach this beside AWS's managed policy {MANAGED_SERVICE_POLICY}; that policy also wants the tag "
    "for-use-with-amazon-emr-managed-policies=true on the subnet and security groups",
    "as-published": "the AWS page's own text: Describe* and Terminate* carry no request tag, so it only ever allows "
    "RunJobFlow, with any value of the tag; use `policy launcher` instead",
}


def policy_notes(kind: str, scope: PolicyScope) -> Iterator[str]:
    """What to know of a document, and the options of a run that it lacks."""
    if kind in NOTES:
        yield NOTES[kind]
    if kind == "nodes-export" and not scope.index:
        yield "with --index NAME its Scans need it as a resource of its own: give the same here"
    if kind == "nodes-import":
        left = [row.name for row, is_given in import_flags(scope).items() if not is_given]
        if left:
            yield f"an import with {' or '.join(left)} needs more rights: give the same here"


def table_policy_notes(scope: PolicyScope) -> list[str]:
    """
    How a table's own policy comes to its table, and what the other account needs besides.

    Raises:
        UsageError: several tables, or a beginning of names.
    """
    if len(scope.tables) != 1 or scope.table_prefixes:
        msg = "a table's own policy is of one table: give one --table, and no --table-prefix"
        raise UsageError(msg)
    (arn,) = scope.seen_from_another_account().tables
    place = f"--resource-arn {arn} --region {arn.split(':')[3]}"
    return [
        f"note: attach it in the table's account: aws dynamodb put-resource-policy {place} --policy file://FILE",
        f"note: it takes the place of one that is there; look first: aws dynamodb get-resource-policy {place}",
        f"note: the caller's own policy is the other half{_callers_half(arn, scope)}",
    ]


def _callers_half(arn: str, scope: PolicyScope) -> str:
    """The command that prints it, whole; without the bucket of the exports there is none."""
    kind = "nodes-import" if scope.for_import else "nodes-export"
    if scope.data.bucket == NO_BUCKET:
        return f": give {BUCKET} of the exports here too, and this line says the command that prints it"
    places = PolicyPlaces((arn,), scope.data, scope.logs, arn.split(":")[3])
    return f"; with the caller's credentials it is printed by: {policy_command(kind, places)}"


# Without the partition's ending; Scheduler, a newer service, has the same one everywhere.
TRUSTED_SERVICES = {
    "service": "elasticmapreduce",
    "nodes-export": "ec2",
    "nodes-import": "ec2",
    "schedule": "scheduler",
    "table-export": "",  # an account
    "table-import": "",
}


def trust_document(kind: str, *, scope: PolicyScope) -> Policy:
    """
    Who may take the role of `kind`; services that act for many accounts are held to ours.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-iam-role.html
    """
    if not TRUSTED_SERVICES[kind]:
        return _trusting_account(scope)
    suffix = "amazonaws.com" if kind == "schedule" else scope.suffix
    statement: st.Statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{TRUSTED_SERVICES[kind]}.{suffix}"},
        "Action": "sts:AssumeRole",
    }
    if kind in ("service", "schedule"):
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": scope.account}}
    if kind == "service":
        place = f"arn:{scope.partition}:elasticmapreduce:{scope.region}:{scope.account}"
        statement["Condition"]["ArnLike"] = {"aws:SourceArn": f"{place}:*"}
    return policy_document([statement])


def _trusting_account(scope: PolicyScope) -> Policy:
    """
    Another account may take the role, with the external id where there is one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
    """
    (statement,) = st.for_another_account(scope, [st.allow("OtherAccount", ["sts:AssumeRole"], "*")])
    del statement["Resource"]  # a trust document is about its own role
    if scope.external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": scope.external_id}}
    return policy_document([statement])
