"""
Access keys that have expired. Shared by the proxies of one run: a key expires everywhere at once.
"""

from __future__ import annotations

import threading


class ExpiredKeys:
    """The keys that no longer work; a request signed with another one goes through."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def expire(self, access_key: str | None) -> None:
        """From now on this key is refused (None, an unsigned request, expires nothing)."""
        if access_key is not None:
            with self._lock:
                self._keys.add(access_key)

    def refuses(self, access_key: str | None) -> bool:
        """Whether this key has expired."""
        return access_key in self._keys
