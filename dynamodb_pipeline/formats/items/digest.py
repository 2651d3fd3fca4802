"""
One text for each item, whatever way its JSON spells it, and digests of many items that depend on no order.

The canonical form of an item:

- Attributes and map members are sorted by name, in the order of code points (which is that of UTF-8 bytes).
- Numbers stand as DynamoDB gives them back: `1.0`, `1` and `10E-1` are `1`.
- The elements of a set are sorted, since they have no order; those of a list stay as they are.
- Binary stands as base64, of which DynamoDB takes exactly one spelling for each value.
- Before each name, text, number and binary stands its length in characters, before each set, list and map the
  count of its elements, and before each value its tag, so that no two values share a text.

For instance `{"n": {"N": "1.0"}, "a": {"L": [{"BOOL": true}]}}` is `M2:1:aL1:BOOL:true1:nN1:1`.

An item's digest is the SHA-256 of its canonical form. An item belongs to the bucket whose number
is the first eight bytes of its key's SHA-256, read as a big-endian number, modulo the count of buckets. A bucket
holds how many items it has and the sum of their digests modulo 2^256. Sums depend on no order, can be
added up across tasks and, unlike XOR, do not lose an item that occurs twice. They find accidents, not forgery.
The total is the SHA-256 of the count of buckets (8 bytes, big-endian) and then, bucket by bucket, its item count
(8 bytes) and its sum (32 bytes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.scalars import canonical_number, decoded_length

DEFAULT_BUCKETS = 4096
SHORT_DIGEST_BYTES = 16  # two different items of one key share it by chance of 1 in 10**38
_MODULUS = 1 << 256
LARGE_BYTES = 1 << 16  # of an item, by DynamoDB's rule; its canonical text may have 47 times as many


def canonical_item(item: Mapping[str, Any]) -> bytes:
    """
    The UTF-8 bytes that stand for the item's value: equal for equal items, different for different ones.

    `item` is valid and has upper-case tags; sizes, keys and sets are not judged again.

    Raises:
        ItemError: a tag, a number, a binary or a character that is none.
    """
    try:
        return _map(item).encode()
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


def _digest_in_pieces(item: Mapping[str, Any]) -> bytes:
    digest = hashlib.sha256()
    for piece in _pieces("M", item):
        digest.update(piece.encode())
    return digest.digest()


def _pieces(tag: str, content: Any) -> Iterator[str]:
    """The canonical form of a value, the elements of its lists and maps one by one."""
    if tag == "M":
        yield f"M{len(content)}:"
        for name in sorted(content):
            yield f"{len(name)}:{name}"
            for inner in content[name].items():
                yield from _pieces(*inner)
    elif tag == "L":
        yield f"L{len(content)}:"
        for value in content:
            for inner in value.items():
                yield from _pieces(*inner)
    else:
        yield _value({tag: content})


def _map(members: Mapping[str, Any]) -> str:
    parts = [f"M{len(members)}:"]
    for name in sorted(members):
        (tag,) = value = members[name]
        content = value[tag]
        if tag == "S":  # the most frequent: no call
            parts.append(f"{len(name)}:{name}S{len(content)}:{content}")
        else:
            parts.append(f"{len(name)}:{name}{_value(value)}")
    return "".join(parts)


def _value(value: Mapping[str, Any]) -> str:
    (tag,) = value
    form = _FORMS.get(tag)
    if form is None:
        reason = "unknown type tag; DynamoDB has S, N, B, SS, NS, BS, BOOL, NULL, L and M"
        raise ItemError(reason)
    return form(value[tag])


def _text(content: str) -> str:
    return f"S{len(content)}:{content}"


def _number(content: str) -> str:
    canonical = canonical_number(content)
    return f"N{len(canonical)}:{canonical}"


def _binary(content: str) -> str:
    return f"B{len(content)}:{_one_spelling(content)}"


def _flag(content: bool) -> str:
    return "BOOL:true" if content else "BOOL:false"


def _null(_: bool) -> str:
    return "NULL:"


def _list(content: list[Any]) -> str:
    return f"L{len(content)}:" + "".join(map(_value, content))


def _string_set(content: list[str]) -> str:
    return _sorted_set("SS", content)


def _number_set(content: list[str]) -> str:
    return _sorted_set("NS", map(canonical_number, content))


def _binary_set(content: list[str]) -> str:
    return _sorted_set("BS", map(_one_spelling, content))


def _sorted_set(tag: str, elements: Iterable[str]) -> str:
    ordered = sorted(elements)
    return f"{tag}{len(ordered)}:" + "".join(f"{len(element)}:{element}" for element in ordered)


def _one_spelling(base64_text: str) -> str:
    decoded_length(base64_text)  # refuses every other spelling
    return base64_text


_FORMS: dict[str, Callable[[Any], str]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _flag,
    "NULL": _null,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
    "L": _list,
    "M": _map,
}


def short_digest(item: Mapping[str, Any]) -> bytes:
    """The first `SHORT_DIGEST_BYTES` of the item's digest; raises as `canonical_item`."""
    return hashlib.sha256(canonical_item(item)).digest()[:SHORT_DIGEST_BYTES]


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

    def add(self, item: Mapping[str, Any], key_bytes: bytes, *, size_bytes: int = 0) -> None:
        """
        Add `item`, whose key is `key_bytes`; a large one is never in memory as a whole text.

        Raises:
            ItemError: as `canonical_item`.
        """
        bucket = bucket_of(key_bytes, len(self._counts))
        digest = _digest_in_pieces(item) if size_bytes > LARGE_BYTES else hashlib.sha256(canonical_item(item)).digest()
        self._sums[bucket] += int.from_bytes(digest, "big")
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
