"""
Objects in S3, or files in a local folder, behind one small interface.

Everything above this module reads and writes whole objects by address and never meets a client, a botocore error or
a region. Every write is one PUT: it is there whole or not at all, so no multipart upload is ever left behind. The two
kinds of place are in `s3` and `local`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Callable, Protocol, Union

from dynamodb_pipeline.errors import IntegrityError, PipelineError
from dynamodb_pipeline.formats.files.text import Text

HEADS_AT_ONCE = 16

Body = Union[bytes, IO[bytes]]


class AlreadyExistsError(PipelineError):
    """A put-if-absent found the object already there."""


class ObjectMissingError(IntegrityError):
    """An object that must exist does not."""


class ObjectChangedError(IntegrityError):
    """An object is no longer the one that was checked (its ETag differs)."""


@dataclass(frozen=True)
class ObjectInfo:
    """One object: address, stored size in bytes, and its ETag (S3's, opaque; without quotes)."""

    uri: str
    bytes: int
    etag: str


class ObjectStore(Protocol):
    """Whole objects by address."""

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        """Return the object's bytes; ObjectMissingError, or ObjectChangedError when `etag` no longer matches."""

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        """The same for data files: a large one is kept on local disk. Raises StoppedError when that is full."""

    def head(self, uri: str) -> ObjectInfo | None:
        """Return what is known of the object, None when there is none."""

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        """Store the whole object; AlreadyExistsError when `if_absent` and there is one."""

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        """Every object below the folder, in key order."""

    def delete(self, uri: str) -> None:
        """Remove the object if it is there."""


def in_parallel(
    head: Callable[[str], ObjectInfo | None], asked: Sequence[Sequence[str]]
) -> Iterator[ObjectInfo | None]:
    """
    Of each list of addresses the first object that is there, in order.

    Args:
        head: of a store. `HEADS_AT_ONCE` run at a time, and few more than somebody waits for.
    """

    def first(uris: Sequence[str]) -> ObjectInfo | None:
        return next(filter(None, map(head, uris)), None)

    with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
        for start in range(0, len(asked), HEADS_AT_ONCE):
            yield from pool.map(first, asked[start : start + HEADS_AT_ONCE])


def put_once(store: ObjectStore, uri: str, body: bytes) -> bool:
    """
    Put-if-absent that forgives its own lost reply: True when `body` is what now lies at `uri`.

    A PUT whose reply was lost is retried and answered 412 (reliability: manifest PUT stored, reply lost); reading
    the object back tells our own copy from another run's.
    """
    try:
        store.put(uri, body, if_absent=True)
    except AlreadyExistsError:
        return store.get(uri) == body
    return True
