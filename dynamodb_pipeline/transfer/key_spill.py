"""
Finds keys that stand twice in an input, across all its files, in bounded memory.

The driver sorts key hashes by their first byte into 256 files on local disk, 28 bytes an item, and then looks at one
file at a time: a 256th of the keys is all that memory ever holds.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO

KEY_HASH_BYTES = 16  # two different keys share one by chance of 1 in 10**20 for a billion items
PLACE = struct.Struct(f">{KEY_HASH_BYTES}sIQ")  # key hash, number of the file, line
BLOCK_BYTES = 40_000 * PLACE.size  # 1.5 MB as base64, below the coordinator's longest message
BUCKETS = 256
BUFFER_BYTES = 1 << 20


def key_hash(key: bytes) -> bytes:
    """The first `KEY_HASH_BYTES` of the canonical key's SHA-256."""
    return hashlib.sha256(key).digest()[:KEY_HASH_BYTES]


def place_bytes(key: bytes, *, file: int, line: int) -> bytes:
    """Where a key stands, as `KeySpill` takes it."""
    return PLACE.pack(key_hash(key), file, line)


@dataclass(frozen=True)
class Collision:
    """One key's hash and every (file number, line) where it stands, in the input's order."""

    key_hash: bytes
    places: tuple[tuple[int, int], ...]


class KeySpill:
    """Collects places of keys on disk; a context manager that removes what it wrote."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dynamodb-pipeline-keys-")
        self._buckets: dict[int, IO[bytes]] = {}
        self._buffers: dict[int, bytearray] = defaultdict(bytearray)

    def __enter__(self) -> KeySpill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bucket in self._buckets.values():
            bucket.close()
        self._folder.cleanup()

    def add(self, block: str) -> None:
        """Take a block of `place_bytes`, base64."""
        data = base64.b64decode(block)
        for start in range(0, len(data), PLACE.size):
            self._buffers[data[start]] += data[start : start + PLACE.size]
        for number, buffer in self._buffers.items():
            if len(buffer) >= BUFFER_BYTES:
                self._write(number, buffer)

    def collisions(self) -> Iterator[Collision]:
        """Yield every key that stands at two places or more; a file read twice counts once."""
        for number in range(BUCKETS):
            places: dict[bytes, set[tuple[int, int]]] = defaultdict(set)
            for key, file, line in PLACE.iter_unpack(self._bucket(number)):
                places[key].add((file, line))
            for key, found in places.items():
                if len(found) > 1:
                    yield Collision(key, tuple(sorted(found)))

    def _write(self, number: int, buffer: bytearray) -> None:
        if number not in self._buckets:
            self._buckets[number] = open(f"{self._folder.name}/{number:03d}", "w+b")  # noqa: SIM115 - closed at exit
        self._buckets[number].write(buffer)
        buffer.clear()

    def _bucket(self, number: int) -> bytes:
        spilled = b""
        if number in self._buckets:
            self._buckets[number].seek(0)
            spilled = self._buckets[number].read()
        return spilled + bytes(self._buffers[number])
