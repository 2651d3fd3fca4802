"""Files of a local folder as objects, for looking at and checking copies on a disk."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dynamodb_pipeline.addresses import local_path
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.files.text import PIECE_BYTES, Text
from dynamodb_pipeline.store.local_disk import collected
from dynamodb_pipeline.store.objects import (
    AlreadyExistsError,
    Body,
    ObjectChangedError,
    ObjectInfo,
    ObjectMissingError,
)

SHOWN_CHARS = 200
_SPECIAL = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class LocalObjectStore:
    """Objects are files, addresses are paths as given; a file's ETag is its inode, size and time of change."""

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        return b"".join(self._pieces(uri, etag))

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        return collected(self._pieces(uri, etag))

    def _pieces(self, uri: str, etag: str | None) -> Iterator[bytes]:
        path = Path(local_path(uri))
        if self.head(uri) is None:
            msg = f"{uri} does not exist"
            raise ObjectMissingError(msg)
        with _said(uri):
            # Not waiting for somebody to write, should it be a pipe by now.
            file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        with file:
            status = os.fstat(file.fileno())
            _refuse_special(uri, status.st_mode)
            left = status.st_size  # what it has now: a file of the system may be without end
            while piece := _read(uri, file, min(left, PIECE_BYTES)):
                left -= len(piece)
                yield piece
        with _said(uri):
            current = _etag(path)
        if etag is not None and current != etag:
            msg = f"{uri} was replaced since it was checked; start again"
            raise ObjectChangedError(msg)

    def head(self, uri: str) -> ObjectInfo | None:
        path = Path(local_path(uri))
        try:
            with _said(uri):
                status = path.stat()
        except ObjectMissingError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        _refuse_special(uri, status.st_mode)
        return _info(uri, path)

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        data = body if isinstance(body, bytes) else body.read()
        if sha256_hex is not None and hashlib.sha256(data).hexdigest() != sha256_hex:
            msg = f"{uri}: the bytes are not those whose SHA-256 was given"
            raise ObjectChangedError(msg)
        path = Path(local_path(uri))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(data)
        try:
            _publish(part.name, path, if_absent=if_absent)
        finally:
            Path(part.name).unlink(missing_ok=True)

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        folder = Path(local_path(folder_uri))
        self.head(folder_uri)  # says what is neither a file nor a folder
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            yield _info(f"{folder_uri.rstrip('/')}/{path.relative_to(folder).as_posix()}", path)

    def delete(self, uri: str) -> None:
        Path(local_path(uri)).unlink(missing_ok=True)


def _read(uri: str, file: IO[bytes], size_bytes: int) -> bytes:
    with _said(uri):
        return file.read(size_bytes)


@contextmanager
def _said(uri: str) -> Iterator[None]:
    """
    Raises:
        ObjectMissingError: nothing is there.
        PreconditionError: what is there, or its name, is nothing that can be read.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as err:
        msg = f"{_shown(uri)} does not exist"
        raise ObjectMissingError(msg) from err
    except (OSError, ValueError) as err:  # a ValueError: a name with a zero byte
        reason = err.strerror if isinstance(err, OSError) else str(err)
        msg = f"{_shown(uri)} cannot be read: {reason}; give the path of a regular file, or of a folder of such"
        raise PreconditionError(msg) from err


def _shown(uri: str) -> str:
    """A path as messages have it: not without end."""
    return uri if len(uri) <= SHOWN_CHARS else f"{uri[:SHOWN_CHARS]}..."


def _refuse_special(uri: str, mode: int) -> None:
    """
    Raises:
        PreconditionError: neither a file nor a folder.
    """
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    kind = next((name for is_it, name in _SPECIAL if is_it(mode)), "something else")
    msg = f"{uri} is {kind}, and only regular files are read; copy what it gives into a file first"
    raise PreconditionError(msg)


def _publish(part: str, path: Path, *, if_absent: bool) -> None:
    if not if_absent:
        os.replace(part, path)
        return
    try:
        os.link(part, path)
    except FileExistsError as err:
        msg = f"{path} exists already"
        raise AlreadyExistsError(msg) from err


def _info(uri: str, path: Path) -> ObjectInfo:
    return ObjectInfo(uri, path.stat().st_size, _etag(path))


def _etag(path: Path) -> str:
    status = path.stat()
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"
