"""The wire against an independent implementation of DynamoDB's protocol; boto3 is the second opinion."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from dynamodb_pipeline.aws.request_errors import Gone, Rejected
from dynamodb_pipeline.dynamodb.credentials import credentials_of
from dynamodb_pipeline.dynamodb.requests import ScanRequest, batch_write, delete_item, key_absent, put_item, scan_page
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire, Endpoint
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from sandbox.active_table import create_active_table
from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

NASTY = '],"LastEvaluatedKey":{"Id":{"S":"fake"}},"Items":[ \\ " \u2028 \u20ac \U0001f600'


class Table:
    """A table of its own with a wire and a boto3 client to it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.name = f"wire-{secrets.token_hex(4)}"
        self.client = sandbox.client("dynamodb")
        table = create_active_table(
            self.client,
            TableName=self.name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "Id", "AttributeType": "S"},
                {"AttributeName": "n", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.keys = KeySchema.from_description(table)
        session = boto3.Session("sandbox", "sandbox-secret", region_name=sandbox.region)
        self.wire = DynamoDbWire(Endpoint.from_client(self.client), credentials_of(session))

    def write(self, *items: dict[str, Any]) -> dict[str, float]:
        bodies = [json.dumps(item, ensure_ascii=False).encode() for item in items]
        reply = batch_write(self.wire, self.name, puts=bodies, key_of=self.keys.key_of)
        assert (reply.unprocessed_puts, reply.unprocessed_deletes) == ([], [])
        return reply.consumed

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in self.client.get_paginator("scan").paginate(TableName=self.name):
            found += page["Items"]
        return sorted(found, key=lambda item: (item["Id"]["S"], item["n"]["N"]))


@pytest.fixture
def table(sandbox: Sandbox) -> Iterator[Table]:
    made = Table(sandbox)
    yield made
    made.wire.close()
    made.client.delete_table(TableName=made.name)


def item(name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"Id": {"S": name}, "n": {"N": str(number)}, **more}


def test_written_items_are_those_that_boto3_reads(table: Table) -> None:
    items = [
        item("a", text={"S": NASTY}, none={"NULL": True}, empty={"L": []}, map={"M": {}}),
        item("b", number=-2, digits={"N": "1234567890123456789012345678901234567.8"}, set={"SS": ["x", "y"]}),
    ]
    assert table.write(*items) == {"table": 2.0}
    assert table.items() == items


def test_scan_in_pages_and_segments_reads_every_item_once(table: Table) -> None:
    written = [item(f"{NASTY}{number}", text={"S": NASTY}) for number in range(25)]
    table.write(*written)
    found: list[dict[str, Any]] = []
    pages = 0
    for segment in range(3):
        key: bytes | None = None
        while True:
            request = ScanRequest(table.name, segment=segment, total_segments=3, start_key=key, limit=4)
            page = scan_page(table.wire, request)
            items = json.loads(page.body)["Items"]
            assert len(items) == page.count == page.scanned_count
            assert page.consumed["table"] >= 0.5 or page.count == 0
            found += items
            pages += 1
            key = page.last_evaluated_key
            if key is None:
                break
    assert pages > 6
    assert sorted(found, key=str) == sorted(written, key=str)


def test_batch_deletes_by_key(table: Table) -> None:
    table.write(item("a"), item("b"))
    key = json.dumps(item("a")).encode()
    reply = batch_write(table.wire, table.name, deletes=[key], key_of=table.keys.key_of)
    assert reply.consumed == {"table": 1.0}
    assert table.items() == [item("b")]


def test_put_on_condition_leaves_an_existing_item_as_it_is(table: Table) -> None:
    table.write(item("a", v={"S": "old"}))
    condition = key_absent("Id")
    put = [
        put_item(table.wire, table.name, item=json.dumps(item(name, v={"S": "new"})).encode(), condition=condition)
        for name in ("a", "b")
    ]
    assert [(reply.applied, reply.consumed) for reply in put] == [(False, None), (True, {"table": 1.0})]
    assert table.items() == [item("a", v={"S": "old"}), item("b", v={"S": "new"})]


def test_deleted_item_is_gone(table: Table) -> None:
    table.write(item("a"))
    assert delete_item(table.wire, table.name, key=json.dumps(item("a")).encode()).applied
    assert table.items() == []


def test_missing_table_is_named_as_such(table: Table) -> None:
    with pytest.raises(Gone, match="ResourceNotFoundException"):
        scan_page(table.wire, ScanRequest("no-such-table"))


@pytest.mark.parametrize(
    "bad", [item("a", v={"N": "1x"}), item(""), {"Id": {"S": "a"}}, item("a", v={"SS": []})], ids=str
)
def test_bad_item_is_rejected_without_its_value_in_the_message(table: Table, bad: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="ValidationException") as caught:
        table.write(bad)
    assert "1x" not in str(caught.value)
    assert table.items() == []


def test_same_key_twice_in_a_batch_is_rejected(table: Table) -> None:
    with pytest.raises(Rejected, match="duplicates"):
        table.write(item("a", 1), {"Id": {"S": "a"}, "n": {"N": "1.0"}})
