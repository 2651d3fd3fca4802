"""A batch is written until every item of it is in, each request under a grant of its own."""

from __future__ import annotations

import json

import pytest

from dynamodb_pipeline.aws.request_errors import Rejected
from dynamodb_pipeline.aws.retry import Pacing
from dynamodb_pipeline.importing.table_writer import MAX_BYTES, MAX_ITEMS, TableWriter, batches
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


def put(key: str | None, *, units: float = 1, body_bytes: int = 10) -> Put:
    return Put(b"x" * body_bytes, units, key.encode() if key else None, 1)


def test_a_request_holds_at_most_25_items_and_no_item_is_lost() -> None:
    puts = [put(str(n)) for n in range(MAX_ITEMS * 2 + 1)]
    cut = list(batches(puts))
    assert [len(batch) for batch in cut] == [25, 25, 1]
    assert [p for batch in cut for p in batch] == puts


def test_no_key_stands_twice_in_a_request() -> None:
    """DynamoDB refuses the whole request; the later of the two has to come later."""
    cut = list(batches([put("a"), put("b"), put("a"), put("c")]))
    assert [[p.key for p in batch] for batch in cut] == [[b"a", b"b"], [b"a", b"c"]]


def test_puts_of_unknown_keys_are_not_taken_for_one_key() -> None:
    assert [len(batch) for batch in batches([put(None), put(None)])] == [2]


def test_a_request_keeps_to_its_units_and_a_larger_put_goes_alone() -> None:
    cut = list(batches([put("a", units=3), put("b", units=3), put("c", units=9), put("d", units=1)], max_units=5))
    assert [[p.units for p in batch] for batch in cut] == [[3], [3], [9], [1]]


def test_a_request_keeps_below_16_mb() -> None:
    cut = list(batches([put("a", body_bytes=MAX_BYTES - 5), put("b", body_bytes=5), put("c", body_bytes=1)]))
    assert [len(batch) for batch in cut] == [2, 1]
