"""
Lines of a data file on their way into a table, as the JSON a request body carries: block by block, without a parse
line by line.

`checked_puts` is for files nobody vouches for: the same verdict as parsing, converting, checking and encoding line by
line, in less than half the time. `known_puts` is for those whose items are known to be good. Both only say yes. None
means: go line by line, to know which line and why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import eq
from typing import Any, Callable, NamedTuple

from dynamodb_pipeline.formats.attribute_values import check_item
from dynamodb_pipeline.formats.dialect_lines import Dialect
from dynamodb_pipeline.formats.item_error import ItemError
from dynamodb_pipeline.formats.item_grammar import loud, quiet
from dynamodb_pipeline.formats.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.retag import connector_block_to_puts, upper_case_tags

_WRAPPER = b'{"Item":'
_UPPER_CASE_KEYS = (b'{"S":', b'{"N":', b'{"B":')


class Put(NamedTuple):
    """One item to write: its JSON with upper-case tags, its key's canonical bytes if a schema was given, its size."""

    json: bytes
    key: bytes | None
    size_bytes: int


def checked_puts(
    block: bytes,
    *,
    dialect: Dialect = Dialect.CONNECTOR,
    keys: KeySchema | None = None,
    index_keys: tuple[IndexKeys, ...] = (),
) -> list[Put] | None:
    """
    The puts of a block of lines, one for each, every rule of `check_item` kept.

    None when a line breaks a rule, is empty, or is not as `dialect`'s usual writer writes it. A block of some 100 KB
    is best: it is parsed as a whole, and declined as a whole.

    The connector's tags are renamed on bytes first, so there is one parse, no conversion and no encoding. The parse of
    the result proves the renaming: it must be an item of upper-case tags without an attribute `M` (which may have
    been `m`), and account for every quote of the text (or a name stood there twice).
    """
    lines = _put_lines(block, dialect)
    if lines is None:
        return None
    puts = [loud(line) for line in lines]
    try:
        items = _items(puts)
        facts = [check_item(item, keys=keys, index_keys=index_keys) for item in items]
        string_counts = [_strings_in_map(item) for item in items]
    except (ValueError, RecursionError):
        return None
    if string_counts != [line.count(b'"') / 2 for line in lines]:
        return None
    return [Put(json_text, fact.key, fact.size_bytes) for json_text, fact in zip(puts, facts)]


def known_puts(block: bytes, dialect: Dialect) -> list[bytes] | None:
    """
    The JSON of the puts of a block of which `checked_puts` has said yes, or of a file whose hash its export vouches
    for; None when lines must be parsed all the same.
    """
    if dialect is Dialect.CONNECTOR:
        return connector_block_to_puts(block)
    lines = _put_lines(block, dialect)
    return None if lines is None else [loud(line) for line in lines]


def _put_lines(block: bytes, dialect: Dialect) -> Sequence[bytes] | None:
    """Quiet text of each line with upper-case tags and without a wrapper."""
    text, to_lines = quiet(block), _TO_LINES.get(dialect)
    return None if text is None or to_lines is None else to_lines(text)


def _renamed(text: bytes) -> list[bytes] | None:
    """Lines with upper-case tags; None when one had no others: a line of DynamoDB's own JSON has no place here."""
    lines = upper_case_tags(text).splitlines()
    doubtful = any(tag in text for tag in _UPPER_CASE_KEYS)
    return None if doubtful and any(map(eq, lines, text.splitlines())) else lines


def _unwrapped(text: bytes) -> list[bytes] | None:
    """What is inside `{"Item":...}`; that it is one item and no more is for the parse to find."""
    lines = text.splitlines()
    if not all(line.startswith(_WRAPPER) and line.endswith(b"}") for line in lines):
        return None
    return [line[len(_WRAPPER) : -1] for line in lines]


_TO_LINES: dict[Dialect, Callable[[bytes], list[bytes] | None]] = {
    Dialect.CONNECTOR: _renamed,
    Dialect.DYNAMODB_JSON: bytes.splitlines,
    Dialect.NATIVE: _unwrapped,
}


def _items(puts: Sequence[bytes]) -> list[Any]:
    """
    One value a line. Raises ValueError for other lines.

    Each line stands in an array of its own: in a valid item no array is followed by a comma, so none can span lines.
    """
    return [item for (item,) in json.loads(b"[[" + b"],[".join(puts) + b"]]")] if puts else []


def _strings_in_map(members: Mapping[str, Any]) -> int:
    """JSON strings in the text of a valid item or map: names, tags and contents."""
    if "M" in members:
        reason = "an attribute with the name of a tag"
        raise ItemError(reason)
    return len(members) + _strings_in_values(members.values())


def _strings_in_values(values: Iterable[Mapping[str, Any]]) -> int:
    """JSON strings in the text of valid values: tags and contents. One loop, for it sees every value."""
    count = 0
    for value in values:
        for tag, content in value.items():  # one
            count += 1
            if content.__class__ is str:
                count += 1
            elif content.__class__ is dict:
                count += _strings_in_map(content)
            elif tag == "L":
                count += _strings_in_values(content)
            elif content.__class__ is list:
                count += len(content)
    return count
