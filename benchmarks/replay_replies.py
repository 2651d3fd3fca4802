"""
The JSON bodies of the replay server, as DynamoDB forms them. Pure; knows nothing of tables in memory or sockets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from benchmarks.replay_items import KEY_NAME
from sandbox.faults.capacity import Capacity

REGION = "eu-west-1"
ACCOUNT = "123456789012"
_ERROR_PREFIX = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True)
class Consumed:
    """Units one request took from the table, and from each of its indexes."""

    table_name: str
    table_units: float
    index_units: dict[str, float]

    def as_json(self, form: str) -> dict[str, Any]:
        """DynamoDB's ConsumedCapacity in the form TOTAL or INDEXES."""
        total = self.table_units + sum(self.index_units.values())
        reply: dict[str, Any] = {"CapacityUnits": total}
        if form == "INDEXES":
            if self.index_units:
                reply["GlobalSecondaryIndexes"] = {
                    name: {"CapacityUnits": units} for name, units in self.index_units.items()
                }
            reply["Table"] = {"CapacityUnits": self.table_units}
        reply["TableName"] = self.table_name
        return reply


def encode(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode("utf-8")


def error_body(code: str, message: str, **fields: object) -> bytes:
    """An error as DynamoDB words it."""
    return encode({"__type": _ERROR_PREFIX + code, "message": message, **fields})


def describe_table_body(
    name: str, *, capacity: Capacity, item_count: int, size_bytes: int, indexes: tuple[str, ...]
) -> bytes:
    """DescribeTable's reply for a table whose key is `Id` (HASH, S)."""
    table: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in (KEY_NAME, "Name")[: 2 if indexes else 1]
        ],
        "CreationDateTime": 1721865600.0,
        "DeletionProtectionEnabled": False,
        "ItemCount": item_count,
        "KeySchema": [{"AttributeName": KEY_NAME, "KeyType": "HASH"}],
        "ProvisionedThroughput": _throughput(capacity),
        "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}",
        "TableId": "7a1c0b52-4c3e-4c55-9d0f-6f1b6a3a8d10",
        "TableName": name,
        "TableSizeBytes": size_bytes,
        "TableStatus": "ACTIVE",
    }
    if capacity.read_units is None:
        table["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    if indexes:
        table["GlobalSecondaryIndexes"] = [_index(name, index, capacity=capacity) for index in indexes]
    return encode({"Table": table})


def _throughput(capacity: Capacity) -> dict[str, int]:
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": capacity.read_units or 0,
        "WriteCapacityUnits": capacity.write_units or 0,
    }


def _index(table: str, index: str, *, capacity: Capacity) -> dict[str, Any]:
    return {
        "IndexArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/index/{index}",
        "IndexName": index,
        "IndexStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "Name", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": _throughput(capacity),
    }
