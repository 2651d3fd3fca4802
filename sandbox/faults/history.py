"""
What a proxy has seen so far, as far as a plan asks: how often the same content, how many of an operation.
"""

from __future__ import annotations

import re
import threading
from collections import Counter

from sandbox.faults.plan import Seen


class History:
    """Counts requests; safe to use from many threads."""

    def __init__(self) -> None:
        self._by_content: Counter[tuple[str, str]] = Counter()
        self._by_operation: Counter[str] = Counter()
        self._lock = threading.Lock()

    def see(self, operation: str, *, fingerprint: str) -> Seen:
        """Count one more request and tell what came before it."""
        with self._lock:
            seen = Seen(operation, fingerprint, self._by_content[operation, fingerprint], self._by_operation[operation])
            self._by_content[operation, fingerprint] += 1
            self._by_operation[operation] += 1
        return seen


class StableNames:
    """
    Texts in which every random name (a UUID) is replaced by its place in the order of appearance.

    Data files have new names in every run; without this the same seed would break another one each time.
    """

    _UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, text: str) -> str:
        """The text with `#<place>` for every UUID."""
        with self._lock:
            return self._UUID.sub(lambda found: f"#{self._places.setdefault(found[0], len(self._places))}", text)
