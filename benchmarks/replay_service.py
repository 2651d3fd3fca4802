"""
The replay server's operations: request body in, answer out. Knows a clock and no socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.replay_items import MAKERS
from benchmarks.replay_replies import Consumed, describe_table_body, encode, error_body
from benchmarks.replay_scan import Answer, RefusedScan, ReplayScan, refusal
from benchmarks.replay_table import EVEN, ReplayTable, Skew
from benchmarks.replay_writes import Batch, RefusedBatch, WriteMeter
from sandbox.faults.capacity import Capacity, CapacityChange, TableLimits
from sandbox.faults.item_sizes import item_size_bytes, write_units
from sandbox.faults.ledger import Ledger, rows_to_json

DEFAULT_CAPACITY = Capacity(40_000, 40_000)  # the default quota of a table
THROTTLED = "ProvisionedThroughputExceededException"
_THROTTLE_MESSAGE = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing "
    "your provisioning level with the UpdateTable API."
)


@dataclass(frozen=True)
class ReplayConfig:
    """What is served. The scanned table is `table_name`; writes go to it or to any other name."""

    table_name: str = "items"
    maker: str = "kilobyte"
    item_count: int = 10_000
    skew: Skew = EVEN
    capacity: Capacity = DEFAULT_CAPACITY
    changes: tuple[CapacityChange, ...] = ()
    enforced: bool = False
    burst_s: float = 1.0
    indexes: tuple[str, ...] = ()
    digest_puts: bool = False


class ReplayService:
    """One replayed table, its limits and its ledger."""

    def __init__(self, config: ReplayConfig, *, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger
        self.table = ReplayTable(MAKERS[config.maker], config.item_count, skew=config.skew)
        self.scan = ReplayScan(self.table, table_name=config.table_name)
        self.writes = WriteMeter(self.table, digest_puts=config.digest_puts)
        self._limits = self._new_limits()
        self._operations: dict[str, Callable[[bytes], Answer]] = {
            "Scan": self._scan,
            "BatchWriteItem": self._batch_write_item,
            "PutItem": self._put_item,
            "DeleteItem": self._put_item,
            "DescribeTable": self._describe_table,
            "ListTables": self._list_tables,
        }

    def reset(self) -> None:
        """Empty ledger, nothing written, capacity script from its beginning."""
        self.ledger.reset()
        self.writes.reset()
        self._limits = self._new_limits()

    def set_capacity(self, capacity: Capacity) -> None:
        """Change what DescribeTable tells (and what is enforced) at once."""
        self._limits.set_capacity(capacity, now_s=self.ledger.now_s())

    def answer(self, operation: str, body: bytes) -> Answer:
        """The answer to one DynamoDB request; the ledger has its row afterwards."""
        handler = self._operations.get(operation)
        if handler is None:
            return Answer.of(400, error_body("UnknownOperationException", f"{operation} is not replayed"))
        return handler(body)

    def report(self, what: str) -> object | None:
        """`ledger` or `stats` as plain JSON values, None for anything else."""
        if what == "ledger":
            return rows_to_json(self.ledger.rows())
        return self.stats() if what == "stats" else None

    def stats(self) -> dict[str, object]:
        """What is served and what was written."""
        return {"item_count": self.table.item_count, "size_bytes": self.table.size_bytes, **self.writes.summary()}

    def _new_limits(self) -> TableLimits:
        return TableLimits(
            self.config.capacity,
            changes=self.config.changes,
            enforced=self.config.enforced,
            burst_s=self.config.burst_s,
        )

    def _scan(self, body: bytes) -> Answer:
        if not self._limits.admits_read(self.ledger.now_s()):
            return self._throttle("Scan", self.config.table_name)
        try:
            reply = self.scan.reply(body)
        except RefusedScan as error:
            return refusal(str(error))
        self._limits.charge_read(reply.units)
        self.ledger.add(
            "Scan",
            table=self.config.table_name,
            units=reply.units,
            items=reply.item_count,
            size_bytes=reply.answer.length_bytes,
        )
        return reply.answer

    def _batch_write_item(self, body: bytes) -> Answer:
        try:
            batch = self.writes.read(body)
        except RefusedBatch as error:
            return refusal(str(error))
        admitted = self._admit(batch)
        if admitted == 0:
            return self._throttle("BatchWriteItem", batch.table_name)
        self.writes.written(batch, admitted=admitted)
        consumed = self._record(
            "BatchWriteItem", batch.table_name, units=sum(batch.units[:admitted]), items=admitted, size_bytes=len(body)
        )
        return Answer.of(200, _batch_reply(batch, consumed, admitted=admitted))

    def _admit(self, batch: Batch) -> int:
        """How many writes of the batch the table takes now, from its beginning on."""
        now_s = self.ledger.now_s()
        for position, units in enumerate(batch.units):
            if not self._limits.admits_write(now_s):
                return position
            if not self._limits.enforced:
                break
            self._limits.charge_write(units)
        return batch.item_count

    def _put_item(self, body: bytes) -> Answer:
        request = json.loads(body)
        if not self._limits.admits_write(self.ledger.now_s()):
            return self._throttle("PutItem", request["TableName"])
        units = write_units(item_size_bytes(request.get("Item") or request["Key"]))
        self._limits.charge_write(units)
        consumed = self._record("PutItem", request["TableName"], units=units, items=1, size_bytes=len(body))
        form = request.get("ReturnConsumedCapacity", "NONE")
        return Answer.of(200, encode({} if form == "NONE" else {"ConsumedCapacity": consumed.as_json(form)}))

    def _record(self, operation: str, table: str, *, units: float, items: int, size_bytes: int) -> Consumed:
        """Ledger rows for the table and every index (all projected whole), and the same as consumed capacity."""
        self.ledger.add(operation, table=table, units=units, items=items, size_bytes=size_bytes)
        for index in self.config.indexes:
            self.ledger.add(operation, table=table, units=units, resource=f"index:{index}")
        return Consumed(table, units, dict.fromkeys(self.config.indexes, units))

    def _throttle(self, operation: str, table: str) -> Answer:
        self.ledger.add(operation, table=table, outcome=THROTTLED)
        return Answer.of(400, error_body(THROTTLED, _THROTTLE_MESSAGE))

    def _describe_table(self, body: bytes) -> Answer:
        name = json.loads(body)["TableName"].rpartition("/")[2]
        now_s = self.ledger.now_s()
        self.ledger.add("DescribeTable", table=name)
        own = name == self.config.table_name
        return Answer.of(
            200,
            describe_table_body(
                name,
                capacity=self._limits.capacity(now_s),
                item_count=self.table.item_count if own else 0,
                size_bytes=self.table.size_bytes if own else 0,
                indexes=self.config.indexes,
            ),
        )

    def _list_tables(self, _body: bytes) -> Answer:
        return Answer.of(200, encode({"TableNames": [self.config.table_name]}))


def _batch_reply(batch: Batch, consumed: Consumed, *, admitted: int) -> bytes:
    left = {} if admitted == batch.item_count else {batch.table_name: batch.requests()[admitted:]}
    reply: dict[str, object] = {"UnprocessedItems": left}
    if batch.capacity_form != "NONE":
        reply = {"ConsumedCapacity": [consumed.as_json(batch.capacity_form)], **reply}
    return encode(reply)
