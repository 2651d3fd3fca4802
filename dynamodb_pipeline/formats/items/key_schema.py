"""
The key attributes of a table and of its indexes, the one canonical form of an item's key, and the way back from it.

Knows names, roles and types; the rules for all other attributes are in item_rules.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Callable

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.scalars import canonical_number, decode_base64

ROLES = ("HASH", "RANGE")
KEY_TYPES = ("S", "N", "B")
# Developer guide, "Quotas and limits": partition key 1-2048 bytes, sort key 1-1024 bytes.
MAX_KEY_BYTES = {"HASH": 2048, "RANGE": 1024}
MAX_KEY_NAME_BYTES = 255
MAX_FLOAT_32 = Decimal("3.4028234663852886e38")  # IEEE 754, binary32

_VALUE_BYTES: dict[str, Callable[[str], bytes]] = {
    "S": str.encode,
    "N": lambda text: canonical_number(text).encode(),
    "B": decode_base64,
}
SHOWN_CHARS = 64
_LENGTH_BYTES = 4
_TEXTS: dict[str, Callable[[bytes], str]] = {
    "S": bytes.decode,
    "N": bytes.decode,
    "B": lambda raw: b64encode(raw).decode(),
}


@dataclass(frozen=True)
class KeyAttribute:
    """One key attribute: its name, its role HASH or RANGE, its type S, N or B."""

    name: str
    role: str
    type: str

    def __post_init__(self) -> None:
        if self.role not in ROLES or self.type not in KEY_TYPES:
            message = f"key attribute {self.name!r}: role {self.role!r} or type {self.type!r} is unknown"
            raise ValueError(message)
        if not isinstance(self.name, str) or not 1 <= len(self.name.encode()) <= MAX_KEY_NAME_BYTES:
            message = f"key attribute name must be text of 1 to {MAX_KEY_NAME_BYTES} bytes"
            raise ValueError(message)

    def value_bytes(self, value: Any) -> bytes:
        """
        The key value's own bytes: UTF-8, canonical number text, or decoded binary.

        Raises:
            ItemError: another type than the schema's, empty, too long, or no valid value.
        """
        text = value.get(self.type) if isinstance(value, Mapping) else None
        if not isinstance(text, str):
            reason = f"{self.role} key must be of type {self.type}"
            raise ItemError(reason, (self.name,))
        try:
            raw = _VALUE_BYTES[self.type](text)
        except UnicodeEncodeError as err:
            reason = "text holds a lone surrogate, which is no character"
            raise ItemError(reason, (self.name,)) from err
        except ItemError as err:
            raise err.within(self.name) from None
        if not 1 <= len(raw) <= MAX_KEY_BYTES[self.role]:
            reason = f"{self.role} key has {len(raw)} bytes, allowed are 1 to {MAX_KEY_BYTES[self.role]}"
            raise ItemError(reason, (self.name,))
        return raw


Item = Mapping[str, Any]  # DynamoDB JSON: attributes by name, each with its tag


@dataclass(frozen=True)
class KeySchema:
    """A table's primary key: the HASH attribute, then the RANGE attribute if there is one."""

    attributes: tuple[KeyAttribute, ...]

    def __post_init__(self) -> None:
        if tuple(attribute.role for attribute in self.attributes) not in (("HASH",), ROLES):
            message = f"a table key is HASH or HASH then RANGE, not {[a.role for a in self.attributes]}"
            raise ValueError(message)
        if len(set(self.names)) != len(self.names):
            message = f"key attribute {self.names[0]!r} stands there twice"
            raise ValueError(message)

    @classmethod
    def from_description(cls, table: Mapping[str, Any]) -> KeySchema:
        """From DescribeTable's `Table`, in whatever order the reply lists them."""
        attributes = _key_attributes(table["KeySchema"], table["AttributeDefinitions"])
        return cls(tuple(sorted(attributes, key=lambda attribute: ROLES.index(attribute.role))))

    @classmethod
    def from_json(cls, data: Any) -> KeySchema:
        """From what `to_json` gave. Raises ValueError when it is anything else."""
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            message = "key schema must be a list of objects with name, role and type"
            raise ValueError(message)
        if any(set(entry) != {"name", "role", "type"} for entry in data):
            message = "each key attribute must have exactly name, role and type"
            raise ValueError(message)
        return cls(tuple(KeyAttribute(**entry) for entry in data))

    def to_json(self) -> list[dict[str, str]]:
        """Plain data for a JSON document."""
        return [{"name": a.name, "role": a.role, "type": a.type} for a in self.attributes]

    @property
    def names(self) -> tuple[str, ...]:
        """The key attributes' names, HASH first."""
        return tuple(attribute.name for attribute in self.attributes)

    def describe(self) -> str:
        """For messages: `Id (S, HASH), Sort (N, RANGE)`."""
        return ", ".join(f"{a.name} ({a.type}, {a.role})" for a in self.attributes)

    def key_of(self, item: Item) -> bytes:
        """
        The item's key as canonical bytes: equal exactly when DynamoDB sees one key (`1` and `1.0` are one).

        Each key value with its length in four bytes before it, so that no two keys share their bytes.

        Raises:
            ItemError: a key attribute is missing, of another type, empty, too long or malformed.
        """
        parts = []
        for attribute in self.attributes:
            value = item.get(attribute.name)
            if value is None:
                reason = f"{attribute.role} key is missing; the table's key is {self.describe()}"
                raise ItemError(reason, (attribute.name,))
            raw = attribute.value_bytes(value)
            parts.append(len(raw).to_bytes(4, "big") + raw)
        return b"".join(parts)


@dataclass(frozen=True)
class VectorAttribute:
    """What a vector index demands of an attribute: a list of so many numbers, kept as 32-bit floats."""

    name: str
    dimensions: int

    def check(self, value: Any) -> None:
        """
        Raises:
            ItemError: another type, another number of components, or a component that is no 32-bit number.
        """
        components = value.get("L") if isinstance(value, Mapping) else None
        if not isinstance(components, list):
            reason = f"vector must be a list (L) of {self.dimensions} numbers"
            raise ItemError(reason, (self.name,))
        if len(components) != self.dimensions:
            reason = f"vector has {len(components)} components, the index takes {self.dimensions}"
            raise ItemError(reason, (self.name,))
        for number, component in enumerate(components):
            text = component.get("N") if isinstance(component, Mapping) else None
            if not isinstance(text, str) or abs(Decimal(canonical_number(text))) > MAX_FLOAT_32:
                reason = "component of a vector must be a number (N) that 32 bits can hold"
                raise ItemError(reason, (self.name, number))


@dataclass(frozen=True)
class IndexKeys:
    """
    The key attributes of one secondary index, or the vector of a vector index; items that have them must have them as
    the index demands.
    """

    index_name: str
    attributes: tuple[KeyAttribute, ...]
    vector: VectorAttribute | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every attribute that `check` looks at."""
        return (*(attribute.name for attribute in self.attributes), *([self.vector.name] if self.vector else ()))

    def check(self, item: Item) -> None:
        """
        Raise ItemError when an indexed attribute is present but could not be a key, or the vector, of this index.

        An absent one is fine: the item is then left out of the index.
        """
        if self.vector is not None and self.vector.name in item:
            try:
                self.vector.check(item[self.vector.name])
            except ItemError as err:
                reason = f"{err.reason} (index {self.index_name})"
                raise ItemError(reason, err.steps) from None
        for attribute in self.attributes:
            value = item.get(attribute.name)
            if value is not None:
                try:
                    attribute.value_bytes(value)
                except ItemError as err:
                    reason = f"{err.reason} (index {self.index_name})"
                    raise ItemError(reason, err.steps) from None


def index_keys_from_description(table: Mapping[str, Any]) -> tuple[IndexKeys, ...]:
    """
    The keys of all local and global secondary indexes, and the vectors of vector indexes, in DescribeTable's `Table`
    (API reference, VectorIndexDescription).
    """
    indexes = [*(table.get("LocalSecondaryIndexes") or ()), *(table.get("GlobalSecondaryIndexes") or ())]
    keyed = [
        IndexKeys(index["IndexName"], _key_attributes(index["KeySchema"], table["AttributeDefinitions"]))
        for index in indexes
    ]
    return (*keyed, *map(_vector_index, table.get("VectorIndexes") or ()))


def _vector_index(index: Mapping[str, Any]) -> IndexKeys:
    vector = VectorAttribute(index["VectorAttribute"]["AttributeName"], int(index["Dimensions"]))
    return IndexKeys(index["IndexName"], (), vector)


def _key_attributes(key_schema: Any, definitions: Any) -> tuple[KeyAttribute, ...]:
    types = {definition["AttributeName"]: definition["AttributeType"] for definition in definitions}
    return tuple(
        KeyAttribute(element["AttributeName"], element["KeyType"], types[element["AttributeName"]])
        for element in key_schema
    )


def key_item(keys: KeySchema, key: bytes) -> dict[str, Any]:
    """The key as DynamoDB JSON, for instance `{"Id": {"S": "x"}, "Sort": {"N": "5"}}`."""
    return {a.name: {a.type: _TEXTS[a.type](raw)} for a, raw in zip(keys.attributes, key_parts(key))}


def shown_key(keys: KeySchema, key: bytes) -> dict[str, str]:
    """The key for a report: name -> value, each cut at 64 characters."""
    values = {name: text for name, value in key_item(keys, key).items() for text in value.values()}
    return {shortened(name): shortened(text) for name, text in values.items()}


def shortened(text: str) -> str:
    """A name or value as messages show it."""
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."


def key_parts(key: bytes) -> Iterator[bytes]:
    """The values of a canonical key (`KeySchema.key_of`), the partition key's first."""
    position = 0
    while position < len(key):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(key[position:start], "big")
        yield key[start:position]
