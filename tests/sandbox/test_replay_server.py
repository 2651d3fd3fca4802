"""The replay server as its own process, seen through botocore and http.client."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.measure.process_tree import process_info
from benchmarks.replay_items import MAKERS, key_of

pytestmark = pytest.mark.sandbox


@contextmanager
def serving(*options: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.replay_server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def client(port: int) -> Any:
    return boto3.session.Session().client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1, "mode": "legacy"}),
    )


def page(port: int, path: str, *, method: str = "GET", body: str = "") -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body)
    value = json.loads(connection.getresponse().read())
    connection.close()
    return value


def test_botocore_scans_everything_and_the_ledger_agrees():
    with serving("--items", "3000") as server:
        dynamodb = client(server["port"])
        pages = [
            one
            for segment in range(3)
            for one in dynamodb.get_paginator("scan").paginate(
                TableName="items", Segment=segment, TotalSegments=3, ReturnConsumedCapacity="TOTAL"
            )
        ]
        ledger = page(server["port"], "/ledger")
    assert [item["Id"]["S"] for one in pages for item in one["Items"]] == [key_of(number) for number in range(3000)]
    assert sum(one["ConsumedCapacity"]["CapacityUnits"] for one in pages) == sum(row[4] for row in ledger)
    TypeDeserializer().deserialize({"M": pages[0]["Items"][0]})  # every value is well formed


def test_botocore_writes_and_the_counts_agree():
    with serving("--items", "100", "--index", "ByName") as server:
        dynamodb = client(server["port"])
        described = dynamodb.describe_table(TableName="items")["Table"]
        for start in range(0, 100, 25):
            writes = [
                {"PutRequest": {"Item": json.loads(MAKERS["kilobyte"](number).json)}}
                for number in range(start, start + 25)
            ]
            reply = dynamodb.batch_write_item(RequestItems={"target": writes}, ReturnConsumedCapacity="INDEXES")
            assert reply["UnprocessedItems"] == {}
        stats = page(server["port"], "/stats")
        page(server["port"], "/reset", method="POST")
        after = page(server["port"], "/stats")
    assert reply["ConsumedCapacity"][0]["GlobalSecondaryIndexes"] == {"ByName": {"CapacityUnits": 25.0}}
    assert (stats["put_count"], stats["distinct_count"], after["put_count"]) == (100, 100, 0)
    assert (described["ItemCount"], described["TableStatus"]) == (100, "ACTIVE")


def test_enforced_capacity_can_be_changed_while_it_runs():
    with serving("--items", "5000", "--read-units", "1", "--enforce") as server:
        dynamodb = client(server["port"])
        dynamodb.scan(TableName="items")
        with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
            dynamodb.scan(TableName="items")
        page(server["port"], "/capacity", method="POST", body='{"read_units": 2000, "write_units": 9}')
        described = dynamodb.describe_table(TableName="items")["Table"]["ProvisionedThroughput"]
    assert (described["ReadCapacityUnits"], described["WriteCapacityUnits"]) == (2000, 9)


def test_latency_delays_each_reply_but_not_other_connections():
    with serving("--items", "100", "--latency-ms", "250") as server:
        started_s = time.monotonic()
        threads = [threading.Thread(target=page, args=(server["port"], "/stats")) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_s = time.monotonic() - started_s
    assert 0.25 <= elapsed_s < 10.0  # the time they would take one after the other


def test_requests_on_one_connection_in_one_piece_are_all_answered():
    with serving("--items", "10") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server["port"])
        connection.connect()
        connection.sock.sendall(b"GET /stats HTTP/1.1\r\n\r\n" * 3)
        received = b""
        while received.count(b"put_count") < 3:
            received += connection.sock.recv(65536)
        connection.close()


def test_client_that_does_not_read_holds_nobody_up():
    with serving("--items", "9000") as server:
        head = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\nContent-Length: %d\r\n\r\n"
        body = b'{"TableName":"items"}'
        stuck = http.client.HTTPConnection("127.0.0.1", server["port"])
        stuck.connect()
        stuck.sock.sendall((head % len(body) + body) * 40)  # 50 MB of replies that nobody reads
        assert page(server["port"], "/stats")["item_count"] == 9000
        stuck.close()


def test_server_costs_less_than_the_least_that_a_reader_does():
    """Otherwise it would judge itself. Every contender reads the pages; this one does nothing else with them."""
    with serving("--items", "20000", "--warm-segments", "1") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server["port"])
        before_s, own_s = _cpu_s(server["pid"]), time.process_time()
        for _ in range(3):
            for number in range(1048, 19000, 1049):  # where the full pages of one segment begin
                start = json.dumps(
                    {
                        "TableName": "items",
                        "Segment": 0,
                        "TotalSegments": 1,
                        "ReturnConsumedCapacity": "TOTAL",
                        "ExclusiveStartKey": {"Id": {"S": key_of(number)}},
                    }
                )
                connection.request("POST", "/", start, {"X-Amz-Target": "DynamoDB_20120810.Scan"})
                assert json.loads(connection.getresponse().read())["Count"] > 0
        connection.close()
        assert _cpu_s(server["pid"]) - before_s < (time.process_time() - own_s) / 2


def _cpu_s(pid: int) -> float:
    info = process_info(pid)
    assert info is not None
    return info.cpu_s
