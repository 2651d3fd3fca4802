"""
What the items of unknown files have in common: attributes with their types, which of them could be the key, and a
sample that anybody may see, each value replaced by its type and length.

Pure, and bounded however many items come: attributes are counted, and values are compared (as hashes) only of the
first few hundred thousand items and of attributes that could be a key so far.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from dynamodb_pipeline.errors import counted
from dynamodb_pipeline.formats.items.key_schema import KEY_TYPES, shortened
from dynamodb_pipeline.formats.items.scalars import canonical_number, decoded_length

SHOWN_MEMBERS = 50
ITEMS_COMPARED = 200_000  # 8 bytes for each of these and each attribute that could be a key
ATTRIBUTES_COMPARED = 8  # pairs of them are tried: 28
ATTRIBUTES_COUNTED = 10_000  # of maps used as items somebody may have a name per item
NAME_CHARS_COUNTED = 1 << 20  # of all their names together; one may have 64 KB
VALUES_COMPARED = 2_000_000  # 8 bytes each
ATTRIBUTES_TRIED = 1000  # of the first item, as keys


def redacted(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item's attribute names (cut at 64 characters) with `S, 5 characters` and the like in place of values."""
    shown = {shortened(name): _value(value) for name, value in list(item.items())[:SHOWN_MEMBERS]}
    left_out = len(item) - SHOWN_MEMBERS
    return {**shown, "...": f"{left_out} more"} if left_out > 0 else shown


def _value(value: Mapping[str, Any]) -> Any:
    ((tag, content),) = value.items()
    if tag == "M":
        return {"M": redacted(content)}
    if tag == "L":
        return {"L": [_value(inner) for inner in content[:SHOWN_MEMBERS]]}
    return f"{tag}, {_measure(tag, content)}" if tag not in ("BOOL", "NULL") else tag


def _measure(tag: str, content: Any) -> str:
    if tag in ("SS", "NS", "BS"):
        return counted(len(content), "element")
    if tag == "B":
        return counted(decoded_length(content), "byte")
    return counted(len(content), "character")


@dataclass(frozen=True)
class Attribute:
    """An attribute of the top level: in how many items it is, and with which types how often."""

    name: str
    item_count: int
    types: dict[str, int]


@dataclass(frozen=True)
class KeyCandidate:
    """Attributes that every item has, each with one type a key can have, and no two items with the same values."""

    names: tuple[str, ...]
    types: tuple[str, ...]


class SchemaTally:
    """Counts attributes item by item."""

    def __init__(self, *, items_compared: int = ITEMS_COMPARED, values_compared: int = VALUES_COMPARED):
        self.item_count = 0
        self._items_compared = items_compared
        self._name_chars, self._values_left = 0, values_compared
        self._types: dict[str, Counter[str]] = {}
        self._values: dict[str, tuple[str, array[int]]] | None = None

    def add(self, item: Mapping[str, Any]) -> None:
        """Take a valid item with upper-case tags."""
        self.item_count += 1
        for name, value in item.items():
            types = self._types.get(name)
            if types is None:
                self._name_chars += len(name)
                if len(self._types) == ATTRIBUTES_COUNTED or self._name_chars > NAME_CHARS_COUNTED:
                    continue
                types = self._types[name] = Counter()
            types[next(iter(value))] += 1
        if self._values is None:
            self._values = dict(islice(_possible_keys(item), ATTRIBUTES_TRIED))
        if self.item_count <= self._items_compared:
            self._values_left -= len(self._values)
            if self._values_left < 0:
                self._items_compared = self.item_count - 1
        self._compare(item, self._values)

    def attributes(self) -> list[Attribute]:
        """Every attribute, those of most items first, then by name."""
        attributes = [
            Attribute(name, sum(types.values()), dict(types.most_common())) for name, types in self._types.items()
        ]
        return sorted(attributes, key=lambda attribute: (-attribute.item_count, attribute.name))

    @property
    def items_compared(self) -> int:
        """Of how many items the values were compared for `key_candidates`."""
        return min(self.item_count, self._items_compared)

    def key_candidates(self) -> list[KeyCandidate]:
        """Single attributes that could be the key; when there is none, pairs, the less varied attribute first."""
        columns = dict(list((self._values or {}).items())[:ATTRIBUTES_COMPARED])
        singles = [names for names in combinations(columns, 1) if _distinct(names, columns)]
        chosen: list[Any] = singles or [pair for pair in combinations(columns, 2) if _distinct(pair, columns)]
        ordered = (tuple(sorted(names, key=lambda name: len(set(columns[name][1])))) for names in chosen)
        return [KeyCandidate(names, tuple(columns[name][0] for name in names)) for names in ordered]

    def _compare(self, item: Mapping[str, Any], columns: dict[str, tuple[str, array[int]]]) -> None:
        for name in list(columns):
            tag, values = columns[name]
            content = item.get(name, {}).get(tag)
            if not content:
                del columns[name]
            elif self.item_count <= self._items_compared:
                values.append(hash(canonical_number(content) if tag == "N" else content))


def _possible_keys(item: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, array[int]]]]:
    for name, value in item.items():
        ((tag, content),) = value.items()
        if tag in KEY_TYPES and content:
            yield name, (tag, array("q"))


def _distinct(names: tuple[str, ...], columns: Mapping[str, tuple[str, array[int]]]) -> bool:
    rows = list(zip(*(columns[name][1] for name in names)))
    return len(set(rows)) == len(rows)
