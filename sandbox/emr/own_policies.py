"""
The own policies of tables and buckets, judged beside the caller's: within one account either of the two may allow a
request, between two accounts both must.

IAM User Guide, "Cross-account policy evaluation logic" and "Policy evaluation for requests within a single account".
DynamoDB Developer Guide, "DynamoDB API operations supported by resource-based policies" and its considerations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.emr.iam_actions import Action
from sandbox.emr.policy_judge import ALLOWED, DENIED, Policy, decision, listed
from sandbox.emr.protocol import Request, ServiceError

IDENTITY, RESOURCE = "identity-based", "resource-based"  # as refusals name them
JSON_1_0 = "application/x-amz-json-1.0"
POLICY_BYTES = 20 * 1024  # white space counted
# Column "Cross-account support"; every other operation, DescribeTimeToLive and DescribeContinuousBackups among them,
# is of the table's own account only.
ACROSS_ACCOUNTS = frozenset(
    {
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"),
        *("TransactGetItems", "TransactWriteItems", "DescribeTable", "UpdateTable", "DeleteTable"),
        *("ListTagsOfResource", "TagResource", "UntagResource"),
    }
)


@dataclass(frozen=True)
class Caller:
    """Who asks: the account, the ARN of the user or role, and its policies (None for one that may do everything)."""

    account: str
    arn: str
    policies: Sequence[Policy] | None


class TablePolicies:
    """What PutResourcePolicy has attached, by the ARN of the table; DynamoDB here has no such thing."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def of(self, arn: str) -> Policy | None:
        """Return the policy in force for a table or one of its indexes, None where there is none."""
        text = self._texts.get(arn.partition("/index/")[0])
        return json.loads(text) if text else None

    def put(self, request: Request) -> tuple[str, bytes]:
        """Answer PutResourcePolicy."""
        asked = request.json()
        text, arn = asked["Policy"], asked["ResourceArn"]
        if len(text.encode()) > POLICY_BYTES:
            raise ServiceError("LimitExceededException", "Resource-based policy size exceeded")
        _check_document(text)
        self._texts[arn] = text
        return _reply({"RevisionId": _revision(text)})

    def get(self, request: Request) -> tuple[str, bytes]:
        """Answer GetResourcePolicy."""
        text = self._texts.get(request.json()["ResourceArn"])
        if text is None:
            raise ServiceError(
                "PolicyNotFoundException", "Resource-based policy not found for the provided ResourceArn"
            )
        return _reply({"Policy": text, "RevisionId": _revision(text)})

    def delete(self, request: Request) -> tuple[str, bytes]:
        """Answer DeleteResourcePolicy; one that is not there is no error."""
        text = self._texts.pop(request.json()["ResourceArn"], None)
        return _reply({"RevisionId": _revision(text)} if text else {})


def _check_document(text: str) -> None:
    try:
        statements = listed(json.loads(text)["Statement"])
        complete = all({"Effect", "Principal", "Action", "Resource"} <= one.keys() for one in statements)
    except (ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise ServiceError(
            "ValidationException", "Invalid policy document: each statement has Effect, Principal, Action"
        )


def _revision(text: str) -> str:
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))


def _reply(document: Mapping[str, Any]) -> tuple[str, bytes]:
    return JSON_1_0, json.dumps(document).encode()


def refused_by(action: Action, *, caller: Caller, owner: str, own: Policy | None) -> str | None:
    """
    Return which kind of policy a refusal names, None where the action is allowed.

    Between two accounts the one that is named need not be the one that lacks it: where the resource's policy opens it
    to a whole account and the caller's own policy is silent, the message speaks of the resource's.
    https://dev.classmethod.jp/articles/access-denied-error-message-vpcendpoint-crossaccount/

    Args:
        owner: the account of the resource.
        own: the resource's own policy.
    """
    identity = _identity(caller, action)
    by_name, by_account = (_granted(own, action, _principals(caller, whole=whole)) for whole in (False, True))
    if identity == DENIED:
        return IDENTITY
    if DENIED in (by_name, by_account):
        return RESOURCE
    if caller.account == owner:  # a policy that names the whole account leaves it to the caller's own
        return None if ALLOWED in (identity, by_name) else IDENTITY
    if action.name.startswith("dynamodb:") and action.name.partition(":")[2] not in ACROSS_ACCOUNTS:
        return RESOURCE
    if ALLOWED not in (by_name, by_account):
        return RESOURCE
    if identity == ALLOWED:
        return None
    return IDENTITY if by_name == ALLOWED else RESOURCE


def _identity(caller: Caller, action: Action) -> str:
    if caller.policies is None:
        return ALLOWED
    return decision(caller.policies, action.name, resource=action.resource, context=action.context)


def _principals(caller: Caller, *, whole: bool) -> frozenset[str]:
    if whole:
        return frozenset({"*", caller.account, f"arn:aws:iam::{caller.account}:root"})
    return frozenset({caller.arn})


def _granted(policy: Policy | None, action: Action, principals: Iterable[str]) -> str:
    """Return what the statements that name one of the principals decide."""
    statements = listed(policy["Statement"]) if policy else []
    naming = [one for one in statements if {*principals} & {*_named(one.get("Principal"))}]
    return decision([{"Statement": naming}], action.name, resource=action.resource, context=action.context)


def _named(principal: Any) -> list[str]:
    return ["*"] if principal == "*" else listed((principal or {}).get("AWS", []))
