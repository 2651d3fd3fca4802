"""
The items of a document, in blocks of lines such as a file of lines has, or one by one.

A block is a guess: what stands between the first two items of an array is taken for what stands between all of them,
and the text is cut there. Whoever proves that each line of the block is one whole item has proven the guess, for a JSON
text can be read in one way only; whoever cannot asks for the same items one by one, whose ends a parser finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Callable, NamedTuple

from dynamodb_pipeline.formats.documents.cursor import BrokenJsonError, JsonCursor
from dynamodb_pipeline.formats.files.file_forms import Layout
from dynamodb_pipeline.formats.files.text import (
    BLOCK_BYTES,
    LONG_BLOCK_BYTES,
    MAX_LINE_BYTES,
    WHITE_SPACE,
    Block,
    LineError,
    Text,
)
from dynamodb_pipeline.formats.items.tags import CONNECTOR_SPELLINGS, DYNAMODB_SPELLINGS

NO_TABLE = ""  # none is called so: of such a walk only the tables' names are of interest

_MARK = b"\x1e"  # a control character, which no JSON text holds
_ESCAPED = ((rb"\\", b"\x01\x02"), (rb"\"", b"\x01\x03"))
_JOINT = re.compile(rb'([ \t\r\n]*,?[ \t\r\n]*)\{([ \t\r\n]*)"')
# What stands between strings, with each letter and digit as `w`, to see words that would grow together without a space.
_WORDS_AND_SPACE = bytes(
    0x77 if byte in b"+-." or chr(byte).isalnum() else 0x20 if byte in WHITE_SPACE else byte for byte in range(256)
)
_PRETTY_FACTOR = 4  # a pretty text shrinks about so much, and a block is judged at best when it is large
_TAGS = sorted({tag for every in (*DYNAMODB_SPELLINGS.values(), *CONNECTOR_SPELLINGS.values()) for tag in every})
# What follows is an element of a list attribute, not the next item; an item that begins so is found one by one.
_NO_TAG = rb'(?!(?:%b)"[ \t\r\n]*:)' % "|".join(_TAGS).encode()
_FOLLOWS_NO_TAG = re.compile(_NO_TAG)
MOST_TABLES = 2_500  # an account's quota of tables in a region, developer guide, "Quotas and limits"
MEMBER_NAME_CHARS = 1 << 20  # of all members of an object around items; 2,500 names of tables have 637,500
_MORE_FOLLOWS = {"NextToken", "LastEvaluatedKey"}


class _Style(NamedTuple):
    """
    What stands between two items: `between` their braces, `inside` the second before its first name; `pretty` where
    there is white space between the tokens of an item.
    """

    between: bytes
    inside: bytes
    pretty: bool

    @property
    def joint(self) -> bytes:
        return b"}" + self.between + b"{" + self.inside + b'"'

    @property
    def pattern(self) -> re.Pattern[bytes]:
        return re.compile(re.escape(self.joint) + _NO_TAG)


class DocumentItems:
    """
    One walk through a document; may be started once.

    Args:
        plain: the document.
        layout: any but LINES.
        name: the object's address, for messages.
        table: whose items are wanted where tables are named; None for those of all.
        block_bytes: of a block, where an item is not longer.

    Attributes:
        item_count: the items passed so far.
        tables: the tables met so far whose items are wanted, with how many there were.
    """

    def __init__(
        self,
        plain: Text,
        layout: Layout,
        *,
        name: str = "",
        table: str | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._plain, self._name, self._table, self._block_bytes = plain, name, table, block_bytes
        self._cursor = JsonCursor(plain)
        self._places = _WALKS[layout](self)
        self._style: _Style | None = None
        self._commas = False
        self._end, self._one_by_one = 0, False
        self.item_count = 0
        self.tables: dict[str, int] = {}
        self._passed_over: dict[str, None] = {}
        self._notes: dict[str, None] = {}

    @property
    def passed_over(self) -> list[str]:
        """The other tables met so far."""
        return list(self._passed_over)

    @property
    def notes(self) -> list[str]:
        """What the document says about itself that its reader should know."""
        return list(self._notes)

    def __iter__(self) -> Iterator[Block]:
        """
        Guessed blocks of whole items, each a line of its own; an empty one where nothing can be guessed.

        The caller proves a block, or takes its items from `one_by_one` before it asks for the next.

        Raises:
            LineError: the document is malformed or cut off; nothing behind that place can be read.
        """
        while self._moved():
            start = self._cursor.position
            text, self._end = self._guess(start)
            self._one_by_one = False
            yield Block(text, self.item_count + 1, start)
            if not self._one_by_one:
                self._cursor.position = self._end
                self.item_count += text.count(b"\n") + 1

    def one_by_one(self) -> Iterator[tuple[int, int, bytes]]:
        """
        The items of the last block: 1-based number, 0-based offset, and the item as it stands there.

        Raises:
            LineError: as the iteration.
        """
        self._one_by_one = True
        while True:
            start, end = self._cursor.position, self._item_end()
            self.item_count += 1
            self._cursor.position = end
            yield self.item_count, start, self._plain[start:end]
            if end >= self._end or not self._moved():
                return

    def _moved(self) -> bool:
        """Whether there is another item; then the cursor stands at its start."""
        try:
            return next(self._places, None) is not None
        except BrokenJsonError as err:
            raise self._named(err) from err

    def _item_end(self) -> int:
        try:
            return self._cursor.value_end()
        except BrokenJsonError as err:
            raise self._named(err) from err

    def _named(self, err: BrokenJsonError) -> LineError:
        reason = f"{err.reason}; nothing behind this place can be read"
        return LineError(reason, name=self._name, line=self.item_count + 1, offset_bytes=err.offset_bytes, noun="item")

    # ---- blocks

    def _guess(self, start: int) -> tuple[bytes, int]:
        """Lines and where their source ends; no line and the end of the first item where the text cannot be cut."""
        if self._style is None:
            end = self._item_end()
            if end - start > LONG_BLOCK_BYTES:
                return b"", end
            self._style = self._learned(start, end)
            if self._style is None:
                return _one_line(self._plain[start:end]), end
        end = self._last_joint(start, self._style)
        one = end < 0
        end = self._item_end() if one else end
        if end - start > LONG_BLOCK_BYTES:
            return b"", end
        if one:
            return _one_line(self._plain[start:end]), end
        return _cut(self._plain[start:end], self._style), end

    def _learned(self, start: int, end: int) -> _Style | None:
        joint = _JOINT.match(self._plain[end : end + self._block_bytes])
        if joint is None or (self._commas and b"," not in joint[1]):
            return None
        first = self._plain[start:end]
        return _Style(joint[1], joint[2], pretty=_tight(first) != first)

    def _last_joint(self, start: int, style: _Style) -> int:
        """The end of the last item that ends within a block's size, else of the first one behind it; -1 for none."""
        joint = style.joint
        size_bytes = self._block_bytes * (_PRETTY_FACTOR if style.pretty else 1)
        window = self._plain[start : start + size_bytes]
        place = window.rfind(joint)
        while place >= 0 and not _FOLLOWS_NO_TAG.match(self._plain, start + place + len(joint)):
            place = window.rfind(joint, 0, place)
        if place >= 0:
            return start + place + 1
        behind = start + len(window) - min(len(joint), len(window))
        match = style.pattern.search(self._plain, behind, behind + MAX_LINE_BYTES)
        return match.start() + 1 if match else -1

    # ---- walks: each yields where an item begins, and goes on from where the cursor stands then

    def _objects(self) -> Iterator[bool]:
        self._style, self._commas = None, False
        while self._cursor.peek():
            yield self._at_item()
            self._cursor.took(b",")

    def _arrays(self) -> Iterator[bool]:
        while self._cursor.peek():
            yield from self._array()
            self._cursor.took(b",")

    def _array(self) -> Iterator[bool]:
        self._style, self._commas = None, True
        for _ in self._elements():
            yield self._at_item()

    def _elements(self) -> Iterator[None]:
        """Each element of an array; the caller passes it."""
        cursor = self._cursor
        cursor.take(b"[", what="where an array begins")
        if cursor.took(b"]"):
            return
        while True:
            yield
            if cursor.took(b"]"):
                return
            cursor.take(b",", what="between two elements of an array")

    def _at_item(self) -> bool:
        if self._cursor.peek() != b"{":
            self._cursor.refuse("a JSON object expected, which is what an item is")
        return True

    def _members(self) -> Iterator[str]:
        """The names of an object's members; the caller passes each value."""
        cursor, seen, name_chars = self._cursor, set[str](), 0
        cursor.take(b"{", what="where an object begins")
        if cursor.took(b"}"):
            return
        while True:
            name = cursor.member()
            if name in seen:
                cursor.refuse("a member stands there twice")
            name_chars += len(name)
            if name_chars > MEMBER_NAME_CHARS:
                cursor.refuse(f"names of members with more than {MEMBER_NAME_CHARS} characters in one object")
            seen.add(name)
            yield name
            if cursor.took(b"}"):
                return
            cursor.take(b",", what="between two members of an object")

    def _scans(self) -> Iterator[bool]:
        while self._cursor.peek():
            yield from self._scan()
            self._cursor.took(b",")

    def _scan(self) -> Iterator[bool]:
        before, said, more = self.item_count, -1, False
        for member in self._members():
            if member == "Items":
                yield from self._array()
            elif member == "Count":
                said = self._count()
            else:
                more |= member in _MORE_FOLLOWS and self._cursor.peek() != b"n"  # null
                self._cursor.skip_value()
        held = self.item_count - before
        if more:
            self._notes["it is a part of a Scan's output: its token says that more items follow"] = None
        elif said > held:
            self._cursor.refuse(f"it says that it holds {said} items and holds {held}")

    def _count(self) -> int:
        start = (self._cursor.peek(), self._cursor.position)[1]
        self._cursor.skip_value()
        digits = self._plain[start : self._cursor.position]
        return int(digits) if digits.isdigit() and len(digits) < 19 else -1

    def _requests(self) -> Iterator[bool]:
        while self._cursor.peek():
            for table in self._members():
                yield from self._items_of(table)
            self._cursor.took(b",")

    def _responses(self) -> Iterator[bool]:
        while self._cursor.peek():
            for member in self._members():
                if member == "Responses":
                    for table in self._members():
                        yield from self._items_of(table)
                    continue
                if member == "UnprocessedKeys" and not self._cursor.at_empty_object():
                    self._notes["it is a part of what BatchGetItem was asked for: some keys were not processed"] = None
                self._cursor.skip_value()
            self._cursor.took(b",")

    def _models(self) -> Iterator[bool]:
        for member in self._members():
            if member != "DataModel":
                self._cursor.skip_value()
                continue
            for _ in self._elements():
                yield from self._model()
        if self._cursor.peek():
            self._cursor.refuse("other text follows the model")

    def _model(self) -> Iterator[bool]:
        table = ""
        for member in self._members():
            if member == "TableName":
                table = self._cursor.text_value()
            elif member != "TableData":
                self._cursor.skip_value()
            elif not table:
                self._cursor.refuse("a table's items without its name before them")
            else:
                yield from self._items_of(table)

    def _items_of(self, table: str) -> Iterator[bool]:
        if self._table not in (None, table):
            self._passed_over[table] = None
            self._refuse_many_tables()
            self._cursor.peek()
            self._cursor.skip_value()
            return
        before = self.item_count
        yield from self._array()
        self.tables[table] = self.tables.get(table, 0) + self.item_count - before
        self._refuse_many_tables()

    def _refuse_many_tables(self) -> None:
        if len(self.tables) + len(self._passed_over) > MOST_TABLES:
            self._cursor.refuse(f"it names more than {MOST_TABLES} tables")


_WALKS: dict[Layout, Callable[[DocumentItems], Iterator[bool]]] = {
    Layout.OBJECTS: DocumentItems._objects,
    Layout.ARRAY: DocumentItems._arrays,
    Layout.SCAN: DocumentItems._scans,
    Layout.REQUESTS: DocumentItems._requests,
    Layout.RESPONSES: DocumentItems._responses,
    Layout.MODEL: DocumentItems._models,
}


def _one_line(item: bytes) -> bytes:
    """The item without line ends in it; nothing where that is not certain to be the same."""
    tight = _tight(item)
    return tight if tight or b"\n" in item or b"\r" in item else item


def _cut(source: bytes, style: _Style) -> bytes:
    """Items as lines, cut at every joint; nothing where that is not certain to be exact."""
    mark = _MARK if style.pretty else b"\n"
    lines, count = style.pattern.subn(lambda _: b"}" + mark + b"{" + style.inside + b'"', source)
    if style.pretty:
        if _MARK in source:
            return b""
        lines = _tight(lines).replace(_MARK, b"\n")
    return lines if lines.count(b"\n") == count else b""


def _tight(text: bytes) -> bytes:
    """JSON without white space between its tokens; nothing where it is malformed there, or has control characters."""
    if b"\x01" in text:
        return b""
    for plain, hidden in _ESCAPED:
        text = text.replace(plain, hidden)
    parts = text.split(b'"')
    between = b'"'.join(parts[::2])
    if b"w w" in b" ".join(between.translate(_WORDS_AND_SPACE).split()):
        return b""
    parts[::2] = between.translate(None, WHITE_SPACE).split(b'"')
    tight = b'"'.join(parts)
    if b"\n" in tight or b"\r" in tight:
        return b""
    for plain, hidden in reversed(_ESCAPED):
        tight = tight.replace(hidden, plain)
    return tight
