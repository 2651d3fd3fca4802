"""The own policies of tables: both halves between two accounts, either within one, and which a refusal names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.emr.iam_actions import Action
from sandbox.emr.own_policies import IDENTITY, POLICY_BYTES, RESOURCE, Caller, TablePolicies, refused_by
from sandbox.emr.protocol import Request, ServiceError

TABLE = "arn:aws:dynamodb:eu-west-1:210987654321:table/Forum"
USER = "arn:aws:iam::123456789012:user/caller"
SCAN = {"Effect": "Allow", "Action": ["dynamodb:Scan"], "Resource": [TABLE]}
ACCOUNT_WIDE = {**SCAN, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
BY_NAME = {**SCAN, "Principal": {"AWS": [USER]}}


def refused(own: list[Any], table: list[Any], *, account: str = "123456789012", action: str = "Scan") -> str | None:
    caller = Caller(account, USER.replace("123456789012", account), [{"Statement": own}])
    policy = {"Statement": table} if table else None
    return refused_by(Action(f"dynamodb:{action}", TABLE), caller=caller, owner="210987654321", own=policy)


# The rows of the table in https://dev.classmethod.jp/articles/access-denied-error-message-vpcendpoint-crossaccount/
@pytest.mark.parametrize(
    ("own", "table", "named"),
    [
        ([SCAN], [BY_NAME], None),
        ([SCAN], [ACCOUNT_WIDE], None),
        ([], [ACCOUNT_WIDE], RESOURCE),
        ([], [BY_NAME], IDENTITY),
        ([SCAN], [], RESOURCE),
        ([], [], RESOURCE),
        ([{**SCAN, "Effect": "Deny"}], [BY_NAME], IDENTITY),
        ([SCAN], [{**BY_NAME, "Effect": "Deny"}], RESOURCE),
        ([{**SCAN, "Effect": "Deny"}], [{**BY_NAME, "Effect": "Deny"}], IDENTITY),
    ],
)
def test_between_accounts_both_must_allow_it(own: list[Any], table: list[Any], named: str | None) -> None:
    assert refused(own, table) == named


def test_a_policy_for_another_principal_opens_nothing() -> None:
    assert refused([SCAN], [{**SCAN, "Principal": {"AWS": "arn:aws:iam::333333333333:root"}}]) == RESOURCE
    assert refused([SCAN], [{**SCAN, "Principal": {"AWS": USER + "2"}}]) == RESOURCE


def test_within_an_account_either_is_enough_but_its_own_root_opens_nothing() -> None:
    ours = json.loads(json.dumps([BY_NAME, ACCOUNT_WIDE]).replace("123456789012", "210987654321"))
    assert refused([SCAN], [], account="210987654321") is None
    assert refused([], ours[:1], account="210987654321") is None
    assert refused([], ours[1:], account="210987654321") == IDENTITY
    assert refused([SCAN], [{**ours[0], "Effect": "Deny"}], account="210987654321") == RESOURCE


@pytest.mark.parametrize("name", ["DescribeTimeToLive", "DescribeContinuousBackups", "PutResourcePolicy"])
def test_some_operations_no_policy_opens_to_another_account(name: str) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}
    assert refused([everything], [everything], action=name) == RESOURCE
    assert refused([everything], [everything], action="DescribeTable") is None


def request(operation: str, **body: str) -> Request:
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    return Request("POST", "/", {}, headers, "key", "eu-west-1", "dynamodb", json.dumps(body).encode())


def test_a_policy_is_kept_until_it_is_deleted() -> None:
    policies, text = TablePolicies(), json.dumps({"Statement": [BY_NAME]})
    revision = json.loads(policies.put(request("PutResourcePolicy", ResourceArn=TABLE, Policy=text))[1])
    got = json.loads(policies.get(request("GetResourcePolicy", ResourceArn=TABLE))[1])
    assert got == {"Policy": text, **revision}
    assert policies.of(f"{TABLE}/index/by-date") == {"Statement": [BY_NAME]}
    policies.delete(request("DeleteResourcePolicy", ResourceArn=TABLE))
    assert policies.of(TABLE) is None
    with pytest.raises(ServiceError, match="not found"):
        policies.get(request("GetResourcePolicy", ResourceArn=TABLE))


@pytest.mark.parametrize(
    "text", ["[]", "{", json.dumps({"Statement": [SCAN]}), json.dumps({"Statement": []}).ljust(POLICY_BYTES + 1)]
)
def test_what_is_no_policy_of_a_table_is_refused(text: str) -> None:
    """Without a principal, or of more than 20 KB with its white space (considerations of resource-based policies)."""
    with pytest.raises(ServiceError):
        TablePolicies().put(request("PutResourcePolicy", ResourceArn=TABLE, Policy=text))
