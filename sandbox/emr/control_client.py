"""Talk to a running sandbox EMR's /sandbox/ endpoints: actions, faults, settings, schedules."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from sandbox.processes import SandboxError

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ControlClient:
    """`url` is the address that answers AWS requests too."""

    url: str

    def actions(self, *, principal: str | None = None) -> list[dict[str, Any]]:
        """Return the recorded API actions, of one kind of principal if given (sandbox/emr/ledger.py, Entry)."""
        entries: list[dict[str, Any]] = self._call("GET", "actions")
        return [entry for entry in entries if principal in (None, entry["principal"])]

    def action_names(self, *, principal: str) -> set[str]:
        """Return the IAM actions a principal has used: what its policy has to grant, no more and no less."""
        return {entry["action"] for entry in self.actions(principal=principal)}

    def forget_actions(self) -> None:
        """Empty the record."""
        self._call("DELETE", "actions")

    def add_fault(self, kind: str, **members: Any) -> None:
        """Make something go wrong (sandbox/emr/faults.py, Fault)."""
        self._call("POST", "faults", {"kind": kind, **members})

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are still to strike."""
        waiting: list[dict[str, Any]] = self._call("GET", "faults")
        return waiting

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self._call("DELETE", "faults")

    def set(self, **changes: Any) -> dict[str, Any]:
        """Change settings (sandbox/emr/settings.py), e.g. `require_tag="k=v"`; return all of them."""
        settings: dict[str, Any] = self._call("POST", "settings", changes)
        return settings

    def fire(self, name: str, **members: str) -> dict[str, Any]:
        """Fire a schedule now; `region`, `group` and `scheduled_time` may be given. Return what its target replied."""
        reply: dict[str, Any] = self._call("POST", "fire", {"name": name, **members})
        return reply

    def wait_for(self, cluster: str, *states: str, step: str | None = None, timeout_s: float = 30.0) -> str:
        """
        Return the state of a cluster, or of its step, once it is one of `states`.

        Raises:
            SandboxError: it was not within `timeout_s` seconds; the message says what it was.
        """
        wanted = {"cluster": cluster, "step": step, "states": states, "timeout_s": timeout_s}
        return str(self._call("POST", "wait", wanted, timeout_s=timeout_s + TIMEOUT_S)["state"])

    def _call(self, method: str, path: str, document: Any = None, *, timeout_s: float = TIMEOUT_S) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/sandbox/{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            raise SandboxError(json.loads(error.read()).get("error", str(error))) from error
