"""
Bytes that come in pieces and may be many: small ones stay in memory, large ones wait in a file without a name.

A worker holds several data files at once; so its memory does not grow with them.
"""

from __future__ import annotations

import errno
import mmap
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.formats.files.text import Text

SPOOL_BYTES = 1024 * 1024  # beyond this bytes wait on local disk
RELEASE_BYTES = 64 * 1024  # a piece of this size is not looked at again soon


class MappedText(mmap.mmap):
    """A mapped file that keeps in memory little more than the piece that was read last."""

    def __getitem__(self, part: Any) -> Any:
        text = super().__getitem__(part)
        if isinstance(text, bytes) and len(text) >= RELEASE_BYTES:
            self.madvise(mmap.MADV_DONTNEED)
        return text


def collected(pieces: Iterable[bytes]) -> Text:
    """
    All pieces as one text.

    Raises:
        StoppedError: no space left on the local disk.
    """
    with room_on_disk(), tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        for piece in pieces:
            spool.write(piece)
        size_bytes = spool.tell()
        if size_bytes <= SPOOL_BYTES:
            spool.seek(0)
            return bytes(spool.read())
        spool.flush()
        return MappedText(spool.fileno(), size_bytes, access=mmap.ACCESS_READ)


@contextmanager
def room_on_disk() -> Iterator[None]:
    """
    Raises:
        StoppedError: in place of an error that says that the disk is full; the run may go on when it is not.
    """
    try:
        yield
    except OSError as err:
        if err.errno != errno.ENOSPC:
            raise
        msg = f"no space left in {tempfile.gettempdir()} for a data file of up to 128 MiB; free some or set TMPDIR"
        raise StoppedError(msg) from err
