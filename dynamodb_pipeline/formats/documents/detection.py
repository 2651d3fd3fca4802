"""How a data file is written: its layout by what its text begins with, its dialect by its first items."""

from __future__ import annotations

from collections.abc import Iterator

from dynamodb_pipeline.formats.documents.cursor import BrokenJsonError, JsonCursor
from dynamodb_pipeline.formats.documents.items import NO_TABLE, DocumentItems
from dynamodb_pipeline.formats.files.dialects import common_dialect, detect, first_lines, sampled
from dynamodb_pipeline.formats.files.file_forms import HIVE_SEPARATOR, LAYOUTS, Dialect, FileForm, Layout, WantedTable
from dynamodb_pipeline.formats.files.foreign import FormatError
from dynamodb_pipeline.formats.files.text import Text, pieces
from dynamodb_pipeline.formats.items.tags import dynamodb_tag

NAMED_TABLES = 5
MEMBERS_TRIED = 1000  # of an object, for one that holds items
_LIST_TAGS = ("L", "SS", "NS", "BS")
_REQUESTS = ("PutRequest", "DeleteRequest")


def detect_form(plain: Text, *, name: str = "data", wanted: WantedTable | None = None) -> FileForm:
    """
    How a plain data file is written.

    Args:
        plain: the file's text, decompressed.
        name: the object's address, for messages.
        wanted: whose items are taken of a file that names tables; None for those of all.

    Raises:
        FormatError: as `detect`, or a file of several tables and not of the wanted one.
        LineError: a line longer than any item, or a document that is malformed before its first items end.
    """
    if not JsonCursor(plain).peek():
        return FileForm(Dialect.EMPTY)
    layout = layout_of(plain, name=name)
    if layout is Layout.LINES:
        return FileForm(detect(plain, name=name))
    named = wanted if LAYOUTS[layout].names_tables else None
    table = None if named is None else _chosen(plain, layout, name=name, wanted=named)
    sample = sampled(_first_items(DocumentItems(plain, layout, name=name, table=table)))
    return FileForm(common_dialect(sample, plain=plain, name=name, noun="item"), layout, table)


def layout_of(plain: Text, *, name: str = "data") -> Layout:
    """
    The layout of a plain data file; LINES too where it is none that holds items.

    Raises:
        LineError: a line longer than any item.
    """
    cursor = JsonCursor(plain)
    first, start = cursor.peek(), cursor.position
    if first == b"[":
        return _array_or_lines(plain, start)
    if first != b"{":
        return Layout.LINES
    layout = _envelope(plain, start) or _by_first_object(plain, start)
    if layout is not None:
        return layout
    several = any(_objects_in(line) > 1 for _, _, line in first_lines(plain, name=name))
    return Layout.OBJECTS if several else Layout.LINES


def _array_or_lines(plain: Text, start: int) -> Layout:
    cursor = JsonCursor(plain)
    cursor.position = start + 1
    if cursor.peek() not in (b"{", b"]"):
        return Layout.LINES
    first_line = plain[start : start + (1 << 16)].partition(b"\n")[0]
    return Layout.LINES if HIVE_SEPARATOR in first_line else Layout.ARRAY


def _by_first_object(plain: Text, start: int) -> Layout | None:
    """
    OBJECTS where the first ends on another line than it begins on, or something follows it on its own; LINES where
    there is none; None where it is alone on its line.
    """
    cursor = JsonCursor(plain)
    cursor.position = start
    try:
        end = cursor.value_end()
    except BrokenJsonError:
        return Layout.LINES
    if plain.find(b"\n", start, end) >= 0:
        return Layout.OBJECTS
    cursor.position = end
    follows = cursor.peek()
    if not follows or any(b"\n" in piece for piece in pieces(plain, start=end, end=cursor.position)):
        return None
    return Layout.OBJECTS if follows in (b"{", b",") else Layout.LINES


def _objects_in(line: bytes) -> int:
    """How many JSON objects stand on a line, one after the other; 0 where anything else does."""
    cursor, count = JsonCursor(line), 0
    try:
        while cursor.peek():
            cursor.position = cursor.value_end()
            cursor.took(b",")
            count += 1
    except BrokenJsonError:
        return 0
    return count


def _envelope(plain: Text, start: int) -> Layout | None:
    """The layout of an object that is no item and holds arrays of items; None for every other."""
    cursor = JsonCursor(plain)
    cursor.position = start + 1
    try:
        for _ in range(MEMBERS_TRIED):
            if cursor.peek() != b'"':
                break
            name = cursor.member()
            layout = _layout_of_member(cursor, name)
            if layout is not None:
                return layout if layout is not Layout.LINES else None
            cursor.skip_value()
            cursor.took(b",")
    except BrokenJsonError:
        return None
    return None


def _layout_of_member(cursor: JsonCursor, name: str) -> Layout | None:
    """The layout that a member of the outermost object tells, LINES for an item's attribute; None goes on."""
    first = cursor.peek()
    if first == b"{" and name == "Responses" and _is_of_tables(cursor):
        return Layout.RESPONSES
    if first == b"{":
        return Layout.LINES if _is_tag(_first_name(cursor)) else None
    if first != b"[":
        return None
    if name == "Items":
        return Layout.SCAN
    if name == "DataModel":
        return Layout.MODEL
    return Layout.REQUESTS if _first_name(cursor, depth=2) in _REQUESTS else None


def _first_name(cursor: JsonCursor, *, depth: int = 1) -> str | None:
    """The name of the first member of the object at the cursor, or `depth` brackets inside; the cursor stays."""
    start = cursor.position
    try:
        for _ in range(depth):
            cursor.peek()
            cursor.position += 1
        return cursor.text_value() if cursor.peek() == b'"' else None
    finally:
        cursor.position = start


def _is_of_tables(cursor: JsonCursor) -> bool:
    """Whether the object at the cursor has an array that no tag would have, as no name of a table is one."""
    start = cursor.position
    try:
        cursor.position += 1
        return cursor.peek() == b'"' and cursor.member().upper() not in _LIST_TAGS and cursor.peek() == b"["
    finally:
        cursor.position = start


def _is_tag(name: str | None) -> bool:
    return name is not None and dynamodb_tag(name) is not None


def _first_items(document: DocumentItems) -> Iterator[tuple[int, int, bytes]]:
    for _ in document:
        yield from document.one_by_one()


def _chosen(plain: Text, layout: Layout, *, name: str, wanted: WantedTable) -> str | None:
    """Which of the file's tables is meant, None for the only one."""
    walk = DocumentItems(plain, layout, name=name, table=NO_TABLE)
    for _ in walk:
        pass
    tables = list(walk.passed_over)
    if wanted.strictly or wanted.name in tables:
        return wanted.name
    if len(tables) < 2:
        return None
    more = f" and {len(tables) - NAMED_TABLES} more" if len(tables) > NAMED_TABLES else ""
    named = ", ".join(map(repr, tables[:NAMED_TABLES])) + more
    msg = f"{name} holds items of tables {named}, none of {wanted.name!r}; --from-table NAME takes those of one of them"
    raise FormatError(msg)
