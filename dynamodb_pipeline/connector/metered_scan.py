"""
Scan pages for clients of the relay, each under a grant of the run's budget.

All clients of a relay read one table, so what one page costs teaches the size of the next for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from dynamodb_pipeline.aws.request_errors import Throttled, Transient
from dynamodb_pipeline.aws.retry import Pacing, pause
from dynamodb_pipeline.dynamodb.requests import ScanPage, ScanRequest, scan_with_units
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.rate.page_size import PageSizer
from dynamodb_pipeline.workers.contract import CoordinatorClient, NotSent, metered


class ClientGone(NotSent):
    """The client closed its connection while its request waited; nobody would read the page."""


class Client(Protocol):
    """Whoever asked for a page."""

    @property
    def grants(self) -> CoordinatorClient: ...

    def is_gone(self) -> bool:
        """True when it has closed its connection."""


class MeteredScan:
    """
    Reads pages as the budget allows; safe for several threads.

    Args:
        item_bytes: average size from DescribeTable, 0 when not known.
    """

    def __init__(self, wire: DynamoDbWire, *, item_bytes: float = 0.0, pacing: Pacing | None = None) -> None:
        self._wire = wire
        self._pacing = pacing or Pacing()
        self._one_sizer = threading.Lock()
        self._sizers = {c: PageSizer(consistent=c, item_bytes=item_bytes) for c in (False, True)}

    def page(self, request: ScanRequest, client: Client) -> ScanPage:
        """
        Return the page, with fewer items than `request.limit` when the rate is too low for so many at once.

        Raises:
            ClientGone: nothing was sent.
            GaveUp, WireError: see `retry`.
            StoppedError: the run has ended, or its driver is gone.
        """
        state = self._pacing.start()
        while True:
            try:
                return self._granted(request, client)
            except (Throttled, Transient) as err:
                pause(state, err, pacing=self._pacing)

    def _granted(self, request: ScanRequest, client: Client) -> ScanPage:
        fitting, estimate = self._fitted(request, client.grants.units_cap())

        def send() -> tuple[ScanPage, Mapping[str, float]]:
            if client.is_gone():
                raise ClientGone
            return scan_with_units(self._wire, fitting)

        page = metered(client.grants, {"table": estimate}, send)
        with self._one_sizer:
            self._sizers[request.consistent].observe(page.scanned_count, page.consumed["table"])
        return page

    def _fitted(self, request: ScanRequest, cap_units: float) -> tuple[ScanRequest, float]:
        with self._one_sizer:
            sizer = self._sizers[request.consistent]
            limits = [n for n in (request.limit, sizer.limit(cap_units)) if n is not None]
            limit = min(limits) if limits else None
            return request._replace(limit=limit), sizer.estimate(limit)
