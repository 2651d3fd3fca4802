"""
The shape of an item: its names, types and nesting in their order, without the contents.

Items of one table mostly have one shape, or a few. A pattern made of it matches an item several times faster than the
grammar does and hands over the contents, which a template then sets between renamed tags. Nothing is
guessed: a shape is made of an item the grammar has matched, so whatever matches the shape matches the grammar too.

DynamoDB's rules for many items of one shape: what they share is judged once, what differs column by column. An item's
size is that of its shape plus that of its contents, and the shape's names, tags and nesting are the same in each. A
column is one content in all the items of a block; equal contents in it are judged once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.blocks.grammar import STRING, loud
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import MAX_ITEM_BYTES, check_item, flat_size
from dynamodb_pipeline.formats.items.json_text import parse_json
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.formats.items.tags import CONNECTOR_SPELLINGS, DYNAMODB_SPELLINGS

MAX_SHAPES = 16  # of a table with more, the rest go by the grammar: compiling costs as much as a page saves

_NULL_TAGS = frozenset(
    b'"%b":' % tag.encode() for spellings in (DYNAMODB_SPELLINGS, CONNECTOR_SPELLINGS) for tag in spellings["NULL"]
)
_QUOTE = ord('"')
_OWN_LEVEL = 2  # inside the item and inside a value
_NAMES = re.compile(rb'"[^"]*":')  # tags too; of items of several shapes they mostly differ
_TOKEN = re.compile(rb'"[^"]*":?|\["[^"]*"(?:,"[^"]*")*\]|true|false|[{}\[\],]')


class Shape(NamedTuple):
    """
    A pattern and what to make of its groups.

    Groups: the item's first bracket, its contents, an item of another shape, and what is no item. `template`
    takes them all; the last two are empty when the first is not. `example` is an item of this shape, renamed.
    """

    pattern: re.Pattern[bytes]
    template: bytes
    example: bytes


class Content(NamedTuple):
    """One of the contents of an item: the attribute whose whole value it is, its tag, its text in quiet JSON."""

    attribute: str | None
    tag: str
    text: bytes


class Shapes:
    """
    The shapes seen so far in texts of one grammar, each with the template of one renaming.

    Args:
        items: the pattern of one item and its `separator`, or else all that follows; each of the two is a group.
        separator: the pattern of what stands between two items.
        rename: an item with its tags renamed.
    """

    def __init__(self, items: re.Pattern[bytes], separator: bytes, rename: Callable[[bytes], bytes]) -> None:
        self._items = items
        self._separator = separator
        self._rename = rename
        self._known: dict[bytes, Shape] = {}
        self._last: Shape | None = None

    def of(self, text: bytes) -> Shape | None:
        """The shape of the first two items of quiet `text`; None when they differ, or too many shapes are known."""
        if self._last is None or not _first_two(self._last.pattern, text):
            self._last = self._derived(text)
        return self._last

    def _derived(self, text: bytes) -> Shape | None:
        two = _first_two(self._items, text)
        if two is None or _NAMES.findall(two[0]) != _NAMES.findall(two[1]):
            return None
        source = _pattern(two[0])
        if source != _pattern(two[1]):
            return None
        if source not in self._known and len(self._known) < MAX_SHAPES:
            self._known[source] = self._learn(source, two[0])
        return self._known.get(source)

    def _learn(self, source: bytes, item: bytes) -> Shape:
        pattern = re.compile(source + self._separator + b"|" + self._items.pattern)
        example = self._rename(item)
        return Shape(pattern, _template(example) + b"\n%b%b", example)


def contents(item: bytes) -> tuple[Content, ...]:
    """The contents of an item of quiet text the grammar has matched, as the groups of its shape have them."""
    groups = []
    level, attribute = 0, b""
    tokens = _TOKEN.findall(item)
    for before, token in zip(tokens, tokens[1:]):
        level += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(before, 0)
        if level == 1 and token.endswith(b":"):
            attribute = token[:-1]
        elif _is_content(token, before):
            groups.append(Content(_text(attribute) if level == _OWN_LEVEL else None, _text(before[:-1]), token))
    return tuple(groups)


def _first_two(pattern: re.Pattern[bytes], text: bytes) -> tuple[bytes, bytes] | None:
    """The first group of the first two matches, None unless both have one."""
    first = pattern.match(text)
    second = first and pattern.match(text, first.end())
    return (first[1], second[1]) if first and second and first[1] and second[1] else None


def _pattern(item: bytes) -> bytes:
    tokens = _TOKEN.findall(item)
    return rb"(\{)" + b"".join(_token_pattern(token, before) for before, token in zip(tokens, tokens[1:]))


def _token_pattern(token: bytes, before: bytes) -> bytes:
    if not _is_content(token, before):
        return re.escape(token)
    if token.startswith(b"["):
        return rb"(\[" + STRING + b"(?:," + STRING + rb")*\])"
    return b"(" + STRING + b")" if token.startswith(b'"') else b"(true|false)"


def _template(item: bytes) -> bytes:
    tokens = _TOKEN.findall(item)
    literal = (b"%b" if _is_content(t, before) else t.replace(b"%", b"%%") for before, t in zip(tokens, tokens[1:]))
    return b"%b" + b"".join(literal)


def _is_content(token: bytes, before: bytes) -> bool:
    """Whether a token may be another in the next item: no name, no tag, no bracket, and not null's `true`."""
    if token.endswith(b":") or len(token) == 1:
        return False
    return not (token == b"true" and before in _NULL_TAGS)


def _text(token: bytes) -> str:
    return str(json.loads(loud(token)))


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
        names = {*keys.names, *(name for index in index_keys for name in index.names)}
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
