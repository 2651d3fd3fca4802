"""
`run.json`: what a run is, does and came to, kept under `<logs>/runs/<run-id>/`.

EMR knows only "failed"; the launcher reads the job's own exit code, totals and error from here.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.formats.exports.layout import join
from dynamodb_pipeline.store.objects import ObjectStore

RUN_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{2,79}$")
RUN_ID_STAMP = re.compile(r"^\d{8}T\d{6}Z")
FILE_NAME = "run.json"


def new_run_id(moment: datetime) -> str:
    """`20261123T030000Z-7f3a91c2`: sortable by start, unique by chance of 1 in 2**32 within a second."""
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def check_run_id(run_id: str) -> str:
    """
    Raises:
        UsageError: characters that do not fit an S3 key and a cluster's name.
    """
    if not RUN_ID.match(run_id):
        msg = f"--run-id {run_id!r} must be 3-80 of A-Z a-z 0-9 . _ -"
        raise UsageError(msg)
    return run_id


def run_folder(logs: str, run_id: str) -> str:
    """`<logs>/runs/<run-id>`, where a run keeps its record, ledger and reasons."""
    return join(logs, f"runs/{run_id}")


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
