"""Compares what was asked for in a run with what a printed policy grants, resource and context included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.emr.policy_judge import ALLOWED, decision

TAG = {"elasticmapreduce:ResourceTag/dynamodbdatapipeline": "true"}
# AWS: no permission is needed for it, and none can take it away (API Reference, GetCallerIdentity).
FREE = {"sts:GetCallerIdentity"}


def not_granted(policy: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """`action on resource` of every recorded entry that the policy does not allow."""
    return {
        f"{entry['action']} on {entry['resource']} {entry['context'] or ''}".rstrip()
        for entry in entries
        if entry["action"] not in FREE
        and decision([policy], entry["action"], resource=entry["resource"], context=context_of(entry)) != ALLOWED
    }


def context_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Every cluster of these runs carries the tag, which EMR knows and the request does not say."""
    is_cluster = ":cluster/" in entry["resource"] and not entry["is_implied"]
    return {**entry["context"], **(TAG if is_cluster else {})}


def never_used(policy: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """`Sid action` of everything that a statement grants and that nothing recorded needed from it."""
    used = list(entries)
    return {
        f"{statement['Sid']} {action}"
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        if not any(entry["action"] == action and is_granted_by(statement, entry) for entry in used)
    }


def is_granted_by(statement: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether this one statement allows the entry."""
    alone = {"Statement": [statement]}
    return decision([alone], entry["action"], resource=entry["resource"], context=context_of(entry)) == ALLOWED
