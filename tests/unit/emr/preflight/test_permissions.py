"""What preflight asks IAM about is what the printed policies grant: an action is in both or in neither."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.documents.policies import POLICIES
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES, PolicyScope
from dynamodb_pipeline.emr.preflight.permissions import NODE_ACTIONS, Caller, launch_questions

CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/me")
# Granted and not asked about: preflight makes the call itself, or only a step on a standing cluster needs it.
CALLED = {"elasticmapreduce:DescribeSecurityConfiguration", "elasticmapreduce:ListSupportedInstanceTypes"}
STANDING_ONLY = {"elasticmapreduce:AddJobFlowSteps", "elasticmapreduce:ListInstanceGroups"}


def granted(kind: str) -> set[str]:
    place = S3Uri("my-bucket", "exports")
    scope = PolicyScope(CALLER.account, "eu-west-1", EXAMPLE_TABLES, data=place, logs=place, code=place)
    return {action for statement in POLICIES[kind](scope)["Statement"] for action in statement["Action"]}


def test_preflight_asks_for_every_right_that_a_launch_needs_of_emr_and_of_roles() -> None:
    passed = {"ec2.amazonaws.com": "arn:aws:iam::123456789012:role/nodes"}
    asked = {action for one in launch_questions(CALLER, region="eu-west-1", passed=passed) for action in one.actions}
    needed = {action for action in granted("launcher") if action.startswith(("elasticmapreduce:", "iam:PassRole"))}
    assert asked == needed - CALLED - STANDING_ONLY


@pytest.mark.parametrize(
    ("verb", "kind"), [("export", "nodes-export"), ("verify", "nodes-export"), ("import", "nodes-import")]
)
def test_preflight_asks_for_every_right_that_nodes_need_of_tables(verb: str, kind: str) -> None:
    assert set(NODE_ACTIONS[verb]) == {action for action in granted(kind) if action.startswith("dynamodb:")}
