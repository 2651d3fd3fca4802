"""
Addresses in S3, on this machine and of DynamoDB tables: parsing, joining, and the rules that keep a folder a folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from dynamodb_pipeline.errors import UsageError, shown

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; old us-east-1 buckets may hold
# upper case and underscores, so those are let through and judged by S3.
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
SCHEMES = ("s3://", "s3a://", "s3n://")
TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # DynamoDB naming rules
TABLE_ARN = re.compile(rf"arn:aws[a-z-]*:dynamodb:([a-z0-9-]{{1,63}}):([0-9]{{12}}):table/({TABLE_NAME.pattern})")
# Of the operations used here those that a table of another account answers, named by its ARN, where its own policy
# allows them: "DynamoDB API operations supported by resource-based policies", column "Cross-account support".
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-iam-actions.html
ACROSS_ACCOUNTS = ("BatchWriteItem", "DescribeTable", "ListTagsOfResource", "PutItem", "Scan")

# Beginnings of region names, by partition of AWS; all others are of `aws`. As botocore's partitions.json has them.
PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def partition_of(region: str) -> str:
    """The partition of AWS that a region belongs to, as ARNs name it."""
    return next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")


def is_s3(address: str) -> bool:
    """True for an address in S3, False for a path of this machine."""
    return address.startswith(SCHEMES)


def local_path(text: str) -> str:
    """The path of this machine that a text means, as the locale spells it: LANG=C knows bytes beyond ASCII only so."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class S3Uri:
    """`s3://bucket/key`, the key as it was written; `folder` gives a folder's key one `/` at its end."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str, *, option: str = "URI") -> S3Uri:
        """
        Raises:
            UsageError: another scheme, or a bucket name S3 cannot hold.
        """
        parts = _bucket_and_key(text)
        if parts is None:
            msg = f"{option} {shown(text)} is not an s3:// address"
            raise UsageError(msg)
        if not BUCKET.fullmatch(parts[0]):
            msg = f"{option} {shown(text)}: {shown(parts[0])} is not a bucket name"
            raise UsageError(msg)
        return cls(*parts)

    @classmethod
    def of_folder(cls, text: str, *, option: str) -> S3Uri:
        """
        The folder a launcher is given, its key without a slash at either end; EMR answers with `s3n://` and `s3a://`.

        Raises:
            UsageError: not an S3 address; `option` names the place in the message.
        """
        bucket, key = _bucket_and_key(text) or ("", "")
        if not bucket:
            msg = f"{option} {shown(text)} is not an S3 address; write s3://bucket/folder"
            raise UsageError(msg)
        return cls(bucket, key.strip("/"))

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

    @property
    def uri(self) -> str:
        """The address without a slash at its end, as a folder is written in commands and requests."""
        return str(self).rstrip("/")

    def holds(self, other: S3Uri) -> bool:
        """True when `other` is this folder or lies inside it (`exports` does not hold `exports2`)."""
        return self.bucket == other.bucket and other.folder.key.startswith(self.folder.key)

    def holds_as_data(self, other: S3Uri) -> bool:
        """True when `other` would be read as part of this data folder; a bucket's top is no data folder."""
        return bool(self.folder.key) and self.holds(other)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class TableAddress:
    """
    A table as requests name it: one of the caller's own account by its name, another's by its ARN.

    Attributes:
        name: its name alone, for folders, ledgers and what people read.
        region, account: None where it is named by its name.
    """

    name: str
    region: str | None = None
    account: str | None = None

    @classmethod
    def parse(cls, text: str) -> TableAddress:
        """
        Raises:
            ValueError: neither a table's name nor a table's ARN; that of an index or stream is none.
        """
        arn = TABLE_ARN.fullmatch(text)
        address = cls(text) if arn is None else cls(arn[3], arn[1], arn[2])
        if not TABLE_NAME.fullmatch(address.name) or str(address) != text:  # of a region in another partition
            msg = f"{shown(text)} is neither a table's name nor its ARN"
            raise ValueError(msg)
        return address

    def seen_from(self, account: str | None) -> TableAddress:
        """As somebody of that account names it."""
        return TableAddress(self.name) if account is not None and account == self.account else self

    def __str__(self) -> str:
        """What a request has as TableName."""
        if self.account is None or self.region is None:
            return self.name
        return f"arn:{partition_of(self.region)}:dynamodb:{self.region}:{self.account}:table/{self.name}"


def table_name(text: str) -> str:
    """The name alone of a table that is named by its name or its ARN; other texts as they are."""
    arn = TABLE_ARN.fullmatch(text)
    return arn[3] if arn else text


def _bucket_and_key(text: str) -> tuple[str, str] | None:
    scheme = next((s for s in SCHEMES if text.startswith(s)), None)
    if scheme is None:
        return None
    bucket, _, key = text[len(scheme) :].partition("/")
    return bucket, key


def join(folder: str, name: str) -> str:
    """`folder/name` for an s3:// address or a local path."""
    return f"{folder.rstrip('/')}/{name}"
