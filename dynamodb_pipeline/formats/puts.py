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
    """One item to write: its JSON with upper-case tags, its key's canonical bytes, its size in DynamoDB."""

    json: bytes
    key: bytes
    size_bytes: int


def checked_puts(block: bytes, *, keys: KeySchema, index_keys: tuple[IndexKeys, ...] = ()) -> list[Put] | None:
    """
    The puts of a block of connector lines, one for each, every rule of `check_item` kept.

    None when a line breaks a rule, is empty, or is not as the connector writes it.

    The tags are renamed on bytes first, so there is one parse, no conversion and no encoding. The parse of the
    result proves the renaming: it must be an item of upper-case tags without an attribute `M` (which may have
    been `m`), and hold as many members as the text (or a name stood there twice).
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
        counts = [_member_count(item) for item in items]
    except (ValueError, RecursionError):
        return None
    if counts != [line.count(b'":') for line in lines]:
        return None
    return [Put(json_text, fact.key or b"", fact.size_bytes) for json_text, fact in zip(puts, facts)]


def _member_count(members: Mapping[str, Any]) -> int:
    """JSON members in a valid item or map: attributes, their tags, and those within."""
    if "M" in members:
        reason = "an attribute with the name of a tag"
        raise ItemError(reason)
    return 2 * len(members) + sum(_inner_count(value) for value in members.values() if "M" in value or "L" in value)


def _inner_count(value: Mapping[str, Any]) -> int:
    if "M" in value:
        return _member_count(value["M"])
    return sum(1 + _inner_count(element) for element in value.get("L", ()))
