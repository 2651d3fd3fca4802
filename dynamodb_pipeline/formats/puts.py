"""
Connector lines on their way into a table: judged, measured, and as the JSON a request body carries.

For files nobody vouches for. The same verdict as parsing, converting, checking and encoding line by line, in about
two thirds of the time; but it only says yes. None means: go line by line, to know which line and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.attribute_values import check_item
from dynamodb_pipeline.formats.item_error import ItemError
from dynamodb_pipeline.formats.item_grammar import loud, quiet
from dynamodb_pipeline.formats.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.retag import upper_case_tags


class Put(NamedTuple):
    """One item to write: its JSON with upper-case tags, its key's canonical bytes if a schema was given, its size."""

    json: bytes
    key: bytes | None
    size_bytes: int


def checked_puts(
    block: bytes, *, keys: KeySchema | None = None, index_keys: tuple[IndexKeys, ...] = ()
) -> list[Put] | None:
    """
    The puts of a block of connector lines, one for each, every rule of `check_item` kept.

    None when a line breaks a rule, is empty, or is not as the connector writes it. A block of some 100 KB is best: it
    is parsed as a whole, and declined as a whole.

    The tags are renamed on bytes first, so there is one parse, no conversion and no encoding. The parse of the
    result proves the renaming: it must be an item of upper-case tags without an attribute `M` (which may have
    been `m`), and account for every quote of the text (or a name stood there twice).
    """
    text = quiet(block)
    if text is None:
        return None
    lines = upper_case_tags(text).splitlines()
    puts = [loud(line) for line in lines]
    try:
        # Each line in an array of its own: in a valid item no array is followed by a comma, so none can span lines.
        items = [item for (item,) in json.loads(b"[[" + b"],[".join(puts) + b"]]")] if puts else []
        facts = [check_item(item, keys=keys, index_keys=index_keys) for item in items]
        string_counts = [_strings_in_map(item) for item in items]
    except (ValueError, RecursionError):
        return None
    if string_counts != [line.count(b'"') / 2 for line in lines]:
        return None
    return [Put(json_text, fact.key, fact.size_bytes) for json_text, fact in zip(puts, facts)]


def _strings_in_map(members: Mapping[str, Any]) -> int:
    """JSON strings in the text of a valid item or map: names, tags and contents."""
    if "M" in members:
        reason = "an attribute with the name of a tag"
        raise ItemError(reason)
    return 2 * len(members) + sum(map(_strings_in_content, members.values()))


def _strings_in_content(value: Mapping[str, Any]) -> int:
    """JSON strings in what stands under a value's tag."""
    (tag,) = value
    if tag in ("S", "N", "B"):
        return 1
    content = value[tag]
    if tag == "M":
        return _strings_in_map(content)
    if tag == "L":
        return len(content) + sum(map(_strings_in_content, content))
    return 0 if tag in ("BOOL", "NULL") else len(content)
