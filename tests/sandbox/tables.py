"""Makes tables in the sandbox and compares them by value, without any code of the library under test."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.active_table import create_active_table
from sandbox.demo_check import differences, items_by_key, scan_items, sdk_item
from sandbox.demo_data import Item
from sandbox.stack import Sandbox

Keys = tuple[tuple[str, str], ...]
NONE = {"missing": 0, "extra": 0, "different": 0}


@dataclass(frozen=True)
class Table:
    """A table of the sandbox: its region's client, its name, its key attributes as (name, type)."""

    client: Any
    name: str
    keys: Keys

    def put(self, items: Iterable[Item]) -> None:
        """Put items given as DynamoDB JSON."""
        for item in items:
            self.client.put_item(TableName=self.name, Item=sdk_item(item))

    def by_key(self) -> dict[Any, Any]:
        """All items in comparable form."""
        return items_by_key(scan_items(self.client, self.name), tuple(n for n, _ in self.keys))

    def differences(self, items: Iterable[Item]) -> dict[str, int]:
        """How this table differs from `items` (DynamoDB JSON)."""
        return differences(items_by_key(items, tuple(n for n, _ in self.keys)), self.by_key())


def make_table(
    sandbox: Sandbox,
    keys: Keys = (("id", "S"),),
    *,
    name: str | None = None,
    region: str | None = None,
    read_units: int = 1000,
    write_units: int = 1000,
    extra_attributes: Keys = (),
    **extra: Any,
) -> Table:
    """Create a table; a fresh name unless given. `extra_attributes` are those of its indexes."""
    client = sandbox.client("dynamodb", region=region)
    name = name or f"T{uuid.uuid4().hex[:12]}"
    create_active_table(
        client,
        TableName=name,
        KeySchema=[{"AttributeName": n, "KeyType": r} for (n, _), r in zip(keys, ("HASH", "RANGE"))],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (*keys, *extra_attributes)],
        ProvisionedThroughput={"ReadCapacityUnits": read_units, "WriteCapacityUnits": write_units},
        **extra,
    )
    return Table(client, name, keys)


def make_bucket(sandbox: Sandbox) -> str:
    """Create a bucket with a fresh name and return it."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    sandbox.client("s3").create_bucket(Bucket=name)
    return name


def numbered(count: int, *, size: int = 100) -> list[Item]:
    """`count` items with key `id` and a text of `size` characters."""
    return [{"id": {"S": f"item-{n:06d}"}, "n": {"N": str(n)}, "text": {"S": "x" * size}} for n in range(count)]
