"""
The pass over every file before the first write: stored bytes for our own hashed files, every item for all others; and
the driver's side of it: counts, bad items and their limit, keys that stand twice.

A backup without a key schema is judged item by item against the target's keys here, so that a composite-key backup
cannot collapse into a hash-only table, and no table is ever left half-written because the last file was bad.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Callable

from dynamodb_pipeline.documents import Document, DocumentError, Facts, member, natural, optional, string, strings
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.file_forms import Layout
from dynamodb_pipeline.formats.files.text import sha256_hex
from dynamodb_pipeline.formats.items.digest import SHORT_DIGEST_BYTES, short_digest
from dynamodb_pipeline.formats.items.item_rules import SAMPLE_BYTES, Expiry, ExpirySample
from dynamodb_pipeline.importing.job import (
    Checked,
    ImportPlan,
    ImportRun,
    TableImport,
    refuse_several_tables,
    refuse_too_many_bad,
    repeated_keys_line,
)
from dynamodb_pipeline.importing.set_aside import REMEDY
from dynamodb_pipeline.passes.rated_run import Rated, RatedRun
from dynamodb_pipeline.reading.file_puts import BadLine, DataFile, FilePuts, ParsedItem, Put
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import FileWork
from dynamodb_pipeline.reading.key_spill import BLOCK_BYTES, Collision, KeySpill, place_bytes
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.selection.wanted_keys import asks_for, missing_keys
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.worker import Tools, Unit, UnitWorker

OTHER_REASONS = "other reasons"
TEXTS_OF_A_FILE = 20  # names of tables and the like that a document says of itself
MAX_COLLISIONS = 100_000  # more are no accident; keeps the memory of the driver and of every worker bounded


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        msg = "an object of counts"
        raise DocumentError(msg)
    return {string(name): natural(count) for name, count in value.items()}


@dataclass(frozen=True)
class CheckedFile(Document):
    """
    What a file holds, as its check reports it.

    Attributes:
        left_out, asked_bytes, expired: as of `Checked`.
        sampled, expiring: as of `ExpirySample`.
        checked_sha256: of a text whose items need not be judged again.
        document: the file's number, where it is no file of lines.
        tables, passed_over: tables that the file names: those whose items are taken, and others.
        reasons: why items are bad, and how many each time; rules, never contents.
    """

    items: int = member(natural)
    bad: int = member(natural)
    left_out: int = member(natural, default=0)
    asked_bytes: int = member(natural, default=0)
    checked_sha256: str | None = member(optional(string), default=None)
    document: int | None = member(optional(natural), default=None)
    tables: tuple[str, ...] = member(strings, default=())
    passed_over: tuple[str, ...] = member(strings, default=())
    notes: tuple[str, ...] = member(strings, default=())
    expired: int = member(natural, default=0)
    sampled: int = member(natural, default=0)
    expiring: int = member(natural, default=0)
    reasons: dict[str, int] | None = member(optional(_counts), default=None)


def start_check(tools: Tools, *, plan: ImportPlan, collect_keys: bool) -> Callable[[Unit], None]:
    """
    Return what checks one file and reports counts, or the first bad item.

    Args:
        collect_keys: every item's key hash goes to the driver, which finds keys that stand twice (key_spill.py).
    """
    reader = FileReader(tools.store(), plan.keys, plan.index_keys, plan.fast and not collect_keys, plan.wanted)
    return partial(check_file, reader=reader, grants=tools.grants, plan=plan, collect_keys=collect_keys)


def must_collect_keys(job: TableImport, plan: ImportPlan) -> bool:
    """True when every item's key goes to the driver: a key may stand twice, or somebody asks for it there."""
    asked = job.settings.mirror or plan.only_changes or plan.keys_wanted is not None
    return asked or not job.source.cannot_repeat_keys


def check_file(
    unit: Unit, *, reader: FileReader, grants: CoordinatorClient, plan: ImportPlan, collect_keys: bool
) -> None:
    """
    Check one file and report what it holds.

    Raises:
        IntegrityError: the file is damaged, or holds a bad item and the plan has no place to set it aside.
    """
    work = FileWork.from_json(unit)
    file, number = work.file, work.number
    data = reader.open(file)
    sample = _sample(data, plan)
    if reader.fast and file.sha256 is not None and not plan.skip_expired:
        whole = CheckedFile(file.item_count or 0, 0, sampled=sample.items, expiring=sample.expiring)
        grants.finished(work.work_id, whole.to_json())
        return
    judge = _Judge(plan, lambda block: grants.keep(work.work_id, block), number, collect_keys)
    puts = reader.puts(data)
    judge.read(puts)
    if judge.first_bad is not None and plan.set_aside is None:
        raise IntegrityError(_refusal(judge))
    grants.progress(items=judge.items)
    checked = CheckedFile(
        judge.items,
        judge.bad,
        left_out=judge.left_out,
        asked_bytes=judge.asked_bytes,
        expired=judge.expired,
        sampled=sample.items,
        expiring=sample.expiring,
        checked_sha256=sha256_hex(data.plain) if puts.regular else None,
        document=number if data.form.layout is not Layout.LINES else None,
        tables=_some(puts.tables),
        passed_over=_some(puts.passed_over),
        notes=_some(f"{file.uri}: {note}" for note in puts.notes),
        reasons=judge.reasons or None,
    )
    grants.finished(work.work_id, checked.to_json())


def _sample(data: DataFile, plan: ImportPlan) -> ExpirySample:
    """The first items of a file of lines, looked at for those that expire soon; nothing where none does, or is kept."""
    sample = ExpirySample(plan.expiry or Expiry("", 0))
    if plan.expiry is not None and not plan.skip_expired and data.form.layout is Layout.LINES:
        sample.add(data.plain[:SAMPLE_BYTES])
    return sample


def _some(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(texts, TEXTS_OF_A_FILE))


def _refusal(judge: _Judge) -> str:
    assert judge.first_bad is not None
    more = f" ({judge.bad:,} bad items in this file)" if judge.bad > 1 else ""
    return f"{judge.first_bad.error}{more}; nothing was written. {REMEDY}"


def add_reason(reasons: dict[str, int], reason: str, count: int) -> None:
    """Count a reason; when there are many, the rarer newcomers together."""
    known = reason in reasons or len(reasons) < TEXTS_OF_A_FILE
    name = reason if known else OTHER_REASONS
    reasons[name] = reasons.get(name, 0) + count


class _Judge:
    """Counts a file's items and bad lines, and hands its key hashes on in blocks."""

    def __init__(self, plan: ImportPlan, keep: Callable[[str], None], number: int, collect_keys: bool):
        self._plan, self._keep, self._number, self._collect_keys = plan, keep, number, collect_keys
        self._keys = bytearray()
        self.items = self.bad = self.left_out = self.asked_bytes = self.expired = 0
        self.first_bad: BadLine | None = None
        self.reasons: dict[str, int] = {}

    def read(self, puts: FilePuts) -> None:
        plan = self._plan
        chooses = plan.only_changes or plan.keys_wanted is not None
        leaves_out = plan.leaves_out if plan.skip_expired else None
        for item in self._chosen(puts.items()) if chooses else puts.judged():
            self.items += 1
            if isinstance(item, BadLine):
                self.bad += 1
                self.first_bad = self.first_bad or item
                add_reason(self.reasons, item.error.reason, 1)
                continue
            if leaves_out is not None and leaves_out(item):
                self.expired += 1
            if self._collect_keys and item.key is not None:
                self._keys += place_bytes(item.key, file=self._number, line=item.line, tail=self._tail(item))
                if len(self._keys) >= BLOCK_BYTES:
                    self._send()
        self._send()

    def _chosen(self, judged: Iterable[ParsedItem | BadLine]) -> Iterator[ParsedItem | BadLine]:
        """Bad lines, and the items whose keys are asked for."""
        wanted = self._plan.keys_wanted
        for item in judged:
            if isinstance(item, BadLine):
                yield item
            elif asks_for(wanted, item.key):
                self.asked_bytes += item.size_bytes
                yield item
            else:
                self.items += 1
                self.left_out += 1

    def _tail(self, item: Put | ParsedItem) -> bytes:
        """Of a whole item where those are compared; one that has expired is the same as none."""
        if not self._plan.only_changes or not isinstance(item, ParsedItem):
            return b""
        return bytes(SHORT_DIGEST_BYTES) if self._plan.leaves_out(item) else short_digest(item.item)

    def _send(self) -> None:
        if self._keys:
            self._keep(base64.b64encode(self._keys).decode("ascii"))
            self._keys.clear()


@dataclass
class _Sums:
    """What all files hold together; texts once each, and about as many as of one file."""

    items: int = 0
    bad: int = 0
    left_out: int = 0
    asked_bytes: int = 0
    expired: int = 0
    sampled: int = 0
    expiring: int = 0
    checked: dict[str, str] = field(default_factory=dict)
    documents: set[int] = field(default_factory=set)
    tables: dict[str, None] = field(default_factory=dict)
    passed_over: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, work_id: str, file: CheckedFile) -> None:
        self.items += file.items
        self.bad += file.bad
        self.left_out += file.left_out
        self.asked_bytes += file.asked_bytes
        self.expired += file.expired
        self.sampled += file.sampled
        self.expiring += file.expiring
        for reason, count in (file.reasons or {}).items():
            add_reason(self.reasons, reason, count)
        if file.checked_sha256 is not None:
            self.checked[work_id] = file.checked_sha256
        if file.document is not None:
            self.documents.add(file.document)
        said = ((self.tables, file.tables), (self.passed_over, file.passed_over), (self.notes, file.notes))
        for texts, more in said:
            texts.update(dict.fromkeys(more if len(texts) < TEXTS_OF_A_FILE else ()))


def check(run: ImportRun, *, keys: KeySpill) -> Checked:
    """
    Read every file once before the first write; the hashes of all keys go to `keys` where somebody needs them.

    Raises:
        IntegrityError: a damaged file, a bad item without --set-aside, too many of them, or a key that stands twice.
        PreconditionError: the files name several tables, or none that is wanted.
    """
    job, sums = run.job, _Sums()

    def on_finished(work_id: str, record: Facts) -> None:
        sums.add(work_id, CheckedFile.from_json(record))

    collect = must_collect_keys(job, run.plan)
    units = job.source.units()
    rated = Rated.files_only(f"check {job.source.folder}", items=job.source.item_count)
    reading = RatedRun(
        run.ctx, run.engine, rated, units=units, on_finished=on_finished, on_kept=lambda _, block: keys.add_block(block)
    )
    if units:
        count = min(run.engine.slots, len(units))
        start = partial(start_check, plan=run.plan, collect_keys=collect)
        reading.run(lambda connect: UnitWorker(job.worker, connect, start), count=count, group="check")
    refuse_several_tables(job, sums.tables, passed_over=sums.passed_over)
    for note in sums.notes:
        run.ctx.reporter.note(f"note: {note}")
    expiring = ExpirySample(run.plan.expiry, sums.sampled, sums.expiring) if run.plan.expiry else None
    about_expiry = expiring.line(sums.items) if expiring else None
    if about_expiry is not None:
        run.ctx.reporter.note(about_expiry)
    refuse_too_many_bad(job, sums.bad, total=sums.items, so="nothing was written")
    collisions = _collisions(run.ctx, job, keys, documents=sums.documents)
    absent = missing_keys(run.plan.keys_wanted, keys)
    checked = Checked(sums.items, sums.bad, collisions, sums.checked, sums.left_out, sums.asked_bytes, absent)
    return replace(checked, reasons=sums.reasons, expired=sums.expired)


def _collisions(
    ctx: RunContext, job: TableImport, keys: KeySpill, *, documents: Collection[int]
) -> tuple[Collision, ...]:
    collisions: list[Collision] = []
    for collision in keys.collisions():
        collisions.append(collision)
        if job.settings.duplicates == "refuse":
            msg = f"{_twice(job, collision, documents)}; nothing was written. --duplicates last-wins takes the last"
            raise IntegrityError(msg)
        if len(collisions) > MAX_COLLISIONS:
            msg = f"more than {MAX_COLLISIONS:,} keys stand more than once, such as {_twice(job, collision, documents)}"
            raise IntegrityError(msg)
    if collisions:
        ctx.reporter.note(repeated_keys_line(len(collisions)))
    return tuple(collisions)


def _twice(job: TableImport, collision: Collision, documents: Collection[int]) -> str:
    places = (job.source.place(file, line, documents=documents) for file, line in collision.first)
    return f"the same key stands at {' and at '.join(places)}"
