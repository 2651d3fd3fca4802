"""
Access keys that have expired. Shared by the proxies of one run: a key expires everywhere at once.
"""

from __future__ import annotations

import threading


class ExpiredKeys:
    """The keys that no longer work; a request signed with another one goes through."""

    def __init__(self, *, most_count: int = 2) -> None:
        self._most_count = most_count  # a session lasts an hour: a short run sees few of them end
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def expire(self, access_key: str | None) -> None:
        """From now on this key is refused, unless enough keys have expired (None, an unsigned request: nothing)."""
        with self._lock:
            if access_key is not None and len(self._keys) < self._most_count:
                self._keys.add(access_key)

    def refuses(self, access_key: str | None) -> bool:
        """Whether this key has expired."""
        return access_key in self._keys
