"""
Which exports make up a chain: one full export, and incremental ones whose windows leave nothing out up to the moment
that is wanted.

A window holds every item that changed from its start, inclusive, to its end, exclusive, as it was at its end. So a
window may be put upon a state when it starts no later than that state is of; where it starts earlier, it only repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import TIME_FORMAT
from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.layout import NATIVE_SUMMARY
from dynamodb_pipeline.formats.exports.native_manifest import ExportedTable, ExportKind
from dynamodb_pipeline.formats.files.text import md5_base64
from dynamodb_pipeline.reading.finished_runs import NATIVE_DIALECTS, Backup, backup_rows, backups_below, moment_of_text
from dynamodb_pipeline.store.objects import ObjectStore

VIEWS = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")

NATIVE = {dialect.value for dialect in NATIVE_DIALECTS.values()}  # of a backup whose windows are known


@dataclass(frozen=True)
class Window:
    """
    One export of a chain; of a full one `start` is None.

    Attributes:
        digest: MD5 of its summary, which names its files' list and time.
    """

    folder: str
    start: datetime | None
    end: datetime
    item_count: int
    digest: str


@dataclass(frozen=True)
class Chain:
    """The exports in the order in which they are put upon each other: a full one first."""

    place: str
    table: ExportedTable
    windows: tuple[Window, ...]
    notes: tuple[str, ...] = ()

    @property
    def end(self) -> datetime:
        """The moment that the whole is of."""
        return self.windows[-1].end

    def line(self) -> str:
        """What it is, for people."""
        first, count = self.windows[0], len(self.windows) - 1
        return (
            f"chain: table {self.table.name!r} as of {_text(self.end)}: full export of {_text(first.end)} in "
            f"{first.folder} and {count} incremental exports after it"
        )


def find_chain(store: ObjectStore, place: str, *, table: str, until: datetime | None) -> Chain:
    """
    The chain of `table` below `place` that ends at `until`, by default at the last moment of any of its exports.

    Raises:
        PreconditionError: no full export of it, exports of several tables of that name, a gap, or no export that ends
            at that moment.
        IntegrityError: an export of it cannot be believed.
    """
    backups = [backup for backup in backups_below(store, place) if backup.has_manifest]
    for backup in backups:
        if backup.problem:
            raise IntegrityError(backup.problem)
    own = [b for b in backups if b.table is not None and b.table.name == table and b.dialect in NATIVE]
    known = _one_table(own, backups, place=place, name=table)
    full = [_window(store, b) for b in own if b.kind == ExportKind.FULL.value]
    changes = [_window(store, b) for b in own if b.kind == ExportKind.INCREMENTAL.value]
    if not full:
        msg = f"{place} holds no full native export of table {table!r}, which a chain begins with"
        raise PreconditionError(msg, rows=backup_rows(backups))
    filtered = sum(b.kind == ExportKind.FILTERED.value for b in own)
    note = f"{filtered} filtered exports of the table are left out: they hold a part of its changes"
    windows = choose_windows(full, changes, until=until, place=place)
    return Chain(place, known, windows, (note,) if filtered else ())


def _one_table(own: Sequence[Backup], backups: Sequence[Backup], *, place: str, name: str) -> ExportedTable:
    tables = {backup.table.table_id: backup.table for backup in own if backup.table}
    if None in tables:
        msg = f"{place}: an export of table {name!r} names no TableId, so nothing proves that all are of one table"
        raise PreconditionError(msg, rows=backup_rows(own))
    if len(tables) > 1:
        msg = (
            f"{place} holds exports of {len(tables)} tables that were called {name!r} (TableId differs); give a folder "
            f"with those of one"
        )
        raise PreconditionError(msg, rows=backup_rows(own))
    if not tables:
        msg = f"{place} holds no native export of table {name!r}; --from-table NAME takes another table's"
        raise PreconditionError(msg, rows=backup_rows(backups) if backups else ())
    return next(iter(tables.values()))


def _window(store: ObjectStore, backup: Backup) -> Window:
    """
    Raises:
        IntegrityError: its times or its count are missing. PreconditionError: a view or format that is not read.
    """
    where = join(backup.folder, NATIVE_SUMMARY)
    data = store.get(where)
    said = native.identity(data, where=where)
    start = moment_of_text(said.start)
    if backup.moment is None or said.item_count is None or (said.start is not None and start is None):
        msg = f"{where}: its times or its count of items are missing; it is damaged or of another tool"
        raise IntegrityError(msg)
    if said.start is not None and (said.view not in VIEWS or said.output_format != native.OUTPUT_FORMATS[0]):
        msg = (
            f"{where}: an incremental export of {said.view} in {said.output_format} is not read; export that window "
            f"again as {native.OUTPUT_FORMATS[0]} with {' or '.join(VIEWS)}"
        )
        raise PreconditionError(msg)
    if said.odd_members:
        msg = f"{where}: its {said.odd_members[0]}, which is not known, may make it a part of the changes; leave it out"
        raise PreconditionError(msg)
    return Window(backup.folder, start, backup.moment, said.item_count, md5_base64(data))


def choose_windows(
    full: Iterable[Window], changes: Sequence[Window], *, until: datetime | None, place: str
) -> tuple[Window, ...]:
    """
    The newest full export from which windows without a gap lead to `until`, and these windows.

    Raises:
        PreconditionError: see `find_chain`.
    """
    bases = sorted(full, key=lambda window: window.end, reverse=True)
    ends = sorted({window.end for window in (*bases, *changes) if window.end >= bases[-1].end})
    wanted = ends[-1] if until is None else next((end for end in ends if _is_moment(end, until)), None)
    if wanted is None:
        raise PreconditionError(_no_such_end(place, until or ends[-1], ends))
    for base in bases:
        path = _reached(base, changes).get(wanted)
        if path is not None:
            return path
    raise PreconditionError(_gap(place, bases, changes, wanted))


def _is_moment(end: datetime, asked: datetime) -> bool:
    """True also for a moment that was asked for without its fraction of a second."""
    return asked in (end, end.replace(microsecond=0))


def _reached(base: Window, changes: Iterable[Window]) -> dict[datetime, tuple[Window, ...]]:
    """Every moment that windows lead to from `base` without a gap, with the fewest of them that do."""
    reached: dict[datetime, tuple[Window, ...]] = {base.end: (base,)}
    for window in sorted(changes, key=lambda window: window.end):
        states = [moment for moment in reached if window.start is not None and window.start <= moment < window.end]
        if states:
            best = min(states, key=lambda moment: (len(reached[moment]), window.end - moment))
            path = (*reached[best], window)
            if window.end not in reached or len(path) < len(reached[window.end]):
                reached[window.end] = path
    return reached


def _gap(place: str, bases: Sequence[Window], changes: Sequence[Window], wanted: datetime) -> str:
    """Between which moments nothing says what changed."""
    base = next((base for base in bases if base.end <= wanted), bases[-1])
    last = max(moment for moment in _reached(base, changes) if moment <= wanted or moment == base.end)
    starts = [window.start for window in changes if window.start is not None and last < window.start <= wanted]
    after = min(starts, default=wanted)
    return (
        f"{place}: no incremental export covers {_text(last)} to {_text(after)}, so what changed then is not known; "
        f"export that window (within 35 days of it), or give --until {_text(last)}"
    )


def _no_such_end(place: str, wanted: datetime, ends: Sequence[datetime]) -> str:
    near = [max((e for e in ends if e < wanted), default=None), min((e for e in ends if e > wanted), default=None)]
    named = " and ".join(_text(moment) for moment in near if moment is not None)
    return f"{place}: no export of the table ends at {_text(wanted)}; the nearest ends for --until are {named}"


def _text(moment: datetime) -> str:
    if moment.microsecond:
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return f"{moment:{TIME_FORMAT}}"
