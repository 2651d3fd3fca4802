"""One store for s3:// addresses and local paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Callable

from dynamodb_pipeline.addresses import is_s3
from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.store.local import LocalObjectStore
from dynamodb_pipeline.store.objects import Body, ObjectInfo, ObjectStore
from dynamodb_pipeline.store.s3 import S3_PACING, S3ObjectStore
from dynamodb_pipeline.store.s3_buckets import bucket_clients


class AnyObjectStore:
    """Chooses by the address: `s3://` goes to S3, everything else is a path on this machine."""

    def __init__(self, s3: ObjectStore, local: ObjectStore | None = None):
        self._s3, self._local = s3, local or LocalObjectStore()

    def _of(self, uri: str) -> ObjectStore:
        return self._s3 if is_s3(uri) else self._local

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        return self._of(uri).get(uri, etag=etag)

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        return self._of(uri).fetch(uri, etag=etag)

    def head(self, uri: str) -> ObjectInfo | None:
        return self._of(uri).head(uri)

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        self._of(uri).put(uri, body, if_absent=if_absent, sha256_hex=sha256_hex)

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        return self._of(folder_uri).list(folder_uri)

    def delete(self, uri: str) -> None:
        self._of(uri).delete(uri)


def object_store(
    clients: Any, *, put_options: dict[str, str] | None = None, sleep: Callable[[float], object] | None = None
) -> ObjectStore:
    """
    Objects in S3 by `clients` (`aws_clients.AwsClients`), or in local folders, by their address.

    Args:
        sleep: waits before a request to S3 is repeated; may raise to end the wait (`RunLifetime.sleep`).
    """
    owner = clients.bucket_owner
    client_for = bucket_clients(clients.client, bucket_owner=owner)
    pacing = replace(S3_PACING, sleep=sleep) if sleep else S3_PACING
    return AnyObjectStore(S3ObjectStore(client_for, bucket_owner=owner, put_options=put_options, pacing=pacing))
