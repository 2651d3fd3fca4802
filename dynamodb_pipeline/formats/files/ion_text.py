"""
One line of DynamoDB's native export in Amazon Ion: `$ion_1_0 {Item:{name:value, ...}}`.

A strict reader of the text that DynamoDB writes ("Table export output format" in its developer guide), and of no more
of Ion: what has no place there (symbol tables, floats, timestamps, s-expressions, clobs, comments, other annotations)
is refused and not guessed. A value becomes the tagged value that DynamoDB's own JSON has for it.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from typing import Any, NoReturn

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import MAX_ITEM_BYTES
from dynamodb_pipeline.formats.items.json_text import JsonTextError, decode_utf8
from dynamodb_pipeline.formats.items.long_text import LONG_TEXT_BYTES, PIECE_BYTES, TOO_MUCH

VERSION_MARKER = b"$ion_1_0"

_SPACE = re.compile(r"[ \t\r]*")
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_SYMBOL_ID = re.compile(r"\$[0-9]+")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]*)?(?:[dD]([-+]?[0-9]+))?")
_BEHIND_A_SCALAR = frozenset(" \t\r,]}")
_PLAIN = {quote: re.compile(rf"[^{quote}\\\x00-\x08\n\x0e-\x1f]*") for quote in ('"', "'")}
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")
_ESCAPES = {
    **{"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "v": "\v"},
    **{character: character for character in "\"'?\\/"},
}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9a-fA-F]+")
_SETS = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}
_ELEMENT_OF = {"SS": "S", "NS": "N", "BS": "B"}
_WORDS: dict[str, dict[str, Any]] = {"true": {"BOOL": True}, "false": {"BOOL": False}, "null": {"NULL": True}}
_BEYOND_ASCII = bytes(range(0x80, 0x100))
_SHARED = 4096  # values of a long line that are one where they are equal, at most
_FIXED_BYTES = {"BOOL": 2, "NULL": 2, "N": 3, "L": 4, "M": 4}  # with the one of the element, or of the name
_LAST_CHARACTER = 0x10FFFF


def parse_ion_line(line: bytes, *, most_bytes: int = LONG_TEXT_BYTES) -> dict[str, Any]:
    """
    Attribute names to their tagged values; of a line longer than `most_bytes` in no more memory than an item takes.

    Raises:
        ItemError: not UTF-8, no version marker, not the one member Item, a member twice, or anything in it that
            DynamoDB does not write.
    """
    try:
        if len(line) > most_bytes:
            return _LongIonLine(_ascii(line)).item()
        text = decode_utf8(line)
    except JsonTextError as err:
        raise ItemError(str(err)) from err
    return _IonLine(text).item()


def _ascii(line: bytes) -> str:
    """The text with characters beyond ASCII as escapes, which they are only in quotes: one takes four bytes of each."""
    if line.isascii():
        return line.decode("ascii")
    if len(line) - len(line.translate(None, _BEYOND_ASCII)) > MAX_ITEM_BYTES:
        raise JsonTextError(TOO_MUCH)
    decoder = getincrementaldecoder("utf-8")()
    starts = range(0, len(line), PIECE_BYTES)
    try:
        parts = [
            decoder.decode(line[start : start + PIECE_BYTES], start + PIECE_BYTES >= len(line)) for start in starts
        ]
    except UnicodeDecodeError as err:
        reason = "not UTF-8"
        raise JsonTextError(reason) from err
    return b"".join(part.encode("ascii", "backslashreplace") for part in parts).decode("ascii")


class _IonLine:
    """A line and how far it is read."""

    def __init__(self, text: str) -> None:
        self._text, self._position = text, 0

    def item(self) -> dict[str, Any]:
        marker = VERSION_MARKER.decode()
        if not self._text.startswith(marker) or self._text[len(marker) : len(marker) + 1] not in (" ", "\t", "{"):
            self._refuse(f"the line does not begin with {marker}")
        self._position = len(marker)
        self._take("{")
        if self._name() != "Item":
            self._refuse("a native export's line is a struct with the one member Item")
        self._take(":")
        self._take("{", but_not="{{")
        members = self._members()
        self._take("}")
        if self._peek():
            self._refuse("other text follows the struct")
        return members

    def _value(self) -> dict[str, Any]:
        first = self._peek()
        if first == '"':
            return {"S": self._quoted('"')}
        if first == "{":
            if self._text.startswith("{{", self._position):
                return {"B": self._blob()}
            self._position += 1
            return {"M": self._members()}
        if first == "[":
            self._position += 1
            return {"L": self._elements()}
        if first == "-" or first.isdigit():
            return {"N": self._number()}
        return self._word()

    def _members(self) -> dict[str, Any]:
        """The members of a struct whose brace is passed."""
        members: dict[str, Any] = {}
        if self._took("}"):
            return members
        while True:
            name = self._name()
            if name in members:
                reason = "attribute stands there twice"
                raise ItemError(reason, (name,))
            self._take(":")
            try:
                members[name] = self._value()
            except ItemError as err:
                raise err.within(name) from None
            if self._took("}"):
                return members
            self._take(",")

    def _elements(self) -> list[dict[str, Any]]:
        """The elements of a list whose bracket is passed."""
        elements: list[dict[str, Any]] = []
        if self._took("]"):
            return elements
        while True:
            try:
                elements.append(self._value())
            except ItemError as err:
                raise err.within(len(elements)) from None
            if self._took("]"):
                return elements
            self._take(",")

    def _word(self) -> dict[str, Any]:
        """`null`, `true`, `false`, or the annotation that makes a list a set."""
        match = _IDENTIFIER.match(self._text, self._position)
        word = match[0] if match else ""
        if word in _WORDS:
            self._position += len(word)
            self._check_end()
            return dict(_WORDS[word])
        if word in _SETS and self._text.startswith("::", self._position + len(word)):
            self._position += len(word) + 2
            self._take("[")
            return self._set(_SETS[word])
        self._refuse("a value that DynamoDB does not write")

    def _set(self, tag: str) -> dict[str, Any]:
        elements = self._elements()
        for number, element in enumerate(elements):
            if element.keys() != {_ELEMENT_OF[tag]}:
                reason = f"an element of another type in a set ({tag})"
                raise ItemError(reason, (number,))
        return {tag: [element[_ELEMENT_OF[tag]] for element in elements]}

    def _number(self) -> str:
        match = _NUMBER.match(self._text, self._position)
        if match is None:
            self._refuse("a number expected")
        self._position = match.end()
        self._check_end()
        whole, fraction, exponent = match.groups()
        digits = whole + (fraction if fraction and fraction != "." else "")
        return digits if exponent is None else f"{digits}E{exponent}"

    def _check_end(self) -> None:
        """Refuse what makes another kind of value of the one that ends here: a float, a timestamp, `null.string`."""
        if self._text[self._position : self._position + 1] not in _BEHIND_A_SCALAR:
            self._refuse("a value that DynamoDB does not write")

    def _blob(self) -> str:
        self._position += 2
        self._peek()
        match = _BASE64.match(self._text, self._position)
        assert match is not None  # it may be empty
        self._position = match.end()
        self._peek()
        if not self._text.startswith("}}", self._position):
            self._refuse("base64 expected between {{ and }}")
        self._position += 2
        return match[0]

    def _name(self) -> str:
        """The name of a member: an identifier, or a symbol or text in quotes."""
        first = self._peek()
        if first in ('"', "'"):
            if self._text.startswith("'''", self._position):
                self._refuse("a long text, which DynamoDB does not write")
            return self._quoted(first)
        match = _IDENTIFIER.match(self._text, self._position)
        if match is None or match[0] in (*_WORDS, "nan") or _SYMBOL_ID.fullmatch(match[0]):
            self._refuse("a member's name expected")
        self._position = match.end()
        return match[0]

    def _quoted(self, quote: str) -> str:
        """The text between quotes; the position is at the first."""
        self._position += 1
        parts: list[str] = []
        while True:
            match = _PLAIN[quote].match(self._text, self._position)
            assert match is not None  # it may be empty
            parts.append(match[0])
            self._position = match.end()
            following = self._text[self._position : self._position + 1]
            self._position += 1
            if following == quote:
                return parts[0] if len(parts) == 1 else self._characters("".join(parts))
            if following != "\\":
                self._position -= 1
                self._refuse("a text that does not end, or holds a control character")
            parts.append(self._escaped())

    def _escaped(self) -> str:
        letter = self._text[self._position : self._position + 1]
        self._position += 1
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        digits = self._text[self._position : self._position + _HEX_DIGITS.get(letter, 0)]
        if not _HEX.fullmatch(digits) or len(digits) != _HEX_DIGITS[letter] or int(digits, 16) > _LAST_CHARACTER:
            self._refuse("an escape that Ion does not have")
        self._position += len(digits)
        return chr(int(digits, 16))

    def _characters(self, text: str) -> str:
        """The text with pairs of surrogates as the characters they stand for."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._refuse("a lone surrogate, which is no character (\\ud800 to \\udfff without its partner)")

    def _peek(self) -> str:
        """The next character that is no white space, with the position moved there; empty at the end."""
        match = _SPACE.match(self._text, self._position)
        assert match is not None  # it may be empty
        self._position = match.end()
        return self._text[self._position : self._position + 1]

    def _took(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._position += 1
        return True

    def _take(self, character: str, *, but_not: str = "\n") -> None:
        if self._peek() != character or self._text.startswith(but_not, self._position):
            self._refuse(f"{character} expected")
        self._position += 1

    def _refuse(self, reason: str) -> NoReturn:
        place = len(self._text[: self._position].encode("utf-8", "surrogatepass"))
        message = f"malformed Ion: {reason} (byte {place})"
        raise ItemError(message)


class _LongIonLine(_IonLine):
    """The same of a long line: equal short values are one, and what is larger than any item is refused on the way."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._room_bytes = MAX_ITEM_BYTES
        self._known: dict[tuple[str, Any], dict[str, Any]] = {}

    def _value(self) -> dict[str, Any]:
        value = super()._value()
        ((tag, content),) = value.items()
        self._room_bytes -= _least_bytes(tag, content)
        if self._room_bytes < 0:
            self._refuse(TOO_MUCH)
        if tag not in ("S", "N", "B", "BOOL", "NULL"):
            return value
        shared = self._known.get((tag, content))
        if shared is None:
            shared = value
            if len(self._known) < _SHARED:
                self._known[tag, content] = value
        return shared


def _least_bytes(tag: str, content: Any) -> int:
    """How much a value adds to an item's size at least, its place included and what is nested in it left out."""
    if tag in _FIXED_BYTES:
        return _FIXED_BYTES[tag]
    return 1 + (len(content) * 3 // 4 - 2 if tag == "B" else len(content))
