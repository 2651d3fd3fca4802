"""A table that can be used at once: CreateTable returns before it is."""

from __future__ import annotations

import time
from typing import Any

POLL_S = 0.01  # the emulator is told to need no time, but a busy machine makes it need some
TIMEOUT_S = 30.0


def create_active_table(client: Any, **request: Any) -> dict[str, Any]:
    """
    Create a table as `request` (boto3's `create_table`) says; its DescribeTable description once it is ACTIVE.

    Raises:
        TimeoutError: it was not within 30 s.
    """
    name = request["TableName"]
    client.create_table(**request)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        table: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        if table["TableStatus"] == "ACTIVE":
            return table
        time.sleep(POLL_S)
    msg = f"table {name} is not ACTIVE {TIMEOUT_S:.0f} s after it was created"
    raise TimeoutError(msg)
