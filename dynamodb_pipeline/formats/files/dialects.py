"""
The dialect of a data file and its lines as items.

Detected from content over several lines, never from a name; a file is of one dialect from end to end. What fits none
is refused, by name where it has one: a guess would load rubbish without a word.

The tags' first letter tells DynamoDB's own JSON (`S`) from the connector's (`s`, once is enough: some writers took
null or booleans from elsewhere), 0x03 tells Hive text, and the members tell a native export's `{"Item": {...}}` from
an item whose only attribute is called Item: the reading in which every value has one tag and content of that tag's
type. No line is whole in both, because only the content of `M` is an object, and below an `M` the two readings ask for
different things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.files.compression import Codec, codec_of
from dynamodb_pipeline.formats.files.file_forms import (
    FORMS,
    HIVE_SEPARATOR,
    DeleteRequestError,
    Dialect,
    TagCase,
    is_wrapped,
)
from dynamodb_pipeline.formats.files.foreign import (
    CODE_PAGE,
    COMPRESSED_TWICE,
    DELETE_REQUESTS,
    PLAIN_JSON,
    Foreign,
    FormatError,
    foreign_archive,
    foreign_bytes,
    foreign_container,
    foreign_message,
    foreign_object,
    foreign_text,
)
from dynamodb_pipeline.formats.files.text import LineError, PlainLines, Text
from dynamodb_pipeline.formats.items.item_error import ItemError, format_path
from dynamodb_pipeline.formats.items.json_text import JsonTextError
from dynamodb_pipeline.formats.items.long_text import LONG_TEXT_BYTES, parse_item_json
from dynamodb_pipeline.formats.items.tags import (
    CONNECTOR_SPELLINGS,
    DYNAMODB_SPELLINGS,
    LOWER_CASE_SPELLINGS,
    Spellings,
    dynamodb_tag,
    to_dynamodb,
)

__all__ = ["Dialect", "FormatError", "ItemLine", "detect", "parse_line", "read_items", "read_lines"]

SAMPLE_LINES = 25
SAMPLE_BYTES = 1 << 20  # of several long lines the first are enough
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

_Line = tuple[int, int, bytes]  # number, offset, text; in a document the item's


class ItemLine(NamedTuple):
    """One line of a data file, or one item of a document: `item`, or the `error` that says why there is none."""

    line: int
    offset_bytes: int
    text: bytes
    item: dict[str, Any] | None
    error: LineError | None
    noun: str = "line"


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


def read_lines(lines: Iterable[_Line], *, name: str, dialect: Dialect, noun: str = "line") -> Iterator[ItemLine]:
    """The same for `lines` of a file, or of a block of it; `noun` is what their numbers count. Raises what they do."""
    for number, offset_bytes, line in lines:
        try:
            yield ItemLine(number, offset_bytes, line, parse_line(line, dialect), None, noun)
        except DeleteRequestError as err:
            msg = f"{name}: {noun} {number} (byte {offset_bytes}) deletes; {foreign_message(DELETE_REQUESTS, name)}"
            raise FormatError(msg) from err
        except ItemError as err:
            path, reason = _explained(err, line, dialect)
            error = LineError(reason, name=name, line=number, offset_bytes=offset_bytes, path=path, noun=noun)
            yield ItemLine(number, offset_bytes, line, None, error, noun)


def parse_line(line: bytes, dialect: Dialect) -> dict[str, Any]:
    """
    The item of one line, tags in upper case, numbers as text.

    Raises:
        ItemError: malformed or not strict JSON, or tags that are unknown or of another dialect.
    """
    form = FORMS[dialect]
    try:
        attributes = form.reads(line)
        item = to_dynamodb(attributes)
    except JsonTextError as err:
        members = err.steps[form.item_steps :]
        raise ItemError(str(err), members[::2]) from err  # every other one is a tag
    except RecursionError:
        reason = "nested too deep"
        raise ItemError(reason) from None
    _check_case(attributes, dialect)
    return item


def line_dialect(line: bytes) -> Dialect | None:
    """
    The dialect in which `line` is a whole item that is not empty, None when there is none; there are never two.

    Variants are not told from their main dialect here: most lines fit all of them.
    """
    if len(line) > LONG_TEXT_BYTES and not _is_readable(line):
        return None
    return next((dialect for dialect in candidates(line) if _fits(line, dialect)), None)


def _is_readable(line: bytes) -> bool:
    """Whether a long line could be of any dialect at all: one look in place of one for each."""
    if Dialect.CONNECTOR in candidates(line):
        try:
            parse_item_json(line)
        except JsonTextError:
            return False
    return True


def candidates(line: bytes) -> list[Dialect]:
    """The dialects that a line may be of."""
    return [dialect for dialect, form in FORMS.items() if form.recognises and form.recognises(line)]


def likely_dialect(line: bytes) -> Dialect | None:
    """What a line with a damaged or invalid item was meant to be, by the tags it has; None when nothing tells."""
    try:
        tree = parse_item_json(line)
    except JsonTextError:
        return next((dialect for dialect in (Dialect.ION, Dialect.HIVE) if dialect in candidates(line)), None)
    if isinstance(tree, dict) and tree.keys() == {"PutRequest"}:
        return Dialect.PUT_REQUEST
    plain = _case_of_tags(tree)
    wrapped = _case_of_tags(tree["Item"]) if is_wrapped(tree) else None
    if plain is not None and wrapped is not None:
        return None
    return Dialect.NATIVE if wrapped is Dialect.DYNAMODB_JSON else plain


def detect(plain: Text, *, name: str = "data") -> Dialect:
    """
    The dialect of a plain data file, from its first lines.

    Lines that are whole items decide, and must agree. Only when none is whole do the tags decide, so that a damaged
    item is reported as that and not as a foreign file.

    Raises:
        FormatError: a foreign format (named, with its remedy), no known one, or two dialects in one file.
    """
    archive = foreign_archive(plain)
    if archive is not None:
        raise FormatError(foreign_message(archive, name))
    return common_dialect(first_lines(plain, name=name), plain=plain, name=name)


def first_lines(plain: Text, *, name: str = "data") -> list[_Line]:
    """The first few of a file, looked for beyond its beginning only where that has none. Raises as `PlainLines`."""
    beginning = plain[:SAMPLE_BYTES]
    whole = beginning if len(beginning) == len(plain) else beginning[: beginning.rfind(b"\n") + 1]
    return sampled(PlainLines(whole, name=name)) or sampled(PlainLines(plain, name=name))


def sampled(lines: Iterable[_Line]) -> list[_Line]:
    """The first few, and no more of them than memory has room for. Raises what they do."""
    sample: list[_Line] = []
    size_bytes = 0
    for line in lines:
        sample.append(line)
        size_bytes += len(line[2])
        if len(sample) == SAMPLE_LINES or size_bytes > SAMPLE_BYTES:
            break
    return sample


def common_dialect(lines: Sequence[_Line], *, plain: Text, name: str, noun: str = "line") -> Dialect:
    """The dialect that `lines` of `plain` have in common; raises as `detect`."""
    if not lines:
        return Dialect.EMPTY
    dialects = [(number, line_dialect(line)) for number, _, line in lines]
    if any(
        dialect is Dialect.CONNECTOR and _UPPER_CASE_TAG.search(line[2]) for (_, dialect), line in zip(dialects, lines)
    ):
        dialects = [(number, _ANY_CASE.get(dialect, dialect)) for number, dialect in dialects]
    dialect = _agreed(dialects, name, noun)
    if dialect is None:
        dialect = _likely(plain, lines, name, noun)
    return _precise(dialect, lines)


def _agreed(dialects: Sequence[tuple[int, Dialect | None]], name: str, noun: str) -> Dialect | None:
    first = next(((number, dialect) for number, dialect in dialects if dialect), None)
    if first is None:
        return None
    for number, dialect in dialects:
        if dialect not in {None, first[1]}:
            msg = (
                f"{name}: {noun} {first[0]} is {first[1].value}, {noun} {number} is "
                f"{dialect.value if dialect else None}; a file must be of one dialect: split it"
            )
            raise FormatError(msg)
    return first[1]


def _likely(plain: Text, lines: Sequence[_Line], name: str, noun: str) -> Dialect:
    foreign = _foreign(plain, lines[0][2], name)
    likely = next(filter(None, (likely_dialect(line) for _, _, line in lines)), None)
    if foreign is not None:
        raise FormatError(foreign_message(foreign, name))
    if likely is None:
        raise FormatError(_undecided(lines[0], name, noun))
    return likely


def _precise(dialect: Dialect, lines: Sequence[_Line]) -> Dialect:
    if dialect is not Dialect.CONNECTOR or any(_CONNECTOR_TAG.search(line) for _, _, line in lines):
        return dialect
    return Dialect.LOWER_CASE if any(_LOWER_CASE_TAG.search(line) for _, _, line in lines) else dialect


def _foreign(plain: Text, first_line: bytes, name: str) -> Foreign | None:
    if codec_of(plain, name=name) is not Codec.NONE:
        return COMPRESSED_TWICE
    is_item = lambda line: line_dialect(line) is not None  # noqa: E731
    foreign = foreign_container(plain) or foreign_bytes(plain, is_item=is_item) or foreign_text(plain)
    if foreign is not None:
        return foreign
    try:
        return foreign_object(parse_item_json(first_line))
    except JsonTextError:
        return None


def _undecided(first: _Line, name: str, noun: str) -> str:
    number, offset_bytes, line = first
    try:
        tree = parse_item_json(line)
    except JsonTextError as err:
        place = f"{format_path(err.steps)}: " if err.steps else ""
        what = "no 0x03 in it" if not line.startswith(b"{") and HIVE_SEPARATOR not in line else f"{place}{err}"
        return f"{name}: no known format of items; {noun} {number} (byte {offset_bytes}): {what}"
    if is_wrapped(tree):
        return f"{name}: Item on {noun} {number} may be a native export's member or an attribute; no line tells which"
    return foreign_message(PLAIN_JSON, name)


def _explained(err: ItemError, line: bytes, dialect: Dialect) -> tuple[str, str]:
    """Path and reason; a line that is a whole item of another dialect is called that."""
    if len(line) > LONG_TEXT_BYTES:
        return err.path, err.reason
    other = line_dialect(line)
    if other is None and foreign_bytes(line, is_item=lambda text: line_dialect(text) is dialect) is CODE_PAGE:
        return err.path, f"{err.reason}: the line is {CODE_PAGE.name}; {CODE_PAGE.through} converts it"
    if other is None or other is dialect:
        return err.path, err.reason
    return "", f"the line is {other.value}, the file is {dialect.value}"


def _fits(line: bytes, dialect: Dialect) -> bool:
    try:
        return bool(parse_line(line, dialect))
    except ItemError:
        return False


def _check_case(attributes: dict[str, Any], dialect: Dialect) -> None:
    """Refuse a line of DynamoDB's own tags among the connector's, and any other tag among DynamoDB's own."""
    case = FORMS[dialect].tag_case
    if case is TagCase.ANY:
        return
    upper = {name: tag for name, value in attributes.items() for tag in value if tag < "a"}
    wrong = attributes.keys() - upper.keys() if case is TagCase.UPPER else upper.keys()
    if wrong and (case is TagCase.UPPER or len(upper) == len(attributes)):
        name = next(name for name in attributes if name in wrong)
        reason = f"tag {next(iter(attributes[name]))} is not of {dialect.value}"
        raise ItemError(reason, (name,))


def _case_of_tags(tree: Any) -> Dialect | None:
    """DYNAMODB_JSON or CONNECTOR by the first value that has one tag and nothing else."""
    for value in tree.values() if isinstance(tree, dict) else ():
        if isinstance(value, dict) and len(value) == 1 and dynamodb_tag(tag := next(iter(value))):
            return Dialect.DYNAMODB_JSON if tag < "a" else Dialect.CONNECTOR
    return None
