"""The replay server's operations: writes counted by their true units, limits enforced, capacity scripted."""

from __future__ import annotations

import json

import pytest

from benchmarks.replay_items import alternating_item, kilobyte_item
from benchmarks.replay_service import ReplayConfig, ReplayService
from benchmarks.replay_writes import item_digest
from sandbox.faults.capacity import Capacity, CapacityChange
from sandbox.faults.ledger import Ledger


class FakeClock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def make_service(clock):
    return lambda **config: ReplayService(ReplayConfig(**{"item_count": 100, **config}), ledger=Ledger(clock=clock))


def answer(service, operation, **request):
    got = service.answer(operation, json.dumps(request).encode())
    return got.status, json.loads(got.body())


def puts(*items):
    return [{"PutRequest": {"Item": json.loads(item.json)}} for item in items]


def batch(service, writes, **fields):
    return answer(service, "BatchWriteItem", RequestItems={"target": writes}, **fields)


def test_batch_of_own_items_costs_their_units(make_service):
    service = make_service(maker="alternating")
    status, reply = batch(service, puts(*map(alternating_item, range(4))), ReturnConsumedCapacity="TOTAL")
    assert status == 200
    assert reply == {
        "UnprocessedItems": {},
        "ConsumedCapacity": [{"CapacityUnits": 20, "TableName": "target"}],
    }  # 1 + 9 + 1 + 9
    assert service.ledger.units(operation="BatchWriteItem") == 20


def test_batch_of_foreign_items_is_measured(make_service):
    service = make_service()
    writes = [{"PutRequest": {"Item": {"other": {"S": "x" * 3000}}}}, {"DeleteRequest": {"Key": {"other": {"S": "x"}}}}]
    assert batch(service, writes)[0] == 200
    assert service.ledger.units() == 4  # 3,005 bytes and one small key
    assert service.writes.summary()["foreign_count"] == 2


def test_own_item_beside_a_delete_is_measured_too(make_service):
    """The short cut by keys must not mistake a delete of an own item for a put."""
    service = make_service(maker="alternating")
    writes = [*puts(alternating_item(1)), {"DeleteRequest": {"Key": {"Id": {"S": "item-000000000003"}}}}]
    batch(service, writes)
    assert service.ledger.units() == 10


def test_spaces_in_the_json_change_nothing(make_service):
    service = make_service()
    compact = json.dumps({"RequestItems": {"target": puts(kilobyte_item(1))}}, separators=(",", ":")).encode()
    service.answer("BatchWriteItem", compact)
    batch(service, puts(kilobyte_item(2)))
    assert service.writes.summary() == {"put_count": 2, "foreign_count": 0, "distinct_count": 2, "digest": None}


@pytest.mark.parametrize("count", [0, 26])
def test_batch_of_wrong_size_is_refused(make_service, count):
    assert batch(make_service(), puts(*map(kilobyte_item, range(count))))[0] == 400


def test_indexes_are_charged_apart(make_service):
    service = make_service(indexes=("ByName",))
    _, reply = batch(service, puts(kilobyte_item(1)), ReturnConsumedCapacity="INDEXES")
    assert reply["ConsumedCapacity"] == [
        {
            "CapacityUnits": 2,
            "GlobalSecondaryIndexes": {"ByName": {"CapacityUnits": 1}},
            "Table": {"CapacityUnits": 1},
            "TableName": "target",
        }
    ]
    assert service.ledger.units(resource="index:ByName") == 1


def test_enforced_budget_returns_what_it_did_not_write(make_service):
    service = make_service(capacity=Capacity(10, 3), enforced=True)
    writes = puts(*map(kilobyte_item, range(5)))
    _, reply = batch(service, writes)
    assert reply["UnprocessedItems"] == {"target": writes[3:]}
    assert service.writes.summary()["put_count"] == 3
    status, error = batch(service, reply["UnprocessedItems"]["target"])
    assert status == 400
    assert error["__type"].endswith("#ProvisionedThroughputExceededException")


def test_enforced_budget_refills_with_time(make_service, clock):
    service = make_service(capacity=Capacity(10, 2), enforced=True)
    batch(service, puts(kilobyte_item(1), kilobyte_item(2)))
    clock.now_s += 0.5
    assert batch(service, puts(kilobyte_item(3)))[0] == 200
    assert batch(service, puts(kilobyte_item(4)))[0] == 400


def test_enforced_scan_pays_its_debt(make_service, clock):
    service = make_service(capacity=Capacity(1, 1), enforced=True)
    assert answer(service, "Scan", TableName="items", Limit=32)[0] == 200  # 32,000 bytes: 4 units out of 1
    clock.now_s += 2.9
    assert answer(service, "Scan", TableName="items", Limit=1)[0] == 400
    clock.now_s += 0.2
    assert answer(service, "Scan", TableName="items", Limit=1)[0] == 200


def test_scripted_capacity_counts_from_the_first_request(make_service, clock):
    service = make_service(capacity=Capacity(100, 100), changes=(CapacityChange(30.0, Capacity(50, 60)),))
    clock.now_s += 100
    assert described_units(service) == (100, 100)
    answer(service, "Scan", TableName="items", Limit=1)
    clock.now_s += 29
    assert described_units(service) == (100, 100)
    clock.now_s += 1
    assert described_units(service) == (50, 60)


def test_reset_starts_the_script_again_and_empties_the_ledger(make_service, clock):
    service = make_service(changes=(CapacityChange(1.0, Capacity(5, 5)),))
    answer(service, "Scan", TableName="items", Limit=1)
    clock.now_s += 2
    assert described_units(service) == (5, 5)
    service.reset()
    assert service.report("ledger") == []
    assert described_units(service) == (40_000, 40_000)


def test_on_demand_table_tells_no_capacity(make_service):
    _, reply = answer(make_service(capacity=Capacity(None, None)), "DescribeTable", TableName="items")
    assert reply["Table"]["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert reply["Table"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 0


def test_digest_of_puts_is_that_of_the_items_in_any_order(make_service):
    service = make_service(digest_puts=True)
    items = [kilobyte_item(number) for number in (3, 1, 2)]
    batch(service, puts(*items[:1]))
    batch(service, puts(*items[1:]))
    wanted = sum(item_digest(json.loads(kilobyte_item(number).json)) for number in (1, 2, 3)) % (1 << 256)
    assert service.writes.summary()["digest"] == f"{wanted:064x}"


def test_put_item_is_charged_and_recorded(make_service):
    service = make_service()
    item = json.loads(alternating_item(1).json)
    _, reply = answer(service, "PutItem", TableName="target", Item=item, ReturnConsumedCapacity="TOTAL")
    assert reply["ConsumedCapacity"] == {"CapacityUnits": 9, "TableName": "target"}
    assert service.ledger.count(operation="PutItem") == 1


def test_unknown_operation_is_an_error(make_service):
    assert answer(make_service(), "CreateTable", TableName="x")[0] == 400


def described_units(service):
    throughput = answer(service, "DescribeTable", TableName="items")[1]["Table"]["ProvisionedThroughput"]
    return throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]
