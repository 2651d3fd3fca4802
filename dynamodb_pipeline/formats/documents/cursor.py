"""
A place in a JSON text that is walked through from its start to its end, in pieces.

Values are stepped over, not made: one that holds an item by Python's own parser, which tells exactly where it ends, any
other by its brackets, whatever its size. What lies in a value is for others to judge.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

from dynamodb_pipeline.formats.files.text import (
    BOM,
    LONG_BLOCK_BYTES,
    MAX_LINE_BYTES,
    PIECE_BYTES,
    WHITE_SPACE,
    Text,
    is_blank,
)
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json, shape_of

WINDOW_BYTES = 1 << 18
_PEEK_BYTES = 4096
_NAME_BYTES = 1 << 17  # an attribute name has 64 KB; escapes make it longer
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_BRACKETS_BYTES = 1 << 14  # what is looked through at once for brackets
_LEVELS = 100  # of brackets in an item
_SCALAR = re.compile(rb"[-+.\w]+")
_LONGEST_WORD = 16  # a number, a literal or an escape that is cut begins at most so far from the end
_HOOKS: dict[str, Any] = {"parse_int": len, "parse_float": len}  # nobody asks for the numbers
_raw_decode = JSONDecoder(strict=False, **_HOOKS).raw_decode


class BrokenJsonError(ValueError):
    """
    The text is no JSON document from `offset_bytes` on, so that nothing behind that place can be read.

    Attributes:
        reason: the rule that is broken, without any part of a value.
        offset_bytes: 0-based place in the text.
    """

    def __init__(self, reason: str, offset_bytes: int) -> None:
        super().__init__(f"{reason} (byte {offset_bytes})")
        self.reason, self.offset_bytes = reason, offset_bytes


class JsonCursor:
    """
    Where in a text the walk has come to.

    Args:
        text: the document.
        max_value_bytes: of a value that holds an item, and of any string.
        window_bytes: how much of the text is looked at at once where a value is not longer.

    Attributes:
        position: 0-based place of the next byte; may be set to any place between two tokens.
    """

    def __init__(self, text: Text, *, max_value_bytes: int = MAX_LINE_BYTES, window_bytes: int = WINDOW_BYTES) -> None:
        self._text, self._max_value_bytes, self._window_bytes = text, max_value_bytes, window_bytes
        self.position = len(BOM) if text[: len(BOM)] == BOM else 0
        # The decoded piece of the text that values are found in: its bytes' start and end, and one known place in it.
        self._window, self._start, self._end = "", 0, 0
        self._mark, self._mark_index = 0, 0

    def peek(self) -> bytes:
        """The next byte that is no white space, with the position moved there; empty at the end of the text."""
        size_bytes = _PEEK_BYTES
        while self.position < len(self._text):
            piece = self._text[self.position : self.position + size_bytes]
            if size_bytes == PIECE_BYTES and is_blank(piece):  # much of it: the quick way
                self.position += len(piece)
                continue
            rest = piece.lstrip(WHITE_SPACE)
            self.position += len(piece) - len(rest)
            if rest:
                return rest[:1]
            size_bytes = PIECE_BYTES
        return b""

    def took(self, byte: bytes) -> bool:
        """Whether `byte` comes next; then it is passed."""
        if self.peek() != byte:
            return False
        self.position += 1
        return True

    def at_empty_object(self) -> bool:
        """Whether `{}` comes next, white space apart; the position stays before it."""
        is_object, start = self.peek() == b"{", self.position
        self.position += 1
        is_empty = self.peek() == b"}"
        self.position = start
        return is_object and is_empty

    def take(self, byte: bytes, *, what: str) -> None:
        """Pass `byte`. Raises BrokenJsonError when something else comes, `what` being where that is."""
        if not self.took(byte):
            self.refuse(f"{byte.decode()} expected {what}")

    def refuse(self, reason: str) -> NoReturn:
        """Raise BrokenJsonError for what is wrong at the position."""
        if self.position >= len(self._text):
            reason = f"the document is cut off: {reason}"
        raise BrokenJsonError(reason, self.position) from None

    def text_value(self) -> str:
        """Pass a JSON string, such as a member's name. Raises BrokenJsonError where none comes."""
        if self.peek() != b'"':
            self.refuse("a JSON string expected")
        end = self._string_end(self.position + 1, _NAME_BYTES)
        try:
            value = parse_json(self._text[self.position : end])
        except JsonTextError as err:
            self.refuse(str(err))
        self.position = end
        return str(value)

    def member(self) -> str:
        """Pass a member's name and the colon behind it."""
        name = self.text_value()
        self.take(b":", what="behind a member's name")
        return name

    def value_end(self) -> int:
        """
        Where the value that starts at the position ends.

        Raises:
            BrokenJsonError: it is malformed, cut off, or longer than any item.
        """
        size_bytes = self._window_bytes
        if not self._start <= self.position < self._end:
            self._look_at(self.position, size_bytes)
        while True:
            index = self._index()
            try:
                end = _raw_decode(self._window, index)[1]
            except JSONDecodeError as err:
                malformed = err
            except RecursionError:
                self.refuse("nested too deep")
            else:
                place = self._known(index, end)
                if len(self._window) > self._window_bytes:
                    self._look_at(place, 0)  # nothing as large is held on to
                return place
            if self._end >= len(self._text) or not _breaks_off(malformed, self._window):
                raise self._malformed(malformed, index)
            if self._end - self.position > self._max_value_bytes:
                self._refuse_longer(self._max_value_bytes)
            if self._end - self.position > LONG_BLOCK_BYTES:
                return self._long_value_end()
            size_bytes = 2 * max(size_bytes, self._end - self.position)
            self._look_at(self.position, min(size_bytes, self._max_value_bytes + 1))

    def _long_value_end(self) -> int:
        """The end of an item that is too long to be parsed for it; by its brackets, for others judge what is in it."""
        start = self.position
        self._look_at(start, 0)
        try:
            self.skip_value(most_bytes=self._max_value_bytes)
        except BrokenJsonError as err:
            self.position = start
            if err.offset_bytes - start < self._max_value_bytes:
                raise
            self._refuse_longer(self._max_value_bytes)
        end, self.position = self.position, start
        return end

    def _refuse_longer(self, most_bytes: int) -> NoReturn:
        self.refuse(f"longer than {most_bytes} bytes, the most that one 400 KB item can need")

    def skip_value(self, *, most_bytes: int | None = None) -> None:
        """Pass a value of any size, or of `most_bytes`. Raises BrokenJsonError where none comes, or it does not end."""
        byte = self.peek()
        if byte in (b"{", b"["):
            self._skip_brackets(most_bytes or len(self._text))
        elif byte == b'"':
            self.position = self._string_end(self.position + 1, self._max_value_bytes)
        else:
            scalar = _SCALAR.match(self._text[self.position : self.position + _PEEK_BYTES])
            if scalar is None:
                self.refuse("a JSON value expected")
            self.position += scalar.end()

    def _look_at(self, start: int, size_bytes: int) -> None:
        """Bytes that are no UTF-8 stay recognisable, for an item with some of them is named as bad, not passed over."""
        piece = self._text[start : start + size_bytes]
        self._window = piece.decode("utf-8", "surrogateescape")
        self._start, self._end = start, start + len(piece)
        self._mark, self._mark_index = start, 0

    def _index(self) -> int:
        """Index of the position in the window's text."""
        if self.position < self._mark:
            self._mark, self._mark_index = self._start, 0
        between = self._text[self._mark : self.position]
        self._mark_index += len(between) if between.isascii() else len(between.decode("utf-8", "surrogateescape"))
        self._mark = self.position
        return self._mark_index

    def _known(self, index: int, end_index: int) -> int:
        """Place of the byte at `end_index` of the window's text, where a value ends that starts at the position."""
        value = self._window[index:end_index]
        length = len(value) if value.isascii() else len(value.encode("utf-8", "surrogateescape"))
        self._mark, self._mark_index = self.position + length, end_index
        return self._mark

    def _malformed(self, err: JSONDecodeError, index: int) -> BrokenJsonError:
        place = self._known(index, err.pos) - self.position
        cut = "; the document is cut off" if self._end >= len(self._text) and _breaks_off(err, self._window) else ""
        return BrokenJsonError(f"malformed JSON: {shape_of(err.msg)} (byte {place}){cut}", self.position)

    def _skip_brackets(self, most_bytes: int) -> None:
        depth, start, last = 0, self.position, self.position + most_bytes
        while start < min(last, len(self._text)):
            piece = self._text[start : start + _BRACKETS_BYTES]
            brackets, length = _brackets(piece)
            left = _unpaired(brackets)
            closed = len(left) - len(left.lstrip(b"}]"))
            if not left.lstrip(b"}]").strip(b"{[") and closed < depth:
                depth += len(left) - 2 * closed
            else:
                depth, end = _closing(piece[:length], depth)
                if depth == 0:
                    self.position = start + end
                    return
            start = start + length if length else self._string_end(start + 1, self._max_value_bytes)
        if start < len(self._text):
            self.position = start
            self._refuse_longer(most_bytes)
        self.position = len(self._text)
        self.refuse("its brackets do not close")

    def _string_end(self, start: int, most_bytes: int) -> int:
        """The place behind the quote that ends the string whose content starts at `start`."""
        place = start
        while True:
            quote = self._text.find(b'"', place, start + most_bytes)
            if quote < 0:
                self.position = min(start + most_bytes, len(self._text))
                self.refuse("a string does not end, or is longer than any item")
            if self._backslashes_before(quote, start) % 2 == 0:
                return quote + 1
            place = quote + 1

    def _backslashes_before(self, end: int, start: int) -> int:
        """How many backslashes stand right before `end`, none of them before `start`."""
        looked_at = 16
        while True:
            piece = self._text[max(start, end - looked_at) : end]
            count = len(piece) - len(piece.rstrip(b"\\"))
            if count < len(piece) or end - looked_at <= start:
                return count
            looked_at *= 2


def _brackets(piece: bytes) -> tuple[bytes, int]:
    """The brackets outside of strings, and how long the piece is up to a string that does not end in it."""
    parts = piece.replace(rb"\\", b"__").replace(rb"\"", b"__").split(b'"')
    is_whole = len(parts) % 2 == 1
    outside = parts[::2] if is_whole else parts[:-1:2]
    length = len(piece) if is_whole else len(piece) - len(parts[-1]) - 1
    return b"".join(outside).translate(None, _NO_BRACKETS), length


def _unpaired(brackets: bytes) -> bytes:
    """Without the pairs in it, but for those that are nested deeper than any item."""
    for _ in range(_LEVELS):
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return brackets


def _closing(piece: bytes, depth: int) -> tuple[int, int]:
    """The depth after the piece, and 0 with the place behind the bracket where it becomes that."""
    for token in _TOKEN.finditer(piece):
        first = token.group()[:1]
        if first != b'"':
            depth += 1 if first in b"{[" else -1
            if depth == 0:
                return 0, token.end()
    return depth, len(piece)


def _breaks_off(err: JSONDecodeError, text: str) -> bool:
    """Whether more of the text might cure the error: it lies at the end, or in a string that goes on."""
    return err.pos >= len(text) - _LONGEST_WORD or err.msg.startswith("Unterminated string")
