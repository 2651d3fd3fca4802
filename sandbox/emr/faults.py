"""
Faults on demand: what is to go wrong, how often, and whom it strikes.

Request faults strike one API call; cluster faults strike the next cluster that comes to the point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

from sandbox.emr import access
from sandbox.emr.access import Principal
from sandbox.emr.iam_actions import Action
from sandbox.emr.protocol import ServiceError

REQUEST_KINDS = frozenset({"throttle", "server-error", "deny", "lost-reply", "lost-request"})
CLUSTER_KINDS = frozenset({"capacity", "stuck-starting", "bootstrap-failure", "cluster-lost"})


class FaultError(ValueError):
    """A fault that does not exist was asked for."""


@dataclass(frozen=True)
class Fault:
    """
    One fault.

    Args:
        kind: throttle, server-error, deny, lost-reply (done, but the connection breaks), lost-request (not done);
            capacity, stuck-starting, bootstrap-failure, cluster-lost.
        action: IAM action it strikes, with wildcards (`elasticmapreduce:Describe*`); request faults only.
        principal: launcher, node, service, scheduler, or * for all; request faults only.
        count: how often; None: until it is cleared.
        skip: how many it lets pass first.
        after_s: cluster-lost only: seconds from the step's start.
    """

    kind: str
    action: str = "*"
    principal: str = "*"
    count: int | None = 1
    skip: int = 0
    after_s: float = 0.0

    def strikes(self, actions: Sequence[Action], principal: Principal) -> bool:
        """Return whether this request fault is meant for a call."""
        return (
            self.kind in REQUEST_KINDS
            and fnmatchcase(principal.kind, self.principal)
            and any(fnmatchcase(action.name, self.action) for action in actions)
        )


class FaultBook:
    """The faults that are still to strike."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, wanted: Mapping[str, Any]) -> None:
        """Add a fault written as JSON; FaultError when there is none such."""
        fault = _fault(wanted)
        with self._lock:
            self._faults.append(fault)

    def all(self) -> list[dict[str, Any]]:
        """Return what is still to strike."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def for_request(self, actions: Sequence[Action], principal: Principal) -> Fault | None:
        """Return the fault that strikes this call, if any, and count it."""
        return self._take(lambda fault: fault.strikes(actions, principal))

    def for_cluster(self, kind: str) -> Fault | None:
        """Return the fault of that kind for this cluster, if any, and count it."""
        return self._take(lambda fault: fault.kind == kind)

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not matches(fault):
                    continue
                if fault.skip:
                    self._faults[index] = replace(fault, skip=fault.skip - 1)
                    continue
                self._count(index)
                return fault
        return None

    def _count(self, index: int) -> None:
        fault = self._faults[index]
        if fault.count == 1:
            del self._faults[index]
        elif fault.count is not None:
            self._faults[index] = replace(fault, count=fault.count - 1)


def _fault(wanted: Mapping[str, Any]) -> Fault:
    known = {item.name for item in fields(Fault)}
    if set(wanted) - known or wanted.get("kind") not in REQUEST_KINDS | CLUSTER_KINDS:
        kinds = ", ".join(sorted(REQUEST_KINDS | CLUSTER_KINDS))
        raise FaultError(f"no such fault: {dict(wanted)}; kinds: {kinds}; members: {', '.join(sorted(known))}")
    return Fault(**wanted)


def error_of(fault: Fault, actions: Sequence[Action], principal: Principal) -> ServiceError | None:
    """Return the error a fault answers with; None when it breaks the connection instead."""
    is_s3 = actions[0].name.startswith("s3:")
    if fault.kind == "throttle":
        return _slow_down() if is_s3 else ServiceError("ThrottlingException", "Rate exceeded")
    if fault.kind == "server-error":
        return ServiceError("InternalError" if is_s3 else "InternalServerException", "Internal error", status=500)
    if fault.kind == "deny":
        struck = next(action for action in actions if fnmatchcase(action.name, fault.action))
        return _s3_denied() if is_s3 else access.denied(principal, struck.name)
    return None


def _slow_down() -> ServiceError:
    return ServiceError("SlowDown", "Please reduce your request rate.", status=503)


def _s3_denied() -> ServiceError:
    return ServiceError("AccessDenied", "Access Denied", status=403)
