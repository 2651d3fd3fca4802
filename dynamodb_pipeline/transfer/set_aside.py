"""
Bad items of an import: kept as repairable lines with a file of reasons, or the reason to stop.

`<set-aside>/<run-id>/<file>.items` holds the lines byte for byte as they stood, so that after a repair the folder
imports with --without-manifest; `_<file>.reasons.json`, hidden from imports, says for each line where and why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.transfer.object_store import ObjectStore
from dynamodb_pipeline.transfer.run_folder import join

if TYPE_CHECKING:
    from dynamodb_pipeline.transfer.file_reader import BadLine
    from dynamodb_pipeline.transfer.import_source import InputFile


@dataclass(frozen=True)
class SetAside:
    """Where bad items of this run go."""

    folder: str


@dataclass(frozen=True)
class SetAsideLimit:
    """How many bad items a run may leave aside: a count, or a percentage of the items read so far."""

    count: int | None
    percent: float | None

    def exceeded(self, bad: int, *, total: int | None) -> bool:
        """True when `bad` items are too many; a percentage is judged against `total`, the input's items."""
        if self.count is not None:
            return bad > self.count
        if self.percent is None or total is None:
            return False
        return bad > total * self.percent / 100

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{self.percent:g}%"


def keep_aside(store: ObjectStore, plan: SetAside | None, file: InputFile, bad: Sequence[BadLine]) -> None:
    """
    Store a file's bad lines and their reasons; the same bytes again on a rerun.

    Raises:
        IntegrityError: no folder was given: the first bad line ends the run, named by object, line, offset and path.
    """
    if plan is None:
        more = f" ({len(bad)} bad items in this file)" if len(bad) > 1 else ""
        msg = (
            f"{bad[0].error}{more}; nothing of this file was written. --set-aside s3://... keeps bad items and goes on"
        )
        raise IntegrityError(msg)
    lines = b"".join(line.text + b"\n" for line in bad)
    store.put(join(plan.folder, f"{file.name}.items"), lines)
    reasons = {"file": file.uri, "items": [_reason(line) for line in bad]}
    store.put(join(plan.folder, f"_{file.name}.reasons.json"), (json.dumps(reasons, indent=1) + "\n").encode())


def _reason(line: BadLine) -> dict[str, Any]:
    error = line.error
    return {"line": error.line, "offset_bytes": error.offset_bytes, "path": error.path, "reason": error.reason}
