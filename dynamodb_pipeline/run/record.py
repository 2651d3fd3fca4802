"""
`run.json`: what a run is, does and came to, kept under `<logs>/runs/<run-id>/`.

EMR knows only "failed"; the launcher reads the job's own exit code, totals and error from here.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.store.objects import ObjectStore

FILE_NAME = "run.json"


def now_text() -> str:
    """The present moment, ISO 8601 UTC to the second."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


class RunRecord:
    """
    Collects what `run.json` says and stores it; without a logs folder it stores nothing. Safe for several threads.

    Args:
        store: where the record goes.
        folder: `run_folder(...)` or None.
        facts: kind, run id, tables, tool version and the arguments, free of secrets.
    """

    def __init__(self, store: ObjectStore, folder: str | None, facts: dict[str, Any]):
        self._store, self._folder, self._lock = store, folder, threading.Lock()
        started = now_text()
        self.facts: dict[str, Any] = {"first_started": started, **facts, "started": started, "state": "running"}

    def save(self, **changes: Any) -> None:
        """Merge `changes` and store the record (one PUT, replaces the older one), which is a sign of life as well."""
        with self._lock:  # held until S3 has it: no older record may come after a newer one
            self.facts.update(changes, heartbeat=now_text())
            if self._folder is not None:
                self._store.put(join(self._folder, FILE_NAME), self.to_bytes())

    def to_bytes(self) -> bytes:
        return (json.dumps(self.facts, indent=1, sort_keys=True) + "\n").encode()
