"""
Did every contender do the same work? The digest of the items in what it left behind.

Lines may be in the connector's dialect (lower-case tags) or DynamoDB's own; the digest sees the item either way.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.replay_items import ItemMaker
from benchmarks.replay_writes import item_digest

_TAGS = {
    "s": "S",
    "n": "N",
    "b": "B",
    "m": "M",
    "l": "L",
    "sS": "SS",
    "nS": "NS",
    "bS": "BS",
    "bOOL": "BOOL",
    "nULL": "NULL",
    "nULLValue": "NULL",
}
_GZIP_MAGIC = b"\x1f\x8b"


def expected_digest(maker: ItemMaker, item_count: int) -> str:
    """The digest of items 0 .. item_count - 1."""
    return _sum(json.loads(maker(number).json) for number in range(item_count))


def digest_of(files: Iterable[bytes]) -> str:
    """The digest of all items in these files, plain or gzip."""
    return _sum(item for data in files for item in _items(data))


def folder_files(folder: Path) -> Iterator[bytes]:
    """The data files of a local folder; markers and checksums of Hadoop are none."""
    for path in sorted(folder.iterdir()):
        if not path.name.startswith((".", "_")):
            yield path.read_bytes()


def _items(data: bytes) -> Iterator[dict[str, Any]]:
    plain = gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    for line in plain.split(b"\n"):
        if line:
            yield {name: _retagged(value) for name, value in json.loads(line).items()}


def _retagged(value: dict[str, Any]) -> dict[str, Any]:
    ((tag, content),) = value.items()
    tag = _TAGS.get(tag, tag)
    if tag == "L":
        return {tag: [_retagged(element) for element in content]}
    if tag == "M":
        return {tag: {name: _retagged(element) for name, element in content.items()}}
    return {tag: content}


def _sum(items: Iterable[dict[str, Any]]) -> str:
    return f"{sum(map(item_digest, items)) % (1 << 256):064x}"
