"""
What to write of one data file: each line judged by DynamoDB's rules and the target's keys, an item, or what is wrong
with it.

It is worked out in blocks, for what Python makes of an item takes several times the room of its line. A block goes the
quick way (puts.py) where that is certain to be right, and line by line otherwise; both give the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count, repeat
from typing import Any, Callable, NamedTuple, TypeVar

from dynamodb_pipeline.errors import IntegrityError, counted
from dynamodb_pipeline.formats.blocks.puts import checked_puts, known_puts
from dynamodb_pipeline.formats.documents.items import DocumentItems
from dynamodb_pipeline.formats.files.dialects import ItemLine, read_lines
from dynamodb_pipeline.formats.files.file_forms import Dialect, FileForm, Layout
from dynamodb_pipeline.formats.files.text import Block, LineError, PlainLines, Text, blocks
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import check_item, write_units
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.reading.input_files import InputFile

T = TypeVar("T")
LARGE_ITEM_BYTES = 1 << 16  # by DynamoDB's rule; its text may have 47 times as many (MAX_LINE_BYTES)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


class ParsedItem(NamedTuple):
    """
    A valid item with its line (in a document its own number), size in bytes by DynamoDB's rule, and canonical key if a
    schema was given.
    """

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
class ItemJudge:
    """
    Judges lines.

    Args:
        keys: the target's key schema; None judges everything but keys.
        index_keys: keys of the target's indexes, whose types an item must fit.
    """

    keys: KeySchema | None = None
    index_keys: tuple[IndexKeys, ...] = ()

    def lines(
        self, lines: Iterable[tuple[int, int, bytes]], *, name: str, form: FileForm
    ) -> Iterator[ParsedItem | BadLine]:
        """Every line or item of the object `name`; raises what `lines` do."""
        read = read_lines(lines, name=name, dialect=form.dialect, noun=form.noun)
        return (self.line(line, name=name) for line in read)

    def line(self, line: ItemLine, *, name: str) -> ParsedItem | BadLine:
        """The line's item with size and key, or what is wrong with it."""
        if line.item is None:
            assert line.error is not None
            return BadLine(line.text, line.error)
        try:
            facts = check_item(line.item, keys=self.keys, index_keys=self.index_keys)
        except ItemError as err:
            where, noun = line.offset_bytes, line.noun
            error = LineError(err.reason, name=name, line=line.line, offset_bytes=where, path=err.path, noun=noun)
            return BadLine(line.text, error)
        return ParsedItem(line.line, line.item, facts.size_bytes, facts.key)


@dataclass(frozen=True)
class DataFile:
    """A file whose stored bytes are proven; its items are still to be judged."""

    file: InputFile
    plain: Text
    form: FileForm


class FilePuts:
    """
    Every line of a file, or item of a document, as a put or a bad line; the caller decides about bad lines.

    Args:
        data: the file.
        judge: what an item must be.
        known: its items are known to be good: none is judged where its line needs no parse.
        careful: parse every line all the same, to find out what DynamoDB refused.

    Attributes:
        regular: after an iteration, whether no line needed a look of its own. Then the same text gives the same puts
            without any judgement.
        tables: after an iteration over a document, the tables it names whose items these are.
        passed_over: likewise, the other tables it names.
        notes: likewise, what the document says about itself.
    """

    def __init__(self, data: DataFile, judge: ItemJudge, *, known: bool = False, careful: bool = False):
        self._data, self._judge, self._known, self._careful = data, judge, known, careful
        self.regular = True
        self._document: DocumentItems | None = None
        self.tables: tuple[str, ...] = ()
        self.passed_over: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Put | BadLine]:
        """Raises as `judged`."""
        return self._counted(lambda block: self._quick(block) or map(_encoded, self._parsed(block)))

    def judged(self) -> Iterator[Put | ParsedItem | BadLine]:
        """
        The same for whoever needs keys and lines only: items that had to be parsed are not encoded.

        Raises:
            IntegrityError: a line longer than any item; at the end, no item at all in a text that is not empty, or
                another count than the export says.
        """
        return self._counted(lambda block: self._quick(block) or self._parsed(block))

    def items(self) -> Iterator[ParsedItem | BadLine]:
        """Every line parsed and judged; raises as `judged`."""
        return self._counted(self._parsed)

    def _counted(self, read: Callable[[Block], Iterable[T]]) -> Iterator[T]:
        """What is read of block after block, its number checked at the end."""
        items, self.regular = 0, True
        try:
            for block in self._blocks():
                judged = read(block)
                if isinstance(judged, list):  # all of it is there
                    items += len(judged)
                    yield from judged
                else:
                    for one in judged:
                        items += 1
                        yield one
        except LineError as err:
            raise IntegrityError(str(err)) from err
        check_count(self._data.file, items)
        if items == 0 and len(self._data.plain) > 0 and self._data.form.layout is Layout.LINES:
            msg = f"{self._data.file.uri} holds blank lines and no item; its items are lost, or it is no data file"
            raise IntegrityError(msg)

    def _blocks(self) -> Iterator[Block]:
        form = self._data.form
        if form.layout is Layout.LINES:
            yield from blocks(self._data.plain) if form.dialect is not Dialect.EMPTY else ()
            return
        self._document = DocumentItems(self._data.plain, form.layout, name=self._data.file.uri, table=form.table)
        yield from self._document
        self.tables, self.passed_over = tuple(self._document.tables), tuple(self._document.passed_over)
        self.notes = tuple(self._document.notes)

    def _quick(self, block: Block) -> list[Put] | None:
        """The block's puts without looking at each line, None or nothing when that is not certain to be right."""
        if self._careful or not block.text:
            return None
        if self._known:
            bodies = known_puts(block.text, self._data.form.dialect) or ()
            units = map(write_units, map(len, bodies))
            return list(map(Put, bodies, units, repeat(None), count(block.first_line)))
        judge = self._judge
        if judge.keys is None:
            return None
        dialect = self._data.form.dialect
        puts = checked_puts(block.text, dialect=dialect, keys=judge.keys, index_keys=judge.index_keys)
        return [Put(p.json, write_units(p.size_bytes), p.key, n) for n, p in enumerate(puts or (), block.first_line)]

    def _parsed(self, block: Block) -> Iterator[ParsedItem | BadLine]:
        self.regular = False
        name, document = self._data.file.uri, self._document
        if document is not None:
            lines: Iterable[tuple[int, int, bytes]] = document.one_by_one()
        else:
            lines = PlainLines(block.text or self._data.plain, name=name, block=block)
        return self._judge.lines(lines, name=name, form=self._data.form)


def check_count(file: InputFile, count: int) -> None:
    """
    Raises:
        IntegrityError: the file holds another number of items than the export says.
    """
    if file.item_count is not None and count != file.item_count:
        msg = f"{file.uri} holds {counted(count, 'item')}, the export says {file.item_count}"
        raise IntegrityError(msg)


def _encoded(judged: ParsedItem | BadLine) -> Put | BadLine:
    if isinstance(judged, BadLine):
        return judged
    encode = _encode if judged.size_bytes < LARGE_ITEM_BYTES else _encode_in_pieces
    return Put(encode(judged.item), write_units(judged.size_bytes), judged.key, judged.line)


def _encode(item: dict[str, Any]) -> bytes:
    return _ENCODER.encode(item).encode()


def _encode_in_pieces(item: dict[str, Any]) -> bytes:
    """The same without the whole in characters, where one beyond the usual makes four bytes of each."""
    written = BytesIO()
    for piece in _ENCODER.iterencode(item):
        written.write(piece.encode())
    return written.getvalue()


class Put(NamedTuple):
    """One item to write: its JSON, write units by its size, its canonical key where known, its line or number."""

    body: bytes
    units: float
    key: bytes | None
    line: int
