"""
Collapses a chain by key and writes what is left as a full export: each key once with its last image, and the keys whose
last change was a deletion in a file beside it.

Rows wait on this machine's disk, sorted into 256 parts by their key's hash, and one part at a time is in memory; a part
that is too large is divided again by the next byte. However long the chain, memory holds one part.
"""

from __future__ import annotations

import hashlib
import io
import struct
import uuid
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, Any

from dynamodb_pipeline.addresses import S3Uri, is_s3, join
from dynamodb_pipeline.chain.records import Change, changes_in, files_of
from dynamodb_pipeline.chain.windows import Chain
from dynamodb_pipeline.documents import TIME_FORMAT
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.formats.exports.layout import NATIVE_SUMMARY
from dynamodb_pipeline.formats.files.text import md5_base64
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.reading.key_spill import KEY_HASH_BYTES, key_hash, key_row, key_rows
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.store.local_disk import PARTS, Spill, room_on_disk, spooled
from dynamodb_pipeline.store.objects import ObjectStore

DELETED_KEYS = "_deleted_keys"  # key_spill's rows, beside the copy's manifests
PART_BYTES = 32 * 1024 * 1024  # as Python objects three to six times as much
ROW = struct.Struct(">IQHI")  # number of the export, time of the write, bytes of key and body
SPOOL_BYTES = 8 * 1024 * 1024
MAX_ITEMS = 100_000  # of a file, as of our exports; ImportTable takes 50,000 files, so 5 * 10**9 items
MAX_TEXT_BYTES = 128 * 1024 * 1024
GZIP_LEVEL = 1
BATCH_ITEMS = 1000


@dataclass(frozen=True)
class Collapsed:
    """The copy of a chain: where it lies, and how many keys it holds and how many of the chain's were deleted."""

    folder: str
    items: int
    deleted: int


class RowSpill(Spill):
    """Rows of changes in 256 parts, read back one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.part_bytes = [0] * PARTS

    def add_change(self, window: int, change: Change, *, depth: int) -> None:
        """Put a change into the part of its key's hash at this byte."""
        part = key_hash(change.key)[depth]
        row = ROW.pack(window, change.micros, len(change.key), len(change.body)) + change.key + change.body
        self.part_bytes[part] += len(row)
        self.add(part, row)

    def changes(self, part: int) -> Iterator[tuple[int, Change]]:
        """The changes of a part in the order they came, with the number of their export."""
        path = self._path(part) if self._folder else None
        if path is not None and path.exists():
            with path.open("rb") as file:
                yield from _rows(file)
        yield from _rows(io.BytesIO(self._buffers.get(part, b"")))


def _rows(file: IO[bytes]) -> Iterator[tuple[int, Change]]:
    while head := file.read(ROW.size):
        window, micros, key_bytes, body_bytes = ROW.unpack(head)
        yield window, Change(file.read(key_bytes), micros, file.read(body_bytes))


def collapse(
    store: ObjectStore,
    chain: Chain,
    *,
    folder: str,
    keys: KeySchema,
    check: Callable[[], object],
    say: Callable[[str], None],
) -> Collapsed:
    """
    Write the chain's end as a native-shaped full export into `folder`; one that is there already is taken.

    Args:
        keys: of the table.
        check: called between files; raises when the run must stop.

    Raises:
        IntegrityError: a damaged export, an item that DynamoDB would refuse, two changes of one key at one time.
    """
    if store.head(join(folder, NATIVE_SUMMARY)) is not None:
        return _kept(store, folder)
    with RowSpill() as rows:
        count = 0
        for number, window in enumerate(chain.windows):
            for file in files_of(store, window):
                check()
                for change in changes_in(store, window, file, keys):
                    rows.add_change(number, change, depth=0)
                    count += 1
            say(f"chain: read {number + 1} of {len(chain.windows)} exports, {count:,} items and changes")
        return _write(store, chain, folder, rows, check=check)


def _write(store: ObjectStore, chain: Chain, folder: str, rows: RowSpill, *, check: Callable[[], object]) -> Collapsed:
    deleted = 0
    with ExitStack() as stack:
        spool = stack.enter_context(spooled(max_bytes=SPOOL_BYTES))
        files = stack.enter_context(CopiedFiles(store, join(folder, native.DATA_FOLDER), is_native=True))
        for part in range(PARTS):
            check()
            for last in last_changes(rows, part):
                lines = [b'{"Item":%b}\n' % change.body for change in last if change.body]
                gone = [key_row(change.key) for change in last if not change.body]
                deleted += len(gone)
                with room_on_disk():
                    spool.write(b"".join(gone))
                for start in range(0, len(lines), BATCH_ITEMS):
                    batch = lines[start : start + BATCH_ITEMS]
                    files.add(b"".join(batch), len(batch))
        files.close_file()
        spool.seek(0)
        store.put(join(folder, DELETED_KEYS), spool)
        identity = native.NativeIdentity(
            exported=chain.table,
            export_time=f"{chain.end:{TIME_FORMAT}}",
            part=None,
            kind=native.ExportKind.FULL,
            item_count=files.items,
            output_format=native.OUTPUT_FORMATS[0],
        )
        publish_native_copy(store, folder, identity, files, written=f"{chain.end:{TIME_FORMAT}}")
        return Collapsed(folder, files.items, deleted)


def last_changes(rows: RowSpill, part: int, *, depth: int = 0, part_bytes: int = PART_BYTES) -> Iterator[list[Change]]:
    """
    The last change of every key in a part, in lists that each fit into memory.

    Raises:
        IntegrityError: two changes of a key in one export at one time, which differ.
    """
    if rows.part_bytes[part] <= part_bytes or depth == KEY_HASH_BYTES - 1:
        yield _last(rows.changes(part))
        return
    with RowSpill() as inner:
        for window, change in rows.changes(part):
            inner.add_change(window, change, depth=depth + 1)
        for inner_part in filter(inner.part_bytes.__getitem__, range(PARTS)):
            yield from last_changes(inner, inner_part, depth=depth + 1, part_bytes=part_bytes)


def _last(changes: Iterable[tuple[int, Change]]) -> list[Change]:
    last: dict[bytes, tuple[int, int, bytes]] = {}
    for window, (key, micros, body) in changes:
        known = last.get(key)
        if known is not None and known[:2] == (window, micros) and known[2] != body:
            msg = "a chain holds two different changes of one key at the same time in one export; it is damaged"
            raise IntegrityError(msg)
        if known is None or (window, micros) > known[:2]:
            last[key] = (window, micros, body)
    return [Change(key, micros, body) for key, (_, micros, body) in last.items()]


def _kept(store: ObjectStore, folder: str) -> Collapsed:
    """The copy that an earlier attempt has finished."""
    where = join(folder, NATIVE_SUMMARY)
    said = native.identity(store.get(where), where=where)
    return Collapsed(folder, said.item_count or 0, sum(1 for _ in deleted_keys(store, folder)))


def deleted_keys(store: ObjectStore, folder: str) -> Iterator[bytes]:
    """The canonical keys whose last change was a deletion."""
    return (key for key, _ in key_rows(store.fetch(join(folder, DELETED_KEYS))))


def chain_source(
    store: ObjectStore,
    chain: Chain,
    *,
    folder: str,
    keys: KeySchema,
    check: Callable[[], object],
    say: Callable[[str], None],
) -> tuple[ImportSource, Collapsed]:
    """
    The chain's end as an export to read, put together below `folder` unless an earlier attempt has done so.

    Raises:
        IntegrityError: as `collapse`.
    """
    say(chain.line())
    digest = hashlib.sha256("\n".join(f"{w.folder} {w.digest}" for w in chain.windows).encode()).hexdigest()
    copy = collapse(store, chain, folder=join(folder, digest[:16]), keys=keys, check=check, say=say)
    say(f"chain: {copy.items:,} items in {copy.folder}; {copy.deleted:,} keys were deleted by its end")
    source = load_source(store, copy.folder)
    return replace(source, notes=(*source.notes, *chain.notes)), copy


class CopiedFiles:
    """Data files of at most `MAX_ITEMS` items; the open one waits on local disk once it is large. A context manager."""

    def __init__(self, store: ObjectStore, folder: str, *, is_native: bool):
        self._store, self._folder, self._is_native = store, folder, is_native
        self._attempt = uuid.uuid4()
        self._spool: Any = None
        self.items = 0
        self.files: list[FileRecord] = []
        self.md5s: dict[str, str] = {}

    def __enter__(self) -> CopiedFiles:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spool is not None:  # of a conversion that ended early: nothing of it is stored
            self._spool.close()

    def add(self, lines: bytes, count: int) -> None:
        """Append whole lines."""
        if self._spool is None:
            self._spool = spooled(max_bytes=SPOOL_BYTES)
            self._deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
            self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
            self._stored_bytes = self._text_bytes = self._count = 0
        self._text_bytes, self._count, self.items = (
            self._text_bytes + len(lines),
            self._count + count,
            self.items + count,
        )
        self._keep(self._deflate.compress(lines))
        if self._count >= MAX_ITEMS or self._text_bytes >= MAX_TEXT_BYTES:
            self.close_file()

    def _keep(self, data: bytes) -> None:
        self._sha256.update(data)
        self._md5.update(data)
        self._stored_bytes += len(data)
        with room_on_disk():
            self._spool.write(data)

    def close_file(self) -> None:
        """Store the file in hand, if there is one."""
        if self._spool is None:
            return
        self._keep(self._deflate.flush())
        number = len(self.files)
        name = f"{self._attempt}_{number:06d}{'.json.gz' if self._is_native else '.gz'}"
        digest = self._sha256.hexdigest()
        with self._spool as spool, room_on_disk():
            spool.seek(0)
            self._store.put(join(self._folder, name), spool, sha256_hex=digest)
        self._spool = None
        self.files.append(FileRecord(name, self._stored_bytes, self._text_bytes, self._count, digest))
        self.md5s[name] = b64encode(self._md5.digest()).decode()


def publish_native_copy(
    store: ObjectStore, folder: str, identity: native.NativeIdentity, copied: CopiedFiles, *, written: str
) -> None:
    """
    Make the folder whose `data/` holds these files a native-shaped full export: both manifests, the summary last.

    Args:
        written: when, ISO 8601.
    """
    where = S3Uri.parse(folder) if is_s3(folder) else None
    key = where.key if where else "/".join(folder.rstrip("/").split("/")[-2:])
    files = (
        native.NativeFile(f"{key}/{native.DATA_FOLDER}/{f.name}", f.item_count, copied.md5s[f.name], None)
        for f in copied.files
    )
    files_key, bucket = f"{key}/{native.FILES_NAME}", where.bucket if where else None
    documents = {
        native.FILES_NAME: native.render_files(files),
        NATIVE_SUMMARY: native.render_summary(identity, files_key=files_key, bucket=bucket, written=written),
    }
    for name, data in documents.items():
        store.put(join(folder, native.md5_name(name)), md5_base64(data).encode())
        store.put(join(folder, name), data)
