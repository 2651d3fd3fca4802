"""
From the canonical bytes of a key (`KeySchema.key_of`) back to its values: for a request, or for people.

Numbers come back in their canonical spelling, which names the same key.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Callable

from dynamodb_pipeline.formats.items.key_schema import KeySchema

SHOWN_CHARS = 64
_LENGTH_BYTES = 4
_TEXTS: dict[str, Callable[[bytes], str]] = {
    "S": bytes.decode,
    "N": bytes.decode,
    "B": lambda raw: b64encode(raw).decode(),
}


def key_item(keys: KeySchema, key: bytes) -> dict[str, Any]:
    """The key as DynamoDB JSON, for instance `{"Id": {"S": "x"}, "Sort": {"N": "5"}}`."""
    return {a.name: {a.type: _TEXTS[a.type](raw)} for a, raw in zip(keys.attributes, _parts(key))}


def shown_key(keys: KeySchema, key: bytes) -> dict[str, str]:
    """The key for a report: name -> value, each cut at 64 characters."""
    values = {name: text for name, value in key_item(keys, key).items() for text in value.values()}
    return {_cut(name): _cut(text) for name, text in values.items()}


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."


def _parts(key: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(key):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(key[position:start], "big")
        yield key[start:position]
