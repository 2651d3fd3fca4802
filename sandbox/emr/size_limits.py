"""
How long IAM lets policies be, and EventBridge Scheduler requests. moto takes any length.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html: a payload of 256 KB.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: white space is not counted, and the inline
policies of one user, group or role are counted together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sandbox.emr.protocol import Request, ServiceError

MANAGED = 6_144
INLINE = {"PutUserPolicy": 2_048, "PutGroupPolicy": 5_120, "PutRolePolicy": 10_240}
NAMED_BY = {"PutUserPolicy": "UserName", "PutGroupPolicy": "GroupName", "PutRolePolicy": "RoleName"}
CONFLICT = 409
SCHEDULE_INPUT = 262_144


def characters(document: str) -> int:
    """Return the length of a policy as IAM counts it."""
    return len(re.sub(r"\s", "", document))


def check_managed(request: Request) -> None:
    """Refuse a managed policy that is too long."""
    if characters(request.form.get("PolicyDocument", "")) > MANAGED:
        raise ServiceError("LimitExceeded", f"Cannot exceed quota for PolicySize: {MANAGED}", status=CONFLICT)


def check_inline(request: Request, *, inline_of: Callable[[str, str], Mapping[str, str]]) -> None:
    """
    Refuse an inline policy with which those of its user, group or role are too long together.

    Args:
        inline_of: the inline policies there are, by kind (`UserName` ...) and name.
    """
    form, operation = request.form, request.form["Action"]
    kind = NAMED_BY[operation]
    name = form.get(kind, "")
    others = [text for key, text in inline_of(kind, name).items() if key != form.get("PolicyName")]
    if sum(map(characters, [*others, form.get("PolicyDocument", "")])) > INLINE[operation]:
        who = f"{kind.removesuffix('Name').lower()} {name}"
        text = f"Maximum policy size of {INLINE[operation]} bytes exceeded for {who}"
        raise ServiceError("LimitExceeded", text, status=CONFLICT)


def check_schedule(request: Request) -> None:
    """Refuse a schedule whose target's input is too long."""
    if len(request.json().get("Target", {}).get("Input", "").encode()) > SCHEDULE_INPUT:
        text = f"Member must have length less than or equal to {SCHEDULE_INPUT}"
        raise ServiceError("ValidationException", f"Value at 'target.input' failed to satisfy constraint: {text}")
