"""What an import or a verification reads, once it is found: the files of one export, in the manifest's order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from dynamodb_pipeline.documents import Document, base64_text, member, natural, optional, several, string
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.native_manifest import ExportedTable
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.workers.work_queue import Work, WorkUnit


@dataclass(frozen=True)
class InputFile(Document):
    """
    One data file to read.

    `sha256` (hex) and `plain_bytes` are known for our own exports, `md5` (base64) for native ones, `item_count` for
    both; `etag` pins the object between the check and the read. `checked_sha256` is of the text, once every item of it
    was judged and none needed a look of its own: that text is written without being judged again.
    """

    uri: str = member(string)
    bytes: int = member(natural)
    etag: str = member(string)
    sha256: str | None = member(optional(string), default=None)
    md5: str | None = member(optional(string), default=None)
    item_count: int | None = member(optional(natural), default=None)
    plain_bytes: int | None = member(optional(natural), default=None)
    checked_sha256: str | None = member(optional(string), default=None)

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]


@dataclass(frozen=True)
class FileWork(Work):
    """
    A file to read.

    Attributes:
        number: in the manifest's order.
        lines: those to be written, all where none is named.
        unchanged: lines that need not be written (selection/changes.py).
    """

    file: InputFile = member(InputFile.from_json)
    number: int = member(natural)
    lines: tuple[int, ...] = member(several(natural), default=())
    unchanged: str | None = member(optional(base64_text), default=None)


@dataclass(frozen=True)
class ImportSource:
    """
    A folder's files in the manifest's order, and what is known about the export they make up.

    `kind` is `datapipeline`, `native` or `folder`; `key_schema` is None where the export does not carry it; `notes`
    are for the user; `orphans` lie in the folder and are not read. `exported` is the table, None where the export names
    none; `part` says why it may not be the whole of it, by the `odd_members` of its summary.
    """

    folder: str
    kind: str
    files: tuple[InputFile, ...]
    record: ExportRecord | None = None
    notes: tuple[str, ...] = ()
    orphans: tuple[str, ...] = field(default=(), repr=False)
    exported: ExportedTable | None = None
    part: str | None = None
    odd_members: tuple[str, ...] = ()

    @property
    def key_schema(self) -> KeySchema | None:
        return self.record.key_schema if self.record else None

    @property
    def source_table(self) -> str | None:
        """Name of the exported table."""
        return self.exported.name if self.exported else None

    @property
    def origin(self) -> str:
        """Whose items these are, in words."""
        if self.exported is None:
            return "it names no table: nothing proves whose items they are"
        account = f"account {self.exported.account}" if self.exported.account else None
        place = ", ".join(filter(None, (self.exported.region, account)))
        return f"an export of table {self.exported.name!r}{f' ({place})' if place else ''}"

    def place(self, file: int, line: int, *, documents: Collection[int] = ()) -> str:
        """Where a line stands, or an item of one of the `documents`, for messages; files by number."""
        return f"{self.files[file].uri} {'item' if file in documents else 'line'} {line}"

    @property
    def bytes(self) -> int:
        return sum(f.bytes for f in self.files)

    @property
    def item_count(self) -> int | None:
        counts = [f.item_count for f in self.files if f.item_count is not None]
        return sum(counts) if len(counts) == len(self.files) else None

    def units(self, *, checked: Mapping[str, str] = MappingProxyType({})) -> list[WorkUnit]:
        """One unit of work a file, numbered in the manifest's order; `checked`: work id -> `checked_sha256`."""
        units = []
        for number, file in enumerate(self.files):
            work_id = f"file-{number:07d}"
            known = replace(file, checked_sha256=checked.get(work_id))
            units.append(FileWork(work_id, known, number).unit())
        return units

    @property
    def cannot_repeat_keys(self) -> bool:
        """
        True for our own hashed exports: a scan of a table never returns a key twice. In a global index an item moves
        when its index key changes, and may be met in both places.
        """
        return self.record is not None and not (self.record.part and self.record.part.index)
