"""Files of a local folder as objects, for looking at and checking copies on a disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


class LocalObjectStore:
    """Objects are files, addresses are paths as given; a file's ETag is its inode, size and time of change."""

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        return b"".join(self._pieces(uri, etag))

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        return collected(self._pieces(uri, etag))

    def _pieces(self, uri: str, etag: str | None) -> Iterator[bytes]:
        path = Path(local_path(uri))
        try:
            with path.open("rb") as file:
                yield from iter(lambda: file.read(PIECE_BYTES), b"")
            current = _etag(path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as err:
            msg = f"{uri} does not exist"
            raise ObjectMissingError(msg) from err
        except PermissionError as err:
            msg = f"{uri} cannot be read: {err.strerror}"
            raise PreconditionError(msg) from err
        if etag is not None and current != etag:
            msg = f"{uri} was replaced since it was checked; start again"
            raise ObjectChangedError(msg)

    def head(self, uri: str) -> ObjectInfo | None:
        path = Path(local_path(uri))
        return _info(uri, path) if path.is_file() else None

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
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            yield _info(f"{folder_uri.rstrip('/')}/{path.relative_to(folder).as_posix()}", path)

    def delete(self, uri: str) -> None:
        Path(local_path(uri)).unlink(missing_ok=True)


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
