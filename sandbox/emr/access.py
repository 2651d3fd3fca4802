"""
Who calls: access keys that stand for roles, and the tag rule of the shipped policies.

The launcher's key is whatever it has; node, service and scheduler keys are made here, so that each recorded call
shows whose policy has to allow it.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.emr.protocol import ServiceError
from sandbox.emr.records import Cluster

SECRET_KEY = "sandbox-secret"
LAUNCHER = "launcher"
NODE = "node"
SERVICE = "service"
SCHEDULER = "scheduler"
ASSUMED = "assumed"


@dataclass(frozen=True)
class Principal:
    """
    `kind` is launcher, node, service, scheduler or assumed; `role` the role's name or ARN, empty for the launcher. Who
    has assumed a role by STS acts in that role's account, all others in the sandbox's own.

    `key` is the access key it came with, which tells IAM users apart.
    """

    kind: str
    role: str = ""
    key: str = field(default="", compare=False)

    @property
    def account(self) -> str | None:
        """The account of an assumed role, None for the sandbox's own."""
        return self.role.split(":")[4] if self.kind == ASSUMED else None


class Principals:
    """Keys given out so far."""

    def __init__(self, assumed: Callable[[str], str | None] = lambda _: None) -> None:
        self._assumed = assumed  # the ARN of the role that STS gave a key for
        self._known: dict[str, Principal] = {}
        self._lock = threading.Lock()

    def key_for(self, kind: str, role: str) -> str:
        """Return the access key that stands for a role; the same one every time."""
        key = access_key(kind, role)
        with self._lock:
            self._known[key] = Principal(kind, role)
        return key

    def owner_of(self, key: str) -> Principal:
        """Return whose key that is; a node's of an unknown role is known by its form, others are the launcher's."""
        role = self._assumed(key)
        if role is not None:
            return Principal(ASSUMED, role, key=key)
        kinds = [kind for kind in (NODE, SERVICE, SCHEDULER) if key.startswith(_prefix(kind))]
        return self._known.get(key, Principal(kinds[0] if kinds else LAUNCHER, key=key))


def access_key(kind: str, role: str) -> str:
    """Return a key id of temporary credentials' form: 20 characters that begin with ASIA."""
    digest = hashlib.sha256(f"{kind}:{role}".encode()).digest()
    return f"{_prefix(kind)}{base64.b32encode(digest).decode()[:14]}"


def _prefix(kind: str) -> str:
    return f"ASIA{kind[:2].upper()}"


def denied(principal: Principal, action: str) -> ServiceError:
    """Return the error of a call that no policy allows."""
    who = f"assumed-role/{principal.role.rpartition('/')[2]}/session" if principal.role else "user/launcher"
    message = (
        f"User: arn:aws:sts::123456789012:{who} is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action"
    )
    return ServiceError("AccessDeniedException", message)


def check_request_tag(required: str | None, tags: Mapping[str, str], *, principal: Principal, action: str) -> None:
    """Refuse a RunJobFlow or AddTags without the tag, as a policy on elasticmapreduce:RequestTag does."""
    if required and not has_tag(tags, required):
        raise denied(principal, action)


def check_resource_tag(required: str | None, cluster: Cluster, *, principal: Principal, action: str) -> None:
    """Refuse a call on a cluster without the tag, as a policy on elasticmapreduce:ResourceTag does."""
    if required and not has_tag(cluster.tags, required):
        raise denied(principal, action)


def has_tag(tags: Mapping[str, str], required: str) -> bool:
    """Return whether `tags` hold the tag written as key=value."""
    key, _, value = required.partition("=")
    return tags.get(key) == value
