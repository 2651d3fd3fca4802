"""The metering proxy passes DynamoDB through unchanged and counts what it charged."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.active_table import create_active_table
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

KB = "x" * 1000


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[MeteringProxy]:
    with MeteringProxy(sandbox.dynamodb_url) as running:
        yield running


def client_of(url: str) -> Any:
    session: Any = boto3.session.Session()
    return session.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox-secret",
        config=Config(retries={"total_max_attempts": 1}, tcp_keepalive=True),
    )


@pytest.fixture
def table(proxy: MeteringProxy) -> Iterator[str]:
    client = client_of(proxy.url)
    create_active_table(
        client,
        TableName="Metered",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "Metered"
    client.delete_table(TableName="Metered")


def test_writes_and_reads_are_counted_as_dynamodb_charges_them(proxy: MeteringProxy, table: str) -> None:
    """AWS: a write unit per started KB, half a read unit per started 4 KB of a page."""
    client = client_of(proxy.url)
    proxy.clear()
    puts = [{"PutRequest": {"Item": {"Id": {"S": f"{n:02}"}, "t": {"S": KB}}}} for n in range(25)]
    client.batch_write_item(RequestItems={table: puts}, ReturnConsumedCapacity="TOTAL")
    page = client.scan(TableName=table, ReturnConsumedCapacity="TOTAL")
    assert page["Count"] == 25
    assert proxy.units(operation="BatchWriteItem") == 25.0
    assert proxy.units(operation="Scan") == page["ConsumedCapacity"]["CapacityUnits"] > 0
    assert [(call.operation, call.table, call.status) for call in proxy.calls] == [
        ("BatchWriteItem", table, 200),
        ("Scan", table, 200),
    ]
    assert proxy.calls[1].reply_bytes > 25 * len(KB)
    assert proxy.windows(10).most_units == proxy.units()


def test_a_call_that_does_not_ask_for_units_is_recorded_without(proxy: MeteringProxy, table: str) -> None:
    proxy.clear()
    client_of(proxy.url).scan(TableName=table)
    assert [call.units for call in proxy.calls] == [None]


def test_an_error_passes_through_and_is_recorded(proxy: MeteringProxy) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client_of(proxy.url).scan(TableName="Absent")
    assert [(call.table, call.status) for call in proxy.calls] == [("Absent", 400)]


def test_a_request_without_an_answer_is_recorded_and_the_client_sees_a_closed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host, port = mute.getsockname()
        mute.close()
        with MeteringProxy(f"http://{host}:{port}") as proxy:
            with pytest.raises(ConnectionClosedError):
                client_of(proxy.url).scan(TableName="T")
            assert [call.status for call in proxy.calls] == [0]


def test_a_client_that_waits_for_100_continue_gets_it(proxy: MeteringProxy) -> None:
    """The Java SDK sends its body only then, or three seconds later."""
    target = ("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    head = (
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nExpect: 100-continue\r\n"
        "Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n"
    )
    with socket.create_connection(target, timeout=5) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert [call.operation for call in proxy.calls] == ["ListTables"]
