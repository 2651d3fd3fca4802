"""
The import's worker: takes files from the coordinator, proves each whole, writes it, reports it.

A worker keeps several files in hand and writes a request of each in turn: a file of an export holds neighbours of the
key space, and one file alone would hammer one partition of the table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.lines import LineError
from dynamodb_pipeline.transfer.batches import Put, batches
from dynamodb_pipeline.transfer.coordinator_client import CoordinatorClient
from dynamodb_pipeline.transfer.engine import Connect
from dynamodb_pipeline.transfer.failures import reported
from dynamodb_pipeline.transfer.file_reader import FileContents, FileReader
from dynamodb_pipeline.transfer.import_source import InputFile
from dynamodb_pipeline.transfer.object_store import ObjectStore
from dynamodb_pipeline.transfer.set_aside import SetAside, keep_aside
from dynamodb_pipeline.transfer.table_writer import TableWriter
from dynamodb_pipeline.transfer.wire_errors import Rejected
from dynamodb_pipeline.transfer.worker_context import WorkerContext

IN_HAND_BYTES = 64 * 1024 * 1024  # of plain text; the next file is fetched only below this


@dataclass(frozen=True)
class ImportPlan:
    """
    What every worker must know of the import.

    Attributes:
        resources: "table" and "index:<name>" of the target's global indexes.
        fast: files with a matching hash are written without parsing.
        skip_existing: put only items whose key is not in the table.
        files_in_hand: how many files a worker interleaves.
        colliding: canonical keys (hex digests, see key_check.py) that are left out here and written last.
    """

    table: str
    keys: KeySchema
    index_keys: tuple[IndexKeys, ...]
    resources: tuple[str, ...]
    fast: bool = False
    skip_existing: bool = False
    set_aside: SetAside | None = None
    files_in_hand: int = 4
    colliding: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class ImportWorker:
    """Picklable worker of an import."""

    worker: WorkerContext
    connect: Connect
    plan: ImportPlan

    def __call__(self, worker_id: int, attempt: int) -> None:
        clients = self.worker.clients()
        grants = self.connect(worker_id, attempt)
        wire = self.worker.wire(clients)
        plan = self.plan
        try:
            writer = TableWriter(wire, grants, table=plan.table, keys=plan.keys, resources=plan.resources)
            FileWriter(self.worker.store(clients), grants, writer, plan).run()
        finally:
            wire.close()
            grants.close()


class _OpenFile:
    def __init__(self, work_id: str, file: InputFile, contents: FileContents, requests: Iterator[list[Put]]):
        self.work_id, self.file, self.contents, self.requests = work_id, file, contents, requests
        self.written = self.skipped = 0


class FileWriter:
    """One worker's loop over files; everything it needs is handed in."""

    def __init__(self, store: ObjectStore, grants: CoordinatorClient, writer: TableWriter, plan: ImportPlan):
        self._store, self._grants, self._writer, self._plan = store, grants, writer, plan
        self._reader = FileReader(store, plan.keys, plan.index_keys, plan.fast)
        self._in_hand: deque[_OpenFile] = deque()
        self._exhausted = False

    def run(self) -> None:
        """
        Write files until the coordinator has none left.

        Raises:
            IntegrityError: a file or an item is bad; names it. Nothing of that file was written.
        """
        while self._fill():
            current = self._in_hand.popleft()
            request = next(current.requests, None)
            if request is None:
                self._report(current)
            else:
                with reported(self._grants, {"work_id": current.work_id}):
                    self._write(current, request)
                self._in_hand.append(current)

    def _fill(self) -> bool:
        while not self._exhausted and self._has_room():
            unit = self._grants.take()
            if unit is None:
                self._exhausted = True
            else:
                with reported(self._grants, unit):
                    self._in_hand.append(self._open(unit))
        return bool(self._in_hand)

    def _has_room(self) -> bool:
        held = sum(f.contents.plain_bytes for f in self._in_hand)
        return len(self._in_hand) < self._plan.files_in_hand and held < IN_HAND_BYTES

    def _open(self, unit: dict[str, Any]) -> _OpenFile:
        file = InputFile(**unit["file"])
        try:
            contents = self._reader.contents(file)
        except LineError as err:
            raise IntegrityError(str(err)) from err
        if contents.bad:
            keep_aside(self._store, self._plan.set_aside, file, contents.bad)
        return _OpenFile(unit["work_id"], file, contents, self._requests(contents))

    def _requests(self, contents: FileContents) -> Iterator[list[Put]]:
        puts = contents.puts
        if self._plan.colliding:
            puts = [p for p in puts if p.key is None or p.key not in self._plan.colliding]
        return batches(puts, max_units=self._grants.units_cap())

    def _write(self, current: _OpenFile, request: list[Put]) -> None:
        if self._plan.skip_existing:
            put = sum(self._writer.put_new(p) for p in request)
            current.skipped += len(request) - put
        else:
            put = self._put(current, request)
        current.written += put
        self._grants.progress(items=put, bytes=sum(len(p.body) for p in request))

    def _put(self, current: _OpenFile, request: list[Put]) -> int:
        try:
            self._writer.put(request)
        except Rejected as err:
            if not (self._plan.fast and current.file.sha256):
                raise
            raise self._explained(current.file, err) from err
        return len(request)

    def _explained(self, file: InputFile, err: Rejected) -> Exception:
        """The item DynamoDB refused, found by the full parse that the fast path left out."""
        bad = self._reader.parsed(file).bad
        return IntegrityError(str(bad[0].error)) if bad else err

    def _report(self, current: _OpenFile) -> None:
        record = {
            "file": current.file.name,
            "dialect": current.contents.dialect,
            "items": current.contents.item_count,
            "written": current.written,
            "skipped": current.skipped,
            "set_aside": len(current.contents.bad),
        }
        self._grants.finished(current.work_id, record)
