"""
`--only-changes`: which lines of the export the table holds just so already, found between the passes.

The pass over the files sends each item's key hash, place and short digest to the driver; one scan of the table brings
its keys and digests. Both lie on the driver's disk by key hash, and a 256th of them is compared at a time. What is the
same is noted as one bit a line, and travels to the worker that writes the file.
"""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dynamodb_pipeline.reading.key_spill import KeySpill, key_hash
from dynamodb_pipeline.selection.table_rows import TableRows
from dynamodb_pipeline.store.local_disk import PARTS

# Of a unit of work, which travels in one message of at most 4 MiB. A bit a line: more than ten million lines of one
# file whose changes follow no pattern.
TEXT_CHARS_MAX = 2 * 1024 * 1024


class LineSet:
    """Numbers of lines of one file, a bit each."""

    def __init__(self, bits: bytes | bytearray = b""):
        self._bits = bytearray(bits)

    def add(self, line: int) -> None:
        byte = line >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits)))
        self._bits[byte] |= 1 << (line & 7)

    def __contains__(self, line: int) -> bool:
        byte = line >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (line & 7) & 1)

    def __len__(self) -> int:
        return bin(int.from_bytes(self._bits, "big")).count("1")

    def text(self) -> str:
        """For a unit of work."""
        return base64.b64encode(zlib.compress(self._bits)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> LineSet:
        return cls(zlib.decompress(base64.b64decode(text)))


@dataclass(frozen=True)
class Unchanged:
    """
    The lines that need not be written.

    Attributes:
        texts: by number of a file, its lines for its unit of work (`LineSet.from_text`).
        count: of them all.
    """

    texts: Mapping[int, str] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def of(cls, by_file: Mapping[int, LineSet]) -> Unchanged:
        """Without the files whose text would be too long for a message: those are written whole."""
        texts = {number: lines.text() for number, lines in by_file.items()}
        texts = {number: text for number, text in texts.items() if len(text) <= TEXT_CHARS_MAX}
        return cls(texts, sum(len(by_file[number]) for number in texts))

    def __len__(self) -> int:
        return self.count


def unchanged_lines(export: KeySpill, table: TableRows, *, but: Collection[bytes]) -> Unchanged:
    """
    Compare both sides; rows and places have short digests as tails.

    Args:
        but: hashes of keys that stand more than once in the export; the last of them is written whatever it is.
    """
    by_file: dict[int, LineSet] = defaultdict(LineSet)
    for part in range(PARTS):
        digests = {key_hash(key): digest for key, digest in table.part(part)}
        for key, (file, line), digest in export.places(part):
            if digests.get(key) == digest and key not in but:
                by_file[file].add(line)
    return Unchanged.of(by_file)
