"""
Reads one data file and proves it before anybody may use an item of it.

Order: the stored bytes (size, SHA-256 or MD5 where known, the pinned ETag), the plain text, then every line by its
dialect and DynamoDB's rules. The text is worked on in blocks of about a megabyte: what Python makes of an item takes
several times the room of its line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.attribute_values import check_item, write_units
from dynamodb_pipeline.formats.compression import open_plain
from dynamodb_pipeline.formats.dialects import Dialect, ItemLine, detect, read_lines
from dynamodb_pipeline.formats.item_error import ItemError
from dynamodb_pipeline.formats.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.lines import BLOCK_BYTES, MAX_LINE_BYTES, Block, LineError, PlainLines, blocks
from dynamodb_pipeline.formats.native_manifest import md5_base64
from dynamodb_pipeline.formats.puts import checked_puts
from dynamodb_pipeline.formats.retag import connector_block_to_puts
from dynamodb_pipeline.transfer.batches import Put
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


@dataclass(frozen=True)
class DataFile:
    """A file whose stored bytes are proven; its items are still to be judged."""

    file: InputFile
    plain: bytes
    dialect: Dialect


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

    def open(self, file: InputFile) -> DataFile:
        """
        Fetch a file, prove its bytes and detect its dialect.

        Raises:
            IntegrityError: size, hash, compression, plain size or dialect is not what it must be; of a file that needs
                no parse, the count of lines too.
        """
        data = self.store.get(file.uri, etag=file.etag)
        check_stored(file, data)
        plain = open_plain(data, name=file.uri, limit_bytes=MAX_PLAIN_BYTES, expected_bytes=file.plain_bytes)
        if self._is_known_good(file):
            check_count(file, plain.count(b"\n"))
            return DataFile(file, plain, Dialect.CONNECTOR)
        return DataFile(file, plain, dialect_of(plain, name=file.uri))

    def puts(self, data: DataFile, *, careful: bool = False) -> Iterator[Put | BadLine]:
        """
        What to write of the file, block by block; the caller decides about bad lines.

        Args:
            careful: parse even what is known to be good, to find out what DynamoDB refused.

        Raises:
            IntegrityError: a line longer than any item; another count of items than the export says, at the end.
        """
        count = 0
        try:
            for block in blocks(data.plain):
                for found in (not careful and self._quick(data, block)) or self._parsed(data, block):
                    count += 1
                    yield found
        except LineError as err:
            raise IntegrityError(str(err)) from err
        check_count(data.file, count)

    def items(self, data: DataFile) -> Iterator[ParsedItem | BadLine]:
        """Every line as a judged item or a bad line, for whoever needs items and not puts; raises as `puts`."""
        count = 0
        try:
            for found in self._judged(data, PlainLines(data.plain, name=data.file.uri)):
                count += 1
                yield found
        except LineError as err:
            raise IntegrityError(str(err)) from err
        check_count(data.file, count)

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

    def _is_known_good(self, file: InputFile) -> bool:
        return self.fast and file.sha256 is not None

    def _quick(self, data: DataFile, block: Block) -> list[Put] | None:
        """The block's puts without looking at each line, None or nothing when that is not certain to be right."""
        if data.dialect is not Dialect.CONNECTOR or len(block.text) > BLOCK_BYTES + MAX_LINE_BYTES:
            return None
        if self._is_known_good(data.file):
            bodies = connector_block_to_puts(block.text) or ()
            return [Put(body, write_units(len(body)), None, line) for line, body in enumerate(bodies, block.first_line)]
        if self.keys is None:
            return None
        found = checked_puts(block.text, keys=self.keys, index_keys=self.index_keys) or ()
        return [Put(p.json, write_units(p.size_bytes), p.key, line) for line, p in enumerate(found, block.first_line)]

    def _parsed(self, data: DataFile, block: Block) -> Iterator[Put | BadLine]:
        for found in self._judged(data, PlainLines(block.text, name=data.file.uri, block=block)):
            if isinstance(found, BadLine):
                yield found
            else:
                yield Put(_encode(found.item).encode("utf-8"), write_units(found.size_bytes), found.key, found.line)

    def _judged(self, data: DataFile, lines: PlainLines) -> Iterator[ParsedItem | BadLine]:
        name = data.file.uri
        return (self.judge(line, name=name) for line in read_lines(lines, name=name, dialect=data.dialect))


def dialect_of(plain: bytes, *, name: str) -> Dialect:
    """
    Raises:
        IntegrityError: a foreign format, two dialects, or a line longer than any item.
    """
    try:
        return detect(plain, name=name)
    except LineError as err:
        raise IntegrityError(str(err)) from err


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
