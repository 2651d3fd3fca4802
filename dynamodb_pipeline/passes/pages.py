"""One page of a scan under a grant of the budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from dynamodb_pipeline.aws.request_errors import Throttled, Transient
from dynamodb_pipeline.aws.retry import Pacing, pause
from dynamodb_pipeline.dynamodb.requests import ScanPage, ScanRequest, scan_with_units
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.rate.page_size import PageSizer
from dynamodb_pipeline.workers.client import CoordinatorClient
from dynamodb_pipeline.workers.contract import metered


@dataclass(frozen=True)
class ScanPlan:
    """What is scanned and how: the same for every segment; `attributes` are those wanted, empty for all."""

    table: str
    total_segments: int
    consistent: bool = False
    item_bytes: float = 0.0
    max_page_units: float = float("inf")
    attributes: tuple[str, ...] = ()


class PageReader:
    """
    Reads a segment's pages, each under a grant, throttles and failures repeated.

    Args:
        wire: the protocol.
        grants: the coordinator.
        plan: what to scan.
    """

    def __init__(self, wire: DynamoDbWire, grants: CoordinatorClient, plan: ScanPlan, *, pacing: Pacing | None = None):
        self._wire, self._grants, self._plan, self._pacing = wire, grants, plan, pacing or Pacing()
        self._sizer = PageSizer(consistent=plan.consistent, item_bytes=plan.item_bytes)

    def pages(self, segment: int, start_key: bytes | None) -> Iterator[ScanPage]:
        """Yield the segment's pages from `start_key` on; an empty page with a key is not the last."""
        key: bytes | None = start_key
        while True:
            page = self._page(segment, key)
            yield page
            key = page.last_evaluated_key
            if key is None:
                return

    def _page(self, segment: int, key: bytes | None) -> ScanPage:
        state = self._pacing.start()
        while True:
            try:
                return self._granted(segment, key)
            except (Throttled, Transient) as err:
                pause(state, err, pacing=self._pacing)

    def _granted(self, segment: int, key: bytes | None) -> ScanPage:
        plan = self._plan
        limit = self._sizer.limit(min(self._grants.units_cap(), plan.max_page_units))
        request = ScanRequest(plan.table, segment, plan.total_segments, key, limit, plan.consistent, plan.attributes)
        page = metered(
            self._grants, {"table": self._sizer.estimate(limit)}, partial(scan_with_units, self._wire, request)
        )
        self._sizer.observe(page.scanned_count, page.consumed.get("table", 0.0))
        return page


def page_items(page: ScanPage, *, parse: Callable[[bytes], Any] = json.loads) -> list[dict[str, Any]]:
    """
    The page's items; `parse` is a strict parser where their text is written on.

    Raises:
        IntegrityError: as `check_page_count`.
    """
    items: list[dict[str, Any]] = parse(page.body)["Items"]
    check_page_count(page, len(items))
    return items


def check_page_count(page: ScanPage, count: int) -> None:
    """
    Raises:
        IntegrityError: the page does not hold as many items as its Count says.
    """
    if count != page.count:
        msg = f"a Scan reply holds {count} items and says {page.count}"
        raise IntegrityError(msg)
