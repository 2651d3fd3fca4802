"""
The table's side of a verification: a scan into digests, and the decision which buckets need a second look.

Both sides are compared by counts and by order-independent sums of item digests for each bucket of keys
(formats/items/digest.py); no item travels, and nothing is joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from dynamodb_pipeline.documents import Facts, member
from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.formats.items.digest import BucketDigest
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.passes.rated_run import Consumed
from dynamodb_pipeline.passes.scan import Scanned, page_items
from dynamodb_pipeline.passes.table_scan import TableScan
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.workers.engine import Engine
from dynamodb_pipeline.workers.worker import Tools

PAGES_OF_A_UNIT = 64  # a lost worker repeats no more than this
ITEMS_LOOKED_AT_AGAIN = 2_000_000  # of both sides together; bounds the driver's disk and the messages to it


@dataclass(frozen=True)
class ScannedDigest(Scanned):
    """A part of a segment, and the digest of its items."""

    digest: BucketDigest = member(BucketDigest.from_json)


class DigestSink:
    """A table's items as bucket digests."""

    def __init__(self, keys: KeySchema):
        self._keys = keys
        self.abandon()

    def add(self, page: ScanPage) -> bool:
        for item in page_items(page):
            self._digest.add(item, self._keys.key_of(item))
        self._pages += 1
        return self._pages < PAGES_OF_A_UNIT

    def record(self) -> Facts:
        record: Facts = {"digest": self._digest.to_json()}
        self.abandon()
        return record

    def abandon(self) -> None:
        self._digest, self._pages = BucketDigest(), 0


def digest_sink(_tools: Tools, *, keys: KeySchema) -> DigestSink:
    """A worker's `DigestSink`."""
    return DigestSink(keys)


def table_digest(ctx: RunContext, scan: TableScan, engine: Engine) -> tuple[BucketDigest, Consumed]:
    """Scan the table once; raises as rated_run.py."""
    digest = BucketDigest()

    def on_record(record: Facts) -> None:
        digest.merge(ScannedDigest.from_json(record).digest)

    consumed = scan.run(ctx, engine, sink=partial(digest_sink, keys=scan.table.key_schema), on_record=on_record)
    return digest, consumed


@dataclass(frozen=True)
class SecondLook:
    """
    The buckets to look at again, and whether these are all that differ.

    Each of them holds at least one key that is missing, extra or different.
    """

    buckets: frozenset[int]
    complete: bool


def second_look(export: BucketDigest, table: BucketDigest, *, max_items: int = ITEMS_LOOKED_AT_AGAIN) -> SecondLook:
    """The first differing buckets that together hold at most `max_items` on both sides, and at least one of them."""
    counts = [mine + theirs for (mine, _), (theirs, _) in zip(export, table)]
    differing = export.differing_buckets(table)
    chosen: list[int] = []
    items = 0
    for bucket in differing:
        items += counts[bucket]
        if chosen and items > max_items:
            break
        chosen.append(bucket)
    return SecondLook(frozenset(chosen), len(chosen) == len(differing))
