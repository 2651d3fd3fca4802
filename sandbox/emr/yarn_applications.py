"""
Kill the YARN applications a step has left behind, by the tag its spark-defaults carry.

A client-mode application master ends by itself once its driver is gone, but only after some seconds.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

LIVE_STATES = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
TIMEOUT_S = 5.0
USER = "sandbox"  # YARN's REST API wants a name; ACLs are off


def kill_tagged(yarn_url: str | None, tag: str) -> list[str]:
    """Kill every live application with that tag; return their ids. A ResourceManager that is gone has none."""
    if not yarn_url:
        return []
    try:
        reply = _call(f"{yarn_url}/ws/v1/cluster/apps?applicationTags={tag.lower()}&states={LIVE_STATES}")
        found = reply.get("apps", reply) or {}  # the client jars' own build leaves the root element out
        ids = [application["id"] for application in found.get("app", [])]
        for application_id in ids:
            url = f"{yarn_url}/ws/v1/cluster/apps/{application_id}/state?user.name={USER}"
            _call(url, method="PUT", document={"state": "KILLED"})
    except OSError as error:
        print(f"YARN applications of {tag} not killed: {error}", file=sys.stderr, flush=True)
        return []
    return ids


def _call(url: str, *, method: str = "GET", document: dict[str, str] | None = None) -> dict[str, Any]:
    body = json.dumps(document).encode() if document else None
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
        parsed: dict[str, Any] = json.loads(reply.read() or b"{}")
        return parsed
