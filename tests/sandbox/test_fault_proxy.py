"""The fault proxies in front of real emulators, seen through real clients: botocore, and raw sockets."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from sandbox.active_table import create_active_table
from sandbox.faults.capacity import Capacity, TableLimits
from sandbox.faults.credentials import ExpiredKeys
from sandbox.faults.dynamodb_proxy import dynamodb_proxy
from sandbox.faults.kinds import Service
from sandbox.faults.ledger import Ledger
from sandbox.faults.plan import FaultPlan, FaultRule
from sandbox.faults.proxy import FaultProxy
from sandbox.faults.s3_proxy import s3_proxy
from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

ITEM_COUNT = 200
REGION = "eu-west-1"


def client(service: str, url: str, *, attempts: int = 1, access_key: str = "AKIDONE", **config: Any) -> Any:
    settings = Config(retries={"total_max_attempts": attempts, "mode": "legacy"}, **config)
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name=REGION,
        config=settings,
        aws_access_key_id=access_key,
        aws_secret_access_key="secret",
    )


def dynamodb_plan(*rules: FaultRule) -> FaultPlan:
    return FaultPlan(1, Service.DYNAMODB, rules)


@pytest.fixture
def table(sandbox: Sandbox) -> Iterator[str]:
    name = f"faulty-{uuid.uuid4().hex[:8]}"
    dynamodb = client("dynamodb", sandbox.dynamodb_url)
    create_active_table(
        dynamodb,
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": role} for key, role in (("Id", "HASH"), ("At", "RANGE"))],
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in (("Id", "S"), ("At", "N"))
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 50},
    )
    for start in range(0, ITEM_COUNT, 25):
        dynamodb.batch_write_item(RequestItems={name: puts(range(start, start + 25))})
    yield name
    dynamodb.delete_table(TableName=name)


def puts(numbers: Any, text: str = "x") -> list[dict[str, Any]]:
    return [
        {"PutRequest": {"Item": {"Id": {"S": f"k{number}"}, "At": {"N": str(number)}, "text": {"S": text}}}}
        for number in numbers
    ]


def scan_keys(dynamodb: Any, table: str, **fields: Any) -> list[str]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, **fields)
    return [item["Id"]["S"] for page in pages for item in page["Items"]]


WANTED = sorted(f"k{number}" for number in range(ITEM_COUNT))


@pytest.mark.parametrize(
    "kind",
    [
        "throttle_provisioned",
        "internal_before",
        "internal_after",
        "unavailable",
        "reset_before",
        "reset_within",
        "reset_after",
        "hang_up",
        "truncated",
        "empty_page",
        "short_page",
        "slow",
        "truncated_on_wire",
    ],
)
def test_client_that_retries_gets_every_item_once(sandbox, table, kind):
    """Each request fails twice at first; the third time it is let through."""
    ledger = Ledger()
    with dynamodb_proxy(sandbox.dynamodb_url, dynamodb_plan(FaultRule(kind, repeats=2)), ledger=ledger) as proxy:
        keys = scan_keys(client("dynamodb", proxy.url, attempts=8), table, Limit=60)
    assert sorted(keys) == WANTED
    assert ledger.count(outcome=kind) >= 2
    assert ledger.units(operation="Scan") > 0


def test_ledger_has_the_units_dynamodb_reports(sandbox, table):
    ledger = Ledger()
    with dynamodb_proxy(sandbox.dynamodb_url, dynamodb_plan(), ledger=ledger) as proxy:
        dynamodb = client("dynamodb", proxy.url)
        read = dynamodb.scan(TableName=table, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]["CapacityUnits"]
        dynamodb.batch_write_item(RequestItems={table: puts(range(3), text="y" * 3000)})
    assert ledger.units(operation="Scan") == read
    assert ledger.units(operation="BatchWriteItem") == 9  # 3 items of 3 KiB each, rounded up


def test_held_back_writes_are_not_in_the_table(sandbox, table):
    direct = client("dynamodb", sandbox.dynamodb_url)
    with dynamodb_proxy(sandbox.dynamodb_url, dynamodb_plan(FaultRule("unprocessed_some")), ledger=Ledger()) as proxy:
        reply = client("dynamodb", proxy.url).batch_write_item(RequestItems={table: puts(range(1000, 1025))})
    held = {write["PutRequest"]["Item"]["Id"]["S"] for write in reply["UnprocessedItems"][table]}
    assert 0 < len(held) < 25
    assert held.isdisjoint(scan_keys(direct, table))
    assert len(scan_keys(direct, table)) == ITEM_COUNT + 25 - len(held)


def test_enforced_capacity_throttles_and_is_described(sandbox, table):
    limits = {table: TableLimits(Capacity(5, 10), enforced=True)}
    ledger = Ledger()
    with dynamodb_proxy(sandbox.dynamodb_url, dynamodb_plan(), ledger=ledger, limits=limits) as proxy:
        dynamodb = client("dynamodb", proxy.url)
        described = dynamodb.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
        reply = dynamodb.batch_write_item(RequestItems={table: puts(range(25))})
        dynamodb.scan(TableName=table, ConsistentRead=True)  # may leave a debt
        with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
            scan_keys(dynamodb, table, Limit=5)
    assert (described["ReadCapacityUnits"], described["WriteCapacityUnits"]) == (5, 10)
    assert len(reply["UnprocessedItems"][table]) >= 13
    assert ledger.count(outcome="ProvisionedThroughputExceededException") >= 1


def test_expired_key_works_again_under_another_id(sandbox, table):
    expired = ExpiredKeys(most_count=1)
    plan = dynamodb_plan(FaultRule("expired_token", after_count=1))
    with dynamodb_proxy(sandbox.dynamodb_url, plan, ledger=Ledger(), expired=expired) as proxy:
        first, second = (client("dynamodb", proxy.url, access_key=key) for key in ("AKIDONE", "AKIDTWO"))
        first.scan(TableName=table, Limit=1)
        with pytest.raises(ClientError, match="ExpiredToken"):
            scan_keys(first, table, Limit=50)
        assert sorted(scan_keys(second, table, Limit=50)) == WANTED


def test_silence_ends_with_the_clients_own_timeout(sandbox, table):
    plan = dynamodb_plan(FaultRule("silence", wait_s=30.0))
    with dynamodb_proxy(sandbox.dynamodb_url, plan, ledger=Ledger()) as proxy, pytest.raises(ReadTimeoutError):
        client("dynamodb", proxy.url, read_timeout=0.3).scan(TableName=table)
    # leaving the block does not wait for the 30 s either


def test_no_thread_is_left_when_clients_stay_connected(sandbox, table):
    before = threading.active_count()
    with dynamodb_proxy(sandbox.dynamodb_url, dynamodb_plan(), ledger=Ledger()) as proxy:
        clients = [client("dynamodb", proxy.url) for _ in range(4)]
        for one in clients:
            one.scan(TableName=table, Limit=1)
        assert threading.active_count() >= before + 5
    assert threading.active_count() == before
    for one in clients:
        one.close()


def test_connection_is_kept(sandbox, table):
    with dynamodb_proxy(sandbox.dynamodb_url, dynamodb_plan(), ledger=Ledger()) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
        ports = set()
        for _ in range(3):
            connection.request("GET", "/")
            connection.getresponse().read()
            ports.add(connection.sock.getsockname()[1])
        connection.close()
    assert len(ports) == 1


def test_upstream_that_is_gone_ends_the_connection():
    proxy = dynamodb_proxy("http://127.0.0.1:9", dynamodb_plan(), ledger=Ledger())
    with proxy, pytest.raises(ConnectionClosedError):
        client("dynamodb", proxy.url).list_tables()


@pytest.fixture
def bucket(sandbox: Sandbox) -> str:
    name = f"faulty-{uuid.uuid4().hex[:8]}"
    client("s3", sandbox.s3_url, s3={"addressing_style": "path"}).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return name


def s3_client(proxy: FaultProxy, *, attempts: int = 1) -> Any:
    return client("s3", proxy.url, attempts=attempts, s3={"addressing_style": "path"})


def s3_plan(*rules: FaultRule) -> FaultPlan:
    return FaultPlan(1, Service.S3, rules)


@pytest.mark.parametrize(
    "kind",
    [
        "slow_down",
        "s3_internal_before",
        "s3_internal_after",
        "s3_reset_before",
        "lost_reply",
        "request_timeout",
        "s3_slow",
    ],
)
def test_object_arrives_whole_when_the_client_retries(sandbox, bucket, kind):
    with s3_proxy(sandbox.s3_url, s3_plan(FaultRule(kind)), ledger=Ledger()) as proxy:
        s3 = s3_client(proxy, attempts=6)
        s3.put_object(Bucket=bucket, Key="a/b c", Body=b"content")
        assert s3.get_object(Bucket=bucket, Key="a/b c")["Body"].read() == b"content"


def test_lost_reply_of_a_put_if_absent_becomes_412(sandbox, bucket):
    """The retry finds what the first try stored."""
    with s3_proxy(sandbox.s3_url, s3_plan(FaultRule("lost_reply")), ledger=Ledger()) as proxy:
        s3 = s3_client(proxy, attempts=3)
        with pytest.raises(ClientError, match=r"PreconditionFailed|412"):
            s3.put_object(Bucket=bucket, Key="claim", Body=b"mine", IfNoneMatch="*")
        assert s3.get_object(Bucket=bucket, Key="claim")["Body"].read() == b"mine"


def test_upload_that_changed_on_the_way_is_refused(sandbox, bucket):
    body = b"content" * 100
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    with s3_proxy(sandbox.s3_url, s3_plan(FaultRule("flipped_upload")), ledger=Ledger()) as proxy:
        s3 = s3_client(proxy)
        with pytest.raises(ClientError, match=r"BadDigest|SHA256"):
            s3.put_object(Bucket=bucket, Key="x", Body=body, ChecksumSHA256=digest)
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_wrong_owner_is_refused(sandbox, bucket):
    with s3_proxy(sandbox.s3_url, s3_plan(), ledger=Ledger(), owners={bucket: "111111111111"}) as proxy:
        s3 = s3_client(proxy)
        s3.put_object(Bucket=bucket, Key="x", Body=b"x", ExpectedBucketOwner="111111111111")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket, Key="x", ExpectedBucketOwner="222222222222")


def test_short_listings_still_list_everything(sandbox, bucket):
    ledger = Ledger()
    with s3_proxy(sandbox.s3_url, s3_plan(FaultRule("short_listing", repeats=None)), ledger=ledger) as proxy:
        s3 = s3_client(proxy)
        for name in "abc":
            s3.put_object(Bucket=bucket, Key=f"p/{name}", Body=b"x")
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="p/"))
        s3.head_object(Bucket=bucket, Key="p/a")
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == ["p/a", "p/b", "p/c"]
    assert ledger.count(outcome="short_listing") >= 3


def test_proxy_as_a_process_tells_port_plan_and_ledger(sandbox, table):
    command = [
        sys.executable,
        "-m",
        "sandbox.faults",
        "dynamodb",
        "--upstream",
        sandbox.dynamodb_url,
        "--kind",
        "internal_before",
        "--limit",
        f"{table}=500:7",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        dynamodb = client("dynamodb", url, attempts=4)
        described = dynamodb.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
        assert sorted(scan_keys(dynamodb, table)) == WANTED
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request("GET", "/_faults/ledger")
        rows = json.loads(connection.getresponse().read())
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert "internal_before 100%" in process.stderr.read()
    assert process.returncode == 0
    assert described["WriteCapacityUnits"] == 7
    assert {(row[1], row[7]) for row in rows} >= {("Scan", "internal_before"), ("Scan", "ok")}
