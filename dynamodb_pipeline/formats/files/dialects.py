"""
The dialect of a data file and its lines as items.

Detected from content over several lines, never from a name; a file is of one dialect from end to end. What fits none
is refused, by name where it has one: a guess would load rubbish without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.files.compression import Codec, codec_of
from dynamodb_pipeline.formats.files.dialect_forms import HIVE_SEPARATOR, Dialect, is_wrapped
from dynamodb_pipeline.formats.files.dialect_lines import likely_dialect, line_dialect, parse_line
from dynamodb_pipeline.formats.files.foreign import (
    PLAIN_JSON,
    PRETTY_JSON,
    Foreign,
    FormatError,
    foreign_container,
    foreign_object,
)
from dynamodb_pipeline.formats.files.lines import MAX_LINE_BYTES, LineError, PlainLines
from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.formats.items.item_error import ItemError, format_path
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.tags import (
    CONNECTOR_SPELLINGS,
    DYNAMODB_SPELLINGS,
    LOWER_CASE_SPELLINGS,
    Spellings,
)

__all__ = ["Dialect", "FormatError", "ItemLine", "detect", "parse_line", "read_items", "read_lines"]

SAMPLE_LINES = 25
# How the content of each tag begins; that of M may follow an attribute's name as well.
_CONTENT_STARTS = {
    **dict.fromkeys(("S", "N", "B"), rb'["\d-]'),
    **dict.fromkeys(("SS", "NS", "BS", "L"), rb"\["),
    "BOOL": b"[tf]",
    "NULL": b"t",
}
_SPELLED_APART = ("SS", "NS", "BS", "BOOL", "NULL")  # by the connector and by tools around it


def _tag_members(spellings: Spellings, tags: Iterable[str]) -> bytes:
    """A pattern for any of these tags. In a JSON string each quote has a backslash before it: it matches no text."""
    return b"|".join(
        rb'"%b"\s*:\s*%b' % (written.encode(), _CONTENT_STARTS[tag]) for tag in tags for written in spellings[tag]
    )


_LOWER_CASE_TAG = re.compile(_tag_members(LOWER_CASE_SPELLINGS, _SPELLED_APART))
_UPPER_CASE_TAG = re.compile(rb"\{\s*(?:%b)" % _tag_members(DYNAMODB_SPELLINGS, _CONTENT_STARTS))
_CONNECTOR_TAG = re.compile(_tag_members(CONNECTOR_SPELLINGS, _SPELLED_APART))
_ANY_CASE: dict[Dialect | None, Dialect] = {
    Dialect.CONNECTOR: Dialect.MIXED_CASE,
    Dialect.DYNAMODB_JSON: Dialect.MIXED_CASE,
}

_Line = tuple[int, int, bytes]


class ItemLine(NamedTuple):
    """One line of a data file: `item`, or the `error` that says why there is none."""

    line: int
    offset_bytes: int
    text: bytes
    item: dict[str, Any] | None
    error: LineError | None


def read_items(plain: bytes, *, name: str, dialect: Dialect | None = None) -> Iterator[ItemLine]:
    """
    Every line of a data file that is not blank, as an item or as an error.

    Args:
        plain: the file's text, decompressed.
        name: the object's address, for messages.
        dialect: as `detect` says when it is not given.

    Raises:
        FormatError: as `detect`.
        LineError: a line longer than any item; nothing after it can be read.
    """
    dialect = dialect or detect(plain, name=name)
    return read_lines(PlainLines(plain, name=name), name=name, dialect=dialect)


def read_lines(lines: PlainLines, *, name: str, dialect: Dialect) -> Iterator[ItemLine]:
    """The same for `lines` of a file, or of a block of it. Raises LineError as `read_items`."""
    for number, offset_bytes, line in lines:
        try:
            yield ItemLine(number, offset_bytes, line, parse_line(line, dialect), None)
        except ItemError as err:
            path, reason = _explained(err, line, dialect)
            error = LineError(reason, name=name, line=number, offset_bytes=offset_bytes, path=path)
            yield ItemLine(number, offset_bytes, line, None, error)


def detect(plain: Text, *, name: str = "data") -> Dialect:
    """
    The dialect of a plain data file, from its first lines.

    Lines that are whole items decide, and must agree. Only when none is whole do the tags decide, so that a damaged
    item is reported as that and not as a foreign file.

    Raises:
        FormatError: a foreign format (named, with its remedy), no known one, or two dialects in one file.
    """
    lines = list(islice(PlainLines(plain, name=name), SAMPLE_LINES))
    if not lines:
        return Dialect.EMPTY
    dialects = [(number, line_dialect(line)) for number, _, line in lines]
    if any(
        dialect is Dialect.CONNECTOR and _UPPER_CASE_TAG.search(line[2]) for (_, dialect), line in zip(dialects, lines)
    ):
        dialects = [(number, _ANY_CASE.get(dialect, dialect)) for number, dialect in dialects]
    dialect = _agreed(dialects, name)
    if dialect is None:
        dialect = _likely(plain, lines, name)
    return _precise(dialect, lines)


def _agreed(dialects: Sequence[tuple[int, Dialect | None]], name: str) -> Dialect | None:
    first = next(((number, dialect) for number, dialect in dialects if dialect), None)
    if first is None:
        return None
    for number, dialect in dialects:
        if dialect not in {None, first[1]}:
            msg = (
                f"{name}: line {first[0]} is {first[1].value}, line {number} is {dialect.value if dialect else None};"
                " a file must be of one dialect: split it"
            )
            raise FormatError(msg)
    return first[1]


def _likely(plain: Text, lines: Sequence[_Line], name: str) -> Dialect:
    foreign = _foreign(plain, lines[0][2], name)
    likely = next(filter(None, (likely_dialect(line) for _, _, line in lines)), None)
    if foreign is not None:
        msg = f"{name} is {foreign}"
        raise FormatError(msg)
    if likely is None:
        raise FormatError(_undecided(lines[0], name))
    return likely


def _precise(dialect: Dialect, lines: Sequence[_Line]) -> Dialect:
    if dialect is not Dialect.CONNECTOR or any(_CONNECTOR_TAG.search(line) for _, _, line in lines):
        return dialect
    return Dialect.LOWER_CASE if any(_LOWER_CASE_TAG.search(line) for _, _, line in lines) else dialect


def _foreign(plain: Text, first_line: bytes, name: str) -> Foreign | None:
    if codec_of(plain, name=name) is not Codec.NONE:
        return Foreign("data compressed twice", "decompress it once more")
    container = foreign_container(plain)
    if container is not None:
        return container
    try:
        return foreign_object(parse_json(first_line))
    except JsonTextError:
        return PRETTY_JSON if _is_one_json(plain) else None


def _is_one_json(plain: Text) -> bool:
    try:
        return len(plain) <= MAX_LINE_BYTES and isinstance(parse_json(plain[:]), dict)
    except JsonTextError:
        return False


def _undecided(first: _Line, name: str) -> str:
    number, offset_bytes, line = first
    try:
        tree = parse_json(line)
    except JsonTextError as err:
        place = f"{format_path(err.steps)}: " if err.steps else ""
        what = "no 0x03 in it" if not line.startswith(b"{") and HIVE_SEPARATOR not in line else f"{place}{err}"
        return f"{name}: no known format of items; line {number} (byte {offset_bytes}): {what}"
    if is_wrapped(tree):
        return f"{name}: Item on line {number} may be a native export's member or an attribute; no line tells which"
    return f"{name} is {PLAIN_JSON}"


def _explained(err: ItemError, line: bytes, dialect: Dialect) -> tuple[str, str]:
    """Path and reason; a line that is a whole item of another dialect is called that."""
    other = line_dialect(line)
    if other is None or other is dialect:
        return err.path, err.reason
    return "", f"the line is {other.value}, the file is {dialect.value}"
