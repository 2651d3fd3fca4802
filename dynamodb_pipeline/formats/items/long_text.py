"""
Long texts of items in bounded memory.

What Python makes of a JSON text takes up to a hundred times its room, and one character beyond the usual makes four
bytes of each. A text that is longer than most is therefore read in pieces, of equal parts one is kept, and what is more
than any item can hold is refused while it is read.
"""

from __future__ import annotations

import re
from codecs import utf_8_decode
from collections.abc import Iterable
from json import JSONDecodeError, JSONDecoder
from sys import getsizeof
from typing import Any, Callable, NamedTuple, NoReturn

from dynamodb_pipeline.formats.items.json_text import (
    HALF_OF_PAIR,
    STRICT,
    STRICT_HOOKS,
    JsonTextError,
    RepeatedMemberError,
    decode_utf8,
    parse_json,
    refuse_lone_surrogates,
    refuse_repeated,
    scan_json,
    shape_of,
    steps_to_repeated,
    unique_members,
)
from dynamodb_pipeline.formats.items.tags import NumberLiteral

LONG_TEXT_BYTES = 1 << 20  # a longer text of an item is read in pieces
PIECE_BYTES = 1 << 16
LONGEST_STRING_BYTES = 6 * 409_600 + 2  # of 400 KB that an item has at most, each byte an escape: `\u0041`
# Of 400 KB Python makes most where they are 136,533 texts of two characters: 53 bytes each, 232 for the object around
# each (Python 3.9), 8 for its place in a list, or one binary as an object of its bytes. That is 40 MB.
MOST_HELD_BYTES = 44_000_000
# An item has at most 409,600 values, for each has a byte; around one are two objects and an array at most, and commas
# stand between values, elements of sets and bytes, or in texts, where each is a byte. Besides, dumps of SDKs have
# commas after members that are null: 2.2 million in the longest line, `"N":null,`.
_MOST_MARKS = {b"{": 850_000, b"[": 450_000, b",": 2_700_000}
TOO_MUCH = "more in it than an item of 400 KB can hold"
_SHARED = 4096  # equal texts and objects that are one in memory, at most
_SHARED_CHARS = 256
_SPACE = re.compile(r"[ \t\r\n]*")
MOST_LEVELS = 100  # of containers longer than a piece; an item has 32 levels of values, each an object in an object
_MEMBER_BYTES = 32  # of an object's table, for each member, beside what `_list_bytes` has for a value


def parse_item_json(data: bytes, *, most_bytes: int = LONG_TEXT_BYTES) -> Any:
    """
    The same for the text of an item: one longer than `most_bytes` is read in pieces, and takes no more memory than an
    item does.

    Raises:
        JsonTextError: as `parse_json`, or a long text with more in it than an item can hold.
    """
    return parse_json(data) if len(data) <= most_bytes else LongText(data).whole()


def refuse_crowded(data: bytes) -> None:
    """Raise JsonTextError for a long text that is seen at once to hold more than an item; the look takes no memory."""
    if any(data.count(mark) > most for mark, most in _MOST_MARKS.items()):
        raise JsonTextError(TOO_MUCH)


class _Broken(NamedTuple):
    """What stops the parser, and where in the piece: a mistake, or the piece's end."""

    what: str
    place: int


class LongText:
    """
    A JSON text that is parsed piece by piece: memory holds what it says, and of equal small parts only one.

    Nobody may change what is read here, for its parts are shared.

    Args:
        data: the text in UTF-8, or bytes that hold values between others.
        strict: as for `JSONDecoder`: control characters in strings are refused.
        piece_bytes: what is parsed at once; a value that is not longer is one piece.
        most_held_bytes: of memory that the values may take.
    """

    def __init__(
        self,
        data: bytes,
        *,
        strict: bool = True,
        piece_bytes: int = PIECE_BYTES,
        most_held_bytes: int = MOST_HELD_BYTES,
    ) -> None:
        self._data, self._piece_bytes, self._room_bytes = data, piece_bytes, most_held_bytes
        hooks = {
            **STRICT_HOOKS,
            "object_pairs_hook": self._pairs,
            "parse_int": self._number,
            "parse_float": self._number,
        }
        self._decode = JSONDecoder(strict=strict, **hooks).raw_decode
        self._texts: dict[str, str] = {}
        self._numbers: dict[str, NumberLiteral] = {}
        self._objects: dict[Any, dict[str, Any]] = {}
        self._depth, self._index = 0, 0
        refuse_crowded(data)
        self._look(0)

    def whole(self) -> Any:
        """
        The one value.

        Raises:
            JsonTextError: as `parse_item_json`.
        """
        value = self.value()
        if self.peek():
            msg = f"other text follows the JSON value (byte {self._place()})"
            raise JsonTextError(msg)
        return value

    def value(self) -> Any:
        """The value that comes next; raises as `whole`."""
        try:
            return self._value()
        except RecursionError:
            msg = "nested too deep"
            raise JsonTextError(msg) from None

    def next_character(self) -> str:
        """Pass the next character, white space or not; empty at the end."""
        if self._index == len(self._text) and not self._is_last:
            self._look(self._place())
        self._index += 1
        return self._text[self._index - 1 : self._index]

    def peek(self) -> str:
        """The next character that is no white space, empty at the end."""
        while True:
            self._index += len(_SPACE.match(self._text, self._index)[0])  # type: ignore[index] # it may be empty
            if self._index < len(self._text) or self._is_last:
                return self._text[self._index : self._index + 1]
            self._look(self._place())

    def took(self, character: str) -> bool:
        """Whether `character` comes next; then it is passed."""
        if self.peek() != character:
            return False
        self._index += 1
        return True

    def text_before(self, separator: str) -> str | None:
        """Pass the text up to `separator`, and that too; None where a whole piece has none."""
        for _ in range(2):
            end = self._text.find(separator, self._index)
            if end >= 0:
                text = self._text[self._index : end]
                self._index = end + 1
                return text
            self._look(self._place())
        return None

    def hold(self, size_bytes: int) -> None:
        """Count what is kept. Raises JsonTextError where that is more than an item can hold."""
        self._room_bytes -= size_bytes
        if self._room_bytes < 0:
            raise JsonTextError(TOO_MUCH)

    def _look(self, place: int) -> None:
        """Go on with the piece that starts at the byte `place`."""
        piece = self._data[place : place + self._piece_bytes]
        self._is_last = place + len(piece) >= len(self._data)
        try:
            self._text = utf_8_decode(piece, "strict", self._is_last)[0]
        except UnicodeDecodeError as err:
            msg = f"not UTF-8 (byte {place + err.start})"
            raise JsonTextError(msg) from err
        self._start, self._index = place, 0

    def _place(self, index: int | None = None) -> int:
        """The byte at which the character at `index`, or the next one, begins."""
        return self._start + len(self._text[: self._index if index is None else index].encode())

    def _value(self) -> Any:
        first = self.peek()
        error = self._decoded()
        if isinstance(error, _Broken) and self._index and not self._is_last:
            self._look(self._place())
            error = self._decoded()
        if not isinstance(error, _Broken):
            return error
        walk = {"{": self._object, "[": self._array, '"': self._string}.get(first)
        if walk is None or self._is_last:
            self._refuse(error.what, error.place)
        return walk()

    def _decoded(self) -> Any:
        """The value that comes next where it ends within the piece, else the error, for it may be cut."""
        start = self._index
        try:
            value, end = self._decode(self._text, start)
        except JSONDecodeError as err:
            return _Broken(shape_of(err.msg), err.pos)  # the error's frames would keep what is read so far
        except RepeatedMemberError as err:
            err.steps = steps_to_repeated(self._text[start:])
            raise
        if end == len(self._text) and not self._is_last and isinstance(value, NumberLiteral):
            return _Broken("a number of more digits than any", start)
        if HALF_OF_PAIR.search(self._text, start, end):
            refuse_lone_surrogates(value)
        self.hold(_list_bytes([value]))
        self._index = end
        return value

    def _array(self) -> list[Any]:
        self._index += 1
        elements: list[Any] = []
        if self.took("]"):
            return elements
        while True:
            elements.append(self._inside(len(elements)))
            if self.took("]"):
                return elements
            self._take(",")

    def _object(self) -> dict[str, Any]:
        self._index += 1
        members: dict[str, Any] = {}
        if self.took("}"):
            return members
        while True:
            if self.peek() != '"':
                self._refuse("Expecting property name enclosed in double quotes", self._index)
            name = self._value()
            if name in members:
                refuse_repeated([name, name])
            self._take(":")
            members[name] = self._inside(name)
            self.hold(_MEMBER_BYTES)
            if self.took("}"):
                return members
            self._take(",")

    def _inside(self, step: str | int) -> Any:
        """The value of a member or element."""
        self._depth += 1
        if self._depth > MOST_LEVELS:
            raise RecursionError
        try:
            value = self._value()
        except RepeatedMemberError as err:
            err.steps = (step, *err.steps)
            raise
        self._depth -= 1
        return value

    def _string(self) -> str:
        """A string that is longer than a piece, which begins with it."""
        end = self._data.find(b'"', self._start + 1, self._start + LONGEST_STRING_BYTES)
        while end >= 0 and _is_escaped(self._data, end):
            end = self._data.find(b'"', end + 1, self._start + LONGEST_STRING_BYTES)
        if end < 0:
            self._refuse("a string that does not end, or is longer than any item", 0)
        text, _ = scan_json(decode_utf8(self._data[self._start : end + 1]), 0, decoder=STRICT)
        self.hold(getsizeof(text))
        self._look(end + 1)
        return str(text)

    def _take(self, character: str) -> None:
        if not self.took(character):
            self._refuse(f"Expecting {character!r} delimiter", self._index)

    def _refuse(self, what: str, index: int) -> NoReturn:
        msg = f"malformed JSON: {what} (byte {self._place(index)})"
        raise JsonTextError(msg)

    # ---- what the parser hands over, before it is kept

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) == 1 and _may_be_shared(pairs[0][1]):
            shared: dict[str, Any] = self._shared(self._objects, pairs[0], dict)
            return shared
        members = unique_members(pairs)
        named = {self._shared(self._texts, name, str): value for name, value in members.items()}
        self.hold(getsizeof(named) + _list_bytes(members.values()))
        return named

    def _number(self, text: str) -> NumberLiteral:
        number: NumberLiteral = self._shared(self._numbers, text, NumberLiteral)
        return number

    def _shared(self, known: dict[Any, Any], part: Any, make: Callable[[Any], Any]) -> Any:
        """The equal one that is kept already, else what is made of `part`."""
        one = known.get(part)
        if one is None:
            one = make([part] if make is dict else part)
            self.hold(getsizeof(one) + (getsizeof(part[1]) if make is dict else 0))
            if len(known) < _SHARED:
                known[part] = one
        return one


def _may_be_shared(content: Any) -> bool:
    return content.__class__ is bool or (content.__class__ is str and len(content) <= _SHARED_CHARS)


def _list_bytes(values: Iterable[Any]) -> int:
    """Memory of values and their places, but of objects, each of which was counted when it was made."""
    size_bytes = 0
    for value in values:
        size_bytes += 9
        if value.__class__ is list:
            size_bytes += 56 + _list_bytes(value)
        elif value.__class__ is str:  # numbers were counted when they were made
            size_bytes += getsizeof(value)
    return size_bytes


def _is_escaped(data: bytes, place: int) -> bool:
    """Whether the quote at `place` has an odd number of backslashes before it."""
    start = place
    while data[start - 1 : start] == b"\\":
        start -= 1
    return (place - start) % 2 == 1
