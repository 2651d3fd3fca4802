"""A whole file's bytes. A large file is mapped instead of held, so it is looked at in pieces."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from mmap import mmap
from typing import Union

Text = Union[bytes, mmap]
PIECE_BYTES = 1 << 20


def pieces(text: Text) -> Iterator[bytes]:
    """The text, a MiB at a time."""
    return (text[start : start + PIECE_BYTES] for start in range(0, len(text), PIECE_BYTES))


def line_count(text: Text) -> int:
    """How many line ends there are."""
    return sum(piece.count(b"\n") for piece in pieces(text))


def sha256_hex(text: Text) -> str:
    """The SHA-256 as `_export.json` spells it."""
    digest = hashlib.sha256()
    for piece in pieces(text):
        digest.update(piece)
    return digest.hexdigest()


def md5_base64(text: Text) -> str:
    """The MD5 as `manifest-files.json` of a native export spells it."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces(text):
        digest.update(piece)
    return b64encode(digest.digest()).decode()
