"""
Kill the YARN applications a step has left behind, by the tag its spark-defaults carry.

A client-mode application master ends by itself once its driver is gone, but only after some seconds.
"""

from __future__ import annotations

import re
import sys
import urllib.request

LIVE_STATES = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
TIMEOUT_S = 5.0
KILL = b'{"state": "KILLED"}'
APPLICATION_ID = re.compile(r"application_\d+_\d+")
USER = "sandbox"  # YARN's REST API wants a name; ACLs are off


def live(yarn_url: str, tag: str) -> list[str]:
    """Return the ids of the applications with that tag that have not ended; OSError without a ResourceManager."""
    tagged = f"applicationTags={tag.lower()}&states={LIVE_STATES}"
    return application_ids(_call(f"{yarn_url}/ws/v1/cluster/apps?{tagged}"))


def application_ids(reply: str) -> list[str]:
    """
    Return the ids named in a reply to `apps`, each once.

    By their form, not by the reply's: YARN's manual has {"apps": {"app": [{"id": ...}]}}, but what the client
    jars' own YARN sends has no member `id`, only addresses that end in it.
    """
    return list(dict.fromkeys(APPLICATION_ID.findall(reply)))


def kill_tagged(yarn_url: str | None, tag: str) -> list[str]:
    """Kill every live application with that tag; return their ids. A ResourceManager that is gone has none."""
    if not yarn_url:
        return []
    try:
        ids = live(yarn_url, tag)
        for application_id in ids:
            url = f"{yarn_url}/ws/v1/cluster/apps/{application_id}/state?user.name={USER}"
            _call(url, method="PUT", body=KILL)
    except OSError as error:
        print(f"YARN applications of {tag} not killed: {error}", file=sys.stderr, flush=True)
        return []
    return ids


def _call(url: str, *, method: str = "GET", body: bytes | None = None) -> str:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
        text: str = reply.read().decode()
        return text
