"""
Writes batches to one table, each request under a grant of the budget, until every item of the batch is in.

Nothing is dropped: unprocessed items are sent again under new grants, a request without an answer counts as spent and
is repeated (a whole-item put is idempotent), and only a bound of the retry policy or a refusal ends the loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Callable, TypeVar

from dynamodb_pipeline.aws.request_errors import Throttled, Transient
from dynamodb_pipeline.aws.retry import Pacing, pause
from dynamodb_pipeline.dynamodb.requests import BatchReply, batch_write, key_absent, put_item
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import counted
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.workers.contract import CoordinatorClient, metered

MAX_ITEMS = 25

MAX_BYTES = 15 * 1024 * 1024  # of 16 MB; the rest is for the request's frame

Reply = TypeVar("Reply")
Units = Mapping[str, float]


class TableWriter:
    """
    One worker's hand on the table.

    Args:
        wire: the protocol.
        grants: the coordinator; every request asks it first.
        table: the table's name.
        keys: its key schema.
        resources: "table" and "index:<name>" of every global index, whose units a write may consume.
        pacing: retry bounds and clock.
    """

    def __init__(
        self,
        wire: DynamoDbWire,
        grants: CoordinatorClient,
        *,
        table: str,
        keys: KeySchema,
        resources: Iterable[str],
        pacing: Pacing | None = None,
    ):
        self._wire, self._grants, self._table, self._keys = wire, grants, table, keys
        self._resources = tuple(resources)
        self._pacing = pacing or Pacing()

    def put(self, batch: Sequence[Put]) -> None:
        """
        Put every item of a batch (`batches`: at most 25, no key twice), replacing items of the same keys.

        Raises:
            Rejected: DynamoDB refuses an item; nothing of the batch was written by that request.
            GaveUp, WireError: see retry.py.
        """
        self._write({p.body: p.units for p in batch}, puts=True)

    def delete(self, keys: Mapping[bytes, float]) -> None:
        """Delete the items with these keys (DynamoDB JSON -> write units the item is likely to cost)."""
        self._write(dict(keys), puts=False)

    def put_new(self, put: Put) -> bool:
        """Put the item unless its key is in the table; True when it was put."""
        condition = key_absent(self._keys.names[0])

        def send() -> tuple[bool, Units]:
            reply = put_item(self._wire, self._table, item=put.body, condition=condition)
            return reply.applied, reply.consumed or self._estimate(put.units)

        return self._granted_until_answered(put.units, send)

    def _write(self, left: dict[bytes, float], *, puts: bool) -> None:
        state = self._pacing.start()
        while left:
            units = sum(left.values())
            try:
                reply = self._granted(units, partial(self._send, left, puts=puts))
            except (Throttled, Transient) as err:
                pause(state, err, pacing=self._pacing)
                continue
            unprocessed = reply.unprocessed_puts if puts else reply.unprocessed_deletes
            if len(unprocessed) < len(left):
                state.progressed(now=self._pacing.clock())
            left = {body: left[body] for body in unprocessed}
            if left:
                pause(state, _unprocessed(len(left)), pacing=self._pacing)

    def _send(self, left: Mapping[bytes, float], *, puts: bool) -> tuple[BatchReply, Units]:
        bodies = list(left)
        chosen = {"puts": bodies} if puts else {"deletes": bodies}
        reply = batch_write(self._wire, self._table, key_of=self._keys.key_of, **chosen)
        return reply, reply.consumed

    def _granted_until_answered(self, units: float, send: Callable[[], tuple[Reply, Units]]) -> Reply:
        state = self._pacing.start()
        while True:
            try:
                return self._granted(units, send)
            except (Throttled, Transient) as err:
                pause(state, err, pacing=self._pacing)

    def _granted(self, units: float, send: Callable[[], tuple[Reply, Units]]) -> Reply:
        return metered(self._grants, self._estimate(units), send, held_back=_is_held_back)

    def _estimate(self, units: float) -> dict[str, float]:
        return dict.fromkeys(self._resources, units)


def _is_held_back(reply: object) -> bool:
    return isinstance(reply, BatchReply) and bool(reply.unprocessed_puts or reply.unprocessed_deletes)


def _unprocessed(count: int) -> Throttled:
    return Throttled(f"{counted(count, 'item')} returned unprocessed", code="UnprocessedItems")


def batches(puts: Iterable[Put], *, max_units: float = math.inf) -> Iterator[list[Put]]:
    """
    Yield the puts in order, cut into requests.

    A put that is larger than `max_units` by itself makes a request of its own.
    """
    batch: list[Put] = []
    keys: set[bytes] = set()
    units, size = 0.0, 0
    for put in puts:
        body, put_units, key, _ = put
        units += put_units
        size += len(body)
        if units > max_units or size > MAX_BYTES or len(batch) == MAX_ITEMS or key in keys:
            if batch:
                yield batch
            batch, keys, units, size = [], set(), put_units, len(body)
        batch.append(put)
        if key is not None:
            keys.add(key)
    if batch:
        yield batch
