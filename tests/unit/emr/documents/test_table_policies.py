"""A table's own policy: what the run of another account asks of it, for those principals, and not one action more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.emr.documents.policies import POLICIES
from dynamodb_pipeline.errors import UsageError
from sandbox.emr.iam_actions import Action
from sandbox.emr.own_policies import Caller, refused_by
from tests.unit.emr.documents.test_policies import scope

OWNER, OTHER, THIRD = "123456789012", "210987654321", "333333333333"
OPERATIONS = get_session().get_service_model("dynamodb").operation_names
FORUM = f"arn:aws:dynamodb:us-west-2:{OWNER}:table/Forum"
NODES = f"arn:aws:iam::{OTHER}:role/nodes"
# What each job asks of a table that is named by its ARN; of the definition tags alone are answered across accounts.
EXPORT = {"DescribeTable", "Scan", "ListTagsOfResource"}
IMPORT = {"DescribeTable", "BatchWriteItem"}
MODES = {"skip_existing": {"PutItem"}, "mirror": {"Scan"}, "only_changes": {"Scan"}}
EVERYTHING = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]


def opened(policy: dict[str, Any], operation: str, resource: str, *, account: str = OTHER, arn: str = NODES) -> bool:
    """Whether somebody of another account, who may do everything there, is let in."""
    caller = Caller(account, arn, EVERYTHING)
    action = Action(f"dynamodb:{operation}", resource)
    return refused_by(action, caller=caller, owner=OWNER, own=policy) is None


@settings(max_examples=40)
@given(
    modes=st.sets(st.sampled_from(sorted(MODES))),
    index=st.sampled_from([None, "by-date"]),
    for_import=st.booleans(),
    principals=st.sampled_from([(), (NODES,)]),
    table=st.sampled_from(["Forum", FORUM]),
)
def test_it_opens_what_the_run_asks_and_nothing_else(
    modes: set[str], index: str | None, for_import: bool, principals: tuple[str, ...], table: str
) -> None:
    chosen = dict.fromkeys(modes, True)
    whole = scope(
        tables=(table,), for_account=OTHER, for_import=for_import, index=index, principals=principals, **chosen
    )
    policy = POLICIES["table-resource"](whole)
    asked = IMPORT.union(*(MODES[mode] for mode in modes)) if for_import else EXPORT
    for operation in OPERATIONS:
        assert opened(policy, operation, FORUM) == (operation in asked)
        by_index = operation == "Scan" and index is not None and not for_import
        assert opened(policy, operation, f"{FORUM}/index/by-date") == by_index
        assert not opened(policy, operation, f"{FORUM}/index/other")
        assert not opened(policy, operation, FORUM + "2")
        assert not opened(policy, operation, FORUM, account=THIRD, arn=NODES.replace(OTHER, THIRD))
        if principals:
            assert not opened(policy, operation, FORUM, arn=NODES + "2")


@pytest.mark.parametrize("for_import", [False, True])
def test_the_callers_half_is_the_same_without_the_principal(for_import: bool) -> None:
    kind = "nodes-import" if for_import else "nodes-export"
    whole = scope(tables=(FORUM,), account=OTHER, for_account=OTHER, for_import=for_import, kms_key_arns=())
    (theirs,) = POLICIES["table-resource"](whole)["Statement"]
    ours = [one for one in POLICIES[kind](whole)["Statement"] if any(a.startswith("dynamodb:") for a in one["Action"])]
    assert ours == [{key: value for key, value in theirs.items() if key != "Principal"}]


def test_of_own_and_other_tables_each_gets_what_it_answers() -> None:
    statements = {one["Sid"]: one for one in POLICIES["nodes-export"](scope(tables=("Thread", FORUM)))["Statement"]}
    assert statements["Tables"]["Resource"] == [f"arn:aws:dynamodb:us-west-2:{OWNER}:table/Thread"]
    assert "dynamodb:DescribeTimeToLive" in statements["Tables"]["Action"]
    assert statements["OtherTables"]["Resource"] == [FORUM]
    assert {name.partition(":")[2] for name in statements["OtherTables"]["Action"]} == EXPORT
    assert "Autoscaling" not in json.dumps(POLICIES["nodes-export"](scope(tables=(FORUM,))))


def test_principals_are_of_the_account_that_is_named() -> None:
    with pytest.raises(UsageError, match="role/nodes: of another account than --for-account 333333333333"):
        POLICIES["table-resource"](scope(tables=(FORUM,), for_account=THIRD, principals=(NODES,)))
    with pytest.raises(UsageError, match=r"principal .* is none: it is"):
        scope(principals=("*",))


def test_a_table_of_another_region_is_in_no_policy_of_this_one() -> None:
    with pytest.raises(UsageError, match="is not in us-west-2, the one region"):
        scope(tables=(FORUM.replace("us-west-2", "eu-west-1"),))
