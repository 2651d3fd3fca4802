"""
Keys by the million: how workers send them to the driver, how the driver keeps them on its disk, and which stand twice.

Keys that stand twice in an input, across all its files, are found in bounded memory: the driver sorts key hashes by
their first byte into 256 parts on local disk (local_disk.py), 28 bytes an item, and then looks at one part at a time: a
256th of the keys is all that memory ever holds.

A row is a key with a few bytes about its item: the length of the key in two bytes (a key has at most 3,080), the key's
canonical bytes, and a tail whose length is the same for all rows.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.store.local_disk import PARTS, Spill

KEY_HASH_BYTES = 16  # two different keys share one by chance of 1 in 10**20 for a billion items
PLACE = struct.Struct(f">{KEY_HASH_BYTES}sIQ")  # key hash, number of the file, line; sorts as its bytes do
BLOCK_BYTES = 40_000 * PLACE.size  # 1.5 MB as base64, below the coordinator's longest message
PLACES_KEPT = 5

Place = tuple[int, int]


def key_row(key: bytes, tail: bytes = b"") -> bytes:
    """One row."""
    return len(key).to_bytes(2, "big") + key + tail


def key_rows(data: Text, *, tail_bytes: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Key and tail of every row."""
    position = 0
    while position < len(data):
        start = position + 2
        end = start + int.from_bytes(data[position:start], "big")
        position = end + tail_bytes
        yield data[start:end], data[end:position]


def spill_rows(spill: Spill, rows: str, *, tail_bytes: int = 0) -> int:
    """Take many rows, base64, into the parts of their keys' hashes; how many they were."""
    count = 0
    for count, (key, tail) in enumerate(key_rows(base64.b64decode(rows), tail_bytes=tail_bytes), 1):  # noqa: B007
        spill.add(key_hash(key)[0], key_row(key, tail))
    return count


def key_hash(key: bytes) -> bytes:
    """The first `KEY_HASH_BYTES` of the canonical key's SHA-256."""
    return hashlib.sha256(key).digest()[:KEY_HASH_BYTES]


def place_bytes(key: bytes, *, file: int, line: int, tail: bytes = b"") -> bytes:
    """Where a key stands, as `KeySpill` takes it; `tail` is of its `tail_bytes`."""
    return PLACE.pack(key_hash(key), file, line) + tail


@dataclass(frozen=True)
class Collision:
    """One key's hash, the first few (file number, line) where it stands, the last one, and how many there are."""

    key_hash: bytes
    first: tuple[Place, ...]
    last: Place
    count: int


class KeySpill(Spill):
    """
    Places of keys; a context manager.

    Args:
        tail_bytes: how many bytes about its item stand behind each place.
    """

    def __init__(self, *, tail_bytes: int = 0) -> None:
        super().__init__()
        self._row_bytes = PLACE.size + tail_bytes

    def add_block(self, block: str) -> None:
        """Take many `place_bytes`, base64."""
        for row in self._rows(base64.b64decode(block)):
            self.add(row[0], row)

    def collisions(self) -> Iterator[Collision]:
        """Yield every key that stands at two places or more; a file read twice counts once."""
        for part in range(PARTS):
            for key, rows in groupby(sorted(set(self._rows(self.part(part)))), key=lambda row: row[:KEY_HASH_BYTES]):
                collision = _collision(key, rows)
                if collision.count > 1:
                    yield collision

    def key_hashes(self, part: int) -> set[bytes]:
        """The hashes of all keys in a part, which is the first byte of each."""
        return {row[:KEY_HASH_BYTES] for row in self._rows(self.part(part))}

    def places(self, part: int) -> Iterator[tuple[bytes, Place, bytes]]:
        """Key hash, place and tail of every row in a part; those of a file that was read twice come twice."""
        for row in self._rows(self.part(part)):
            key, file, line = PLACE.unpack_from(row)
            yield key, (file, line), row[PLACE.size :]

    def _rows(self, data: bytes) -> Iterator[bytes]:
        size = self._row_bytes
        return (data[start : start + size] for start in range(0, len(data), size))


def _collision(key: bytes, rows: Iterable[bytes]) -> Collision:
    first: list[Place] = []
    last, count = (0, 0), 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
        _, file, line = PLACE.unpack_from(row)
        last = (file, line)
        if len(first) < PLACES_KEPT:
            first.append(last)
    return Collision(key, tuple(first), last, count)
