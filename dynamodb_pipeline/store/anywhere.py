"""One store for s3:// addresses and local paths; each bucket by a client of its own region, found by asking S3 once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from dynamodb_pipeline.addresses import S3Uri, is_s3
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.clients import expected_owner
from dynamodb_pipeline.aws.retry import FIRST_CONTACT_POLICY, GaveUp, Pacing, call_with_retry
from dynamodb_pipeline.errors import PreconditionError, UnreachableError
from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.store.local import LocalObjectStore
from dynamodb_pipeline.store.objects import AlreadyExistsError, Body, ObjectInfo, ObjectStore
from dynamodb_pipeline.store.s3 import S3_PACING, S3ObjectStore
from dynamodb_pipeline.store.s3_errors import MISSING_CODES, missing_bucket, s3_error, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SENT_ONCE = 1  # botocore repeats nothing: `S3ObjectStore` sees every failure and decides itself


def bucket_clients(
    client: Callable[..., Any], *, bucket_owner: str | None = None, sleep: Callable[[float], object] = time.sleep
) -> Callable[[str], Any]:
    """
    Return `bucket -> S3 client of the bucket's own region`, asking S3 once a bucket; the client repeats no call.

    Args:
        client: `AwsClients.client`.
        sleep: waits before the first question of all is repeated; may raise to end the wait.

    Raises (from the returned function):
        PreconditionError: no such bucket, or no S3 at that address, when none has answered before. DeniedError: it is
            not ours to read, or belongs to another account. WireError: S3 cannot serve; ask again.
    """
    known: dict[str, Any] = {}

    def client_for(bucket: str) -> Any:
        if bucket not in known:
            ask = partial(bucket_region, client("s3", attempts=SENT_ONCE), bucket, bucket_owner=bucket_owner)
            region = ask() if known else _first_answer(ask, bucket, sleep=sleep)
            known[bucket] = client("s3", region=region, attempts=SENT_ONCE)
        return known[bucket]

    return client_for


def _first_answer(ask: Callable[[], str | None], bucket: str, *, sleep: Callable[[float], object]) -> str | None:
    """
    Raises:
        UnreachableError: S3 does not answer, so that waiting longer would not help.
        WireError: it answers and cannot serve; ask again.
    """
    try:
        return call_with_retry(ask, pacing=Pacing(FIRST_CONTACT_POLICY, sleep=sleep))
    except GaveUp as err:
        if err.last.status:
            raise err.last from err
        msg = f"S3 cannot be reached for bucket {bucket!r}; check network, region and proxy: {err.last}"
        raise UnreachableError(msg) from err


def bucket_region(client: S3Client, bucket: str, *, bucket_owner: str | None = None) -> str | None:
    """The bucket's region from HeadBucket's `x-amz-bucket-region` header; None when the server names none."""
    from botocore.exceptions import ClientError

    owner, where = expected_owner(bucket_owner), S3Uri(bucket, "")
    try:
        with s3_errors("head_bucket", where, refusals=False):
            reply = client.head_bucket(Bucket=bucket, **owner)
    except ClientError as err:
        headers = err.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if error_code(err) in MISSING_CODES | {"NoSuchBucket"}:
            raise missing_bucket(bucket) from err
        if error_code(err) not in ("301", "PermanentRedirect") or "x-amz-bucket-region" not in headers:
            raise s3_error(err, operation="head_bucket", where=where) from err
        return str(headers["x-amz-bucket-region"])
    region: str | None = reply["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region


class AnyObjectStore:
    """
    Chooses by the address: `s3://` goes to S3, everything else is a path on this machine.

    Args:
        on_write: hears the address of what was, or may have been, written or deleted.
    """

    def __init__(
        self, s3: ObjectStore, local: ObjectStore | None = None, *, on_write: Callable[[str], object] = lambda _: None
    ):
        self._s3, self._local, self._on_write = s3, local or LocalObjectStore(), on_write

    def _of(self, uri: str) -> ObjectStore:
        return self._s3 if is_s3(uri) else self._local

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        return self._of(uri).get(uri, etag=etag)

    def fetch(self, uri: str, *, etag: str | None = None) -> Text:
        return self._of(uri).fetch(uri, etag=etag)

    def head(self, uri: str) -> ObjectInfo | None:
        return self._of(uri).head(uri)

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        try:
            self._of(uri).put(uri, body, if_absent=if_absent, sha256_hex=sha256_hex)
        except (AlreadyExistsError, PreconditionError):
            raise  # nothing was written; after any other error it may have been
        except BaseException:
            self._on_write(uri)
            raise
        self._on_write(uri)

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        return self._of(folder_uri).list(folder_uri)

    def delete(self, uri: str) -> None:
        self._on_write(uri)
        self._of(uri).delete(uri)


def object_store(
    clients: Any,
    *,
    put_options: dict[str, str] | None = None,
    sleep: Callable[[float], object] | None = None,
    on_write: Callable[[str], object] = lambda _: None,
) -> ObjectStore:
    """
    Objects in S3 by `clients` (`aws.clients.AwsClients`), or in local folders, by their address.

    Args:
        sleep: waits before a request to S3 is repeated; may raise to end the wait (`RunLifetime.sleep`).
        on_write: see `AnyObjectStore`.
    """
    owner = clients.bucket_owner
    pacing = replace(S3_PACING, sleep=sleep) if sleep else S3_PACING
    client_for = bucket_clients(clients.client, bucket_owner=owner, sleep=pacing.sleep)
    s3 = S3ObjectStore(client_for, bucket_owner=owner, put_options=put_options, pacing=pacing)
    return AnyObjectStore(s3, on_write=on_write)
