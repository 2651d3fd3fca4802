"""
The pass over every file before the first write: stored bytes for our own hashed files, every item for all others.

A backup without a key schema is judged item by item against the target's keys here, so that a composite-key backup
cannot collapse into a hash-only table, and no table is ever left half-written because the last file was bad.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Callable

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.text import sha256_hex
from dynamodb_pipeline.importing.job import ImportPlan
from dynamodb_pipeline.importing.set_aside import REMEDY
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import InputFile
from dynamodb_pipeline.reading.item_judge import BadLine, ParsedItem
from dynamodb_pipeline.reading.key_spill import BLOCK_BYTES, place_bytes
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.worker import Tools, Unit


def start_check(tools: Tools, *, plan: ImportPlan, collect_keys: bool) -> Callable[[Unit], None]:
    """
    Return what checks one file and reports counts, or the first bad item.

    Args:
        collect_keys: every item's key hash goes to the driver, which finds keys that stand twice (key_spill.py).
    """
    reader = FileReader(tools.store(), plan.keys, plan.index_keys, plan.fast and not collect_keys)
    return partial(check_file, reader=reader, grants=tools.grants, plan=plan, collect_keys=collect_keys)


def check_file(
    unit: Mapping[str, Any], *, reader: FileReader, grants: CoordinatorClient, plan: ImportPlan, collect_keys: bool
) -> None:
    """
    Check one file and report what it holds.

    Raises:
        IntegrityError: the file is damaged, or holds a bad item and the plan has no place to set it aside.
    """
    file = InputFile(**unit["file"])
    data = reader.open(file)
    if reader.fast and file.sha256 is not None:
        grants.finished(unit["work_id"], {"items": file.item_count, "bad": 0})
        return
    judge = _Judge(lambda block: grants.keep(unit["work_id"], block), int(unit["number"]), collect_keys)
    puts = reader.puts(data)
    judge.read(puts.judged())
    if judge.first_bad is not None and plan.set_aside is None:
        raise IntegrityError(_refusal(judge))
    grants.progress(items=judge.items)
    checked = {"checked_sha256": sha256_hex(data.plain)} if puts.regular else {}
    grants.finished(unit["work_id"], {"items": judge.items, "bad": judge.bad, **checked})


def _refusal(judge: _Judge) -> str:
    assert judge.first_bad is not None
    more = f" ({judge.bad} bad items in this file)" if judge.bad > 1 else ""
    return f"{judge.first_bad.error}{more}; nothing was written. {REMEDY}"


class _Judge:
    """Counts a file's items and bad lines, and hands its key hashes on in blocks."""

    def __init__(self, keep: Callable[[str], None], number: int, collect_keys: bool):
        self._keep, self._number, self._collect_keys = keep, number, collect_keys
        self._keys = bytearray()
        self.items = self.bad = 0
        self.first_bad: BadLine | None = None

    def read(self, judged: Iterable[Put | ParsedItem | BadLine]) -> None:
        for item in judged:
            self.items += 1
            if isinstance(item, BadLine):
                self.bad += 1
                self.first_bad = self.first_bad or item
            elif self._collect_keys and item.key is not None:
                self._keys += place_bytes(item.key, file=self._number, line=item.line)
                if len(self._keys) >= BLOCK_BYTES:
                    self._send()
        self._send()

    def _send(self) -> None:
        if self._keys:
            self._keep(base64.b64encode(self._keys).decode("ascii"))
            self._keys.clear()
