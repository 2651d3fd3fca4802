from __future__ import annotations

import json
from typing import Any

import pytest

from dynamodb_pipeline.aws.request_errors import Gone
from dynamodb_pipeline.aws.retry import GaveUp, Pacing, RetryPolicy
from dynamodb_pipeline.connector.page_buffers import PAGE_HEAP_BYTES, VALUE_BYTES
from dynamodb_pipeline.connector.relay_handler import ClientGone, MeteredScan, RelayHandler, RelayPlan
from dynamodb_pipeline.connector.relay_settings import RelayKeys
from dynamodb_pipeline.dynamodb.requests import ScanRequest
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.workers.contract import RunStopped
from tests.unit.dynamodb.scripted_server import Answer, error, reply, reset
from tests.unit.dynamodb.wire_fixtures import consumed, wire_to
from tests.unit.workers.fake_grants import FakeGrants

REQUEST = ScanRequest("orders", segment=1, total_segments=4, limit=100)
AT_ONCE = Pacing(RetryPolicy(), clock=lambda: 0.0, sleep=lambda _: None)


class FakeClient:
    def __init__(self, grants: FakeGrants, *, gone: bool = False) -> None:
        self.grants = grants
        self.gone = gone

    def is_gone(self) -> bool:
        return self.gone


def page(count: int, *, units: float) -> Answer:
    fields: dict[str, Any] = {"Count": count, "ScannedCount": count, "Items": [{}] * count}
    return reply({**fields, "ConsumedCapacity": consumed(units)})


def scan(wire: DynamoDbWire, **how: Any) -> MeteredScan:
    return MeteredScan(wire, pacing=AT_ONCE, **how)


def test_page_is_read_under_a_grant_that_is_settled_with_what_it_cost():
    grants = FakeGrants()
    with wire_to(page(10, units=12.5)) as (wire, _):
        assert scan(wire).page(REQUEST, FakeClient(grants)).count == 10
    assert [entry[0] for entry in grants.log] == ["reserve", "settle"]
    assert grants.settled == [("settle", 1, {"table": 12.5}, False)]


def test_nothing_is_sent_before_the_grant():
    with wire_to(page(1, units=1)) as (wire, server):
        grants = FakeGrants(before_grant=lambda: len(server.requests) == 0 or pytest.fail("sent before the grant"))
        scan(wire).page(REQUEST, FakeClient(grants))
        assert len(server.requests) == 1


def test_next_page_is_estimated_by_what_the_last_one_cost():
    grants = FakeGrants()
    with wire_to(page(100, units=25.0), page(40, units=10.0)) as (wire, _):
        pages = scan(wire)
        pages.page(REQUEST, FakeClient(grants))
        pages.page(REQUEST._replace(limit=40), FakeClient(grants))
    assert grants.estimates[1] == pytest.approx(10.0)


def test_one_client_learns_from_the_pages_of_another():
    first, second = FakeGrants(), FakeGrants()
    with wire_to(page(100, units=25.0), page(100, units=25.0)) as (wire, _):
        pages = scan(wire)
        pages.page(REQUEST, FakeClient(first))
        pages.page(REQUEST, FakeClient(second))
    assert second.estimates == [pytest.approx(25.0)]


def test_limit_of_the_client_is_left_as_it_is_when_the_rate_allows_it():
    with wire_to(page(100, units=25.0)) as (wire, server):
        scan(wire, item_bytes=200).page(REQUEST, FakeClient(FakeGrants()))
        sent = json.loads(server.requests[0].body)
    assert (sent["Limit"], sent["Segment"], sent["TotalSegments"]) == (100, 1, 4)


def test_limit_is_lowered_when_a_page_would_cost_more_than_the_rate_lets_one_request_take():
    """25 units for 100 items; 5 units at a time are 20 items, less the margin for larger ones."""
    grants = FakeGrants(cap_units=5.0)
    with wire_to(page(5, units=1.25), page(16, units=4.0)) as (wire, server):
        pages = scan(wire)
        for _ in range(2):
            pages.page(REQUEST, FakeClient(grants))
        limit = json.loads(server.requests[1].body)["Limit"]
    assert 12 <= limit <= 20
    assert grants.estimates[1] <= 5.0


def test_limit_is_lowered_when_the_items_of_a_page_would_take_much_heap():
    """Of 100 numbers each, in 2 KB of text."""
    item = {f"a{number}": {"N": str(number)} for number in range(100)}
    fields = {"Count": 100, "ScannedCount": 100, "Items": [item] * 100, "ConsumedCapacity": consumed(25.0)}
    with wire_to(reply(fields), page(40, units=10.0)) as (wire, server):
        handler = RelayHandler(wire, RelayPlan("orders", RelayKeys.new(), item_bytes=200), pacing=AT_ONCE)
        for _ in range(2):
            handler._page(REQUEST, FakeClient(FakeGrants()))
        limits = [json.loads(request.body)["Limit"] for request in server.requests]
    assert limits[0] == 100
    assert 30 <= limits[1] <= PAGE_HEAP_BYTES / (100 * VALUE_BYTES)


def test_limit_never_falls_below_one_item():
    with wire_to(page(1, units=50.0), page(1, units=50.0)) as (wire, server):
        pages = scan(wire)
        for _ in range(2):
            pages.page(REQUEST, FakeClient(FakeGrants(cap_units=0.2)))
        assert [json.loads(r.body)["Limit"] for r in server.requests] == [1, 1]


def test_client_that_hung_up_while_waiting_costs_nothing():
    grants = FakeGrants()
    with wire_to(page(1, units=1)) as (wire, server):
        with pytest.raises(ClientGone):
            scan(wire).page(REQUEST, FakeClient(grants, gone=True))
        assert server.requests == []
    assert grants.settled == [("settle", 1, {}, False)]


@pytest.mark.parametrize(
    ("failure", "settled"),
    [
        (error("ProvisionedThroughputExceededException"), ("settle", 1, {}, True)),
        (error("RequestLimitExceeded"), ("settle", 1, {}, True)),
        (error("InternalServerError", status=500), ("forfeit", 1)),
        (reset(), ("forfeit", 1)),
        (reply({"Items": [], "Count": 0}), ("forfeit", 1)),
        (reply({"Items": [], "Count": 0}, crc=1), ("forfeit", 1)),
    ],
    ids=["throttle", "account-limit", "500", "reset", "fields-missing", "crc"],
)
def test_failed_attempt_is_accounted_for_and_repeated_under_another_grant(failure: Answer, settled: tuple[Any, ...]):
    """A throttled request read nothing; an unanswered one counts as spent."""
    grants = FakeGrants()
    with wire_to(failure, page(1, units=1.0)) as (wire, _):
        assert scan(wire).page(REQUEST, FakeClient(grants)).count == 1
    assert grants.settled == [settled, ("settle", 2, {"table": 1.0}, False)]


def test_throttle_of_a_hot_partition_does_not_slow_the_whole_run():
    reasons = [{"reason": "TableReadKeyRangeThroughputExceeded", "resource": "arn"}]
    hot = reply({"__type": "x#ThrottlingException", "message": "", "ThrottlingReasons": reasons}, status=400)
    grants = FakeGrants()
    with wire_to(hot, page(1, units=1.0)) as (wire, _):
        scan(wire).page(REQUEST, FakeClient(grants))
    assert grants.settled[0] == ("settle", 1, {}, False)


def test_final_error_ends_it_and_costs_nothing():
    grants = FakeGrants()
    with wire_to(error("ResourceNotFoundException")) as (wire, _), pytest.raises(Gone):
        scan(wire).page(REQUEST, FakeClient(grants))
    assert grants.settled == [("settle", 1, {}, False)]


def test_throttling_without_end_gives_up_and_leaves_no_grant_open():
    grants = FakeGrants()
    pacing = Pacing(RetryPolicy(no_progress_s=0.0), clock=lambda: 0.0, sleep=lambda _: None, random=lambda: 1.0)
    with wire_to(error("ThrottlingException")) as (wire, _), pytest.raises(GaveUp, match="no progress"):
        MeteredScan(wire, pacing=pacing).page(REQUEST, FakeClient(grants))
    assert grants.settled == [("settle", 1, {}, True)]


def test_stop_of_the_run_sends_nothing():
    def stopped() -> None:
        msg = "cancelled"
        raise RunStopped(msg)

    with wire_to() as (wire, server):
        with pytest.raises(RunStopped):
            scan(wire).page(REQUEST, FakeClient(FakeGrants(before_grant=stopped)))
        assert server.requests == []
