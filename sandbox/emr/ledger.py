"""Every API action that was asked for: by whom, on what, with what result. Policies are compared with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.emr.access import Principal
from sandbox.emr.iam_actions import Action


@dataclass(frozen=True)
class Entry:
    """
    One action of one request.

    Args:
        status: the HTTP status of the reply, 0 when the connection was dropped instead.
        is_implied: another action needs it too (iam:PassRole of RunJobFlow); nobody sent it by itself.
        outcome: "answered", or the fault that struck.
    """

    number: int
    principal: str
    role: str
    action: str
    resource: str
    status: int
    is_implied: bool = False
    outcome: str = "answered"
    context: dict[str, str] = field(default_factory=dict)


class Ledger:
    """The entries since the start, or since they were cleared."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def record(
        self, principal: Principal, actions: Sequence[Action], *, status: int, outcome: str = "answered"
    ) -> None:
        """Add one entry per action of a request."""
        with self._lock:
            for position, action in enumerate(actions):
                self._entries.append(
                    Entry(
                        number=len(self._entries),
                        principal=principal.kind,
                        role=principal.role,
                        action=action.name,
                        resource=action.resource,
                        status=status,
                        is_implied=position > 0 and action.name != actions[0].name,
                        outcome=outcome,
                        context=dict(action.context),
                    )
                )

    def entries(self) -> list[dict[str, Any]]:
        """Return all entries in the order of the replies."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
