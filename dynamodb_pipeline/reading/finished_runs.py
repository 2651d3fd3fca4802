"""
Which backups lie below a folder, what each says of itself (its table, its time, whether it is the whole table), and
which of them an import or a verification takes: what a backup says decides, never its folder's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import TIME_FORMAT, DocumentError, read_object
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, counted, size_text
from dynamodb_pipeline.finished import FINISHED_BY
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import (
    CLAIM,
    EXPORT_RECORD,
    MANIFEST,
    NATIVE_STARTED,
    NATIVE_SUMMARY,
    PART_MANIFEST,
    STAMP,
    STAMP_FORMAT,
    Claim,
)
from dynamodb_pipeline.formats.exports.native_manifest import ExportedTable, ExportKind
from dynamodb_pipeline.formats.files.file_forms import Dialect, WantedTable
from dynamodb_pipeline.reading.source import data_names, other_manifest_notes
from dynamodb_pipeline.store.objects import ObjectInfo, ObjectStore

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(?:Z|\+00:00)", re.ASCII)
UNKNOWN_TABLE = "unknown"  # what --from-table calls the table of an export that names none
AT_ONCE = 10  # manifests read at a time, as many as botocore keeps connections
UNFINISHED, DAMAGED = "unfinished", "damaged"
MARKS = frozenset({*FINISHED_BY, EXPORT_RECORD, CLAIM, NATIVE_STARTED})
NATIVE_DIALECTS = {"DYNAMODB_JSON": Dialect.NATIVE, "ION": Dialect.ION}
COLUMNS = 80  # of a terminal that nobody made wider


@dataclass(frozen=True)
class Backup:
    """
    One backup, as it describes itself; what nothing in it says is None.

    Attributes:
        kind: `full`, `incremental`, `filtered` or `other` of a finished one, else `unfinished`, or `damaged` when what
            it says of itself cannot be believed; `dead run` where a run's record tells that more.
        table: the one it is of.
        moment: of its data; that of the folder's stamp only when nothing in it says so.
        part: why it may not be the whole table, None for a full export.
        bytes: stored, of its data files.
        run_id: of the run of ours that wrote it.
        problem: what is wrong with it.
        sample: its smallest data file.
        verified: when it was verified last, where somebody looked that up.
    """

    folder: str
    kind: str = ExportKind.FULL.value
    table: ExportedTable | None = None
    moment: datetime | None = None
    part: str | None = None
    items: int | None = None
    bytes: int = 0
    dialect: str | None = None
    run_id: str | None = None
    problem: str | None = None
    sample: ObjectInfo | None = None
    verified: datetime | None = None

    @property
    def table_name(self) -> str | None:
        return self.table.name if self.table else None

    @property
    def has_manifest(self) -> bool:
        """True for what is finished, or was before it was damaged."""
        return self.kind == DAMAGED or self.kind in {kind.value for kind in ExportKind}

    def to_json(self) -> dict[str, Any]:
        """Its members in a list of backups."""
        return {
            "folder": self.folder,
            "table": self.table_name,
            "region": self.table.region if self.table else None,
            "account": self.table.account if self.table else None,
            "time": _time_text(self.moment),
            "kind": self.kind,
            "items": self.items,
            "bytes": self.bytes,
            "dialect": self.dialect,
            "verified": _time_text(self.verified),
            "run_id": self.run_id,
            "note": self.problem or self.part,
        }


@dataclass
class _Folder:
    """What a listing shows of one folder: which marks of backups lie in it, and its data."""

    marks: set[str] = field(default_factory=set)
    bytes: int = 0
    smallest: ObjectInfo | None = None

    def add(self, info: ObjectInfo) -> None:
        if info.bytes and (self.smallest is None or info.bytes < self.smallest.bytes):
            self.smallest = info
        self.bytes += info.bytes


def backups_below(store: ObjectStore, place: str) -> list[Backup]:
    """Every backup in `place` and below it, the newest first: one listing, then its small documents side by side."""
    folders = _listed_folders(store.list(place))
    with_marks = [folder for folder, inside in folders.items() if inside.marks]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        backups = list(pool.map(lambda folder: read_backup(store, folder, folders[folder]), with_marks))
    oldest = datetime.min.replace(tzinfo=timezone.utc)
    return sorted(backups, key=lambda backup: (backup.moment or oldest, backup.folder), reverse=True)


def _listed_folders(objects: Iterable[ObjectInfo]) -> dict[str, _Folder]:
    folders: dict[str, _Folder] = {}
    for info in objects:
        folder, _, name = info.uri.rpartition("/")
        if name in MARKS:
            folders.setdefault(folder + "/", _Folder()).marks.add(name)
        elif any(data_names([info.uri])):
            home = folder.removesuffix(f"/{native.DATA_FOLDER}")  # of a native export
            folders.setdefault(home + "/", _Folder()).add(info)
    return folders


def backup_in(store: ObjectStore, folder: str) -> Backup | None:
    """The backup that lies in this very folder, None where there is none."""
    inside = _listed_folders(store.list(folder)).get(folder.rstrip("/") + "/")
    return read_backup(store, folder, inside) if inside and inside.marks else None


def read_backup(store: ObjectStore, folder: str, inside: _Folder) -> Backup:
    """What the backup in `folder` says of itself, from the same objects that an import would read."""
    plain = Backup(folder, moment=_stamped(folder), bytes=inside.bytes, sample=inside.smallest)
    try:
        said = _identity(store, folder, inside.marks)
    except IntegrityError as err:
        return replace(plain, kind=DAMAGED, problem=str(err))
    return replace(plain, **{name: value for name, value in said.items() if value is not None})


def _identity(store: ObjectStore, folder: str, marks: set[str]) -> dict[str, Any]:
    """Fields of `Backup`; of a manifest without a record there is nothing to say."""
    if EXPORT_RECORD in marks and marks & {MANIFEST, PART_MANIFEST}:
        return _of_record(store, join(folder, EXPORT_RECORD))
    if MANIFEST in marks:
        return {}
    if NATIVE_SUMMARY in marks:
        return _of_summary(store, join(folder, NATIVE_SUMMARY))
    return _of_claim(store, join(folder, CLAIM)) if CLAIM in marks else {"kind": UNFINISHED}


def _of_record(store: ObjectStore, where: str) -> dict[str, Any]:
    record = ExportRecord.from_bytes(store.get(where), where=where)
    return {
        "kind": (ExportKind.FILTERED if record.part else ExportKind.FULL).value,
        "table": record.exported_table,
        "moment": moment_of_text(record.scan_started),
        "part": record.part_text,
        "items": record.item_count,
        "bytes": record.bytes,
        "dialect": Dialect.CONNECTOR.value,
        "run_id": record.run_id,
    }


def _of_summary(store: ObjectStore, where: str) -> dict[str, Any]:
    said = native.identity(store.get(where), where=where)
    dialect = NATIVE_DIALECTS.get(said.output_format or "")
    return {
        "kind": said.kind.value,
        "table": said.exported,
        "moment": moment_of_text(said.export_time),
        "part": said.part,
        "items": said.item_count,
        "dialect": dialect.value if dialect else said.output_format,
    }


def _of_claim(store: ObjectStore, where: str) -> dict[str, Any]:
    try:
        claim = Claim.from_json(read_object(store.get(where)))
    except DocumentError as err:
        return {"kind": UNFINISHED, "problem": f"{where} is not one of ours: {err}"}
    table = ExportedTable(claim.table_name)
    return {"kind": UNFINISHED, "table": table, "moment": moment_of_text(claim.claimed_at), "run_id": claim.run_id}


def moment_of_text(text: str | None) -> datetime | None:
    """The moment that a document names, None for anything else."""
    match = _MOMENT.fullmatch(text or "")
    if match is None:
        return None
    try:
        whole = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:  # a 31st of February
        return None
    return whole + timedelta(seconds=float(match[2] or 0))


def _stamped(folder: str) -> datetime | None:
    name = folder.rstrip("/").rpartition("/")[2]
    try:
        return datetime.strptime(name, STAMP_FORMAT).replace(tzinfo=timezone.utc) if STAMP.fullmatch(name) else None
    except ValueError:
        return None


def _time_text(moment: datetime | None) -> str | None:
    return f"{moment:{TIME_FORMAT}}" if moment else None


def backup_rows(backups: Sequence[Backup], *, narrow: bool = False) -> list[str]:
    """
    A table for people, three lines a backup, 80 columns but for addresses:

        time (UTC)           kind      items      size  table
        2026-02-02 00:00:00  full  1,234,567  11.5 GiB  Orders
            eu-west-1, connector-json, verified 2026-03-01 10:00:00
            s3://my-bucket/exports/2026-02-02-00-00-00/

    Where a terminal is `narrow`, no titles, and what stands below them in two lines:

        2026-02-02 00:00:00  full
            1,234,567 items, 11.5 GiB, table Orders
    """
    if narrow:
        return [row for backup in backups for row in (*_narrow_rows(backup), *_more(backup))]
    cells = [("time (UTC)", "kind", "items", "size", "table"), *map(_cells, backups)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    lines = [f"{a:{w[0]}}  {b:{w[1]}}  {c:>{w[2]}}  {d:>{w[3]}}  {e}" for w in [widths] for a, b, c, d, e in cells]
    short = [line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..." for line in lines]
    return [short[0], *(row for line, backup in zip(short[1:], backups) for row in (line, *_more(backup)))]


def _narrow_rows(backup: Backup) -> Iterator[str]:
    moment, kind, _, size, table = _cells(backup)
    amount = "items unknown" if backup.items is None else counted(backup.items, "item")
    yield f"{moment}  {kind}"
    yield f"    {amount}, {size}, {f'table {table}' if backup.table_name else table}"


def _cells(backup: Backup) -> tuple[str, str, str, str, str]:
    moment = f"{backup.moment:%Y-%m-%d %H:%M:%S}" if backup.moment else "unknown"
    items = "unknown" if backup.items is None else f"{backup.items:,}"
    return moment, backup.kind, items, size_text(backup.bytes), backup.table_name or "names no table"


def _more(backup: Backup) -> Iterator[str]:
    verified = f"verified {backup.verified:%Y-%m-%d %H:%M:%S}" if backup.verified else "verified: unknown"
    region = backup.table.region if backup.table else None
    yield "    " + ", ".join((region or "region unknown", backup.dialect or "dialect unknown", verified))
    if backup.problem or backup.part:
        yield f"    note: {backup.problem or backup.part}"
    yield f"    {backup.folder}"


@dataclass(frozen=True)
class SourceChoice:
    """
    Which finished export is meant.

    Attributes:
        table: the target's name, None when there is no target.
        from_table: the exported table's name where it is another one (`--from-table`).
        latest: take the newest when there are several.
        without_manifest: the whole command that reads the folder without a manifest, for messages.
    """

    table: str | None
    from_table: str | None
    latest: bool
    without_manifest: str

    @property
    def wanted(self) -> str | None:
        """Name of the table whose exports are candidates, None for any."""
        return self.from_table or self.table


def wanted_table(table: str | None, *, from_table: str | None) -> WantedTable | None:
    """Whose items are taken of files that name their tables: the target's, or those of `--from-table`."""
    if from_table not in (None, UNKNOWN_TABLE):
        return WantedTable(str(from_table), strictly=True)
    return None if table is None else WantedTable(table)


def choose_finished_run(store: ObjectStore, source: str, choice: SourceChoice) -> str:
    """
    The folder to import: `source` itself when it holds a manifest, else the finished export below it that is meant.

    Below a folder the table and time count that each export itself names; a folder's name proves nothing. The only
    export below it is taken whatever its table, as if its folder had been given, unless the choice says otherwise.

    Raises:
        PreconditionError: nothing there, nothing of the table, or several (all listed) between which nothing decides.
        IntegrityError: an export's record or summary is damaged.
    """
    if is_finished(store, source):
        return source
    backups = backups_below(store, source)
    whole = [backup for backup in backups if backup.has_manifest]
    if not whole:
        raise _refusal(no_manifest_message(store, source, command=choice.without_manifest), backups)
    if len(whole) == 1 and not choice.latest and choice.from_table is None:
        return whole[0].folder
    for backup in whole:
        if backup.kind == DAMAGED:
            raise IntegrityError(str(backup.problem))
    candidates = _candidates(whole, choice)
    if not candidates:
        raise _refusal(_nothing_of_the_table(source, choice), backups)
    if len(candidates) > 1 and (not choice.latest or _mixed(candidates)):
        of = f" of table {choice.wanted}" if {one.table_name for one in candidates} == {choice.wanted} else ""
        msg = f"{source} holds {len(candidates)} finished exports{of}; give one, or the table's folder with --latest:"
        raise _refusal(msg, candidates)
    return _newest(source, candidates).folder


def _refusal(message: str, backups: Sequence[Backup]) -> PreconditionError:
    """With the rows that `list` shows, for people and for programs."""
    error = PreconditionError(message, rows=backup_rows(backups) if backups else ())
    error.facts = {"backups": [backup.to_json() for backup in backups]} if backups else {}
    return error


def _candidates(backups: list[Backup], choice: SourceChoice) -> list[Backup]:
    whole = [backup for backup in backups if backup.part is None]
    if choice.wanted is None:
        return whole
    if any(backup.table is not None for backup in backups):
        return [backup for backup in whole if backup.table_name == choice.wanted]
    return whole if choice.from_table in (None, UNKNOWN_TABLE) else []


def _mixed(candidates: list[Backup]) -> bool:
    """True for exports of several tables; those that name none may be, when they lie in several folders."""
    tables = {backup.table_name for backup in candidates}
    places = {backup.folder.rstrip("/").rpartition("/")[0] for backup in candidates}
    return len(tables) > 1 or (None in tables and len(places) > 1)


def _newest(source: str, candidates: list[Backup]) -> Backup:
    if len(candidates) == 1:
        return candidates[0]
    moments = [backup.moment for backup in candidates if backup.moment is not None]
    last = [backup for backup in candidates if backup.moment == max(moments, default=None)]
    if len(moments) < len(candidates) or len(last) > 1:
        msg = f"{source} holds {len(candidates)} finished exports; the newest cannot be told; give one:"
        raise _refusal(msg, candidates)
    return last[0]


def _nothing_of_the_table(source: str, choice: SourceChoice) -> str:
    if choice.wanted is None:
        return f"{source} holds no finished export that is known to be of a whole table; give the folder of one export:"
    return (
        f"{source} holds no finished export of table {choice.wanted!r} that is known to be the whole of it; give the "
        f"folder of one export, or --from-table NAME for another table's:"
    )


def is_finished(store: ObjectStore, folder: str) -> bool:
    """True when the folder itself holds a Data Pipeline manifest or a native export's summary."""
    return any(store.head(join(folder, name)) is not None for name in FINISHED_BY)


def no_manifest_message(store: ObjectStore, source: str, *, command: str) -> str:
    """Why a folder without a manifest is refused, with the command that reads it all the same."""
    objects = list(store.list(source))
    if store.head(source) is None and not objects:
        return f"{source} holds nothing; check its spelling"
    renamed = other_manifest_notes(store, objects)
    if renamed:
        return f"{source} has no manifest (--without-manifest reads every data file in it all the same); {renamed[0]}"
    return (
        f"{source} has no manifest: not a finished export. To read every data file in it all the same, at the risk "
        f"of leftovers of failed attempts, run: {command}"
    )
