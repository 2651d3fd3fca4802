"""
Objects in S3, or files in a local folder, behind one small interface.

Everything above this module reads and writes whole objects by address and never meets a client, a botocore error or
a region. Every write is one PUT: it is there whole or not at all, so no multipart upload is ever left behind.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Callable, Protocol, Union

from dynamodb_pipeline.errors import DeniedError, IntegrityError, PipelineError, PreconditionError, StoppedError
from dynamodb_pipeline.transfer.s3_uri import S3Uri

Body = Union[bytes, IO[bytes]]

DENIED_CODES = frozenset(
    {"403", "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
    | {"InvalidToken", "AccountProblem", "KMS.AccessDeniedException"}
    | {"ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "RequestTimeTooSkewed"}
)
MISSING_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
CONFLICT_CODES = frozenset({"412", "PreconditionFailed"})
RACE_CODES = frozenset({"409", "ConditionalRequestConflict"})
RACE_ATTEMPTS = 5
READ_ATTEMPTS = 4


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

    def head(self, uri: str) -> ObjectInfo | None:
        """Return what is known of the object, None when there is none."""

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        """Store the whole object; AlreadyExistsError when `if_absent` and there is one."""

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        """Every object below the folder, in key order."""

    def delete(self, uri: str) -> None:
        """Remove the object if it is there."""


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


class S3ObjectStore:
    """
    Objects in S3.

    Args:
        client_for: returns the S3 client to use for a bucket (its own region, found once; see `bucket_clients`).
        bucket_owner: 12-digit account id sent as ExpectedBucketOwner with every call, or None.
        put_options: extra PutObject arguments such as SSEKMSKeyId.
    """

    def __init__(
        self,
        client_for: Callable[[str], Any],
        *,
        bucket_owner: str | None = None,
        put_options: dict[str, str] | None = None,
    ):
        self._client_for = client_for
        self._owner = {"ExpectedBucketOwner": bucket_owner} if bucket_owner else {}
        self._put_options = put_options or {}

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        where = S3Uri.parse(uri)
        pinned = {"IfMatch": f'"{etag}"'} if etag else {}
        problem = ""
        for _ in range(READ_ATTEMPTS):
            data, problem = self._read(where, pinned)
            if not problem:
                return data
        msg = f"{uri}: {problem}, {READ_ATTEMPTS} times; run the same command again"
        raise StoppedError(msg)

    def _read(self, where: S3Uri, pinned: dict[str, str]) -> tuple[bytes, str]:
        """The object and what went wrong with its body, for which botocore itself does not retry."""
        from botocore.exceptions import BotoCoreError

        reply = self._call("get_object", where, **pinned)
        try:
            data = bytes(reply["Body"].read())
        except BotoCoreError as err:
            return b"", str(err)
        wanted = reply["ContentLength"]
        return data, "" if len(data) == wanted else f"got {len(data)} of {wanted} bytes"

    def head(self, uri: str) -> ObjectInfo | None:
        try:
            reply = self._call("head_object", S3Uri.parse(uri))
        except ObjectMissingError:
            return None
        return ObjectInfo(uri, reply["ContentLength"], reply["ETag"].strip('"'))

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        digest = bytes.fromhex(sha256_hex) if sha256_hex else hashlib.sha256(_whole(body)).digest()
        options: dict[str, Any] = dict(self._put_options)
        options["ChecksumSHA256"] = base64.b64encode(digest).decode("ascii")
        if if_absent:
            options["IfNoneMatch"] = "*"
        self._call("put_object", S3Uri.parse(uri), Body=body, **options)

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        where = S3Uri.parse(folder_uri).folder
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", where, Prefix=where.key, **token)
            for entry in page.get("Contents", ()):
                found = S3Uri(where.bucket, entry["Key"])
                yield ObjectInfo(str(found), entry["Size"], entry["ETag"].strip('"'))
            if not page["IsTruncated"]:
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, uri: str) -> None:
        self._call("delete_object", S3Uri.parse(uri))

    def _call(self, operation: str, where: S3Uri, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError  # botocore's own transport

        if operation != "list_objects_v2":
            arguments["Key"] = where.key
        for left in reversed(range(RACE_ATTEMPTS)):
            try:
                method = getattr(self._client_for(where.bucket), operation)
                return method(Bucket=where.bucket, **arguments, **self._owner)
            except ClientError as err:
                if _code(err) in RACE_CODES and left:
                    continue
                raise s3_error(err, operation=operation, where=where) from err
            except (HTTPError, ConnectionError) as err:  # botocore: the body of an error reply that broke off
                if not left:
                    raise unsent(err, f"S3 {operation} {where}") from err
            except BotoCoreError as err:
                raise unsent(err, f"S3 {operation} {where}") from err
            except RuntimeError as err:  # botocore: "refreshed credentials are still expired"
                msg = f"S3 {operation} {where}: {err}; renew the credentials, then resume the run"
                raise DeniedError(msg) from err
        raise AssertionError(operation)


def unsent(err: Exception, what: str, *, otherwise: type[PipelineError] = StoppedError) -> PipelineError:
    """Our error for a request that botocore could not send: `otherwise`, unless credentials are the reason."""
    from botocore import exceptions as known

    credentials = (
        known.NoCredentialsError,
        known.PartialCredentialsError,
        known.CredentialRetrievalError,
        known.TokenRetrievalError,
        known.SSOError,
        known.ProfileNotFound,
    )
    if isinstance(err, credentials):
        return DeniedError(f"{what}: no usable AWS credentials: {err}; renew them, then run the same command again")
    return otherwise(f"{what}: {err}")


def bucket_clients(client: Callable[..., Any], *, bucket_owner: str | None = None) -> Callable[[str], Any]:
    """
    Return `bucket -> S3 client of the bucket's own region`, asking S3 once a bucket.

    Args:
        client: `AwsClients.client`.

    Raises (from the returned function):
        PreconditionError: no such bucket. DeniedError: it is not ours to read, or belongs to another account.
    """
    known: dict[str, Any] = {}

    def client_for(bucket: str) -> Any:
        if bucket not in known:
            region = bucket_region(client("s3"), bucket, bucket_owner=bucket_owner)
            known[bucket] = client("s3", region=region) if region else client("s3")
        return known[bucket]

    return client_for


def bucket_region(client: Any, bucket: str, *, bucket_owner: str | None = None) -> str | None:
    """The bucket's region from HeadBucket's `x-amz-bucket-region` header; None when the server names none."""
    from botocore.exceptions import BotoCoreError, ClientError

    owner = {"ExpectedBucketOwner": bucket_owner} if bucket_owner else {}
    try:
        reply = client.head_bucket(Bucket=bucket, **owner)
    except ClientError as err:
        headers = err.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if _code(err) in MISSING_CODES | {"NoSuchBucket"}:
            msg = f"bucket {bucket!r} does not exist; check the spelling or create it first"
            raise PreconditionError(msg) from err
        if _code(err) not in ("301", "PermanentRedirect") or "x-amz-bucket-region" not in headers:
            raise s3_error(err, operation="head_bucket", where=S3Uri(bucket, "")) from err
        return str(headers["x-amz-bucket-region"])
    except BotoCoreError as err:
        raise unsent(err, f"S3 cannot be reached for bucket {bucket!r}", otherwise=PreconditionError) from err
    region: str | None = reply["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region


def s3_error(err: Any, *, operation: str, where: S3Uri) -> PipelineError:
    """The exception that a botocore ClientError of an S3 call stands for."""
    code = _code(err)
    if code == "NoSuchBucket":
        return PreconditionError(f"bucket {where.bucket!r} does not exist; check the spelling or create it first")
    if code in MISSING_CODES:
        return ObjectMissingError(f"{where} does not exist")
    if code in CONFLICT_CODES:
        if operation == "get_object":
            return ObjectChangedError(f"{where} was replaced since it was checked; start again")
        return AlreadyExistsError(f"{where} exists already")
    if code in DENIED_CODES:
        return DeniedError(
            f"S3 refuses {operation} on {where} ({code}); grant it to this role"
            " (`dynamodb-pipeline policy` prints what is needed) or check --bucket-owner"
        )
    if code in ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"):
        return StoppedError(f"{where} was altered on its way to S3 and refused ({code}); run the same command again")
    if code == "InvalidObjectState":
        return PreconditionError(f"{where} is archived; restore it to S3 Standard first")
    return StoppedError(f"S3 {operation} {where} failed: {code}: {err.response.get('Error', {}).get('Message', '')}")


def _code(err: Any) -> str:
    return str(err.response.get("Error", {}).get("Code", ""))


def _whole(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    data = body.read()
    body.seek(0)
    return data
