"""
Order-independent digests: whether two sets of items are equal, and in which keys they differ.

An item's digest is the SHA-256 of its canonical form (`canonical_form`). An item belongs to the bucket whose number
is the first eight bytes of its key's SHA-256, read as a big-endian number, modulo the count of buckets. A bucket
holds how many items it has and the sum of their digests modulo 2^256. Sums depend on no order, can be
added up across tasks and, unlike XOR, do not lose an item that occurs twice. They find accidents, not forgery.
The total is the SHA-256 of the count of buckets (8 bytes, big-endian) and then, bucket by bucket, its item count
(8 bytes) and its sum (32 bytes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from dynamodb_pipeline.formats.items.canonical_form import canonical_item

__all__ = ["DEFAULT_BUCKETS", "BucketDigest", "bucket_of", "canonical_item"]

DEFAULT_BUCKETS = 4096
_MODULUS = 1 << 256


def bucket_of(key_bytes: bytes, buckets: int = DEFAULT_BUCKETS) -> int:
    """The bucket of the item whose key is `key_bytes` (`KeySchema.key_of`)."""
    return int.from_bytes(hashlib.sha256(key_bytes).digest()[:8], "big") % buckets


class BucketDigest:
    """The items of one side: for each bucket their count and the sum of their digests."""

    def __init__(self, buckets: int = DEFAULT_BUCKETS) -> None:
        if buckets.__class__ is not int or buckets < 1:
            message = f"a digest needs at least one bucket, not {buckets!r}"
            raise ValueError(message)
        self._counts = [0] * buckets
        self._sums = [0] * buckets

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return len(self._counts)

    @property
    def item_count(self) -> int:
        """How many items were added."""
        return sum(self._counts)

    def add(self, item: Mapping[str, Any], key_bytes: bytes) -> None:
        """Add `item`, whose key is `key_bytes`. Raises ItemError as `canonical_item`."""
        bucket = bucket_of(key_bytes, len(self._counts))
        self._sums[bucket] += int.from_bytes(hashlib.sha256(canonical_item(item)).digest(), "big")
        self._counts[bucket] += 1

    def merge(self, other: BucketDigest) -> None:
        """Add the items of `other`. Raises ValueError when it has another count of buckets."""
        self._refuse_other_buckets(other)
        for bucket, (count, digest_sum) in enumerate(other):
            self._counts[bucket] += count
            self._sums[bucket] += digest_sum

    def differing_buckets(self, other: BucketDigest) -> list[int]:
        """The buckets whose items are not the same. Raises ValueError when `other` has another count of them."""
        self._refuse_other_buckets(other)
        return [bucket for bucket, (mine, theirs) in enumerate(zip(self, other)) if mine != theirs]

    def total(self) -> str:
        """One digest of all items, as 64 hex digits."""
        digest = hashlib.sha256(self.buckets.to_bytes(8, "big"))
        for count, digest_sum in self:
            digest.update(count.to_bytes(8, "big") + digest_sum.to_bytes(32, "big"))
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain data: the count of buckets, and of each that is not empty its number, count and sum in hex."""
        filled = [[bucket, count, f"{total:064x}"] for bucket, (count, total) in enumerate(self) if count]
        return {"buckets": self.buckets, "filled": filled}

    @classmethod
    def from_json(cls, data: Any) -> BucketDigest:
        """From what `to_json` gave. Raises ValueError when `data` is anything else."""
        try:
            digest = cls(data["buckets"])
            for bucket, count, digest_sum in data["filled"]:
                digest._fill(bucket, count, int(digest_sum, 16))
        except (KeyError, TypeError, IndexError) as err:
            message = "digest must have 'buckets' and a list 'filled' of [bucket, count, sum]"
            raise ValueError(message) from err
        return digest

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each bucket's item count and sum."""
        return ((count, digest_sum % _MODULUS) for count, digest_sum in zip(self._counts, self._sums))

    def _fill(self, bucket: int, count: int, digest_sum: int) -> None:
        if bucket.__class__ is not int or count.__class__ is not int or not 0 <= digest_sum < _MODULUS:
            message = f"digest's bucket {bucket!r} has no whole number for number, count or sum"
            raise ValueError(message)
        if bucket < 0 or count < 1 or self._counts[bucket]:
            message = f"digest's bucket {bucket} is none, is empty or stands there twice"
            raise ValueError(message)
        self._counts[bucket], self._sums[bucket] = count, digest_sum

    def _refuse_other_buckets(self, other: BucketDigest) -> None:
        if self.buckets != other.buckets:
            message = f"digests of {self.buckets} and of {other.buckets} buckets cannot be compared"
            raise ValueError(message)
