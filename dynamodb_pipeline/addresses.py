"""S3 addresses: parsing, joining and the rules that keep a folder a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dynamodb_pipeline.errors import UsageError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; old us-east-1 buckets may hold
# upper case and underscores, so those are let through and judged by S3.
BUCKET = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$")
SCHEMES = ("s3://", "s3a://", "s3n://")


def is_s3(address: str) -> bool:
    """True for an address in S3, False for a path of this machine."""
    return address.startswith(SCHEMES)


@dataclass(frozen=True)
class S3Uri:
    """`s3://bucket/key`; a folder's key ends with `/` or is empty (the bucket's top)."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str, *, option: str = "URI") -> S3Uri:
        """
        Raises:
            UsageError: another scheme, or a bucket name S3 cannot hold.
        """
        scheme = next((s for s in SCHEMES if text.startswith(s)), None)
        if scheme is None:
            msg = f"{option} {text!r} is not an s3:// address"
            raise UsageError(msg)
        bucket, _, key = text[len(scheme) :].partition("/")
        if not BUCKET.match(bucket):
            msg = f"{option} {text!r}: {bucket!r} is not a bucket name"
            raise UsageError(msg)
        return cls(bucket, key)

    @property
    def folder(self) -> S3Uri:
        """The same address with exactly one `/` at its end (empty key stays empty)."""
        stripped = self.key.strip("/")
        return S3Uri(self.bucket, stripped + "/" if stripped else "")

    def child(self, name: str) -> S3Uri:
        """`name` (a file, or `folder/`) inside this folder."""
        return S3Uri(self.bucket, self.folder.key + name)

    @property
    def name(self) -> str:
        """The last component of the key."""
        return self.key.rstrip("/").rpartition("/")[2]

    def holds(self, other: S3Uri) -> bool:
        """True when `other` is this folder or lies inside it."""
        return self.bucket == other.bucket and other.folder.key.startswith(self.folder.key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def join(folder: str, name: str) -> str:
    """`folder/name` for an s3:// address or a local path."""
    return f"{folder.rstrip('/')}/{name}"
