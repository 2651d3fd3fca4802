"""
What a set of IAM policies says to one action: the evaluation logic of the IAM User Guide, without boundaries.

Knows the operators that policies of this project use; another one is an error and not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Policy = Mapping[str, Any]
ALLOWED, DENIED, NOT_ALLOWED = "allowed", "explicitDeny", "implicitDeny"  # IAM's own words
IF_EXISTS = "IfExists"


_ESCAPES = re.compile(r"\$\{[*?$]\}")
_ESCAPES_KEPT = re.compile(r"(\$\{[*?$]\})")


class PolicyError(ValueError):
    """A policy uses something that is not known here."""


def _equals(value: str, wanted: str) -> bool:
    return value == wanted


def _like(value: str, wanted: str) -> bool:
    """IAM knows `*` and `?` only; `${*}`, `${?}` and `${$}` are those characters; other variables are unknown here."""
    if "${" in _ESCAPES.sub("", wanted):
        raise PolicyError(f"policy variable in {wanted} is not known here")
    literal = {"${*}": "[*]", "${?}": "[?]", "${$}": "$"}
    pattern = "".join(literal.get(part, part.replace("[", "[[]")) for part in _ESCAPES_KEPT.split(wanted))
    return fnmatchcase(value, pattern)


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
}


def decision(policies: Iterable[Policy], action: str, *, resource: str, context: Mapping[str, str]) -> str:
    """Return IAM's decision; a Deny wins over every Allow."""
    statements = [statement for policy in policies for statement in listed(policy["Statement"])]
    effects = {s["Effect"] for s in statements if applies(s, action, resource=resource, context=context)}
    return DENIED if "Deny" in effects else ALLOWED if "Allow" in effects else NOT_ALLOWED


def condition_keys(policies: Iterable[Policy]) -> set[str]:
    """Return the keys that any condition of the policies looks at."""
    statements = (statement for policy in policies for statement in listed(policy["Statement"]))
    return {key for s in statements for keys in s.get("Condition", {}).values() for key in keys}


def applies(statement: Mapping[str, Any], action: str, *, resource: str, context: Mapping[str, str]) -> bool:
    """Return whether a statement speaks of this action on this resource in this context."""
    return (
        any(_like(action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))
        and any(_like(resource, pattern) for pattern in listed(statement["Resource"]))
        and all(
            _holds(operator, key, listed(wanted), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, key: str, wanted: Sequence[Any], context: Mapping[str, str]) -> bool:
    value = context.get(key)
    if operator == "Null":
        return (value is None) == (str(wanted[0]).lower() == "true")
    test = OPERATORS.get(operator.removesuffix(IF_EXISTS))
    if test is None:
        raise PolicyError(f"condition operator {operator} is not known here")
    if value is None:
        return operator.endswith(IF_EXISTS)
    return any(test(value, one) for one in wanted)


def listed(value: Any) -> list[Any]:
    """Return a member that may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]
