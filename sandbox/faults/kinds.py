"""
The kinds of fault there are: a name, where it strikes, and what a correct client makes of it.

Names and meanings only; `dynamodb_faults` and `s3_faults` say how each is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Service(str, Enum):
    """Which proxy a kind belongs to."""

    DYNAMODB = "dynamodb"
    S3 = "s3"


READ = frozenset({"Scan"})
WRITE = frozenset({"BatchWriteItem", "PutItem", "DeleteItem"})
BATCH = frozenset({"BatchWriteItem"})
DESCRIBE = frozenset({"DescribeTable"})
DATA = READ | WRITE
ANY_DYNAMODB = DATA | DESCRIBE

GET = frozenset({"GET object"})
PUT = frozenset({"PUT object"})
LIST = frozenset({"LIST objects"})
HEAD = frozenset({"HEAD object"})
BUCKET = frozenset({"HEAD bucket"})
ANY_S3 = GET | PUT | LIST | HEAD | frozenset({"DELETE object"})


@dataclass(frozen=True)
class FaultKind:
    """
    One way to fail.

    A `lasting` kind never ends by retrying: a run that meets it may only fail cleanly. All others a run must survive.
    A kind `of_control` strikes what a run asks about tables, buckets and folders, and plans draw it separately.
    """

    name: str
    service: Service
    operations: frozenset[str]
    meaning: str
    lasting: bool = False
    of_control: bool = False


def _dynamodb(name: str, operations: frozenset[str], meaning: str, *, lasting: bool = False) -> FaultKind:
    return FaultKind(name, Service.DYNAMODB, operations, meaning, lasting)


def _s3(name: str, operations: frozenset[str], meaning: str, *, lasting: bool = False) -> FaultKind:
    return FaultKind(name, Service.S3, operations, meaning, lasting)


def _control(name: str, service: Service, operations: frozenset[str], meaning: str) -> FaultKind:
    return FaultKind(name, service, operations, meaning, of_control=True)


_ALL = (
    _dynamodb("throttle_provisioned", DATA, "ProvisionedThroughputExceededException"),
    _dynamodb("throttle_on_demand", DATA, "ThrottlingException, reason MaxOnDemandThroughputExceeded"),
    _dynamodb("throttle_account", DATA, "ThrottlingException, reason AccountLimitExceeded"),
    _dynamodb("throttle_index", WRITE, "ThrottlingException, reason IndexWriteProvisionedThroughputExceeded"),
    _dynamodb("throttle_key_range", DATA, "one part of the key space is throttled, the rest goes on"),
    _dynamodb("throttle_request_limit", DATA, "RequestLimitExceeded (the account's own limit)"),
    _dynamodb("throttle_describe", DESCRIBE, "ThrottlingException for DescribeTable"),
    _dynamodb("write_conflict", BATCH, "ReplicatedWriteConflictException"),
    _dynamodb("unprocessed_some", BATCH, "a random part of the batch is not written and comes back"),
    _dynamodb("unprocessed_all", BATCH, "nothing is written and all of it comes back, with status 200"),
    _dynamodb("internal_before", ANY_DYNAMODB, "500 InternalServerError, nothing done"),
    _dynamodb("internal_after", DATA, "500 InternalServerError although the request was carried out"),
    _dynamodb("unavailable", ANY_DYNAMODB, "503 with an HTML body, nothing done"),
    _dynamodb("gateway_timeout_after", DATA, "504 although the request was carried out"),
    _dynamodb("reset_before", ANY_DYNAMODB, "connection reset, nothing done"),
    _dynamodb("reset_within", DATA, "connection reset in the middle of the reply"),
    _dynamodb("reset_after", DATA, "carried out, then the connection is reset instead of a reply"),
    _dynamodb("silence", DATA, "no reply for a while, then the connection closes"),
    _dynamodb("slow", DATA, "a whole reply, late"),
    _dynamodb("hang_up", ANY_DYNAMODB, "a whole reply, then the connection closes (no keep-alive)"),
    _dynamodb("truncated", DATA, "200, body cut, Content-Length fits the cut, CRC-32 of the whole"),
    _dynamodb("truncated_on_wire", DATA, "200, body cut, Content-Length of the whole"),
    _dynamodb("bit_flip", DATA, "200, one bit changed, CRC-32 of the right body"),
    _dynamodb("not_json", DATA, "200 with an HTML body"),
    _dynamodb("fields_missing", DATA, "200, Items/Count or UnprocessedItems missing, CRC-32 right"),
    _dynamodb("count_wrong", READ, "200, Count does not match Items, CRC-32 right"),
    _dynamodb("empty_page", READ, "no items but a LastEvaluatedKey"),
    _dynamodb("short_page", READ, "a page of one item, whatever was asked for"),
    _dynamodb("expired_token", DATA, "ExpiredTokenException until the access key changes"),
    _dynamodb("clock_skew", DATA, "InvalidSignatureException: signature expired, with the server's Date"),
    _dynamodb("table_updating", DESCRIBE, "status UPDATING this time, still readable and writable"),
    _dynamodb("capacity_halved", DESCRIBE, "half the provisioned capacity, this time"),
    _dynamodb("access_denied", DATA, "AccessDeniedException from here on", lasting=True),
    _dynamodb("key_revoked", DATA, "UnrecognizedClientException from here on", lasting=True),
    _dynamodb("table_gone", DATA, "ResourceNotFoundException from here on", lasting=True),
    _dynamodb("table_deleting", DESCRIBE, "status DELETING from here on", lasting=True),
    _dynamodb("table_recreated", DESCRIBE, "another TableId from here on", lasting=True),
    _dynamodb("collection_full", BATCH, "ItemCollectionSizeLimitExceededException from here on", lasting=True),
    _s3("slow_down", ANY_S3, "503 SlowDown, nothing done"),
    _s3("s3_internal_before", ANY_S3, "500 InternalError, nothing done"),
    _s3("s3_internal_after", PUT, "500 InternalError although the object was stored"),
    _s3("request_timeout", PUT, "400 RequestTimeout, nothing stored"),
    _s3("s3_reset_before", ANY_S3, "connection reset, nothing done"),
    _s3("s3_reset_within", GET, "connection reset in the middle of the body"),
    _s3("lost_reply", PUT, "stored, then the connection is reset instead of a reply"),
    _s3("s3_slow", ANY_S3, "a whole reply, late"),
    _s3("short_body", GET, "200, body cut, Content-Length fits the cut: looks whole"),
    _s3("flipped_download", GET, "200, one bit of the body changed"),
    _s3("flipped_upload", PUT, "one bit changed on the way in: refused if the client sent a hash, else stored"),
    _s3("swapped_object", GET, "another object's content and ETag"),
    _s3("conditional_conflict", PUT, "409 ConditionalRequestConflict to a put-if-absent"),
    _s3("short_listing", LIST, "one key a page, whatever was asked for"),
    _s3("s3_expired_token", ANY_S3, "400 ExpiredToken until the access key changes"),
    _s3("rival_writer", PUT, "somebody else stored this very key first: 412", lasting=True),
    _s3("object_gone", GET, "404 NoSuchKey for one object from here on", lasting=True),
    _s3("object_archived", GET, "403 InvalidObjectState for one object from here on", lasting=True),
    _s3("s3_access_denied", PUT, "403 AccessDenied from here on", lasting=True),
    _control("describe_empty", Service.DYNAMODB, DESCRIBE, "200 with {}, CRC-32 right"),
    _control("describe_bare", Service.DYNAMODB, DESCRIBE, "200, a random part of Table missing, CRC-32 right"),
    _control("describe_other", Service.DYNAMODB, DESCRIBE, "200, another table's description, CRC-32 right"),
    _control("describe_cut", Service.DYNAMODB, DESCRIBE, "200, body cut, Content-Length fits the cut"),
    _control("describe_cut_on_wire", Service.DYNAMODB, DESCRIBE, "200, body cut, Content-Length of the whole"),
    _control("describe_flip", Service.DYNAMODB, DESCRIBE, "200, one bit changed, CRC-32 of the right body"),
    _control("describe_not_json", Service.DYNAMODB, DESCRIBE, "200 with an HTML body"),
    _control("describe_reset", Service.DYNAMODB, DESCRIBE, "connection reset in the middle of the reply"),
    _control("describe_silence", Service.DYNAMODB, DESCRIBE, "no reply for a while, then the connection closes"),
    _control("describe_internal", Service.DYNAMODB, DESCRIBE, "500 InternalServerError"),
    _control("bucket_reset", Service.S3, BUCKET, "connection reset, no byte"),
    _control("bucket_reset_within", Service.S3, BUCKET, "connection reset in the middle of the reply's head"),
    _control("bucket_silence", Service.S3, BUCKET, "no reply for a while, then the connection closes"),
    _control("bucket_internal", Service.S3, BUCKET, "500 without a body"),
    _control("bucket_slow_down", Service.S3, BUCKET, "503 without a body"),
    _control("list_empty", Service.S3, LIST, "200 without a body"),
    _control("list_bare", Service.S3, LIST, "200, a result without members"),
    _control("list_cut", Service.S3, LIST, "200, body cut, Content-Length fits the cut"),
    _control("list_reset", Service.S3, LIST, "connection reset in the middle of the reply"),
    _control("list_html", Service.S3, LIST, "200 with an HTML body"),
    _control("head_bare", Service.S3, HEAD, "200 without ETag"),
    _control("put_bare", Service.S3, PUT, "200 without ETag; stored"),
)

KINDS: dict[str, FaultKind] = {kind.name: kind for kind in _ALL}
