"""The relay between a signing client and a scripted DynamoDB; the client is our own wire with the run's key pair."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable

import pytest

from dynamodb_pipeline.aws.request_errors import Denied, ExpiredCredentials, Gone, Rejected
from dynamodb_pipeline.aws.retry import Pacing, RetryPolicy
from dynamodb_pipeline.connector.relay import HOST, Relay, listen
from dynamodb_pipeline.connector.relay_handler import RelayHandler, RelayPlan
from dynamodb_pipeline.connector.waiting_clients import INTERIM
from dynamodb_pipeline.dynamodb.signing import check_signature
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire, Endpoint
from dynamodb_pipeline.workers.contract import CoordinatorClient, CoordinatorLost, RunStopped
from tests.unit.dynamodb.scripted_server import Answer, ScriptedServer, error, reply, reset
from tests.unit.dynamodb.wire_fixtures import KEYS, NOW_S, REGION, Keys, consumed, credentials, wire_to
from tests.unit.workers.fake_grants import FakeGrants

RUN_KEYS = Keys("RELAYKEY", "made-for-the-run")
ASKED = {"TableName": "orders", "Segment": 0, "TotalSegments": 2, "Limit": 50, "ReturnConsumedCapacity": "TOTAL"}
PAGE = {
    "Count": 2,
    "ScannedCount": 2,
    "Items": [{"Id": {"S": "é"}}, {"Id": {"S": "b"}}],
    "LastEvaluatedKey": {"Id": {"S": "b"}},
    "ConsumedCapacity": consumed(0.5),
}


@dataclass
class Running:
    """A relay, what stands behind it, and its clients' lines to the coordinator."""

    relay: Relay
    dynamodb: ScriptedServer
    grants: list[FakeGrants]

    def client(self, keys: Keys = RUN_KEYS) -> DynamoDbWire:
        endpoint = Endpoint(HOST, self.relay.port, tls=False, region=REGION)
        return DynamoDbWire(endpoint, credentials(keys), now=lambda: NOW_S)

    def call(self, operation: str = "Scan", fields: Any = None, *, keys: Keys = RUN_KEYS) -> Any:
        client = self.client(keys)
        try:
            return client.call(operation, json.dumps(ASKED if fields is None else fields).encode()).json()
        finally:
            client.close()


@contextmanager
def relay_before(
    *script: Answer, grants: Callable[[], CoordinatorClient] | None = None, interval_s: float = 3600.0
) -> Iterator[Running]:
    made: list[Any] = []

    def connect() -> CoordinatorClient:
        made.append((grants or FakeGrants)())
        return made[-1]

    pacing = Pacing(RetryPolicy(), clock=lambda: 0.0, sleep=lambda _: None)
    with wire_to(*script) as (wire, server):
        handler = RelayHandler(wire, RelayPlan("orders", RUN_KEYS), pacing=pacing)
        with Relay(handler, connect, listener=listen(), interval_s=interval_s) as relay:
            yield Running(relay, server, made)


def test_page_comes_through_unchanged_and_paid_for():
    with relay_before(reply(PAGE)) as running:
        assert running.call() == PAGE
        assert running.grants[0].settled == [("settle", 1, {"table": 0.5}, False)]


def test_request_is_signed_anew_with_the_real_credentials():
    with relay_before(reply(PAGE)) as running:
        running.call(fields={**ASKED, "ExclusiveStartKey": {"Id": {"S": "é"}}})
        sent = running.dynamodb.requests[0]
    check_signature(sent.headers, sent.body, keys=KEYS)
    assert json.loads(sent.body) == {**ASKED, "ExclusiveStartKey": {"Id": {"S": "é"}}}
    assert "RELAYKEY" not in str(sent)


@pytest.mark.parametrize(
    "keys", [Keys("RELAYKEY", "guessed"), Keys("AKIDOTHER", "made-for-the-run"), KEYS], ids=["secret", "id", "real"]
)
def test_stranger_is_turned_away_and_costs_the_driver_nothing(keys: Keys):
    with relay_before(reply(PAGE)) as running:
        with pytest.raises(ExpiredCredentials):  # InvalidSignatureException
            running.call(keys=keys)
        assert running.grants == []
        assert running.dynamodb.requests == []


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("Query", ASKED),
        ("DeleteTable", {"TableName": "orders"}),
        ("BatchWriteItem", {"TableName": "orders"}),
        ("Scan", {**ASKED, "TableName": "others"}),
        ("Scan", {**ASKED, "TableName": "arn:aws:dynamodb:eu-west-1:1:table/orders"}),
        ("Scan", {**ASKED, "IndexName": "byDate"}),
        ("Scan", {**ASKED, "ScanFilter": {}}),
        ("Scan", {**ASKED, "ProjectionExpression": "Id"}),
        ("Scan", {**ASKED, "Limit": "50"}),
        ("Scan", {**ASKED, "ConsistentRead": 1}),
        ("Scan", {}),
        ("Scan", []),
        ("DescribeTable", {"TableName": "others"}),
    ],
)
def test_whatever_is_no_plain_scan_of_the_table_is_refused_for_good(operation: str, fields: Any):
    with relay_before(reply(PAGE)) as running:
        with pytest.raises(Rejected, match="relay") as caught:
            running.call(operation, fields)
        assert caught.value.code == "ValidationException"
        assert running.dynamodb.requests == []


@pytest.mark.parametrize(
    "failure",
    [
        error("ProvisionedThroughputExceededException"),
        error("ThrottlingException"),
        error("RequestLimitExceeded"),
        error("InternalServerError", status=500),
        reply(PAGE, crc=1),
        reply({name: value for name, value in PAGE.items() if name != "Items"}),
        reset(),
    ],
    ids=["throughput", "throttling", "account", "500", "crc", "no-items", "reset"],
)
def test_failure_that_repeating_helps_never_reaches_the_client(failure: Answer):
    """The connector dies of RequestLimitExceeded at once, and its SDK retries the others only a little."""
    with relay_before(failure, failure, reply(PAGE)) as running:
        assert running.call() == PAGE
        assert len(running.dynamodb.requests) == 3


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (error("ResourceNotFoundException", "no such table"), Gone),
        (error("AccessDeniedException", "not authorized"), Denied),
        (error("ValidationException", "bad key"), Rejected),
    ],
)
def test_final_error_is_passed_on_with_the_words_of_dynamodb(failure: Answer, raised: type[Exception]):
    with relay_before(failure) as running, pytest.raises(raised) as caught:
        running.call()
    said = json.loads(caught.value.body)  # type: ignore[attr-defined]
    assert any(words in said["message"] for words in ("no such table", "not authorized", "bad key"))


def test_giving_up_is_an_error_the_client_does_not_repeat():
    with relay_before(*[reply(PAGE, crc=1)] * 8) as running:
        with pytest.raises(Rejected, match=r"run stopped: .*gave up"):
            running.call()
        assert running.dynamodb.script == []


@pytest.mark.parametrize("reason", [RunStopped("cancelled by its owner"), CoordinatorLost("the driver is gone")])
def test_end_of_the_run_is_an_error_the_client_does_not_repeat(reason: Exception):
    def refuse() -> None:
        raise reason

    with relay_before(reply(PAGE), grants=lambda: FakeGrants(before_grant=refuse)) as running:
        with pytest.raises(Rejected, match=f"run stopped: .*{reason}"):
            running.call()
        assert running.dynamodb.requests == []


def test_driver_that_cannot_be_reached_is_an_error_the_client_does_not_repeat():
    def unreachable() -> CoordinatorClient:
        msg = "the driver is gone"
        raise CoordinatorLost(msg)

    with relay_before(reply(PAGE), grants=unreachable) as running, pytest.raises(Rejected, match="run stopped"):
        running.call()


def test_bug_is_answered_too():
    """Without an answer the connector would ask again for ten minutes."""

    def broken() -> None:
        raise KeyError("a bug")

    grants = FakeGrants(before_grant=broken)
    with relay_before(grants=lambda: grants) as running, pytest.raises(Rejected, match="a bug: KeyError"):
        running.call()


def test_description_of_the_table_is_asked_once_for_many_tasks():
    described = {"Table": {"TableName": "orders", "TableStatus": "ACTIVE"}}
    with relay_before(reply(described)) as running:
        answers = [running.call("DescribeTable", {"TableName": "orders"}) for _ in range(3)]
        assert answers == [described] * 3
        assert len(running.dynamodb.requests) == 1
        assert running.grants == []


def test_clients_wait_beside_one_another():
    """All four wait for their grants at the same time, each on its own line to the coordinator."""
    together = threading.Barrier(4, timeout=5)
    with relay_before(*[reply(PAGE)] * 4, grants=lambda: FakeGrants(before_grant=together.wait)) as running:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: running.call(), range(4))) == [PAGE] * 4
        assert len(running.grants) == 4


def test_connection_is_kept_and_so_is_its_line_to_the_coordinator():
    with relay_before(*[reply(PAGE)] * 3) as running:
        client = running.client()
        for _ in range(3):
            client.call("Scan", json.dumps(ASKED).encode())
        assert len(running.grants) == 1
        client.close()


def signed_request(running: Running) -> bytes:
    """The bytes of one good request."""
    return running.client()._request("Scan", json.dumps(ASKED).encode(), RUN_KEYS)


def test_client_that_waits_long_is_told_before_its_answer():
    granted = threading.Event()
    grants = FakeGrants(before_grant=lambda: granted.wait(5))
    with (
        relay_before(reply(PAGE), grants=lambda: grants, interval_s=0.005) as running,
        socket.create_connection((HOST, running.relay.port)) as sock,
        sock.makefile("rb") as file,
    ):
        sock.sendall(signed_request(running))
        assert file.read(len(INTERIM)) == INTERIM
        granted.set()
        while (line := file.readline()) in INTERIM.splitlines(keepends=True):
            pass
        assert line == b"HTTP/1.1 200 OK\r\n"


def test_client_that_hangs_up_while_it_waits_spends_nothing():
    waiting, gone, closed = threading.Event(), threading.Event(), threading.Event()

    class Grants(FakeGrants):
        def reserve(self, estimate: Any) -> Any:
            waiting.set()
            gone.wait(5)
            return super().reserve(estimate)

        def close(self) -> None:
            super().close()
            closed.set()

    with relay_before(reply(PAGE), grants=Grants) as running:
        with socket.create_connection((HOST, running.relay.port)) as sock:
            sock.sendall(signed_request(running))
            assert waiting.wait(5)
        gone.set()
        assert closed.wait(5)
        assert running.dynamodb.requests == []
        assert running.grants[0].settled == [("settle", 1, {}, False)]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\x16\x03\x01\x02\x00",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_nonsense_ends_its_own_connection_only(nonsense: bytes):
    with relay_before(reply(PAGE)) as running:
        with socket.create_connection((HOST, running.relay.port)) as sock:
            sock.sendall(nonsense)
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
        assert running.call() == PAGE


def test_unsigned_request_is_answered_403():
    with relay_before() as running, socket.create_connection((HOST, running.relay.port)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 403 ")


def test_relay_listens_on_the_loopback_address_only():
    with listen() as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_port_belongs_to_one_relay():
    with listen() as first, pytest.raises(OSError, match="in use"):
        listen(first.getsockname()[1])


def test_closed_relay_ends_its_connections_and_takes_no_more():
    with relay_before(reply(PAGE)) as running:
        port = running.relay.port
        sock = socket.create_connection((HOST, port))
        sock.sendall(signed_request(running))
        assert sock.recv(10) == b"HTTP/1.1 2"
    with sock:
        while sock.recv(10_000):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))
