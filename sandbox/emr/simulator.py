"""
IAM's SimulatePrincipalPolicy, which moto has not: what the policies of a user or role say to some actions.

API Reference, SimulatePrincipalPolicy. A principal that IAM does not know (the sandbox's own key) is an administrator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from sandbox.emr import identifiers
from sandbox.emr.policy_judge import Policy, condition_keys, decision
from sandbox.emr.protocol import Request

ADMINISTRATOR: Policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
PoliciesOf = Callable[[str], "list[Policy] | None"]


def answer(request: Request, policies_of: PoliciesOf) -> tuple[str, bytes]:
    """Return the reply's content type and body."""
    form = request.form
    source = policies_of(form["PolicySourceArn"])
    policies = [ADMINISTRATOR] if source is None else source
    context = dict(_context(form))
    missing = sorted(condition_keys(policies) - set(context))
    results = [
        _result(action, resource, decision(policies, action, resource=resource, context=context), missing)
        for action in members(form, "ActionNames")
        for resource in list(members(form, "ResourceArns")) or ["*"]
    ]
    return "text/xml", _reply(results).encode()


def members(form: Mapping[str, str], name: str) -> Iterator[str]:
    """The texts of a list parameter: `Name.member.1`, `Name.member.2` ..."""
    number = 1
    while f"{name}.member.{number}" in form:
        yield form[f"{name}.member.{number}"]
        number += 1


def _context(form: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Context keys with the first of their values; no policy here tests a key of several."""
    number = 1
    while f"ContextEntries.member.{number}.ContextKeyName" in form:
        entry = f"ContextEntries.member.{number}"
        yield form[f"{entry}.ContextKeyName"], next(members(form, f"{entry}.ContextKeyValues"))
        number += 1


def _result(action: str, resource: str, decided: str, missing: list[str]) -> str:
    keys = "".join(f"<member>{escape(key)}</member>" for key in missing)
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalResourceName>{escape(resource)}</EvalResourceName><EvalDecision>{decided}</EvalDecision>"
        f"<MissingContextValues>{keys}</MissingContextValues></member>"
    )


def _reply(results: list[str]) -> str:
    return (
        f'<SimulatePrincipalPolicyResponse xmlns="{NAMESPACE}"><SimulatePrincipalPolicyResult>'
        f"<IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}</EvaluationResults>"
        f"</SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>{identifiers.request_id()}</RequestId>"
        f"</ResponseMetadata></SimulatePrincipalPolicyResponse>"
    )


def policies_in(backend: Any, arn: str) -> list[Policy] | None:
    """Return the policies that moto's IAM `backend` holds for a principal, None when it does not know it."""
    principals = [*backend.users.values(), *backend.roles.values()]
    found = next((one for one in principals if one.arn == arn), None)
    if found is None:
        return None
    groups = [one for one in backend.groups.values() if found in one.users]
    holders = [found, *groups]
    inline = [text for holder in holders for text in holder.policies.values()]
    managed = [policy for holder in holders for policy in holder.managed_policies.values()]
    in_force = [one.document for policy in managed for one in policy.versions if one.is_default]
    documents = [*inline, *in_force]
    return [json.loads(text) if isinstance(text, str) else text for text in documents]
