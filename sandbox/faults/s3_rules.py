"""
Checks that S3 makes and moto does not: hashes of what arrives, and whose bucket it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable

from sandbox.faults.http_messages import Reply
from sandbox.faults.s3_call import S3Call
from sandbox.faults.s3_replies import error

DEFAULT_OWNER = "123456789012"  # moto's account
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


def objection(call: S3Call, *, owners: dict[str, str]) -> Reply | None:
    """The refusal S3 would send, None when it has no objection; `owners` maps bucket to account id."""
    return _wrong_owner(call, owners) or _wrong_hash(call)


def _wrong_owner(call: S3Call, owners: dict[str, str]) -> Reply | None:
    expected = call.request.header("x-amz-expected-bucket-owner")
    if expected in (None, owners.get(call.bucket, DEFAULT_OWNER)):
        return None
    return error(403, "AccessDenied", "Access Denied")


def _wrong_hash(call: S3Call) -> Reply | None:
    body = call.request.body
    signed = call.request.header("x-amz-content-sha256") or ""
    if _HEX_SHA256.fullmatch(signed) and signed != hashlib.sha256(body).hexdigest():
        return error(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    for header, digest in _DIGESTS.items():
        told = call.request.header(header)
        if told is not None and told != base64.b64encode(digest(body)).decode():
            return error(400, "BadDigest", f"The {header} you specified did not match what we received.")
    return None


def _crc32(body: bytes) -> bytes:
    return binascii.unhexlify(f"{zlib.crc32(body):08x}")


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-crc32": _crc32,
}
