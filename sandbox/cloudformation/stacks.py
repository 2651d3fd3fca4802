"""
Stacks: a template brought into being, changed and removed again; a failure takes back what a new stack had made.

CloudFormation User Guide, "Stack status codes". Everything happens within the call that asks for it.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.cloudformation import kinds
from sandbox.cloudformation.intrinsics import Made, TemplateError, Values, ordered, resolved

NAMED = {"RoleName", "InstanceProfileName", "ManagedPolicyName"}
IAM_KINDS = ("AWS::IAM::",)


@dataclass
class Stack:
    """One stack of a region; `made` are its resources by their logical names."""

    name: str
    region: str
    account_id: str
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    made: dict[str, Made] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    unique: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def id(self) -> str:
        return f"arn:aws:cloudformation:{self.region}:{self.account_id}:stack/{self.name}/{self.unique}"


def parsed(body: str) -> dict[str, Any]:
    """Return a JSON template; TemplateError for another text."""
    try:
        template = json.loads(body)
    except ValueError as error:
        raise TemplateError(f"Template format error: JSON not well-formed. ({error})") from error
    if not isinstance(template, dict) or not template.get("Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    return template


def needed_capability(template: Mapping[str, Any]) -> str | None:
    """Return what a caller must acknowledge: IAM resources, with names of their own or without."""
    own = [one for one in template["Resources"].values() if one["Type"].startswith(IAM_KINDS)]
    if any(NAMED & set(one.get("Properties", {})) for one in own):
        return "CAPABILITY_NAMED_IAM"
    return "CAPABILITY_IAM" if own else None


class Stacks:
    """The stacks of all regions. `client` makes boto3 clients: (service, region)."""

    def __init__(self, client: Callable[[str, str], Any], *, account_id: str) -> None:
        self._client = client
        self._account_id = account_id
        self._stacks: dict[tuple[str, str], Stack] = {}
        self._lock = threading.Lock()

    def find(self, name: str, region: str) -> Stack | None:
        """Return a stack by its name or id; a deleted one by neither."""
        plain = name.split("/")[1] if name.startswith("arn:") else name
        return self._stacks.get((plain, region))

    def begin(self, name: str, region: str) -> Stack:
        """Return the stack of that name, a new empty one when there is none."""
        with self._lock:
            return self._stacks.setdefault((name, region), Stack(name, region, self._account_id))

    def deploy(self, stack: Stack, template: Mapping[str, Any]) -> None:
        """Bring a stack to its template; its status and reason tell how that went."""
        is_new = not stack.made
        before, stack.made = stack.made, dict(stack.made)
        try:
            self._make_all(stack, template)
            stack.template = template
        except (ClientError, BotoCoreError, TemplateError, KeyError) as error:
            stack.reason = str(error)
            stack.status = "ROLLBACK_COMPLETE" if is_new else "UPDATE_ROLLBACK_COMPLETE"
            self._remove(stack, set(stack.made) - set(before))
            return
        self._remove(stack, set(stack.made) - set(template["Resources"]))
        stack.status, stack.reason = "CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE", ""

    def _make_all(self, stack: Stack, template: Mapping[str, Any]) -> None:
        resources = template["Resources"]
        for name in ordered(resources):
            properties = resolved(resources[name].get("Properties", {}), self._values(stack))
            physical = f"{stack.name}-{name}-{stack.unique[:8].upper()}"
            stack.made[name] = kinds.make(
                resources[name]["Type"], properties, name=physical, client=lambda one: self._client(one, stack.region)
            )
        outputs = resolved(template.get("Outputs", {}), self._values(stack))
        stack.outputs = {name: output["Value"] for name, output in outputs.items()}

    def _values(self, stack: Stack) -> Values:
        pseudo = {
            "AWS::AccountId": stack.account_id,
            "AWS::Partition": "aws",
            "AWS::Region": stack.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        return Values(pseudo, stack.made)

    def _remove(self, stack: Stack, names: set[str]) -> None:
        for name in [name for name in reversed(stack.made) if name in names]:
            kinds.remove(stack.made.pop(name), client=lambda one: self._client(one, stack.region))

    def delete(self, stack: Stack) -> None:
        """Remove a stack with everything it made."""
        self._remove(stack, set(stack.made))
        with self._lock:
            self._stacks.pop((stack.name, stack.region), None)
