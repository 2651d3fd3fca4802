"""A batch is written until every item of it is in, each request under a grant of its own."""

from __future__ import annotations

import json

import pytest

from dynamodb_pipeline.aws.request_errors import Rejected
from dynamodb_pipeline.aws.retry import Pacing
from dynamodb_pipeline.importing.table_writer import TableWriter
from dynamodb_pipeline.reading.file_puts import Put
from tests.unit.dynamodb.scripted_server import Answer, ScriptedServer, error, reply, reset
from tests.unit.dynamodb.wire_fixtures import consumed, wire_to
from tests.unit.reading.item_lines import KEYS
from tests.unit.workers.fake_grants import FakeGrants

BATCH = [Put(json.dumps({"id": {"S": key}}).encode(), 1.0, None, 1) for key in "abc"]


def answer(*unprocessed: Put, units: float = 3.0) -> Answer:
    left = [{"PutRequest": {"Item": json.loads(put.body)}} for put in unprocessed]
    return reply({"UnprocessedItems": {"orders": left} if left else {}, "ConsumedCapacity": [consumed(units)]})


def write(*script: Answer, grants: FakeGrants) -> ScriptedServer:
    with wire_to(*script) as (wire, server):
        pacing = Pacing(clock=lambda: 0.0, sleep=lambda _: None)
        TableWriter(wire, grants, table="orders", keys=KEYS, resources=("table",), pacing=pacing).put(BATCH)
    return server


def sent(server: ScriptedServer) -> list[list[str]]:
    """The keys of each request."""
    requests = [json.loads(request.body)["RequestItems"]["orders"] for request in server.requests]
    return [[put["PutRequest"]["Item"]["id"]["S"] for put in puts] for puts in requests]


def test_unprocessed_items_are_sent_again_until_none_is_left() -> None:
    grants = FakeGrants()
    server = write(answer(BATCH[1], BATCH[2], units=1), answer(BATCH[2], units=1), answer(units=1), grants=grants)
    assert sent(server) == [["a", "b", "c"], ["b", "c"], ["c"]]
    assert grants.estimates == [3.0, 2.0, 1.0]


def test_a_request_without_an_answer_counts_as_spent_and_is_repeated_whole() -> None:
    grants = FakeGrants()
    server = write(reset(), answer(), grants=grants)
    assert sent(server) == [["a", "b", "c"]] * 2
    assert grants.settled == [("forfeit", 1), ("settle", 2, {"table": 3.0}, False)]


def test_a_refused_batch_is_not_repeated() -> None:
    with pytest.raises(Rejected):
        write(error("ValidationException", "no"), grants=FakeGrants())
