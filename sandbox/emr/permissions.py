"""
Whether a caller's policies allow what a request needs, and each service's own words when they do not.

A caller that IAM does not know (the sandbox's own key, a role that nobody made) may do everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sandbox.emr.access import LAUNCHER, Principal
from sandbox.emr.iam_actions import ACCOUNT_ID, Action
from sandbox.emr.policy_judge import ALLOWED, Policy, decision
from sandbox.emr.protocol import ServiceError

# AWS: no permission is needed for it, and none can take it away (API Reference, GetCallerIdentity).
FREE = frozenset({"sts:GetCallerIdentity"})
TagsOf = Callable[[str], Mapping[str, str]]
XML_STATUS = 403


def refused_action(
    policies: Sequence[Policy] | None, actions: Sequence[Action], *, tags_of: TagsOf = lambda _: {}
) -> Action | None:
    """
    Return the first action that the policies do not allow, None when they allow all.

    Args:
        tags_of: a cluster's tags by its ARN, which EMR knows and the request does not say.
    """
    if policies is None:
        return None
    return next((one for one in actions if one.name not in FREE and not _is_allowed(policies, one, tags_of)), None)


def _is_allowed(policies: Sequence[Policy], action: Action, tags_of: TagsOf) -> bool:
    tags = {f"elasticmapreduce:ResourceTag/{key}": value for key, value in tags_of(action.resource).items()}
    whole = replace(action, context={**tags, **action.context})
    return decision(policies, whole.name, resource=whole.resource, context=whole.context) == ALLOWED


def caller_arn(principal: Principal) -> str:
    """Return who a message says called."""
    if principal.kind == LAUNCHER:
        return f"arn:aws:iam::{ACCOUNT_ID}:user/launcher"
    return f"arn:aws:sts::{principal.account or ACCOUNT_ID}:assumed-role/{principal.role.rpartition('/')[2]}/session"


def denial(action: Action, *, who: str, service: str, kind: str = "identity-based") -> ServiceError:
    """
    Return the error of a call that no policy allows.

    Args:
        kind: of policies, which the message names.
        service: whose protocol words it, as in the request's signature: a key's refusal comes from S3 or DynamoDB.
    """
    where = f" on resource: {action.resource}" if action.resource != "*" else ""
    why = f"because no {kind} policy allows the {action.name} action"
    text = f"User: {who} is not authorized to perform: {action.name}{where} {why}"
    if service == "dynamodb" and action.name.startswith("kms:"):
        return ServiceError("AccessDeniedException", f"KMS key access denied error: {text}")
    if service == "ec2":
        text = f"You are not authorized to perform this operation. {text}"
        return ServiceError("UnauthorizedOperation", text, status=XML_STATUS)
    if service in ("s3", "iam", "sts", "sns", "cloudformation", "monitoring"):
        return ServiceError("AccessDenied", text, status=XML_STATUS)
    return ServiceError("AccessDeniedException", text)
