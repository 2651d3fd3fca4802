"""AWS's connector and its SDK with our relay as their endpoint: signatures, long waits, the end of a run."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from typing import Any

import pytest

from dynamodb_pipeline.workers.spark_session import find_jar
from sandbox.active_table import create_active_table
from sandbox.processes import PROJECT
from sandbox.stack import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.spark, pytest.mark.slow]

ITEM_COUNT = 400
SDK_READ_TIMEOUT_S = 30  # AWS SDK for Java 2, Apache client
HELD_S = SDK_READ_TIMEOUT_S + 8

# Runs in a process of its own, for a JVM cannot be had twice in one. Prints one JSON line per case.
SCRIPT = """
import itertools, json, sys, threading, time
import boto3
from dynamodb_pipeline.connector.line_pipe import piped_lines
from dynamodb_pipeline.connector.read import ConnectorRead, piped_items
from dynamodb_pipeline.workers.contract import Grant, RunStopped
from dynamodb_pipeline.dynamodb.credentials import credentials_of
from dynamodb_pipeline.dynamodb.requests import scan_words
from dynamodb_pipeline.connector.relay import Relay, listen
from dynamodb_pipeline.connector.relay_handler import RelayHandler, RelayPlan
from dynamodb_pipeline.connector.relay_settings import RelayKeys
from dynamodb_pipeline.workers.spark_session import java_collectors, start_session
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire, Endpoint

table, jar, item_count, held_s = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

class Grants:
    def __init__(self, before, cap=20.0):
        self.before, self.numbers, self.cap = before, itertools.count(), cap
    def reserve(self, estimate):
        number = next(self.numbers)
        self.before(number)
        return Grant(number)
    def units_cap(self, resource="table"):
        return self.cap
    def settle(self, grant, consumed, *, throttled=False): pass
    def forfeit(self, grant): pass
    def close(self): pass

def hold(number):
    if number == 0:
        time.sleep(held_s)

def stop(number):
    raise RunStopped("cancelled by its owner")

class Wire(DynamoDbWire):
    places = []  # (segment, start key) of every Scan
    def call(self, operation, body):
        asked = json.loads(body)
        if operation == "Scan":
            self.places.append((asked.get("Segment"), json.dumps(asked.get("ExclusiveStartKey"))))
        return super().call(operation, body)

session = boto3.Session()
client = session.client("dynamodb")
wire = Wire(Endpoint.from_client(client), credentials_of(session))
sc = start_session("relay", jar=jar, local=True, tasks=2).sparkContext
print(json.dumps({"case": "collectors", **java_collectors(sc)}), flush=True)

def items_of(secret, keys, relay, segments=4):
    read = ConnectorRead(table=table, region=session.region_name, splits=min(2, segments), segments=segments,
                         rate_rcu=1_000_000,
                         average_item_bytes=500.0, item_count=item_count, table_bytes=500 * item_count,
                         endpoint=relay.endpoint, keys=(keys.access_key, secret))
    return piped_items(sc, read)

def lines(*args, **more):
    return items_of(*args, **more).mapPartitions(lambda holders: [sum(n for _, n in piped_lines(holders))]).sum()

def case(name, before, secret=None, probe=False):
    keys, probe_keys, grants = RelayKeys.new(), RelayKeys.new(), Grants(before)
    wire.places.clear()
    started = time.monotonic()
    plan = RelayPlan(table, keys, probe_keys=probe_keys)
    with Relay(RelayHandler(wire, plan), lambda: grants, listener=listen()) as relay:
        try:
            used = probe_keys if probe else keys
            result = {"lines": lines(secret or used.secret_key, used, relay, segments=1 if probe else 4)}
        except Exception as error:
            result = {"error": str(error)}
    seconds = time.monotonic() - started
    facts = {"grants": next(grants.numbers), "scans": len(wire.places), "places": len(set(wire.places))}
    print(json.dumps({"case": name, "seconds": seconds, **facts, **result}), flush=True)

case("plain", lambda number: None)
case("held", hold)
case("stopped", stop)
case("wrong secret", lambda number: None, secret="guessed")
case("probe", lambda number: None, probe=True)

words = scan_words({"FilterExpression": "#i IN (:a, :b)", "ProjectionExpression": "#i",
                    "ExpressionAttributeNames": {"#i": "Id"},
                    "ExpressionAttributeValues": {":a": {"S": "7"}, ":b": {"S": "311"}}})
keys, grants = RelayKeys.new(), Grants(lambda number: None, cap=1.0)
plan = RelayPlan(table, keys, words=words)
with Relay(RelayHandler(wire, plan), lambda: grants, listener=listen()) as relay:
    pieces = items_of(keys.secret_key, keys, relay).mapPartitions(piped_lines).collect()
kept = sorted(line for text, _ in pieces for line in text.decode().splitlines())
print(json.dumps({"case": "part", "kept": kept, "grants": next(grants.numbers)}), flush=True)
"""


@pytest.fixture(scope="module")
def cases(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    client = sandbox.client("dynamodb")
    table = f"relay-{secrets.token_hex(4)}"
    create_active_table(
        client,
        TableName=table,
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(ITEM_COUNT):
        client.put_item(TableName=table, Item={"Id": {"S": str(number)}, "text": {"S": "\u20ac" * 150}})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, table, find_jar(None), str(ITEM_COUNT), str(HELD_S)],
        env=sandbox.process_env(PYTHONPATH=str(PROJECT), SPARK_SUBMIT_OPTS="-XX:TieredStopAtLevel=1"),  # no collector
        stdout=subprocess.PIPE,
        text=True,
        timeout=250,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {case["case"]: case for case in found}


def test_jvm_that_is_started_here_collects_in_parallel(cases: dict[str, dict[str, Any]]) -> None:
    assert cases["collectors"] == {"case": "collectors", "driver": "PS MarkSweep, PS Scavenge"}


def test_connector_reads_every_item_through_the_relay(cases: dict[str, dict[str, Any]]) -> None:
    assert cases["plain"]["lines"] == ITEM_COUNT


def test_request_that_waits_longer_than_the_sdk_would_read_is_answered_once(cases: dict[str, dict[str, Any]]) -> None:
    """Without interim replies the SDK gives up after 30 s and asks again, at the end of the queue."""
    held = cases["held"]
    assert held["seconds"] > HELD_S
    assert held["lines"] == ITEM_COUNT
    assert held["grants"] == held["scans"] == held["places"]


def test_end_of_the_run_ends_the_connector_at_once(cases: dict[str, dict[str, Any]]) -> None:
    """Its retry loop would go on for ten minutes after any error it takes for a passing one."""
    assert "cancelled by its owner" in cases["stopped"]["error"]
    assert cases["stopped"]["seconds"] < 60


def test_connector_with_another_secret_is_turned_away_at_once(cases: dict[str, dict[str, Any]]) -> None:
    assert "the signature does not match" in cases["wrong secret"]["error"]
    assert cases["wrong secret"]["seconds"] < 60
    assert cases["wrong secret"]["grants"] == 0


def test_probe_is_one_scan_for_one_item(cases: dict[str, dict[str, Any]]) -> None:
    assert (cases["probe"]["lines"], cases["probe"]["grants"]) == (1, 1)


def test_what_the_relay_adds_to_its_scans_is_what_the_connector_brings(cases: dict[str, dict[str, Any]]) -> None:
    """The connector knows no filter: nearly all of its pages are empty, and each leads on to the next."""
    assert cases["part"]["kept"] == ['{"Id":{"s":"311"}}', '{"Id":{"s":"7"}}']
    assert cases["part"]["grants"] > 10
