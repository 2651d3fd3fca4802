"""A resumed export reads the segments its first attempt had dealt, whatever the table's size is by now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.connector.read import ConnectorRead
from dynamodb_pipeline.exporting.direct import _segments
from dynamodb_pipeline.exporting.through_connector import as_dealt
from dynamodb_pipeline.run.ledger import Ledger
from tests.unit.store.memory_store import MemoryStore

NOW = ConnectorRead(
    "T", "eu-west-1", splits=4, segments=12, rate_rcu=100, average_item_bytes=1.0, item_count=1, table_bytes=1
)


def export(*, segments: int | None = None, rate_control: str = "relay") -> Any:
    settings = SimpleNamespace(segments=segments, rate_control=rate_control)
    return SimpleNamespace(settings=settings, table=SimpleNamespace(size_bytes=0))


def ledger_of(**header: int) -> Ledger:
    ledger = Ledger(MemoryStore(), "s3://logs/runs/one/ledger")
    if header:
        ledger.open(header)
    return ledger


def test_connectors_segments_are_those_of_the_first_attempt():
    read = as_dealt(NOW, export(), ledger_of(segments=8, splits=2))
    assert (read.segments, read.splits) == (8, 2)


@pytest.mark.parametrize("asked", [export(segments=12), export(rate_control="connector")], ids=["asked", "limiter"])
def test_users_word_and_the_connectors_limiter_come_first(asked):
    """The ledger's header then says whether the run can go on."""
    assert as_dealt(NOW, asked, ledger_of(segments=8, splits=2)) == NOW
    assert as_dealt(NOW, export(), ledger_of()) == NOW


def test_direct_readers_segments_are_kept_unless_others_are_asked_for():
    ledger = ledger_of(segments=7)
    assert _segments(export(), ledger, workers=2) == 7
    assert _segments(export(segments=9), ledger, workers=2) == 9
