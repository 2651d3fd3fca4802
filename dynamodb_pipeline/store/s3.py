"""
Objects in S3: whole objects, one request each, repeated within bounds.

A request is repeated by the same loop as those to DynamoDB (`retry`), with S3's own bounds. A PUT whose reply was lost
is sent again; for a put-if-absent S3 then says that the object is there, and `put_once` tells our own from another's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Callable, TypeVar

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.clients import expected_owner
from dynamodb_pipeline.aws.retry import CALL_POLICY, CALLS, Pacing, call_with_retry
from dynamodb_pipeline.formats.files.text import PIECE_BYTES, Text
from dynamodb_pipeline.store.local_disk import collected
from dynamodb_pipeline.store.objects import Body, ObjectInfo, ObjectMissingError
from dynamodb_pipeline.store.s3_errors import AlteredOnTheWay, incomplete, s3_errors

T = TypeVar("T")

S3_PACING = Pacing(CALL_POLICY)


class S3ObjectStore:
    """
    Objects in S3.

    Args:
        client_for: returns the S3 client to use for a bucket (`anywhere.bucket_clients`).
        bucket_owner: 12-digit account id sent as ExpectedBucketOwner with every call, or None.
        put_options: extra PutObject arguments such as SSEKMSKeyId.
        pacing: bounds of repetition, clock, sleep and chance; its sleep may raise to end the wait.
    """

    def __init__(
        self,
        client_for: Callable[[str], Any],
        *,
        bucket_owner: str | None = None,
        put_options: dict[str, str] | None = None,
        pacing: Pacing = S3_PACING,
    ):
        self._client_for = client_for
        self._owner = expected_owner(bucket_owner)
        self._put_options = put_options or {}
        self._pacing = pacing

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        return self._patiently(lambda: b"".join(self._pieces(uri, etag)))

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        return self._patiently(lambda: collected(self._pieces(uri, etag)))

    def head(self, uri: str) -> ObjectInfo | None:
        where = S3Uri.parse(uri)
        if not where.key:
            return None  # a bucket's top is no object, and botocore refuses an empty key
        try:
            reply = self._patiently(lambda: self._send("head_object", where, Key=where.key))
        except ObjectMissingError:
            return None
        return ObjectInfo(uri, reply["ContentLength"], reply["ETag"].strip('"'))

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        where = S3Uri.parse(uri)
        digest = bytes.fromhex(sha256_hex) if sha256_hex else hashlib.sha256(_whole(body)).digest()
        options: dict[str, Any] = dict(self._put_options)
        options["ChecksumSHA256"] = base64.b64encode(digest).decode("ascii")
        if if_absent:
            options["IfNoneMatch"] = "*"

        def send() -> None:
            _rewind(body)
            self._send("put_object", where, Key=where.key, Body=body, **options)

        self._patiently(send)

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        where = S3Uri.parse(folder_uri).folder
        token: dict[str, str] = {}
        while True:
            entries, next_token = self._page(where, token)
            yield from entries
            if next_token is None:
                return
            token = {"ContinuationToken": next_token}

    def delete(self, uri: str) -> None:
        where = S3Uri.parse(uri)
        self._patiently(lambda: self._send("delete_object", where, Key=where.key))

    def _page(self, where: S3Uri, token: dict[str, str]) -> tuple[Sequence[ObjectInfo], str | None]:
        return self._patiently(lambda: _listed(where, self._send("list_objects_v2", where, Prefix=where.key, **token)))

    def _pieces(self, uri: str, etag: str | None) -> Iterator[bytes]:
        where = S3Uri.parse(uri)
        pinned = {"IfMatch": f'"{etag}"'} if etag else {}
        reply = self._send("get_object", where, Key=where.key, **pinned)
        got = 0
        with s3_errors("get_object", where):
            for piece in iter(lambda: reply["Body"].read(PIECE_BYTES), b""):
                got += len(piece)
                yield piece
        wanted = reply["ContentLength"]
        if got != wanted:
            msg = f"S3 get_object {where}: got {got} of {wanted} bytes"
            raise AlteredOnTheWay(msg)

    def _send(self, operation: str, where: S3Uri, **arguments: Any) -> Any:
        with s3_errors(operation, where):
            method = getattr(self._client_for(where.bucket), operation)
            reply = method(Bucket=where.bucket, **arguments, **self._owner)
        missing = [name for name in CALLS[operation].reply if name not in reply]
        if missing:
            raise incomplete(where, operation=operation, lacks=", ".join(missing))
        return reply

    def _patiently(self, attempt: Callable[[], T]) -> T:
        return call_with_retry(attempt, pacing=self._pacing)


def _listed(where: S3Uri, page: Any) -> tuple[Sequence[ObjectInfo], str | None]:
    """One page of a listing, and what asks for the next; raises AlteredOnTheWay when either is damaged."""
    bucket = where.bucket
    try:
        entries = [
            ObjectInfo(str(S3Uri(bucket, entry["Key"])), entry["Size"], entry["ETag"].strip('"'))
            for entry in page.get("Contents", ())
        ]
        return entries, page["NextContinuationToken"] if page["IsTruncated"] else None
    except (AttributeError, KeyError, TypeError) as err:
        raise incomplete(where, operation="list_objects_v2", lacks=f"members ({err})") from err


def _whole(body: Body) -> bytes:
    return body if isinstance(body, bytes) else body.read()


def _rewind(body: Body) -> None:
    """An attempt that failed may have read some of a file."""
    if not isinstance(body, bytes):
        body.seek(0)
