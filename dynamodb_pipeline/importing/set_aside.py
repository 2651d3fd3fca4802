"""
Bad items of an import: kept as repairable lines with a file of reasons, or the reason to stop.

`<set-aside>/<run-id>/<number>-<file>.items` holds the lines byte for byte as they stood, so that after a repair the
folder imports with --without-manifest; `_<number>-<file>.reasons.json`, hidden from imports, says for each line where
and why. The number is that of the file in the input: files of different folders can share a name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.store.objects import ObjectStore

if TYPE_CHECKING:
    from dynamodb_pipeline.reading.file_puts import BadLine
    from dynamodb_pipeline.reading.input_files import FileWork

REMEDY = "--set-aside s3://... keeps bad items and goes on"


@dataclass(frozen=True)
class SetAside:
    """Where bad items of this run go, and how many of one file may."""

    folder: str
    max_count: int | None = None


def check_aside(plan: SetAside | None, bad: Sequence[BadLine]) -> None:
    """
    Judge the bad lines found so far in one file, whenever one was added.

    Raises:
        IntegrityError: no folder was given, so that the first bad line ends the run, named by object, line, offset and
            path; or there are more than allowed.
    """
    if plan is None:
        msg = f"{bad[0].error}; nothing of this line was written. {REMEDY}"
        raise IntegrityError(msg)
    if plan.max_count is not None and len(bad) > plan.max_count:
        msg = f"{bad[-1].error}: more than the {plan.max_count} bad items that --max-set-aside allows"
        raise IntegrityError(msg)


def keep_aside(store: ObjectStore, plan: SetAside | None, unit: FileWork, bad: Sequence[BadLine]) -> None:
    """Store a file's bad lines and their reasons; the same bytes under the same names on a rerun."""
    assert plan is not None
    name = f"{unit.number:07d}-{unit.file.name}"
    store.put(join(plan.folder, f"{name}.items"), b"".join(line.text + b"\n" for line in bad))
    reasons = {"file": unit.file.uri, "items": [_reason(line) for line in bad]}
    store.put(join(plan.folder, f"_{name}.reasons.json"), (json.dumps(reasons, indent=1) + "\n").encode())


def _reason(line: BadLine) -> Facts:
    error = line.error
    return {"line": error.line, "offset_bytes": error.offset_bytes, "path": error.path, "reason": error.reason}
