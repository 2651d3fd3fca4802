"""
The plain text of a data file: as a whole, in pieces, and line by line: where each line starts, and what an error says
about it. A large file is mapped instead of held, so it is looked at in pieces.

Bytes, not text: only LF ends a line. U+0085, U+2028 and a lone CR are ordinary content of values, and
`str.splitlines` or Hadoop's reader would cut an item in two at some of them.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple, Union

Text = Union[bytes, mmap]
PIECE_BYTES = 1 << 20
# The longest line one 400 KB item can need. Per byte of DynamoDB's size, a list of the number 1E-130
# written out grows most: an element counts 3 bytes (1 for the element, 2 for a number of one digit) and its
# text is 141 characters, `{"n":"0.` + 129 zeros + `1"},`. 409,600 / 3 * 141 = 19.3 million, so 20 MiB holds
# every item. (A string of control characters grows 6 times, a list of empty strings or of nulls 9 times.)
MAX_LINE_BYTES = 20 * 1024 * 1024
LONG_BLOCK_BYTES = 1 << 20  # of a block that is not held as a whole
NEAR_BYTES = 1 << 12  # where most lines end
SEARCH_BYTES = 1 << 16  # what is looked through at once for the end of a long line
BLOCK_BYTES = 1 << 17  # of items parsed at once; beyond it they leave the processor's cache
BOM = b"\xef\xbb\xbf"
WHITE_SPACE = b" \t\r\n"
_BEGINS_BLANK = (b" ", b"\t", b"\r", b"\n")
_LINE_FEEDS = b"\n" * PIECE_BYTES


def pieces(text: Text, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The text, a MiB at a time."""
    last = len(text) if end is None else end
    return (text[place : min(place + PIECE_BYTES, last)] for place in range(start, last, PIECE_BYTES))


def line_count(text: Text) -> int:
    """How many line ends there are."""
    return sum(map(_lines_in, pieces(text)))


def _lines_in(piece: bytes) -> int:
    """The same of a piece; blank lines are counted as fast as they are read, for a file may hold millions."""
    if piece[:1] not in _BEGINS_BLANK:
        return piece.count(b"\n")
    return len(piece) if piece == _LINE_FEEDS[: len(piece)] else len(piece) - len(piece.translate(None, b"\n"))


def is_blank(piece: bytes) -> bool:
    """Whether there is nothing but white space in a piece that is not empty."""
    return piece.isspace() and b"\x0b" not in piece and b"\x0c" not in piece


def _next_line_feed(plain: Text, place: int, *, most_bytes: int | None = None) -> int:
    """The next line feed, -1 where none comes within `most_bytes`; looked for in pieces, for a map stays in memory."""
    last = len(plain) if most_bytes is None else min(len(plain), place + most_bytes)
    size_bytes = NEAR_BYTES
    while place < last:
        piece = plain[place : place + size_bytes]
        at = piece.find(b"\n")
        if at >= 0:
            return place + at
        place += len(piece)
        size_bytes = SEARCH_BYTES
    return -1


def sha256_hex(text: Text) -> str:
    """The SHA-256 as `_export.json` spells it."""
    digest = hashlib.sha256()
    for piece in pieces(text):
        digest.update(piece)
    return digest.hexdigest()


def md5_base64(text: Text) -> str:
    """The MD5 as `manifest-files.json` of a native export spells it."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces(text):
        digest.update(piece)
    return b64encode(digest.digest()).decode()


class LineError(ValueError):
    """
    One line of a data file is not a readable, valid item.

    Attributes:
        name: the object's address.
        line: 1-based number of the line, or of what `noun` says: of a document, the item.
        offset_bytes: 0-based position of its first byte in the plain text.
        path: place inside the item (`a.b[3]`), empty for the item as a whole.
        reason: the rule that is broken; never any part of a value.
    """

    def __init__(
        self, reason: str, *, name: str, line: int, offset_bytes: int, path: str = "", noun: str = "line"
    ) -> None:
        super().__init__(reason)
        self.reason, self.path, self.noun = reason, path, noun
        self.name, self.line, self.offset_bytes = name, line, offset_bytes

    def __str__(self) -> str:
        place = f"{self.name or 'data'}: {self.noun} {self.line} (byte {self.offset_bytes})"
        return f"{place}: {self.path}: {self.reason}" if self.path else f"{place}: {self.reason}"

    def __reduce__(self) -> tuple[object, ...]:
        return _line_error, (self.reason, self.__dict__)  # keyword arguments alone do not survive pickling


class Block(NamedTuple):
    """
    Some whole lines of a plain file.

    Attributes:
        text: the lines, each with its LF; the file's last may lack it. Empty where a line is so long that it should
            not be in memory once more.
        first_line: 1-based number of the first.
        offset_bytes: 0-based position of the first in the file.
        end_bytes: where the block ends there, for a block without text.
    """

    text: bytes
    first_line: int
    offset_bytes: int
    end_bytes: int = 0


def blocks(plain: Text, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """
    Cut a plain file into blocks of about `block_bytes`, for work that needs a multiple of what it looks at; blocks of
    nothing but blank lines are left out.
    """
    start, line = 0, 1
    while start < len(plain):
        end = _next_line_feed(plain, start + block_bytes - 1) + 1 or len(plain)
        if end - start > LONG_BLOCK_BYTES:
            yield Block(b"", line, start, end)
            line += sum(map(_lines_in, pieces(plain, start=start, end=end)))
        else:
            text = plain[start:end]
            if text[:1] not in _BEGINS_BLANK or not is_blank(text):
                yield Block(text, line, start, end)
            line += _lines_in(text)
        start = end


class PlainLines:
    """
    The lines of one plain file, blank ones skipped; their numbers count.

    A byte order mark at the start and one CR before each LF (files that went through Windows) are not
    content.

    Args:
        plain: the file, or the text of one of its blocks.
        name: the object's address, for messages.
        block: where `plain` stands in the file; of one without text, which of the file's lines are meant.
    """

    def __init__(
        self, plain: Text, *, name: str = "", max_line_bytes: int = MAX_LINE_BYTES, block: Block | None = None
    ) -> None:
        self._plain, self._name, self._max_line_bytes = plain, name, max_line_bytes
        self._lines_before = block.first_line - 1 if block else 0
        self._bytes_before = block.offset_bytes if block and block.text else 0
        self._start, self._end = 0, len(plain)
        if block and not block.text:
            self._start, self._end = block.offset_bytes, block.end_bytes

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """
        (1-based line number, 0-based offset of the line's first byte, the line without LF and CR).

        Raises:
            LineError: a line longer than the bound, found before it is copied.
        """
        plain = self._plain
        has_bom = plain[: len(BOM)] == BOM and not (self._bytes_before or self._start)
        start, number = len(BOM) if has_bom else self._start, self._lines_before
        while start < self._end:
            number += 1
            end = self._line_end(start, number)
            line = plain[start : end - 1] if plain[end - 1 : end] == b"\r" else plain[start:end]
            if line and (line[:1] not in _BEGINS_BLANK or not is_blank(line)):
                yield number, self._bytes_before + start, line
                start = end + 1
            else:
                start, number = self._past_blank(end + 1, number)

    def _past_blank(self, start: int, number: int) -> tuple[int, int]:
        """Where the blank lines from `start` on end, and the number of the last."""
        size_bytes = 16
        while start < self._end:
            piece = self._plain[start : min(start + size_bytes, self._end)]
            blank = is_blank(piece)
            if not blank:
                piece = piece[: len(piece) - len(piece.lstrip(WHITE_SPACE))]
            passed = piece.rfind(b"\n") + 1
            number, start = number + _lines_in(piece[:passed]), start + passed
            if not blank or not passed:
                break
            size_bytes = min(4 * size_bytes, PIECE_BYTES)
        return start, number

    def _line_end(self, start: int, number: int) -> int:
        longest = start + self._max_line_bytes
        end = self._plain.find(b"\n", start, start + SEARCH_BYTES)
        if end < 0:
            end = _next_line_feed(self._plain, start + SEARCH_BYTES, most_bytes=self._max_line_bytes)
        if start <= end <= longest:
            return end
        if len(self._plain) > longest:
            reason = f"longer than {self._max_line_bytes} bytes, the most that one 400 KB item can need"
            raise LineError(reason, name=self._name, line=number, offset_bytes=self._bytes_before + start)
        return len(self._plain)


def iter_lines(plain: bytes, *, name: str = "") -> Iterator[tuple[int, int, bytes]]:
    """Line number, offset and bytes of every line that is not blank (`PlainLines`)."""
    return iter(PlainLines(plain, name=name))


def _line_error(reason: str, fields: dict[str, object]) -> LineError:
    error = LineError(reason, name="", line=0, offset_bytes=0)
    error.__dict__.update(fields)
    return error
