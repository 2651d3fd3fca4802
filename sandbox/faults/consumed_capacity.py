"""
ConsumedCapacity: the proxy always asks for it, records it, and gives the client only what the client asked for.
"""

from __future__ import annotations

from typing import Any

from sandbox.faults.dynamodb_call import DynamoDbCall
from sandbox.faults.ledger import Ledger

FIELD = "ReturnConsumedCapacity"


def metered(call: DynamoDbCall) -> DynamoDbCall:
    """The call with every unit asked for, table and indexes apart."""
    return call if call.payload.get(FIELD) == "INDEXES" else call.changed(**{FIELD: "INDEXES"})


def as_asked(payload: dict[str, Any], call: DynamoDbCall) -> dict[str, Any]:
    """The reply's payload with ConsumedCapacity in the form the client wanted."""
    form = call.payload.get(FIELD, "NONE")
    if form == "INDEXES" or "ConsumedCapacity" not in payload:
        return payload
    if form == "NONE":
        return {name: value for name, value in payload.items() if name != "ConsumedCapacity"}
    told = payload["ConsumedCapacity"]
    total = [_total(one) for one in told] if isinstance(told, list) else _total(told)
    return {**payload, "ConsumedCapacity": total}


def record(ledger: Ledger, call: DynamoDbCall, payload: dict[str, Any], *, items: int, size_bytes: int) -> float:
    """One row for the table and one for each index; returns the table's own units."""
    told = payload.get("ConsumedCapacity", [])
    entries = told if isinstance(told, list) else [told]
    if not entries:
        ledger.add(call.operation, table=call.table, items=items, size_bytes=size_bytes)
    for entry in entries:
        ledger.add(
            call.operation, table=entry["TableName"], units=_table_units(entry), items=items, size_bytes=size_bytes
        )
        _record_indexes(ledger, call, entry)
        items = size_bytes = 0  # a batch over several tables counts once
    return sum(map(_table_units, entries))


def _record_indexes(ledger: Ledger, call: DynamoDbCall, entry: dict[str, Any]) -> None:
    for group in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for name, units in entry.get(group, {}).items():
            ledger.add(call.operation, table=entry["TableName"], units=units["CapacityUnits"], resource=f"index:{name}")


def _table_units(entry: dict[str, Any]) -> float:
    own: dict[str, float] = entry.get("Table", entry)
    return own["CapacityUnits"]


def _total(entry: dict[str, Any]) -> dict[str, Any]:
    return {"TableName": entry["TableName"], "CapacityUnits": entry["CapacityUnits"]}
