"""
All items of a table as one run of bytes, from which any page of any segment is cut without copying.

The order of the items stands for DynamoDB's order by hash. A segment is a range of hash space, so a skewed table
is one where some range of it (by default a single point, as one huge partition key would be) holds more items.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.replay_items import ItemMaker

PAGE_LIMIT_BYTES = 1 << 20  # Scan API: a page ends with the item that crosses 1 MB


@dataclass(frozen=True)
class Skew:
    """`share` of all items lies in `width` of hash space, starting at the middle; width 0 is a single point."""

    share: float = 0.0
    width: float = 0.0
    at: float = 0.5

    def share_before(self, position: float) -> float:
        """The share of items that lies before `position` (0..1) of hash space."""
        hot = (position > self.at) if self.width == 0 else min(max((position - self.at) / self.width, 0.0), 1.0)
        return (1 - self.share) * position + self.share * hot


EVEN = Skew()


@dataclass(frozen=True)
class Page:
    """Items `start` up to `end` (not included); `stopped` when a limit ended the page, so that a key must follow."""

    start: int
    end: int
    size_bytes: int
    stopped: bool

    @property
    def item_count(self) -> int:
        return self.end - self.start


class ReplayTable:
    """`item_count` items of one maker, in memory."""

    def __init__(self, maker: ItemMaker, item_count: int, *, skew: Skew = EVEN) -> None:
        items = [maker(number) for number in range(item_count)]
        self.item_count = item_count
        self._skew = skew
        self._offsets = array("Q", accumulate((len(item.json) + 1 for item in items), initial=0))
        self._sizes = array("Q", accumulate((item.size_bytes for item in items), initial=0))
        self._text = memoryview(b",".join(item.json for item in items) + b",")

    @property
    def size_bytes(self) -> int:
        """Sum of the items' sizes by DynamoDB's rule."""
        return self._sizes[self.item_count]

    def item_size_bytes(self, number: int) -> int:
        """The size of one item by DynamoDB's rule."""
        return self._sizes[number + 1] - self._sizes[number]

    def segment(self, index: int, *, of: int) -> tuple[int, int]:
        """First item of the segment and the one after its last."""
        return self._boundary(index / of), self._boundary((index + 1) / of)

    def page(self, start: int, *, segment_end: int, limit: int | None) -> Page:
        """The page that begins at item `start`."""
        full = bisect_left(self._sizes, self._sizes[start] + PAGE_LIMIT_BYTES, start, self.item_count + 1)
        stop = full if limit is None else min(full, start + limit)
        end = min(stop, segment_end)
        return Page(start, end, self._sizes[end] - self._sizes[start], stopped=stop <= segment_end)

    def text(self, page: Page) -> memoryview:
        """The page's items as JSON, comma-separated, without copying."""
        if page.start == page.end:
            return self._text[0:0]
        return self._text[self._offsets[page.start] : self._offsets[page.end] - 1]

    def _boundary(self, position: float) -> int:
        return self.item_count if position >= 1 else int(self.item_count * self._skew.share_before(position))
