"""Objects in memory, with ETags that change with the content, and damage on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.reading.input_files import InputFile
from dynamodb_pipeline.store.local_disk import collected
from dynamodb_pipeline.store.objects import (
    AlreadyExistsError,
    Body,
    ObjectChangedError,
    ObjectInfo,
    ObjectMissingError,
)


class MemoryStore:
    """An `ObjectStore`; `objects` maps addresses to bytes and may be changed by the test."""

    def __init__(self, objects: Mapping[str, bytes] | None = None) -> None:
        self.objects = dict(objects or {})

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        if uri not in self.objects:
            raise ObjectMissingError(f"{uri} does not exist")
        if etag is not None and etag != _etag(self.objects[uri]):
            raise ObjectChangedError(f"{uri} was replaced since it was checked")
        return self.objects[uri]

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        return collected([self.get(uri, etag=etag)])

    def head(self, uri: str) -> ObjectInfo | None:
        data = self.objects.get(uri)
        return None if data is None else ObjectInfo(uri, len(data), _etag(data))

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        if if_absent and uri in self.objects:
            raise AlreadyExistsError(f"{uri} exists already")
        self.objects[uri] = body if isinstance(body, bytes) else body.read()

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        prefix = folder_uri.rstrip("/") + "/"
        found = (self.head(uri) for uri in sorted(self.objects) if uri.startswith(prefix))
        return (info for info in found if info is not None)

    def delete(self, uri: str) -> None:
        self.objects.pop(uri, None)

    def file(self, uri: str, data: bytes, **known: object) -> InputFile:
        """Store a data file and describe it as an import's source does."""
        self.objects[uri] = data
        return InputFile(uri, len(data), _etag(data), **known)  # type: ignore[arg-type]


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
