"""
Reads one data file whole and proves it before anybody may use an item of it.

Order: the stored bytes (size, SHA-256 or MD5 where known, the pinned ETag), the plain text, then every line by its
dialect and DynamoDB's rules. Only a file that passed all of it is handed on, so nothing of a bad file is ever written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.attribute_values import check_item
from dynamodb_pipeline.formats.dialects import Dialect, ItemLine, detect, read_items
from dynamodb_pipeline.formats.item_error import ItemError
from dynamodb_pipeline.formats.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.lines import LineError, open_plain
from dynamodb_pipeline.formats.native_manifest import md5_base64
from dynamodb_pipeline.formats.retag import connector_block_to_puts
from dynamodb_pipeline.transfer.batches import Put, units_of
from dynamodb_pipeline.transfer.import_source import InputFile
from dynamodb_pipeline.transfer.object_store import ObjectStore

# A data file of ours is at most 128 MiB of text and one call's worth more; others may be larger, so that a foreign
# file of this size is still read while a compression bomb is not.
MAX_PLAIN_BYTES = 2 * 1024**3

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class ParsedItem(NamedTuple):
    """A valid item with its line number, size in bytes by DynamoDB's rule, and canonical key if a schema was given."""

    line: int
    item: dict[str, Any]
    size_bytes: int
    key: bytes | None


@dataclass(frozen=True)
class BadLine:
    """A line that is no valid item: its text as it stands in the file, and why."""

    text: bytes
    error: LineError


@dataclass
class FileContents:
    """A proven file: what is to be written, and what is not fit to be."""

    dialect: str
    puts: list[Put]
    item_count: int
    plain_bytes: int
    bad: list[BadLine] = field(default_factory=list)


@dataclass(frozen=True)
class FileReader:
    """
    Reads and proves data files.

    Args:
        store: where they lie.
        keys: the target's key schema; None checks everything but keys.
        index_keys: keys of the target's indexes, whose types an item must fit.
        fast: items of our own hashed files need no parse (`target_check.may_skip_parsing`).
    """

    store: ObjectStore
    keys: KeySchema | None = None
    index_keys: tuple[IndexKeys, ...] = ()
    fast: bool = False

    def plain(self, file: InputFile) -> bytes:
        """
        The file's proven plain text.

        Raises:
            IntegrityError: size, hash, compression or plain size is not what it must be.
        """
        data = self.store.get(file.uri, etag=file.etag)
        check_stored(file, data)
        return open_plain(data, name=file.uri, limit_bytes=MAX_PLAIN_BYTES, expected_bytes=file.plain_bytes)

    def contents(self, file: InputFile) -> FileContents:
        """
        Everything to write of the file; bad lines are set apart, the caller decides about them.

        Raises:
            IntegrityError: the file as a whole is not what it claims to be.
        """
        plain = self.plain(file)
        quick = self._quick(file, plain) if self.fast and file.sha256 else None
        return quick or self._parsed(file, plain)

    def parsed(self, file: InputFile) -> FileContents:
        """`contents` without the fast path: names the item DynamoDB would refuse."""
        return self._parsed(file, self.plain(file))

    def _quick(self, file: InputFile, plain: bytes) -> FileContents | None:
        bodies = connector_block_to_puts(plain)
        if bodies is None or len(bodies) != file.item_count:
            return None
        puts = [Put(body, units_of(len(body)), None, 0) for body in bodies]
        return FileContents(Dialect.CONNECTOR.value, puts, len(puts), len(plain))

    def _parsed(self, file: InputFile, plain: bytes) -> FileContents:
        dialect = detect(plain, name=file.uri)
        contents = FileContents(dialect.value, [], 0, len(plain))
        for line in read_items(plain, name=file.uri, dialect=dialect):
            contents.item_count += 1
            found = self.judge(line, name=file.uri)
            if isinstance(found, BadLine):
                contents.bad.append(found)
            else:
                body = _encode(found.item).encode("utf-8")
                contents.puts.append(Put(body, units_of(found.size_bytes), found.key, found.line))
        check_count(file, contents.item_count)
        return contents

    def items(self, file: InputFile) -> Iterator[ParsedItem | BadLine]:
        """
        Every line of the file as a judged item or a bad line, for whoever needs items and not puts.

        Raises:
            IntegrityError: as `contents`; a wrong item count at the end.
        """
        plain = self.plain(file)
        count = 0
        for line in read_items(plain, name=file.uri, dialect=detect(plain, name=file.uri)):
            count += 1
            yield self.judge(line, name=file.uri)
        check_count(file, count)

    def judge(self, line: ItemLine, *, name: str) -> ParsedItem | BadLine:
        """The line's item with size and key, or what is wrong with it."""
        if line.item is None:
            assert line.error is not None
            return BadLine(line.text, line.error)
        try:
            facts = check_item(line.item, keys=self.keys, index_keys=self.index_keys)
        except ItemError as err:
            error = LineError(err.reason, name=name, line=line.line, offset_bytes=line.offset_bytes, path=err.path)
            return BadLine(line.text, error)
        return ParsedItem(line.line, line.item, facts.size_bytes, facts.key)


def check_stored(file: InputFile, data: bytes) -> None:
    """
    Raises:
        IntegrityError: the stored bytes have another size or hash than the export says.
    """
    if len(data) != file.bytes:
        msg = f"{file.uri} has {len(data)} of {file.bytes} bytes"
        raise IntegrityError(msg)
    if file.sha256 is not None and hashlib.sha256(data).hexdigest() != file.sha256:
        msg = f"{file.uri} was changed after the export: its SHA-256 is not the one in _export.json"
        raise IntegrityError(msg)
    if file.md5 is not None and md5_base64(data) != file.md5:
        msg = f"{file.uri} was changed after the export: its MD5 is not the one in manifest-files.json"
        raise IntegrityError(msg)


def check_count(file: InputFile, count: int) -> None:
    """
    Raises:
        IntegrityError: the file holds another number of items than the export says.
    """
    if file.item_count is not None and count != file.item_count:
        msg = f"{file.uri} holds {count} items, the export says {file.item_count}"
        raise IntegrityError(msg)
