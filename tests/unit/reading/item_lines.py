"""Small items and their lines, for tests of what reads and writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema

KEYS = KeySchema((KeyAttribute("id", "HASH", "S"),))
COMPOSITE = KeySchema((KeyAttribute("id", "HASH", "S"), KeyAttribute("n", "RANGE", "N")))


def line(key: str, number: int = 1) -> bytes:
    """One line as the connector writes it: key `id`, number `n`, no spaces."""
    return json.dumps({"id": {"s": key}, "n": {"n": str(number)}}, separators=(",", ":")).encode() + b"\n"


def lines(keys: Iterable[str]) -> bytes:
    return b"".join(map(line, keys))


def put_body(key: str, number: int = 1) -> dict[str, Any]:
    """What a put of `line(key, number)` must hold."""
    return {"id": {"S": key}, "n": {"N": str(number)}}


def key_of(key: str) -> bytes:
    return KEYS.key_of({"id": {"S": key}})
