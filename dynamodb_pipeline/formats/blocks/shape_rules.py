"""
DynamoDB's rules for many items of one shape: what they share is judged once, what differs column by column.

An item's size is that of its shape plus that of its contents, and the shape's names, tags and nesting are the same in
each. A column is one content in all the items of a block; equal contents in it are judged once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from dynamodb_pipeline.formats.blocks.grammar import loud
from dynamodb_pipeline.formats.blocks.shapes import contents
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import MAX_ITEM_BYTES, check_item, flat_size
from dynamodb_pipeline.formats.items.json_text import parse_json
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema

_QUOTE = ord('"')


class ShapeRules:
    """
    The rules for items of the shape of `example`, an item of quiet text with upper-case tags.

    Raises:
        ValueError: `example` breaks a rule.
    """

    def __init__(self, example: bytes) -> None:
        self._item = parse_json(loud(example))
        self._contents = contents(example)
        if not self._contents:
            reason = "an item without contents, so without a key"
            raise ItemError(reason)
        self._column_of = {c.attribute: number for number, c in enumerate(self._contents) if c.attribute is not None}
        content_sizes = (flat_size(c.tag, _value(c.text)) for c in self._contents)
        self._shared_bytes = check_item(self._item).size_bytes - sum(content_sizes)

    def facts(
        self, rows: Sequence[Sequence[bytes]], *, keys: KeySchema, index_keys: tuple[IndexKeys, ...], escapes: bool
    ) -> Iterable[tuple[bytes, int]]:
        """
        Key and size of each item, as `check_item` has them.

        Args:
            rows: the contents of each item, quiet JSON texts in their order.
            keys: the table's key.
            index_keys: those of its indexes.
            escapes: whether a content may hold a backslash or one of `quiet`'s replacements.

        Raises:
            ItemError: one of them breaks a rule.
        """
        columns = list(zip(*rows))
        sizes = [_sizes(content.tag, column, escapes=escapes) for content, column in zip(self._contents, columns)]
        totals = [sum(row, self._shared_bytes) for row in zip(*sizes)]
        if max(totals, default=0) > MAX_ITEM_BYTES:
            reason = f"an item has more than the {MAX_ITEM_BYTES} bytes DynamoDB takes"
            raise ItemError(reason)
        return zip(self._keys(columns, len(totals), keys, index_keys), totals)

    def _keys(
        self, columns: Sequence[Sequence[bytes]], count: int, keys: KeySchema, index_keys: tuple[IndexKeys, ...]
    ) -> Iterator[bytes]:
        """The canonical key of each item, from its key attributes alone; those of indexes are judged with it."""
        names = {*keys.names, *(attribute.name for index in index_keys for attribute in index.attributes)}
        present = {name: self._item[name] for name in names if name in self._item}
        read = [(name, self._contents[self._column_of[name]].tag) for name in present if name in self._column_of]
        texts = zip(*(columns[self._column_of[name]] for name, _ in read)) if read else [()] * count
        for row in texts:
            item = dict(present)
            for (name, tag), text in zip(read, row):
                item[name] = {tag: _value(text)}
            for index in index_keys:
                index.check(item)
            yield keys.key_of(item)


def _sizes(tag: str, column: Sequence[bytes], *, escapes: bool) -> Iterable[int]:
    if tag == "S" and not escapes:
        return [len(text) - 2 for text in column]
    size_of = {text: flat_size(tag, _value(text)) for text in set(column)}
    return map(size_of.__getitem__, column)


def _value(text: bytes) -> Any:
    """The value of a JSON text in quiet text."""
    if text[0] == _QUOTE and b"\\" not in text and b"\x01" not in text:
        return text[1:-1].decode()
    return json.loads(loud(text))


@lru_cache(maxsize=64)
def rules_of(example: bytes) -> ShapeRules | None:
    """The rules for a shape, None when its example breaks one: the line that does is for others to name."""
    try:
        return ShapeRules(example)
    except ValueError:
        return None
