"""A bucket as an export should have it: closed to the public, whatever its policy or its objects say."""

from __future__ import annotations

from typing import Any

BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def make_private_bucket(s3: Any, name: str) -> str:
    """Create a bucket in the client's region, which blocks public access, and return its name."""
    region = s3.meta.region_name
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=name, **elsewhere)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(BLOCKED, True))
    return name
