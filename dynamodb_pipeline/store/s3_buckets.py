"""Which S3 client a bucket needs: one of the bucket's own region, found by asking S3 once."""

from __future__ import annotations

from typing import Any, Callable

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.store.s3_errors import MISSING_CODES, s3_error, unsent

SENT_ONCE = 1  # botocore repeats nothing: `S3ObjectStore` sees every failure and decides itself


def bucket_clients(client: Callable[..., Any], *, bucket_owner: str | None = None) -> Callable[[str], Any]:
    """
    Return `bucket -> S3 client of the bucket's own region`, asking S3 once a bucket; the client repeats no call.

    Args:
        client: `AwsClients.client`.

    Raises (from the returned function):
        PreconditionError: no such bucket, or no S3 at that address. DeniedError: it is not ours to read, or belongs to
            another account. WireError: S3 answers and cannot serve; ask again.
    """
    known: dict[str, Any] = {}

    def client_for(bucket: str) -> Any:
        if bucket not in known:
            region = bucket_region(client("s3"), bucket, bucket_owner=bucket_owner)
            known[bucket] = client("s3", region=region, attempts=SENT_ONCE)
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
        if error_code(err) in MISSING_CODES | {"NoSuchBucket"}:
            msg = f"bucket {bucket!r} does not exist; check the spelling or create it first"
            raise PreconditionError(msg) from err
        if error_code(err) not in ("301", "PermanentRedirect") or "x-amz-bucket-region" not in headers:
            raise s3_error(err, operation="head_bucket", where=S3Uri(bucket, "")) from err
        return str(headers["x-amz-bucket-region"])
    except BotoCoreError as err:
        raise unsent(err, f"S3 cannot be reached for bucket {bucket!r}", otherwise=PreconditionError) from err
    region: str | None = reply["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region
