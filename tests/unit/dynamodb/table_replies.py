"""DescribeTable replies as AWS documents them, to be varied by tests."""

from __future__ import annotations

from typing import Any


def provisioned_table(**changes: Any) -> dict[str, Any]:
    """The `Table` of a provisioned table with 400 read and 100 write units; a None takes a field away."""
    table = {
        "TableName": "orders",
        "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        "TableId": "6f1a1f5e-0000-4000-8000-000000000001",
        "TableStatus": "ACTIVE",
        "KeySchema": [
            {"AttributeName": "Id", "KeyType": "HASH"},
            {"AttributeName": "At", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "At", "AttributeType": "N"},
            {"AttributeName": "Customer", "AttributeType": "S"},
            {"AttributeName": "Id", "AttributeType": "S"},
        ],
        "ProvisionedThroughput": {"ReadCapacityUnits": 400, "WriteCapacityUnits": 100},
        "ItemCount": 1200,
        "TableSizeBytes": 345_678,
        "CreationDateTime": 1_700_000_000.0,
    }
    return {name: value for name, value in {**table, **changes}.items() if value is not None}


def on_demand_table(**changes: Any) -> dict[str, Any]:
    """The same table on demand; it shows zero provisioned units."""
    return provisioned_table(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        ProvisionedThroughput={"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        **changes,
    )


def index(name: str = "by-customer", *, write: int = 50, **changes: Any) -> dict[str, Any]:
    """A global secondary index."""
    return {
        "IndexName": name,
        "IndexStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "Customer", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": write},
        **changes,
    }
