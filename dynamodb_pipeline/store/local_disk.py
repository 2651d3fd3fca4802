"""
This machine's disk for what is too large for memory: bytes of one file, and bytes sorted into 256 files.

A worker holds several data files at once, and its memory does not grow with them: bytes that come in pieces stay in
memory while they are few, and wait in a file without a name when they are many.

Keys of an import, a mirror or a verification are sorted by the first byte of their hash: all that must be compared with
each other lies in one part, and memory holds one part at a time.
"""

from __future__ import annotations

import errno
import mmap
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from dynamodb_pipeline.aws.node_boto3 import local_disk_folder
from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.formats.files.text import Text

Self = TypeVar("Self", bound="Spill")

PARTS = 256
BUFFER_BYTES = 1 << 16  # of each part: 16 MiB in all
SPOOL_BYTES = 1024 * 1024  # beyond this bytes wait on local disk
RELEASE_BYTES = 64 * 1024  # a piece of this size is not looked at again soon


class Spill:
    """
    256 growing byte strings; a context manager that removes what it wrote.

    Small ones never leave memory, and no file stays open: a run has up to three of these, and a driver may often open
    no more than 1,024 files.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._buffers: dict[int, bytearray] = defaultdict(bytearray)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, part: int, data: bytes) -> None:
        """
        Append to part 0..255.

        Raises:
            StoppedError: no space is left on the disk.
        """
        buffer = self._buffers[part]
        buffer += data
        if len(buffer) >= BUFFER_BYTES:
            self._write(part, buffer)

    def part(self, part: int) -> bytes:
        """Everything that was appended to the part."""
        path = self._path(part) if self._folder else None
        written = path.read_bytes() if path and path.exists() else b""
        return written + bytes(self._buffers[part])

    def _write(self, part: int, buffer: bytearray) -> None:
        try:
            with self._path(part).open("ab") as file:
                file.write(buffer)
        except OSError as err:
            if err.errno != errno.ENOSPC:
                raise
            msg = f"no space left in {local_disk_folder()} for the keys of this run; free some or set TMPDIR"
            raise StoppedError(msg) from err
        buffer.clear()

    def _path(self, part: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dynamodb-pipeline-", dir=local_disk_folder())
        return Path(self._folder.name, f"{part:03d}")


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
    with room_on_disk(), spooled(max_bytes=SPOOL_BYTES) as spool:
        for piece in pieces:
            spool.write(piece)
        size_bytes = spool.tell()
        if size_bytes <= SPOOL_BYTES:
            spool.seek(0)
            return bytes(spool.read())
        spool.flush()
        return MappedText(spool.fileno(), size_bytes, access=mmap.ACCESS_READ)


def spooled(*, max_bytes: int) -> tempfile.SpooledTemporaryFile[bytes]:
    """A file that stays in memory up to that size and then waits on local disk, without a name."""
    return tempfile.SpooledTemporaryFile(max_size=max_bytes, dir=local_disk_folder())


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
        msg = f"no space left in {local_disk_folder()} for a data file of up to 128 MiB; free some or set TMPDIR"
        raise StoppedError(msg) from err
