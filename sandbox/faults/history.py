"""
What a proxy has seen so far, as far as a plan asks: how often the same content, how many of an operation.
"""

from __future__ import annotations

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
            seen = Seen(operation, fingerprint, self._by_content[operation, fingerprint],
                        self._by_operation[operation])
            self._by_content[operation, fingerprint] += 1
            self._by_operation[operation] += 1
        return seen
