"""What each DynamoDB fault does to the reply, to the table, and to the ledger."""

from __future__ import annotations

import json
import zlib

import pytest

from sandbox.faults.capacity import Capacity, TableLimits
from sandbox.faults.credentials import ExpiredKeys
from sandbox.faults.delivery import Delivery
from sandbox.faults.dynamodb_proxy import DynamoDbFaults
from sandbox.faults.dynamodb_service import DynamoDbService
from sandbox.faults.kinds import KINDS, Service
from sandbox.faults.ledger import Ledger
from sandbox.faults.plan import FaultPlan, FaultRule
from tests.unit.faults.fake_services import KEYS, FakeDynamoDb, dynamodb_request

SCAN = dynamodb_request("Scan", TableName="t", ReturnConsumedCapacity="INDEXES")
DESCRIBE = dynamodb_request("DescribeTable", TableName="t")
NEW_KEYS = [f"new-{number}" for number in range(10)]
WRITES = [{"PutRequest": {"Item": {"Id": {"S": key}, "n": {"N": "2"}}}} for key in NEW_KEYS]
BATCH = dynamodb_request("BatchWriteItem", RequestItems={"t": WRITES})


class Rig:
    """One handler over a fake DynamoDB."""

    def __init__(self, *rules: FaultRule, limits=None, seed=1, expired=None):
        self.upstream = FakeDynamoDb()
        self.ledger = Ledger(clock=lambda: 0.0)
        service = DynamoDbService(self.upstream, ledger=self.ledger, limits=limits)
        self.handler = DynamoDbFaults(service, FaultPlan(seed, Service.DYNAMODB, rules), expired=expired)

    def send(self, request) -> Delivery:
        return self.handler.handle(request)


def parts(delivery: Delivery):
    head, _, body = delivery.data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return (
        int(lines[0].split()[1]),
        {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])},
        body,
    )


def value(delivery: Delivery):
    status, headers, body = parts(delivery)
    if status == 200:
        assert int(headers["content-length"]) == len(body)
        assert int(headers["x-amz-crc32"]) == zlib.crc32(body)
    return status, json.loads(body)


def test_without_a_plan_everything_passes_and_is_recorded():
    rig = Rig()
    assert value(rig.send(SCAN))[1]["Count"] == 3
    assert value(rig.send(BATCH))[1] == {"UnprocessedItems": {}}
    assert rig.ledger.units(operation="Scan") == 1.5
    assert rig.ledger.units(operation="BatchWriteItem") == 10.0


@pytest.mark.parametrize("form", [None, "TOTAL", "INDEXES"])
def test_units_are_metered_whatever_the_client_asked_for(form):
    rig = Rig()
    asked = {} if form is None else {"ReturnConsumedCapacity": form}
    told = value(rig.send(dynamodb_request("Scan", TableName="t", **asked)))[1].get("ConsumedCapacity")
    wanted = {
        None: None,
        "TOTAL": {"TableName": "t", "CapacityUnits": 1.5},
        "INDEXES": {"TableName": "t", "CapacityUnits": 1.5, "Table": {"CapacityUnits": 1.5}},
    }
    assert told == wanted[form]
    assert rig.ledger.units() == 1.5


REFUSALS = {
    "throttle_provisioned": "ProvisionedThroughputExceededException",
    "throttle_on_demand": "ThrottlingException",
    "throttle_account": "ThrottlingException",
    "throttle_request_limit": "RequestLimitExceeded",
    "internal_before": "InternalServerError",
    "access_denied": "AccessDeniedException",
    "key_revoked": "UnrecognizedClientException",
    "table_gone": "ResourceNotFoundException",
    "clock_skew": "InvalidSignatureException",
    "expired_token": "ExpiredTokenException",
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusal_names_its_error_and_does_nothing(kind):
    rig = Rig(FaultRule(kind))
    status, error = value(rig.send(BATCH))
    assert status in (400, 500)
    assert error["__type"].endswith(f"#{REFUSALS[kind]}")
    assert rig.upstream.requests == []
    assert rig.ledger.count(outcome=kind) == 1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("throttle_provisioned", "TableWriteProvisionedThroughputExceeded"),
        ("throttle_on_demand", "TableWriteMaxOnDemandThroughputExceeded"),
        ("throttle_account", "TableWriteAccountLimitExceeded"),
        ("throttle_index", "IndexWriteProvisionedThroughputExceeded"),
    ],
)
def test_throttle_tells_its_reason(kind, reason):
    assert value(Rig(FaultRule(kind)).send(BATCH))[1]["ThrottlingReasons"][0]["reason"] == reason


@pytest.mark.parametrize("kind", ["internal_after", "gateway_timeout_after", "reset_after", "not_json"])
def test_carried_out_all_the_same(kind):
    rig = Rig(FaultRule(kind))
    delivery = rig.send(BATCH)
    assert rig.upstream.items.keys() == {*KEYS, *NEW_KEYS}
    assert rig.ledger.units() == 10.0
    if kind != "reset_after":
        assert b"UnprocessedItems" not in delivery.data


def test_unprocessed_some_is_a_true_subset():
    """What comes back was not written; what was written does not come back; nothing is lost."""
    rig = Rig(FaultRule("unprocessed_some"))
    back = value(rig.send(BATCH))[1]["UnprocessedItems"]["t"]
    held = {write["PutRequest"]["Item"]["Id"]["S"] for write in back}
    assert 0 < len(held) < 10
    assert rig.upstream.items.keys() - set(KEYS) == set(NEW_KEYS) - held
    assert rig.ledger.units() == 10 - len(held)


def test_unprocessed_all_writes_nothing():
    rig = Rig(FaultRule("unprocessed_all"))
    assert value(rig.send(BATCH)) == (200, {"UnprocessedItems": {"t": WRITES}})
    assert rig.upstream.items.keys() == set(KEYS)


def test_hot_key_range_holds_back_some_keys_only():
    rig = Rig(FaultRule("throttle_key_range"))
    held = len(value(rig.send(BATCH))[1]["UnprocessedItems"]["t"])
    assert 0 < held < 10
    assert len(rig.upstream.items) == 3 + 10 - held


def test_hot_key_range_throttles_some_segments_only():
    statuses = [
        parts(
            Rig(FaultRule("throttle_key_range")).send(
                dynamodb_request("Scan", TableName="t", Segment=segment, TotalSegments=12)
            )
        )[0]
        for segment in range(12)
    ]
    assert set(statuses) == {200, 400}


@pytest.mark.parametrize("kind", ["truncated", "bit_flip"])
def test_damaged_body_keeps_the_crc_of_the_right_one(kind):
    status, headers, body = parts(Rig(FaultRule(kind)).send(SCAN))
    _, _, right = parts(Rig().send(SCAN))
    assert status == 200
    assert body != right
    assert int(headers["content-length"]) == len(body)
    assert int(headers["x-amz-crc32"]) == zlib.crc32(right)


def test_bit_flip_changes_one_bit():
    _, _, body = parts(Rig(FaultRule("bit_flip")).send(SCAN))
    _, _, right = parts(Rig().send(SCAN))
    assert sum(bin(a ^ b).count("1") for a, b in zip(body, right)) == 1
    assert len(body) == len(right)


@pytest.mark.parametrize(("kind", "reset"), [("reset_within", True), ("truncated_on_wire", False)])
def test_cut_reply_announces_more_than_it_sends(kind, reset):
    delivery = Rig(FaultRule(kind)).send(SCAN)
    _, headers, body = parts(delivery)
    assert len(body) < int(headers["content-length"])
    assert (delivery.close, delivery.reset) == (True, reset)


@pytest.mark.parametrize(("kind", "reset"), [("reset_before", True), ("silence", False)])
def test_no_byte_and_nothing_done(kind, reset):
    rig = Rig(FaultRule(kind, wait_s=0.3))
    delivery = rig.send(SCAN)
    assert (delivery.data, delivery.close, delivery.reset) == (b"", True, reset)
    assert rig.upstream.requests == []
    assert delivery.wait_s == (0.3 if kind == "silence" else 0.0)


def test_slow_reply_is_right_and_late():
    delivery = Rig(FaultRule("slow", wait_s=0.3)).send(SCAN)
    assert delivery.wait_s == 0.3
    assert value(delivery)[1]["Count"] == 3


def test_hang_up_says_close():
    delivery = Rig(FaultRule("hang_up")).send(SCAN)
    assert delivery.close
    assert parts(delivery)[1]["connection"] == "close"


def test_fields_missing_passes_the_crc():
    assert value(Rig(FaultRule("fields_missing")).send(SCAN))[1].keys() == {"ScannedCount", "ConsumedCapacity"}
    assert value(Rig(FaultRule("fields_missing")).send(BATCH)) == (200, {})


def test_count_wrong_passes_the_crc():
    page = value(Rig(FaultRule("count_wrong")).send(SCAN))[1]
    assert page["Count"] == len(page["Items"]) + 1


@pytest.mark.parametrize("start", [None, {"Id": {"S": "a"}}], ids=["first page", "later page"])
def test_empty_page_leads_to_every_item_once(start):
    """Its key stands for the request's own start, again and again, for anybody who continues from it."""
    rig = Rig(FaultRule("empty_page", repeats=2))
    keys = [start]
    for _ in range(2):
        page = value(rig.send(scan_from(keys[-1])))[1]
        assert (page["Items"], page["Count"]) == ([], 0)
        assert page["LastEvaluatedKey"] not in keys
        keys.append(page["LastEvaluatedKey"])
    for key in (keys[2], keys[1], keys[2]):
        page = value(rig.send(scan_from(key)))[1]
        assert [item["Id"]["S"] for item in page["Items"]] == [one for one in KEYS if start is None or one > "a"]


def scan_from(start):
    fields = {} if start is None else {"ExclusiveStartKey": start}
    return dynamodb_request("Scan", TableName="t", **fields)


def test_short_page_can_be_continued():
    page = value(Rig(FaultRule("short_page")).send(SCAN))[1]
    assert page["Count"] == 1
    assert page["LastEvaluatedKey"] == {"Id": {"S": "a"}}


def test_expired_key_stays_expired_until_another_signs():
    rig = Rig(FaultRule("expired_token", after_count=2), expired=ExpiredKeys(most_count=1))
    statuses = [parts(rig.send(scan_from({"Id": {"S": start}})))[0] for start in ("a", "b", "c", "a", "b")]
    assert statuses == [200, 200, 400, 400, 400]
    assert parts(rig.send(dynamodb_request("Scan", TableName="t", access_key="AKIDTWO")))[0] == 200


@pytest.mark.parametrize(
    ("kind", "field", "wanted"),
    [
        ("table_updating", "TableStatus", "UPDATING"),
        ("table_deleting", "TableStatus", "DELETING"),
        ("table_recreated", "TableId", "00000000-0000-4000-8000-000000000000"),
        ("capacity_halved", "ProvisionedThroughput", {"ReadCapacityUnits": 3, "WriteCapacityUnits": 1}),
    ],
)
def test_described_table_differs(kind, field, wanted):
    assert value(Rig(FaultRule(kind)).send(DESCRIBE))[1]["Table"][field] == wanted


def test_enforced_limit_holds_writes_back_then_throttles():
    rig = Rig(limits={"t": TableLimits(Capacity(100, 4), enforced=True)})
    assert len(value(rig.send(BATCH))[1]["UnprocessedItems"]["t"]) == 6
    status, error = value(rig.send(BATCH))
    assert (status, error["__type"].split("#")[1]) == (400, "ProvisionedThroughputExceededException")
    assert rig.ledger.count(outcome="ProvisionedThroughputExceededException") == 1


def test_enforced_limit_throttles_scans():
    rig = Rig(limits={"t": TableLimits(Capacity(1, 1), enforced=True)})
    assert [parts(rig.send(SCAN))[0] for _ in range(2)] == [200, 400]


def test_limits_are_what_describe_table_tells():
    rig = Rig(limits={"t": TableLimits(Capacity(123, 45))})
    assert value(rig.send(DESCRIBE))[1]["Table"]["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 123,
        "WriteCapacityUnits": 45,
    }


def test_same_seed_holds_the_same_items_back():
    held = [
        value(Rig(FaultRule("unprocessed_some"), seed=seed).send(BATCH))[1]["UnprocessedItems"]["t"]
        for seed in (1, 1, 2)
    ]
    assert held[0] == held[1] != held[2]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if kind.service is Service.DYNAMODB])
def test_every_kind_works_on_each_of_its_operations(kind):
    requests = {
        "Scan": SCAN,
        "BatchWriteItem": BATCH,
        "DescribeTable": DESCRIBE,
        "PutItem": dynamodb_request("PutItem", TableName="t", Item={"Id": {"S": "x"}}),
        "DeleteItem": dynamodb_request("PutItem", TableName="t", Key={"Id": {"S": "x"}}),
    }
    for operation in KINDS[kind].operations:
        rig = Rig(FaultRule(kind, wait_s=0.0))
        assert isinstance(rig.send(requests[operation]), Delivery)
        assert rig.ledger.count(outcome=kind) == 1 or operation == "DeleteItem"
