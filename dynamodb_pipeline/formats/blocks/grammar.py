r"""
The grammar of compact item JSON as one regular expression: structure is checked without parsing.

Works on *quiet* text: no control characters, UTF-8, and the escapes `\\` and `\"` replaced by two bytes each that
JSON cannot hold. There every quote is part of the structure, so `"[^"]*"` is a string, and `"}},{"` inside a
string stays inside. Contents are not looked at: numbers, base64, sets and doubled names are as good as their
source. The pattern knows `LEVELS` levels of lists and maps; deeper items, white space between tokens and any
other tag do not match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dynamodb_pipeline.formats.items.tags import CONNECTOR_SPELLINGS, DYNAMODB_SPELLINGS, Spellings

LEVELS = 4

STRING = rb'"[^"]*"'
_ESCAPED_BACKSLASH, _ESCAPED_QUOTE = b"\x01\x02", b"\x01\x03"
# Surrogate pairs are left to the parser: halves of them are refused, and who writes UTF-8 escapes none.
_OTHER_ESCAPE = re.compile(rb"\\(?![/bfnrt]|u(?:[0-9a-cefA-CEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2})")
_WITHOUT_CONTROLS = bytes(0x3F if byte < 0x20 and byte != 0x0A else byte for byte in range(256))


@dataclass(frozen=True)
class TagNames:
    """One spelling of the type tags, as parts of a pattern."""

    scalars: bytes  # the letters of S, N and B
    sets: bytes  # SS, NS and BS
    flag: bytes
    null: bytes
    sequence: bytes  # the name of L
    mapping: bytes  # the name of M

    @classmethod
    def of(cls, spellings: Spellings) -> TagNames:
        """Those of a dialect; of its sets only the first letter is that of the scalar's tag."""
        scalars = "".join(spellings[tag][0] for tag in ("S", "N", "B"))
        return cls(
            scalars=scalars.encode(),
            sets=f"[{scalars}]{spellings['SS'][0][1:]}".encode(),
            flag=spellings["BOOL"][0].encode(),
            null="(?:{})".format("|".join(spellings["NULL"])).encode(),
            sequence=spellings["L"][0].encode(),
            mapping=spellings["M"][0].encode(),
        )


DYNAMODB = TagNames.of(DYNAMODB_SPELLINGS)
CONNECTOR = TagNames.of(CONNECTOR_SPELLINGS)


def quiet(text: bytes) -> bytes | None:
    """
    `text` with escaped backslashes and quotes replaced, for `item_pattern`; None when it is no clean JSON text.

    Line feeds stay, everything else below 0x20 is refused, as are invalid UTF-8 and escapes JSON does not have.
    """
    if text.translate(_WITHOUT_CONTROLS) != text or not _is_utf8(text):
        return None
    if b"\\" not in text:
        return text
    text = text.replace(rb"\\", _ESCAPED_BACKSLASH).replace(rb"\"", _ESCAPED_QUOTE)
    return None if _OTHER_ESCAPE.search(text) else text


def loud(text: bytes) -> bytes:
    """The JSON text that `quiet` made `text` of."""
    if b"\x01" not in text:
        return text
    return text.replace(_ESCAPED_QUOTE, rb"\"").replace(_ESCAPED_BACKSLASH, rb"\\")


def item_pattern(names: TagNames) -> bytes:
    """
    A pattern for one item in quiet text.

    Items with a map (or an item itself) whose *first* attribute is called like the map tag do not match: there
    `{"M":{` would not be a tag. Any other name is told from a tag by what follows it: `{"S":{` is a name.
    """
    return _map(_value(names, LEVELS), names, at_least_one=True)


def tag_pattern(names: TagNames) -> bytes:
    """A pattern for each type tag in quiet text that matches `item_pattern`, with the bytes around it."""
    return (
        rb'\{"(?:['
        + names.scalars
        + rb']":"|'
        + names.sets
        + rb'":\[|'
        + names.flag
        + rb'":[tf]|'
        + names.null
        + rb'":t|'
        + names.sequence
        + rb'":\[|'
        + names.mapping
        + rb'":\{)'
    )


def _value(names: TagNames, levels: int) -> bytes:
    flat = [
        b"[" + names.scalars + rb']":' + STRING,
        names.flag + rb'":(?:true|false)',
        names.null + rb'":true',
        names.sets + rb'":\[' + STRING + rb"(?:," + STRING + rb")*\]",
    ]
    if not levels:
        return rb'\{"(?:' + b"|".join(flat) + rb")\}"
    inner = _value(names, levels - 1)
    nested = [
        names.mapping + rb'":' + _map(inner, names, at_least_one=False),
        names.sequence + rb'":\[(?:' + inner + rb"(?:,(?=\{)|(?=\])))*\]",
    ]
    return rb'\{"(?:' + b"|".join(flat + nested) + rb")\}"


def _map(value: bytes, names: TagNames, *, at_least_one: bool) -> bytes:
    repeat = b"+" if at_least_one else b"*"
    members = rb"(?:" + STRING + b":" + value + rb'(?:,(?=")|(?=\})))' + repeat
    return rb'\{(?!"' + names.mapping + rb'":)' + members + rb"\}"


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
