"""
What the relay does with a request: checks who signed it, lets a Scan wait its turn, answers. Knows no sockets.

Each Scan goes out under a grant of the run's budget. All clients of a relay read one table, so what one page costs
teaches the size of the next for all of them.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from dynamodb_pipeline.aws.request_errors import Throttled, Transient
from dynamodb_pipeline.aws.retry import Pacing, call_with_retry, pause
from dynamodb_pipeline.connector.page_buffers import HeapSizer, PageBuffers, heap_bytes
from dynamodb_pipeline.connector.relay_messages import (
    Answer,
    RefusedError,
    answer_of,
    asked_challenge,
    proof_answer,
    refusal,
    scan_request,
    table_request,
    taken_partition,
)
from dynamodb_pipeline.dynamodb.http1 import Message
from dynamodb_pipeline.dynamodb.requests import ScanPage, ScanRequest, describe_table, scan_with_units
from dynamodb_pipeline.dynamodb.signing import KeyPair, SignatureError, check_signature
from dynamodb_pipeline.dynamodb.wire import API, DynamoDbWire
from dynamodb_pipeline.errors import PipelineError
from dynamodb_pipeline.rate.work_size import PageSizer
from dynamodb_pipeline.workers.contract import CoordinatorClient, NotSent, metered

DESCRIPTION_KEPT_S = 60.0

logger = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class RelayPlan:
    """
    What a relay serves.

    Attributes:
        table: name as the connector is told it.
        keys: the key pair made for the run; the connector signs with it.
        item_bytes: average item size from DescribeTable, 0 when not known.
        probe_keys: what signs with these gets one item, as if the table had no other.
        words: what is added to each Scan (`ScanRequest.words`).
        splits: partitions of the connector, 0 when they are not known; see `PageBuffers`.
    """

    table: str
    keys: KeyPair = field(repr=False)
    item_bytes: float = 0.0
    probe_keys: KeyPair | None = field(default=None, repr=False)
    words: bytes = field(default=b"", repr=False)
    splits: int = 0


class RelayHandler:
    """Answers requests of any number of clients, each in a thread of its own."""

    def __init__(self, wire: DynamoDbWire, plan: RelayPlan, *, pacing: Pacing | None = None) -> None:
        self._wire = wire
        self._plan = plan
        self._pacing = pacing or Pacing()
        self._scan = MeteredScan(wire, item_bytes=plan.item_bytes, pacing=self._pacing)
        self._heap = HeapSizer(item_bytes=plan.item_bytes)
        self.buffers = PageBuffers(plan.splits)
        self._one_description = threading.Lock()
        self._description: tuple[float, bytes] | None = None

    def answer(self, request: Message, client: Client) -> Answer:
        """
        Return the answer to a request that `last_answer` let pass, after `client` has waited its turn.

        Raises:
            ClientGone: it hung up meanwhile.
        """
        try:
            return self._served(request, client)
        except RefusedError as err:
            return refusal(f"relay: {err}")
        except PipelineError as err:
            return answer_of(err)
        except ClientGone:
            raise
        except Exception as err:  # without an answer the connector would go on asking for ten minutes
            logger.exception("bug in the relay")
            return refusal(f"relay: a bug: {type(err).__name__}")

    def last_answer(self, request: Message) -> Answer | None:
        """Return what ends the connection of a stranger, None when the request is signed with the run's keys."""
        challenge = asked_challenge(request.start_line)
        if challenge is not None:
            return proof_answer(self._plan.keys, challenge, where=socket.gethostname())
        try:
            check_signature(request.headers, request.body, keys=self._probe_keys(request) or self._plan.keys)
        except SignatureError as err:
            return refusal(f"relay: {err}", code="InvalidSignatureException", status=403)
        return None

    def _served(self, request: Message, client: Client) -> Answer:
        target = request.headers.get("x-amz-target", "")
        fields = table_request(request.body, table=self._plan.table)
        if target == f"{API}.Scan":
            asked = scan_request(fields)._replace(words=self._plan.words)
            if self._probe_keys(request):
                return Answer(200, last_page(self._read(asked._replace(limit=1), client)[0]))
            return Answer(200, self._page(asked, client))
        if target == f"{API}.DescribeTable":
            return Answer(200, self._described())
        msg = f"only Scan and DescribeTable are forwarded, not {target[:64]!r}"
        raise RefusedError(msg)

    def _page(self, asked: ScanRequest, client: Client) -> bytes:
        """Held back before it waits for a grant: units of the budget are for who can use them."""
        if not self.buffers.wait(asked.segment, is_gone=client.is_gone):
            raise ClientGone
        page, heap = self._read(asked, client)
        self.buffers.give(asked.segment, items=page.count, size_bytes=len(page.body), heap_bytes=heap)
        return page.body

    def _read(self, asked: ScanRequest, client: Client) -> tuple[ScanPage, int]:
        """A page of so few items that they take `PAGE_HEAP_BYTES` at most, and what they do take."""
        limit = self._heap.limit()
        if asked.limit is not None:
            limit = min(limit, asked.limit)
        page = self._scan.page(asked._replace(limit=limit), client)
        heap = heap_bytes(page.body)
        self._heap.observe(page.scanned_count, heap)
        return page, heap

    def taken_partition(self, request: Message) -> int | None:
        """The partition whose items the client takes, None when it is no worker of the run."""
        return taken_partition(self._plan.keys, request.start_line)

    def _probe_keys(self, request: Message) -> KeyPair | None:
        """The keys of the probe, when the request says that they signed it; `last_answer` proves that."""
        keys = self._plan.probe_keys
        signed = keys is not None and f"Credential={keys.access_key}/" in request.headers.get("authorization", "")
        return keys if signed else None

    def _described(self) -> bytes:
        """Each task of the connector asks; DynamoDB is asked once a minute, and for the run's own table."""
        with self._one_description:
            now = self._pacing.clock()
            if self._description is None or self._description[0] <= now:
                ask = partial(describe_table, self._wire, self._plan.table)
                self._description = (now + DESCRIPTION_KEPT_S, call_with_retry(ask, pacing=self._pacing)[1])
            return self._description[1]


def last_page(page: ScanPage) -> bytes:
    """The page's reply without the key that asks for the next."""
    fields = json.loads(page.body)
    fields.pop("LastEvaluatedKey", None)
    return json.dumps(fields).encode()
