"""What a finished export says of itself: which table it is of, from when, and whether it is the whole table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import EXPORT_RECORD, MANIFEST, NATIVE_SUMMARY, STAMP, STAMP_FORMAT
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(?:Z|\+00:00)", re.ASCII)


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
        return datetime.strptime(name, STAMP_FORMAT).replace(tzinfo=timezone.utc) if STAMP.match(name) else None
    except ValueError:
        return None
