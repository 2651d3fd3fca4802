"""One line of a data file judged by DynamoDB's rules and the target's keys: an item, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.files.dialects import Dialect, ItemLine, read_lines
from dynamodb_pipeline.formats.files.lines import LineError, PlainLines
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import check_item
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema


class ParsedItem(NamedTuple):
    """A valid item with its line number, size in bytes by DynamoDB's rule, and canonical key if a schema was given."""

    line: int
    item: dict[str, Any]
    size_bytes: int
    key: bytes | None


@dataclass(frozen=True)
class BadLine:
    """A line that is no valid item: its text as it stands in the file, and why."""

    text: bytes
    error: LineError


@dataclass(frozen=True)
class ItemJudge:
    """
    Judges lines.

    Args:
        keys: the target's key schema; None judges everything but keys.
        index_keys: keys of the target's indexes, whose types an item must fit.
    """

    keys: KeySchema | None = None
    index_keys: tuple[IndexKeys, ...] = ()

    def lines(self, lines: PlainLines, *, name: str, dialect: Dialect) -> Iterator[ParsedItem | BadLine]:
        """Every line of the object `name`. Raises LineError for one longer than any item."""
        return (self.line(line, name=name) for line in read_lines(lines, name=name, dialect=dialect))

    def line(self, line: ItemLine, *, name: str) -> ParsedItem | BadLine:
        """The line's item with size and key, or what is wrong with it."""
        if line.item is None:
            assert line.error is not None
            return BadLine(line.text, line.error)
        try:
            facts = check_item(line.item, keys=self.keys, index_keys=self.index_keys)
        except ItemError as err:
            error = LineError(err.reason, name=name, line=line.line, offset_bytes=line.offset_bytes, path=err.path)
            return BadLine(line.text, error)
        return ParsedItem(line.line, line.item, facts.size_bytes, facts.key)
