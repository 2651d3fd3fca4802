"""
Tags renamed on bytes, without parsing: a Scan reply to connector lines, connector lines to put requests.

About a quarter of the cost of parsing and writing again. Every function answers None when it is not certain:
the caller then parses. What it does answer is the same JSON, token for token, with other tags; contents
(numbers, base64, doubled names) are not judged. So the input has to be known good: a reply of DynamoDB
whose checksum was right, or a file whose hash its export vouches for.

Why renaming is exact: `grammar` has matched the text, so quotes and brackets are where they seem to be.
There `{"S":"` can only be a tag, because an attribute of that name is followed by `{`; of `{"M":{` the
grammar has refused the doubtful cases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from dynamodb_pipeline.formats.blocks import grammar
from dynamodb_pipeline.formats.blocks.shapes import Shape, Shapes
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.tags import CONNECTOR_TAGS, NULL_TAG_OPTIONS, Spellings

_ITEMS_START = b'"Items":['
SHAPES_FROM_BYTES = 65_536  # below, compiling a pattern is not worth it


class Shaped(NamedTuple):
    """Items as the groups of their shape, and the text that follows them."""

    shape: Shape
    rows: list[tuple[bytes, ...]]
    rest: bytes


class Retagger:
    """
    Items of quiet text in one spelling of the tags, one after the other, to lines in another spelling.

    `separator` is a pattern for what stands between two items. Texts of `shapes_from_bytes` and more are read by
    the shape of their first items where they have one; the result is the same.
    """

    def __init__(
        self,
        source: grammar.TagNames,
        spellings: Mapping[str, str],
        *,
        separator: bytes,
        shapes_from_bytes: int = SHAPES_FROM_BYTES,
    ) -> None:
        self._tag = re.compile(b"(" + grammar.tag_pattern(source) + b")")
        self._renamed = {
            f'{{"{old}":{follow}'.encode(): f'{{"{new}":{follow}'.encode()
            for old, new in spellings.items()
            for follow in ('"', "[", "{", "t", "f")
            if old != new
        }
        # Most tags are these two: replacing them at once leaves few to be renamed one by one.
        self._frequent = [token for token in self._renamed if token.upper() in (b'{"S":"', b'{"N":"')]
        # What is no item is swallowed at once by the other branch, so a text that does not fit costs no more.
        self._items = re.compile(b"(" + grammar.item_pattern(source) + b")" + separator + rb"|([\s\S]+)")
        self._shapes = Shapes(self._items, separator, self.rename)
        self._shapes_from_bytes = shapes_from_bytes

    @classmethod
    def of_lines(cls, spellings: Spellings, *, shapes_from_bytes: int = SHAPES_FROM_BYTES) -> Retagger:
        """From lines of a dialect that spells its tags so to lines with DynamoDB's own tags."""
        upper = {written: tag for tag, every in spellings.items() for written in every}
        names = grammar.TagNames.of(spellings)
        return cls(names, upper, separator=rb"\n", shapes_from_bytes=shapes_from_bytes)

    @property
    def renames(self) -> bool:
        """Whether tags change at all."""
        return bool(self._renamed)

    def rename(self, text: bytes) -> bytes:
        """
        `text` with every tag renamed; exact where it matches the grammar.

        Elsewhere an attribute named like the map tag that stands first in its map is renamed too, and tags with white
        space around them stay.
        """
        if not self._renamed:
            return text
        for token in self._frequent:
            text = text.replace(token, self._renamed[token])
        parts = self._tag.split(text)
        parts[1::2] = map(self._renamed.__getitem__, parts[1::2])
        return b"".join(parts)

    def lines(self, text: bytes) -> tuple[bytes, int, bytes]:
        """The items at the start of `text` as lines, their count, and the text that follows them."""
        shaped = self.shaped(text)
        if shaped is not None:
            return b"".join(self.shaped_lines(shaped)), len(shaped.rows), shaped.rest
        *rows, (item, rest) = self._items.findall(text) or [(b"", b"")]
        items = [text for text, _ in rows] + ([item] if item else [])
        return self.rename(b"".join([b"%b\n" % text for text in items])), len(items), rest

    def whole_lines(self, text: bytes) -> list[bytes] | None:
        """Each line of quiet `text`, every one ended, without its line feed; None when one of them is no item."""
        lines, count, rest = self.lines(text)
        if rest or count != text.count(b"\n"):
            return None
        return grammar.loud(lines).split(b"\n")[:-1]

    def shaped(self, text: bytes) -> Shaped | None:
        """The items at the start of `text` by the shape of the first of them; None for a short text, or many shapes."""
        shape = self._shapes.of(text) if len(text) >= self._shapes_from_bytes else None
        if shape is None:
            return None
        rows = shape.pattern.findall(text)
        return Shaped(shape, rows, rows.pop()[-1] if rows[-1][-1] else b"")

    def shaped_lines(self, shaped: Shaped) -> list[bytes]:
        """Each item as a line."""
        template = shaped.shape.template
        return [template % row if row[0] else self.rename(row[-2]) + b"\n" for row in shaped.rows]


BETWEEN_ITEMS_OF_A_PAGE = rb"(?:,(?=\{)|(?=\]))"
_TO_CONNECTOR = {
    null_tag: Retagger(grammar.DYNAMODB, {**CONNECTOR_TAGS, "NULL": null_tag}, separator=BETWEEN_ITEMS_OF_A_PAGE)
    for null_tag in NULL_TAG_OPTIONS
}


def scan_page_lines(body: bytes, *, null_tag: str) -> tuple[bytes, int] | None:
    """
    The items of a raw Scan reply as connector lines, and how many; None when the reply must be parsed instead.

    `null_tag` is one of NULL_TAG_OPTIONS. Lines end with a line feed and are as the connector writes them, but for
    escapes in the reply where the connector has none (`\\/`, `\\u00e9`): those are kept.
    """
    start = body.find(_ITEMS_START) + len(_ITEMS_START)
    text = grammar.quiet(body[start:])
    if start < len(_ITEMS_START) or not text or b"\n" in text:
        return None
    lines, count, tail = _TO_CONNECTOR[null_tag].lines(text)
    if not tail.startswith(b"]") or not _is_reply(body[:start], grammar.loud(tail)):
        return None
    return _escape_separators(grammar.loud(lines)), count


def _is_reply(head: bytes, tail: bytes) -> bool:
    """Whether `head` opens the list `Items` of a reply and `tail` closes it and the reply."""
    try:
        opened = list(parse_json(head + b"]}"))
        return opened[-1:] == ["Items"] and isinstance(parse_json(head + tail), dict)
    except JsonTextError:
        return False


def _escape_separators(lines: bytes) -> bytes:
    if b"\xe2\x80" not in lines:
        return lines
    return lines.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")
