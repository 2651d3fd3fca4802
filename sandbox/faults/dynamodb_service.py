"""
DynamoDB as it should be, on top of an emulator that has no limits: capacity enforced, units recorded.

Faults are laid over this; a request that "was carried out" has gone through here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.faults.capacity import TableLimits
from sandbox.faults.consumed_capacity import as_asked, metered, record
from sandbox.faults.dynamodb_call import DynamoDbCall
from sandbox.faults.dynamodb_replies import json_reply, payload_of, provisioned_throttle, rewritten
from sandbox.faults.empty_pages import EmptyPages, KeyTypes
from sandbox.faults.http_messages import Reply, Request
from sandbox.faults.item_sizes import item_size_bytes, write_units
from sandbox.faults.ledger import Ledger
from sandbox.faults.upstream import Upstream

THROTTLED = "ProvisionedThroughputExceededException"

WriteRequest = dict[str, Any]
Passes = Callable[[str, WriteRequest], bool]


class DynamoDbService:
    """One upstream; `limits` by table name, a table without an entry has none."""

    def __init__(self, upstream: Upstream, *, ledger: Ledger, limits: Mapping[str, TableLimits] | None = None) -> None:
        self.ledger = ledger
        self.empty_pages = EmptyPages(self._key_types)
        self._upstream = upstream
        self._limits = limits or {}
        self._lock = threading.Lock()
        self._types: dict[str, KeyTypes] = {}

    def serve(self, call: DynamoDbCall) -> Reply:
        """Carry the call out and return DynamoDB's reply."""
        if call.operation == "BatchWriteItem":
            return self.serve_batch(call, passes=lambda _table, _write: True)
        if call.operation == "DescribeTable":
            return self._describe(call)
        if not self._admits(call):
            self.ledger.add(call.operation, table=call.table, outcome=THROTTLED)
            return provisioned_throttle(call.operation)
        return self._metered(call, asked=call)

    def serve_batch(self, call: DynamoDbCall, *, passes: Passes) -> Reply:
        """
        Write what the table's capacity and `passes` let through; the rest is not written and comes back.

        When the capacity lets nothing through, the whole batch is throttled, as DynamoDB does.
        """
        wanted = call.payload["RequestItems"]
        passed = {table: [write for write in writes if passes(table, write)] for table, writes in wanted.items()}
        admitted = {
            table: [write for write in writes if self._admits_write(table, write)] for table, writes in passed.items()
        }
        if _count(passed) and not _count(admitted):
            self.ledger.add(call.operation, table=call.table, outcome=THROTTLED)
            return provisioned_throttle(call.operation)
        held = {table: [write for write in writes if write not in admitted[table]] for table, writes in wanted.items()}
        if not _count(admitted):
            return self._with_held(json_reply({"UnprocessedItems": {}}), held)
        written = {table: writes for table, writes in admitted.items() if writes}
        return self._with_held(self._metered(call.changed(RequestItems=written), asked=call), held)

    def passed_on(self, request: Request) -> Reply:
        """The upstream's reply to something that is no DynamoDB operation, such as a health check."""
        return self._upstream.send(request)

    def release(self) -> None:
        """This thread is done."""
        self._upstream.close()

    def _metered(self, call: DynamoDbCall, *, asked: DynamoDbCall) -> Reply:
        reply = self._upstream.send(metered(call).request)
        if reply.status != 200:
            self.ledger.add(call.operation, table=call.table, outcome=str(reply.status))
            return reply
        payload = payload_of(reply)
        items = len(payload.get("Items", ())) if call.operation == "Scan" else _item_count(call, payload)
        units = record(self.ledger, call, payload, items=items, size_bytes=len(reply.body))
        self._charge(call, units)
        shown = as_asked(payload, asked)
        signed = reply.header("x-amz-crc32") is not None  # moto leaves it out of some replies
        return reply if shown is payload and signed else rewritten(reply, shown)

    def _describe(self, call: DynamoDbCall) -> Reply:
        self.ledger.add(call.operation, table=call.table)
        reply = self._upstream.send(call.request)
        limits = self._limits.get(call.table)
        if reply.status != 200 or limits is None:
            return reply
        payload = payload_of(reply)
        with self._lock:
            capacity = limits.capacity(self.ledger.now_s())
        payload["Table"]["ProvisionedThroughput"] |= {
            "ReadCapacityUnits": capacity.read_units or 0,
            "WriteCapacityUnits": capacity.write_units or 0,
        }
        return rewritten(reply, payload)

    def _with_held(self, reply: Reply, held: dict[str, list[WriteRequest]]) -> Reply:
        if reply.status != 200 or not _count(held):
            return reply
        payload = payload_of(reply)
        unprocessed = payload.setdefault("UnprocessedItems", {})
        for table, writes in held.items():
            if writes:
                unprocessed[table] = [*unprocessed.get(table, []), *writes]
        return rewritten(reply, payload)

    def _admits(self, call: DynamoDbCall) -> bool:
        limits = self._limits.get(call.table)
        if limits is None:
            return True
        with self._lock:
            now_s = self.ledger.now_s()
            return limits.admits_read(now_s) if call.operation == "Scan" else limits.admits_write(now_s)

    def _admits_write(self, table: str, write: WriteRequest) -> bool:
        """Admits and charges one write of a batch; its size is known, so its cost is too."""
        limits = self._limits.get(table)
        if limits is None:
            return True
        with self._lock:
            if not limits.admits_write(self.ledger.now_s()):
                return False
            limits.charge_write(_units(write))
            return True

    def _charge(self, call: DynamoDbCall, units: float) -> None:
        limits = self._limits.get(call.table)
        if limits is None or call.operation == "BatchWriteItem":
            return
        with self._lock:
            if call.operation == "Scan":
                limits.charge_read(units)
            else:
                limits.charge_write(units)

    def _key_types(self, call: DynamoDbCall) -> KeyTypes:
        if call.table not in self._types:
            table = payload_of(self._upstream.send(call.describe_table()))["Table"]
            types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
            self._types[call.table] = [
                (key["AttributeName"], types[key["AttributeName"]]) for key in table["KeySchema"]
            ]
        return self._types[call.table]


def _count(writes: Mapping[str, list[WriteRequest]]) -> int:
    return sum(map(len, writes.values()))


def _item_count(call: DynamoDbCall, payload: dict[str, Any]) -> int:
    if call.operation != "BatchWriteItem":
        return 1
    return _count(call.payload["RequestItems"]) - _count(payload.get("UnprocessedItems", {}))


def _units(write: WriteRequest) -> int:
    content = write.get("PutRequest", {}).get("Item") or write.get("DeleteRequest", {}).get("Key", {})
    return write_units(item_size_bytes(content))
