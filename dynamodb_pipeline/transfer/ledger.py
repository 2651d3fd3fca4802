"""
What a run has finished so far: one tiny put-if-absent object per finished piece of work, under the run's own folder.

The ledger is written by the driver only, after a worker's success has arrived. A header pins everything a resume
depends on; a resume with any difference is refused instead of guessed at.
"""

from __future__ import annotations

import json
from typing import Any

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.transfer.object_store import AlreadyExistsError, ObjectMissingError, ObjectStore
from dynamodb_pipeline.transfer.run_folder import join

HEADER = "header.json"


class Ledger:
    """
    The ledger of one table in one run.

    Args:
        store: where objects go.
        folder: `<logs>/runs/<run-id>/ledger/<table>`; None keeps nothing, so that the run cannot be resumed.
    """

    def __init__(self, store: ObjectStore, folder: str | None):
        self._store, self._folder = store, folder

    @property
    def resumable(self) -> bool:
        return self._folder is not None

    def open(self, header: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """
        Pin `header` and return the entries of earlier attempts by id; empty for a new run.

        Raises:
            PreconditionError: this run id was used with another header; every difference is named.
        """
        if self._folder is None:
            return {}
        try:
            self._store.put(join(self._folder, HEADER), _dump(header), if_absent=True)
        except AlreadyExistsError:
            self._compare(json.loads(self._store.get(join(self._folder, HEADER))), header)
            return self._entries()
        return {}

    def header(self) -> dict[str, Any] | None:
        """The pinned header of an earlier attempt, None when there is none."""
        if self._folder is None:
            return None
        try:
            found: dict[str, Any] = json.loads(self._store.get(join(self._folder, HEADER)))
        except ObjectMissingError:
            return None
        return found

    def add(self, entry_id: str, record: dict[str, Any]) -> None:
        """Note `entry_id` as finished; a second note of the same id changes nothing."""
        if self._folder is None:
            return
        try:
            self._store.put(join(self._folder, f"{entry_id}.json"), _dump(record), if_absent=True)
        except AlreadyExistsError:
            return

    def _entries(self) -> dict[str, dict[str, Any]]:
        assert self._folder is not None
        found = (o.uri for o in self._store.list(self._folder) if not o.uri.endswith("/" + HEADER))
        return {uri.rpartition("/")[2][: -len(".json")]: json.loads(self._store.get(uri)) for uri in found}

    def _compare(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        names = sorted(set(before) | set(now))
        changed = [f"{n}: was {before.get(n)!r}, is {now.get(n)!r}" for n in names if before.get(n) != now.get(n)]
        if changed:
            msg = "this run cannot be resumed, these differ: " + "; ".join(changed) + ". Start a new run (new --run-id)"
            raise PreconditionError(msg)


def _dump(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, sort_keys=True) + "\n").encode()
