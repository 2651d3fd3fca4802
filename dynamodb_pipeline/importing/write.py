"""
The writing pass: file by file at the allowed rate, then the keys that stand more than once.

A worker takes files from the coordinator, proves each, writes it, reports it. It keeps several files in hand and
writes a request of each in turn: a file of an export holds neighbours of the key space, and one file alone would
hammer one partition of the table. What was checked before the first write (check.py) is proven again, because the
bytes are read again: a file of our own export by its hash, a text whose every line went the quick way by the SHA-256
noted then, any other text item by item.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from dynamodb_pipeline.aws.request_errors import Rejected
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.importing.job import (
    Checked,
    ImportedFile,
    ImportPlan,
    ImportRun,
    TableImport,
    refuse_too_many_bad,
)
from dynamodb_pipeline.importing.set_aside import check_aside, keep_aside
from dynamodb_pipeline.importing.table_writer import TableWriter, batches
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED, Consumed, Rated, RatedRun
from dynamodb_pipeline.rate.work_size import write_worker_count
from dynamodb_pipeline.reading.file_puts import BadLine, DataFile, Put
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import FileWork
from dynamodb_pipeline.reading.key_spill import Collision, key_hash
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.selection.changes import LineSet
from dynamodb_pipeline.selection.wanted_keys import asks_for
from dynamodb_pipeline.settings.values import ItemLimit
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.engine import Connect
from dynamodb_pipeline.workers.failures import report_failure
from dynamodb_pipeline.workers.work_queue import WorkUnit
from dynamodb_pipeline.workers.worker import WorkerContext, tools

COUNTS = ("items", "written", "skipped", "set_aside", "unchanged", "left_out", "expired")  # of a file
IN_HAND_BYTES = 64 * 1024 * 1024  # of plain text; the next file is fetched only below this


@dataclass(frozen=True)
class ImportWorker:
    """Picklable worker of an import."""

    worker: WorkerContext
    connect: Connect
    plan: ImportPlan

    def __call__(self, worker_id: int, attempt: int) -> None:
        plan = self.plan
        with tools(self.worker, self.connect, worker_id, attempt) as opened:
            keys, resources = plan.keys, plan.resources
            writer = TableWriter(opened.wire(), opened.grants, table=plan.table, keys=keys, resources=resources)
            FileWriter(opened.store(), opened.grants, writer, plan).run()


class _OpenFile:
    """A file in hand: the requests still to be made of it, and what was done so far."""

    def __init__(self, unit: FileWork, data: DataFile, plan: ImportPlan):
        self.unit, self.data, self._plan = unit, data, plan
        self.requests: Iterator[list[Put]] = iter(())
        self.bad: list[BadLine] = []
        self.items = self.written = self.skipped = self.unchanged = self.left_out = self.expired = 0

    def wanted(self, judged: Iterable[Put | BadLine]) -> Iterator[Put]:
        """What this unit of work is to write of all that stands in the file."""
        if self.unit.lines:
            lines = frozenset(self.unit.lines)
            return (put for put in judged if isinstance(put, Put) and put.line in lines)
        puts = self._all_but_colliding(judged if self._plan.keys_wanted is None else self._asked(judged))
        puts = self._kept(puts) if self._plan.skip_expired else puts
        return puts if self.unit.unchanged is None else self._changed(puts, LineSet.from_text(self.unit.unchanged))

    def record(self) -> ImportedFile:
        return ImportedFile(
            self.data.file.name,
            self.data.form.dialect.value,
            items=self.items,
            written=self.written,
            skipped=self.skipped,
            set_aside=len(self.bad),
            unchanged=self.unchanged,
            left_out=self.left_out,
            expired=self.expired,
        )

    def _asked(self, judged: Iterable[Put | BadLine]) -> Iterator[Put | BadLine]:
        wanted = self._plan.keys_wanted
        for put in judged:
            if isinstance(put, BadLine) or asks_for(wanted, put.key):
                yield put
            else:
                self.items += 1
                self.left_out += 1

    def _kept(self, puts: Iterable[Put]) -> Iterator[Put]:
        for put in puts:
            if self._plan.leaves_out(put):
                self.expired += 1
            else:
                yield put

    def _changed(self, puts: Iterable[Put], unchanged: LineSet) -> Iterator[Put]:
        for put in puts:
            if put.line in unchanged:
                self.unchanged += 1
            else:
                yield put

    def _all_but_colliding(self, judged: Iterable[Put | BadLine]) -> Iterator[Put]:
        colliding = self._plan.colliding
        for put in judged:
            self.items += 1
            if isinstance(put, BadLine):
                self.bad.append(put)
                check_aside(self._plan.set_aside, self.bad)
            elif not colliding or put.key is None or key_hash(put.key) not in colliding:
                yield put


class FileWriter:
    """One worker's loop over files; everything it needs is handed in."""

    def __init__(self, store: ObjectStore, grants: CoordinatorClient, writer: TableWriter, plan: ImportPlan):
        self._store, self._grants, self._writer, self._plan = store, grants, writer, plan
        fast = plan.fast and plan.keys_wanted is None  # to see whether a key is asked for takes a parse
        self._reader = FileReader(store, plan.keys, plan.index_keys, fast, plan.wanted)
        self._in_hand: deque[_OpenFile] = deque()
        self._exhausted = False

    def run(self) -> None:
        """
        Write files until the coordinator has none left.

        Raises:
            IntegrityError: a file or an item is bad; names it.
        """
        while self._fill():
            current = self._in_hand.popleft()
            with report_failure(self._grants, current.unit.work_id):
                request = next(current.requests, None)
                if request is None:
                    self._report(current)
                else:
                    self._write(current, request)
                    self._in_hand.append(current)

    def _fill(self) -> bool:
        while not self._exhausted and self._has_room():
            unit = self._grants.take()
            if unit is None:
                self._exhausted = True
            else:
                work = FileWork.from_json(unit)
                with report_failure(self._grants, work.work_id):
                    self._in_hand.append(self._open(work))
        return bool(self._in_hand)

    def _has_room(self) -> bool:
        held = sum(len(f.data.plain) for f in self._in_hand)
        return len(self._in_hand) < self._plan.files_in_hand and held < IN_HAND_BYTES

    def _open(self, unit: FileWork) -> _OpenFile:
        opened = _OpenFile(unit, self._reader.open(unit.file), self._plan)
        puts = opened.wanted(self._reader.puts(opened.data))
        opened.requests = batches(puts, max_units=self._grants.units_cap())
        return opened

    def _write(self, current: _OpenFile, request: list[Put]) -> None:
        put = self._put(current, request)
        current.skipped += len(request) - put
        current.written += put
        self._grants.progress(items=put, bytes=sum([len(p.body) for p in request]))

    def _put(self, current: _OpenFile, request: list[Put]) -> int:
        """Write a request; how many of its items were put, and not skipped."""
        if self._plan.skip_existing:
            return sum(self._put_new(current, put) for put in request)
        try:
            self._writer.put(request)
        except Rejected as err:
            raise self._explained(current.data, err) from err
        return len(request)

    def _put_new(self, current: _OpenFile, put: Put) -> bool:
        try:
            return self._writer.put_new(put)
        except Rejected as err:
            explained = self._explained(current.data, err)
            if explained is not err:
                raise explained from err
            msg = f"{current.data.file.uri}: line {put.line}: {err}"
            raise IntegrityError(msg) from err

    def _explained(self, data: DataFile, err: Rejected) -> Exception:
        """The item that DynamoDB refused, found by a full parse where the fast path left that out."""
        judged = self._reader.puts(data, careful=True)
        bad = next((line for line in judged if isinstance(line, BadLine)), None)
        return IntegrityError(str(bad.error)) if bad else err

    def _report(self, current: _OpenFile) -> None:
        if current.bad:
            keep_aside(self._store, self._plan.set_aside, current.unit, current.bad)
        self._grants.finished(current.unit.work_id, current.record().to_json())


@dataclass(frozen=True)
class Written:
    """What the writing pass did: sums over files, and units."""

    totals: dict[str, int]
    consumed: Consumed


def write_files(run: ImportRun, *, facts: Checked, ledger: Ledger, done: Mapping[str, ImportedFile]) -> Written:
    """
    Write every file that the ledger does not have as done.

    Raises:
        PipelineError: see rated_run.py; what was written stays, and with --logs the run can be resumed.
    """
    job, totals = run.job, dict.fromkeys(COUNTS, 0)

    def on_finished(work_id: str, record: Facts) -> None:
        ledger.add(work_id, record)
        _add(totals, ImportedFile.from_json(record))
        refuse_too_many_bad(job, totals["set_aside"], total=facts.items, so="stopped part-way")

    for file in done.values():
        _add(totals, file)
    plan = planned_after_check(run.plan, facts, limit=job.settings.max_set_aside)
    allowed = job.rate.tightest
    rated = Rated(job.table, job.rate_of, Goal(f"import {job.table.name}", allowed, "write units", facts.to_write))

    def pass_over(units: list[WorkUnit], *, at_once: int) -> Consumed:
        left = [unit for unit in units if unit.work_id not in done]
        if not left:
            return NOTHING_CONSUMED
        count = write_worker_count(allowed, slots=at_once, files=len(left))
        writing = RatedRun(run.ctx, run.engine, rated, units=left, on_finished=on_finished)
        return writing.run(lambda connect: ImportWorker(job.worker, connect, plan), count=count, group="import")

    consumed = pass_over(facts.units(job.source), at_once=run.engine.slots)
    consumed = consumed.plus(pass_over(winners(job, facts.collisions), at_once=1))
    check_accounted(totals, facts, table=job.table.name)
    return Written(totals, consumed)


def planned_after_check(plan: ImportPlan, facts: Checked, *, limit: ItemLimit) -> ImportPlan:
    """The plan with what only the check could tell: colliding keys, and the limit of bad items as a count."""
    aside = plan.set_aside and replace(plan.set_aside, max_count=limit.most(facts.items))
    return replace(plan, set_aside=aside, colliding=frozenset(c.key_hash for c in facts.collisions))


def winners(job: TableImport, collisions: Iterable[Collision]) -> list[WorkUnit]:
    """Units of work that write the last place of every colliding key, a unit for each file that holds some."""
    lines: dict[int, list[int]] = defaultdict(list)
    for collision in collisions:
        file, line = collision.last
        lines[file].append(line)
    files = job.source.files
    return [
        FileWork(f"last-{number:07d}", files[number], number, tuple(sorted(kept))).unit()
        for number, kept in sorted(lines.items())
    ]


def _add(totals: dict[str, int], file: ImportedFile) -> None:
    for name in COUNTS:
        totals[name] += getattr(file, name)


def check_accounted(totals: dict[str, int], facts: Checked, *, table: str) -> None:
    """Every item that the check counted must be accounted for."""
    accounted = sum(totals.values()) - totals["items"] + facts.dropped
    if totals["items"] != facts.items or accounted != facts.items:
        msg = (
            f"table {table!r}: {facts.items} items were checked, but {totals['items']} read and {accounted} accounted "
            "for; do not rely on this import, run verify against the table"
        )
        raise IntegrityError(msg)
