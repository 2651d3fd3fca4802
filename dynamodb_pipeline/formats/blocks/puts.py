"""
Lines of a data file on their way into a table, as the JSON a request body carries: block by block, without a parse
line by line.

`checked_puts` is for files nobody vouches for: the same verdict as parsing, converting, checking and encoding line by
line, for a fraction of the CPU. `known_puts` is for those whose items are known to be good. Both only say yes. None
means: go line by line, to know which line and why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import eq
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.blocks.grammar import loud, quiet
from dynamodb_pipeline.formats.blocks.retag import Retagger
from dynamodb_pipeline.formats.blocks.shapes import rules_of
from dynamodb_pipeline.formats.files.file_forms import FORMS, BlockForm, Dialect
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import check_item
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema

_UPPER_CASE_KEYS = (b'{"S":', b'{"N":', b'{"B":')
_BLOCKS = {
    dialect: (form.block, Retagger.of_lines(form.block.spellings))
    for dialect, form in FORMS.items()
    if form.block is not None
}


class CheckedPut(NamedTuple):
    """An item that keeps every rule: its JSON with upper-case tags, its canonical key, its size by DynamoDB's rule."""

    json: bytes
    key: bytes | None
    size_bytes: int


def checked_puts(
    block: bytes, *, keys: KeySchema, dialect: Dialect = Dialect.CONNECTOR, index_keys: tuple[IndexKeys, ...] = ()
) -> list[CheckedPut] | None:
    """
    The puts of a block of lines, one for each, every rule of `check_item` kept.

    None when a line breaks a rule, is empty, or is not as `dialect`'s usual writer writes it. A block of some 100 KB
    is best: it is judged as a whole, and declined as a whole.
    """
    quiet_lines = _quiet_lines(block, dialect)
    if quiet_lines is None:
        return None
    text, retagger = quiet_lines
    judge = BlockJudge(retagger, keys, index_keys)
    try:
        return judge.by_shape(text) or judge.by_parsing(text)
    except (ValueError, RecursionError):
        return None


def known_puts(block: bytes, dialect: Dialect) -> list[bytes] | None:
    """
    The JSON of the puts of a block of which `checked_puts` has said yes, or of a file whose hash its export vouches
    for; None when lines must be parsed all the same.
    """
    quiet_lines = _quiet_lines(block, dialect)
    if quiet_lines is None:
        return None
    text, retagger = quiet_lines
    return retagger.whole_lines(text) if retagger.renames else loud(text).splitlines()


class BlockJudge:
    """
    Lines of quiet text, each ended by a line feed, to puts.

    Args:
        retagger: from the lines' tags to upper-case ones.
        keys: the table's key.
        index_keys: those of its indexes.
    """

    def __init__(self, retagger: Retagger, keys: KeySchema, index_keys: tuple[IndexKeys, ...] = ()) -> None:
        self._retagger, self._keys, self._index_keys = retagger, keys, index_keys

    def by_shape(self, text: bytes) -> list[CheckedPut] | None:
        """
        Without a parse, but for items of another shape than the first; None when that has no shape to go by.

        Raises:
            ValueError: an item breaks a rule.
        """
        shaped = self._retagger.shaped(text)
        rules = rules_of(shaped.shape.example) if shaped else None
        vectors = any(index.vector for index in self._index_keys)  # judged component by component
        if vectors or shaped is None or rules is None or shaped.rest or len(shaped.rows) != text.count(b"\n"):
            return None
        lines = self._retagger.shaped_lines(shaped)
        facts = rules.facts(
            [row[1:-2] for row in shaped.rows if row[0]],
            keys=self._keys,
            index_keys=self._index_keys,
            escapes=b"\\" in text or b"\x01" in text,
        )
        others = self._parsed([line[:-1] for line, row in zip(lines, shaped.rows) if not row[0]])
        facts_of_each, other_puts = iter(facts), iter(others)
        return [
            CheckedPut(loud(line[:-1]), *next(facts_of_each)) if row[0] else next(other_puts)
            for line, row in zip(lines, shaped.rows)
        ]

    def by_parsing(self, text: bytes) -> list[CheckedPut]:
        """
        With one parse and neither conversion nor encoding: tags are renamed on bytes first, and the parse proves the
        renaming.

        Raises:
            ValueError: a line breaks a rule, or has to be converted to be sure of it.
        """
        lines = self._retagger.rename(text).splitlines()
        doubtful = self._retagger.renames and any(map(text.__contains__, _UPPER_CASE_KEYS))
        if doubtful and any(map(eq, lines, text.splitlines())):
            reason = "a line of DynamoDB's own JSON among others"
            raise ItemError(reason)
        return self._parsed(lines)

    def _parsed(self, lines: Sequence[bytes]) -> list[CheckedPut]:
        """
        Puts of quiet lines with upper-case tags.

        Each must be an item without an attribute `M` (which may have been `m`) and account for every quote of its
        text (or a name stood there twice).
        """
        puts = [loud(line) for line in lines]
        items = _items(puts)
        facts = [check_item(item, keys=self._keys, index_keys=self._index_keys) for item in items]
        if [_strings_in_map(item) for item in items] != [line.count(b'"') / 2 for line in lines]:
            reason = "a name stands there twice"
            raise ItemError(reason)
        return [CheckedPut(json_text, fact.key, fact.size_bytes) for json_text, fact in zip(puts, facts)]


def _quiet_lines(block: bytes, dialect: Dialect) -> tuple[bytes, Retagger] | None:
    """A block's items as `_item_lines` and what renames their tags; None for a dialect whose lines need a parse."""
    if dialect not in _BLOCKS:
        return None
    form, retagger = _BLOCKS[dialect]
    text = _item_lines(block, form)
    return None if text is None else (text, retagger)


def _item_lines(block: bytes, form: BlockForm) -> bytes | None:
    """Quiet text, a line for each item, without what encloses it."""
    text = quiet(block if block.endswith(b"\n") or not block else block + b"\n")
    return _unwrapped(text, form) if text and form.before else text


def _unwrapped(text: bytes, form: BlockForm) -> bytes | None:
    """What is inside `{"Item":...}`; that it is one item and no more is for the parse to find."""
    lines = text.splitlines()
    if not all(line.startswith(form.before) and line.endswith(form.after) for line in lines):
        return None
    start, end = len(form.before), -len(form.after)
    return b"".join([b"%b\n" % line[start:end] for line in lines])


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
