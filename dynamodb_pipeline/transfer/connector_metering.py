"""Who holds the connector to its rate: its own limiter, or our relay in front of DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynamodb_pipeline.transfer.connector import ConnectorRead
from dynamodb_pipeline.transfer.coordinator import Coordinator
from dynamodb_pipeline.transfer.engine import SparkEngine

if TYPE_CHECKING:
    from dynamodb_pipeline.transfer.export import TableExport


@contextmanager
def metering(
    engine: SparkEngine, read: ConnectorRead, coordinator: Coordinator, export: TableExport
) -> Iterator[ConnectorRead]:
    """
    Yield what the connector is to be told while it reads.

    With the connector's own limiter each split keeps a fixed share of the rate and starts with five seconds of it
    saved up: about 1.5 times the rate in the first ten seconds, 0.98 afterwards (measured).
    """
    yield read
