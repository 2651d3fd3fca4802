"""
Keys, each with a few bytes about its item, as one byte string: how workers send them and the driver keeps them.

A row is the length of the key in two bytes (a key has at most 3,080), the key's canonical bytes, and a tail whose
length is the same for all rows.
"""

from __future__ import annotations

from collections.abc import Iterator

# Rows of one unit of work travel in its report as base64, below the coordinator's longest message of 4 MiB: a unit
# ends at this many bytes, and one more page adds less than 2 MiB to them (PAGE_UNITS).
UNIT_BYTES = 512 * 1024
# Read units of a page: 256 KiB of items, the smallest of which (5 bytes) has a row of 26 bytes.
PAGE_UNITS = 32.0


def key_row(key: bytes, tail: bytes = b"") -> bytes:
    """One row."""
    return len(key).to_bytes(2, "big") + key + tail


def key_rows(data: bytes, *, tail_bytes: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Key and tail of every row."""
    position = 0
    while position < len(data):
        start = position + 2
        end = start + int.from_bytes(data[position:start], "big")
        position = end + tail_bytes
        yield data[start:end], data[end:position]
