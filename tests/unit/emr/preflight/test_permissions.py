"""What preflight asks IAM about is what the printed policies grant: an action is in both or in neither."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.clients import TableRole
from dynamodb_pipeline.emr.documents.policies import POLICIES
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES, PolicyScope
from dynamodb_pipeline.emr.preflight.check_result import CheckVerdict
from dynamodb_pipeline.emr.preflight.permissions import (
    Caller,
    TableAccess,
    check_node_permissions,
    check_table_role,
    launch_questions,
    node_questions,
    policy_source_arn,
    standing_questions,
)
from sandbox.emr.policy_judge import ALLOWED, decision

CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/me")
# Granted and not asked about: preflight makes the call itself.
CALLED = {"elasticmapreduce:DescribeSecurityConfiguration", "elasticmapreduce:ListSupportedInstanceTypes"}


def granted(kind: str) -> set[str]:
    place = S3Uri("my-bucket", "exports")
    scope = PolicyScope(CALLER.account, "eu-west-1", EXAMPLE_TABLES, data=place, logs=place, code=place)
    return {action for statement in POLICIES[kind](scope)["Statement"] for action in statement["Action"]}


def test_preflight_asks_for_every_right_that_a_launch_needs_of_emr_and_of_roles() -> None:
    """Of a new cluster or a standing one."""
    passed = {"ec2.amazonaws.com": "arn:aws:iam::123456789012:role/nodes"}
    questions = launch_questions(CALLER, region="eu-west-1", passed=passed)
    questions += standing_questions(CALLER, region="eu-west-1", cluster_id="j-1", tags={})
    asked = {action for one in questions for action in one.actions}
    needed = {action for action in granted("launcher") if action.startswith(("elasticmapreduce:", "iam:PassRole"))}
    assert asked == needed - CALLED


def test_preflight_asks_whether_the_log_group_may_be_read() -> None:
    place = S3Uri("my-bucket", "exports")
    scope = PolicyScope(CALLER.account, "eu-west-1", EXAMPLE_TABLES, data=place, logs=place, code=place, log_group="/g")
    (asked,) = launch_questions(CALLER, region="eu-west-1", passed={}, log_group="/g")[-1:]
    assert asked.actions == ("logs:FilterLogEvents",)
    assert decision([POLICIES["launcher"](scope)], asked.actions[0], resource=asked.resources[0], context={}) == ALLOWED


PLACE = S3Uri("my-bucket", "exports")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
OPTIONS: dict[str, Any] = {"mirror": True, "skip_existing": True, "set_aside": S3Uri("aside", "bad$items")}
OPTIONS |= {"kms_key_arns": (KEY,), "log_key_arns": (KEY.replace("key/1", "key/2"),), "log_group": "/g"}


@pytest.mark.parametrize(("kind", "options"), [("nodes-export", {}), ("nodes-import", {}), ("nodes-import", OPTIONS)])
def test_preflight_asks_for_every_right_of_the_nodes_on_things_the_policy_means(
    kind: str, options: dict[str, Any]
) -> None:
    """Folders, keys and options included; IAM's own evaluation says that each question hits what was granted."""
    scope = PolicyScope(CALLER.account, "eu-west-1", ("Forum",), data=PLACE, logs=PLACE, code=PLACE, **options)
    policy = POLICIES[kind](scope)
    asked = node_questions(policy["Statement"], region="eu-west-1")
    granted_actions = {action for one in policy["Statement"] for action in one["Action"]}
    assert {action for one in asked for action in one.actions} == granted_actions
    for one in asked:
        for action, resource in product(one.actions, one.resources):
            assert decision([policy], action, resource=resource, context=one.context) == ALLOWED
            assert "*" not in resource


class Iam:
    """IAM's GetRole of one role with a path, or of none."""

    def __init__(self, arn: str | None) -> None:
        self.arn = arn

    def get_role(self, *, RoleName: str) -> dict[str, Any]:
        if self.arn is None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetRole")
        assert self.arn.endswith(f"/{RoleName}")
        return {"Role": {"Arn": self.arn}}


SSO = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"
SESSION = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me@example.com"


@pytest.mark.parametrize(
    ("arn", "known", "expected"),
    [
        (SESSION, SSO, SSO),
        (SESSION, None, "arn:aws:iam::123456789012:role/AWSReservedSSO_Admin_0123456789abcdef"),
        (CALLER.arn, None, CALLER.arn),
    ],
    ids=["role with a path", "not told", "user"],
)
def test_whose_policies_decide(arn: str, known: str | None, expected: str) -> None:
    """The simulator knows a role of Identity Center by its whole ARN only, and a session does not tell the path."""
    assert policy_source_arn(Iam(known), arn, account="123456789012") == expected  # type: ignore[arg-type]


# tables of another account

THEIRS = "arn:aws:dynamodb:eu-west-1:210987654321:table/Forum"
ROLE = "arn:aws:iam::210987654321:role/forum"
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "AssumeRole")


class Simulator:
    """IAM's SimulatePrincipalPolicy with these actions allowed on everything; None: nobody may ask it."""

    def __init__(self, allowed: set[str] | None) -> None:
        self.allowed = allowed

    def simulate_principal_policy(self, **asked: Any) -> dict[str, Any]:
        if self.allowed is None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "SimulatePrincipalPolicy")
        pairs = product(asked["ActionNames"], asked["ResourceArns"])
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": name,
                    "EvalResourceName": arn,
                    "EvalDecision": "allowed" if name in self.allowed else "implicitDeny",
                }
                for name, arn in pairs
            ]
        }


def access(allowed: set[str] | None) -> TableAccess:
    iam: Any = Simulator(allowed)
    return TableAccess(iam, CALLER, "policy table-resource", own="policy launcher")


# The messages as IAM words them; what they name is what AWS says, which is not always what is missing.
@pytest.mark.parametrize(
    ("allowed", "message", "ending", "remedy"),
    [
        (set(), "because no resource-based policy allows", "own policy does not allow it", "policy launcher"),
        ({"dynamodb:DescribeTable"}, "", ": the table's", "in account 210987654321: policy table-resource"),
        (None, "because no identity-based policy allows", "own policy does not allow it", "policy launcher"),
        (
            None,
            "because no resource-based policy allows",
            "by the caller's own policy or the table's",
            "policy launcher; in account 210987654321: policy table-resource",
        ),
    ],
    ids=["the caller's", "the table's", "by the message", "either"],
)
def test_the_half_that_is_missing_is_named(allowed: set[str] | None, message: str, ending: str, remedy: str) -> None:
    action = "dynamodb:DescribeTable"
    found = access(allowed).refused("table", action, THEIRS, message=message, other_half="the table's")
    assert (found.verdict, found.remedy) == (CheckVerdict.FAILED, remedy)
    assert found.detail.startswith(f"{action} on {THEIRS} was refused")
    assert found.detail.endswith(ending)


class Sts:
    """STS that refuses every role, or none."""

    def __init__(self, error: ClientError | None) -> None:
        self.error, self.asked = error, dict[str, Any]()

    def assume_role(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        if self.error:
            raise self.error
        return {}


def test_a_role_is_taken_with_the_external_id_that_was_given() -> None:
    sts: Any = Sts(None)
    assert check_table_role(sts, access(set()), role=TableRole(ROLE, "agreed")).verdict is CheckVerdict.OK
    assert (sts.asked["RoleArn"], sts.asked["ExternalId"]) == (ROLE, "agreed")


def test_what_a_refused_role_may_lack_is_said_and_the_id_is_not_shown() -> None:
    sts: Any = Sts(DENIED)
    found = check_table_role(sts, access({"sts:AssumeRole"}), role=TableRole(ROLE, "agreed-on-2026"))
    assert found.detail.endswith("or it wants another external id than the one given")
    assert "agreed-on-2026" not in f"{found}"
    assert check_table_role(sts, access(set()), role=TableRole(ROLE)).remedy == "policy launcher"


@pytest.mark.parametrize(
    ("tables", "role", "verdict"),
    [
        (("Forum",), None, CheckVerdict.WARNING),  # its own policy may allow it
        ((THEIRS,), None, CheckVerdict.FAILED),
        (("Forum",), ROLE, CheckVerdict.FAILED),
    ],
    ids=["own table", "another account's", "another account's role"],
)
def test_nodes_need_their_own_half_across_accounts(
    tables: tuple[str, ...], role: str | None, verdict: CheckVerdict
) -> None:
    place = S3Uri("my-bucket", "exports")
    scope = PolicyScope(CALLER.account, "eu-west-1", tables, data=place, logs=place, code=place, table_role_arn=role)
    iam: Any = Simulator(set())
    nodes = f"arn:aws:iam::{CALLER.account}:role/nodes"
    found = check_node_permissions(iam, role_arn=nodes, scope=scope, verb="export", region="eu-west-1")
    assert found.verdict is verdict
