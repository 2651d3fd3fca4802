"""
Bytes sorted into 256 files on this machine's disk, so that what does not fit into memory can be looked at in parts.

Keys of an import, a mirror or a verification go here by the first byte of their hash: all that must be compared with
each other lies in one part, and memory holds one part at a time.
"""

from __future__ import annotations

import errno
import tempfile
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from dynamodb_pipeline.errors import StoppedError

Self = TypeVar("Self", bound="Spill")

PARTS = 256
BUFFER_BYTES = 1 << 16  # of each part: 16 MiB in all


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
            msg = f"no space left in {tempfile.gettempdir()} for the keys of this run; free some or set TMPDIR"
            raise StoppedError(msg) from err
        buffer.clear()

    def _path(self, part: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dynamodb-pipeline-")
        return Path(self._folder.name, f"{part:03d}")
