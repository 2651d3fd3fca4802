"""
Where an import or a verification finds finished exports below a folder, and which of them it takes: what each says of
itself (its table, its time, whether it is the whole table) decides, never the folder's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from shlex import quote

from dynamodb_pipeline.addresses import is_s3, join
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.finished import FINISHED_BY
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import EXPORT_RECORD, MANIFEST, NATIVE_SUMMARY, STAMP, STAMP_FORMAT
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.reading.source import other_manifest_notes
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(?:Z|\+00:00)", re.ASCII)
UNKNOWN_TABLE = "unknown"  # what --from-table calls the table of an export that names none
LEVELS = 3  # below a bucket: region, table, stamp


@dataclass(frozen=True)
class Backup:
    """
    One finished export.

    Attributes:
        table: name of the table it is of, None when nothing in it says so.
        moment: of its data; that of the folder's stamp only when nothing in it says so; None when unknown.
        part: why it may not be the whole table, None for a full export.
    """

    folder: str
    table: str | None
    moment: datetime | None
    part: str | None = None

    def __str__(self) -> str:
        table = f"table {self.table!r}" if self.table else "names no table"
        moment = f"{self.moment:%Y-%m-%dT%H:%M:%SZ}" if self.moment else "no time known"
        return f"{self.folder} ({', '.join(filter(None, (table, moment, self.part)))})"


def read_backup(store: ObjectStore, folder: str) -> Backup:
    """
    What the finished export in `folder` says of itself, from the same objects that an import would read.

    Raises:
        IntegrityError: its record or summary is damaged, so that nothing it says can be believed.
    """
    if store.head(join(folder, MANIFEST)) is None:
        where = join(folder, NATIVE_SUMMARY)
        identity = native.identity(store.get(where), where=where)
        return Backup(folder, identity.table_name, _moment(identity.export_time) or _stamped(folder), identity.part)
    where = join(folder, EXPORT_RECORD)
    try:
        data = store.get(where)
    except ObjectMissingError:
        return Backup(folder, None, _stamped(folder))
    record = ExportRecord.from_bytes(data, where=where)
    return Backup(folder, record.table_name, _moment(record.scan_started) or _stamped(folder))


def _moment(text: str | None) -> datetime | None:
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


@dataclass(frozen=True)
class SourceChoice:
    """
    Which finished export is meant.

    Attributes:
        table: the target's name, None when there is no target.
        from_table: the exported table's name where it is another one (`--from-table`).
        latest: take the newest when there are several.
        command: what the user would type before the folder, for messages.
    """

    table: str | None
    from_table: str | None
    latest: bool
    command: str

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
    folders = finished_runs(store, source)
    if not folders:
        msg = no_manifest_message(store, source, command=choice.command)
        raise PreconditionError(msg)
    if len(folders) == 1 and not choice.latest and choice.from_table is None:
        return folders[0]
    backups = [read_backup(store, folder) for folder in folders]
    candidates = _candidates(backups, choice)
    if not candidates:
        raise PreconditionError(_nothing_of_the_table(source, choice), rows=_listed(backups))
    if len(candidates) > 1 and (not choice.latest or _mixed(candidates)):
        msg = f"{source} holds {len(candidates)} finished exports; give one, or the table's folder with --latest:"
        raise PreconditionError(msg, rows=_listed(candidates))
    return _newest(source, candidates).folder


def _candidates(backups: list[Backup], choice: SourceChoice) -> list[Backup]:
    whole = [backup for backup in backups if backup.part is None]
    if choice.wanted is None:
        return whole
    if any(backup.table is not None for backup in backups):
        return [backup for backup in whole if backup.table == choice.wanted]
    return whole if choice.from_table in (None, UNKNOWN_TABLE) else []


def _mixed(candidates: list[Backup]) -> bool:
    """True for exports of several tables; those that name none may be, when they lie in several folders."""
    tables = {backup.table for backup in candidates}
    places = {backup.folder.rstrip("/").rpartition("/")[0] for backup in candidates}
    return len(tables) > 1 or (None in tables and len(places) > 1)


def _newest(source: str, candidates: list[Backup]) -> Backup:
    if len(candidates) == 1:
        return candidates[0]
    moments = [backup.moment for backup in candidates if backup.moment is not None]
    last = [backup for backup in candidates if backup.moment == max(moments, default=None)]
    if len(moments) < len(candidates) or len(last) > 1:
        msg = f"{source} holds {len(candidates)} finished exports; the newest cannot be told; give one:"
        raise PreconditionError(msg, rows=_listed(candidates))
    return last[0]


def _nothing_of_the_table(source: str, choice: SourceChoice) -> str:
    return (
        f"{source} holds no finished export of table {choice.wanted!r} that is known to be the whole of it; give the "
        f"folder of one export, or --from-table NAME for another table's:"
    )


def _listed(backups: Iterable[Backup]) -> list[str]:
    return [f"  {backup}" for backup in backups]


def is_finished(store: ObjectStore, folder: str) -> bool:
    """True when the folder itself holds a Data Pipeline manifest or a native export's summary."""
    return any(store.head(join(folder, name)) is not None for name in FINISHED_BY)


def finished_runs(store: ObjectStore, source: str) -> list[str]:
    """Folders at most three levels below `source` that hold a manifest, in the order of their names."""
    place = f"s3://{source.partition('://')[2]}" if is_s3(source) else source  # as a listing writes addresses
    prefix = place.rstrip("/") + "/"
    manifests = (o.uri for o in store.list(source) if o.uri.rpartition("/")[2] in FINISHED_BY)
    folders = {uri.rpartition("/")[0] + "/" for uri in manifests}
    return sorted(f for f in folders if 1 <= f[len(prefix) :].count("/") <= LEVELS)


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
        f"of leftovers of failed attempts, run: {command} {quote(source)} --without-manifest"
    )
