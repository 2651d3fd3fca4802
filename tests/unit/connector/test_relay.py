"""The relay between a signing client and a scripted DynamoDB; the client is our own wire with the run's key pair."""

from __future__ import annotations

import json
import logging
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.aws.request_errors import Denied, ExpiredCredentials, Gone, Rejected
from dynamodb_pipeline.aws.retry import Pacing, RetryPolicy
from dynamodb_pipeline.connector.page_buffers import BYTES_MIN, PAGES_MAX, PageBuffers
from dynamodb_pipeline.connector.relay import (
    DEFAULT_RELAY_LIMITS,
    HOST,
    INTERIM,
    TURN_S,
    OpenConnections,
    Relay,
    RelayLimits,
    listen,
)
from dynamodb_pipeline.connector.relay_handler import ClientGone, RelayHandler, RelayPlan
from dynamodb_pipeline.connector.relay_messages import TAKEN, proof_answer, proof_line, taker_line
from dynamodb_pipeline.dynamodb.http1 import Message, render_message
from dynamodb_pipeline.dynamodb.signing import check_signature
from dynamodb_pipeline.dynamodb.wire import API, DynamoDbWire, Endpoint
from dynamodb_pipeline.workers.contract import CoordinatorClient, CoordinatorLost, RunStopped
from tests.unit.dynamodb.scripted_server import Answer, ScriptedServer, error, reply, reset
from tests.unit.dynamodb.table_replies import provisioned_table
from tests.unit.dynamodb.wire_fixtures import KEYS, NOW_S, REGION, Keys, consumed, credentials, wire_to
from tests.unit.workers.fake_grants import FakeGrants

PROBE_KEYS = Keys("RELAYPROBE", "probe-secret")
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
    buffers: PageBuffers

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
    *script: Answer,
    grants: Callable[[], CoordinatorClient] | None = None,
    interval_s: float = 3600.0,
    limits: RelayLimits = DEFAULT_RELAY_LIMITS,
    splits: int = 0,
) -> Iterator[Running]:
    made: list[Any] = []

    def connect() -> CoordinatorClient:
        made.append((grants or FakeGrants)())
        return made[-1]

    pacing = Pacing(RetryPolicy(), clock=lambda: 0.0, sleep=lambda _: None)
    with wire_to(*script) as (wire, server):
        handler = RelayHandler(wire, RelayPlan("orders", RUN_KEYS, probe_keys=PROBE_KEYS, splits=splits), pacing=pacing)
        with Relay(handler, connect, listener=listen(), interval_s=interval_s, limits=limits) as relay:
            yield Running(relay, server, made, handler.buffers)


def test_page_comes_through_unchanged_and_paid_for():
    with relay_before(reply(PAGE)) as running:
        assert running.call() == PAGE
        assert running.grants[0].settled == [("settle", 1, {"table": 0.5}, False)]


def test_probe_gets_one_item_as_if_there_were_no_other():
    item = {"Id": {"S": "a"}, "n": {"N": "1.50"}}
    page = {"Items": [item], "Count": 1, "ScannedCount": 1, "ConsumedCapacity": consumed(0.5)}
    with relay_before(reply({**page, "LastEvaluatedKey": {"Id": {"S": "a"}}}), reply(PAGE)) as running:
        assert running.call(fields={**ASKED, "Limit": 500}, keys=PROBE_KEYS) == page
        assert json.loads(running.dynamodb.requests[0].body)["Limit"] == 1
        assert running.grants[0].settled == [("settle", 1, {"table": 0.5}, False)]
        assert running.call() == PAGE


def test_probe_is_proven_as_everybody_else():
    with relay_before(reply(PAGE)) as running, pytest.raises(ExpiredCredentials):
        running.call(keys=PROBE_KEYS._replace(secret_key="guessed"))


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
    described = {"Table": provisioned_table()}
    with relay_before(reply(described)) as running:
        answers = [running.call("DescribeTable", {"TableName": "orders"}) for _ in range(3)]
        assert answers == [described] * 3
        assert len(running.dynamodb.requests) == 1
        assert running.grants == []


@pytest.mark.parametrize("damaged", [{}, {"Table": {}}, {"Table": provisioned_table(TableName="others")}])
def test_description_that_is_damaged_is_asked_for_again(damaged: dict[str, Any]):
    described = {"Table": provisioned_table()}
    with relay_before(reply(damaged), reply(described)) as running:
        assert running.call("DescribeTable", {"TableName": "orders"}) == described


def test_clients_wait_beside_one_another():
    """All four wait for their grants at the same time, each on its own line to the coordinator."""
    together = threading.Barrier(4, timeout=60)
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
    grants = FakeGrants(before_grant=lambda: granted.wait(60))
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
            gone.wait(60)
            return super().reserve(estimate)

        def close(self) -> None:
            super().close()
            closed.set()

    with relay_before(reply(PAGE), grants=Grants) as running:
        with socket.create_connection((HOST, running.relay.port)) as sock:
            sock.sendall(signed_request(running))
            assert waiting.wait(60)
        gone.set()
        assert closed.wait(60)
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


def test_description_is_asked_for_by_the_name_that_was_checked():
    """Of a name that stands twice one reader takes the first and another the last."""
    described = {"Table": provisioned_table()}
    twice = b'{"TableName":"others","TableName":"orders","More":[1]}'
    with relay_before(reply(described)) as running:
        client = running.client()
        client.call("DescribeTable", twice)
        client.close()
        assert running.dynamodb.requests[0].body == b'{"TableName":"orders"}'


def test_request_of_a_friend_that_is_nested_without_end_is_refused():
    deep = b'{"TableName":"orders","ExclusiveStartKey":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    with relay_before(reply(PAGE)) as running:
        client = running.client()
        with pytest.raises(Rejected, match="relay"):
            client.call("Scan", deep)
        client.close()
        assert running.call() == PAGE


def stranger(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=60)


CHALLENGE = "5a" * 32
PROOF_REQUEST = f"{proof_line(CHALLENGE)}\r\n\r\n".encode()
PROOF = proof_answer(RUN_KEYS, CHALLENGE, where=socket.gethostname())


def proof_from(connection: socket.socket) -> bytes:
    """All that the relay sends until it hangs up, after a request for the proof."""
    connection.sendall(PROOF_REQUEST)
    with connection.makefile("rb") as file:
        return file.read()


def test_proof_is_given_over_the_challenge_and_ends_the_connection():
    with relay_before() as running, stranger(running.relay.port) as connection:
        assert proof_from(connection) == PROOF.render()
        assert running.grants == []


@pytest.mark.parametrize("line", ["GET /relay HTTP/1.1", "GET /relay/ HTTP/1.1", f"GET /relay/{'5A' * 32} HTTP/1.1"])
def test_proof_is_not_given_without_a_challenge(line: str):
    with relay_before() as running, stranger(running.relay.port) as connection:
        connection.sendall(f"{line}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


def test_stranger_that_does_not_end_its_request_in_time_is_dropped():
    with relay_before(limits=RelayLimits(stranger_s=0.05)) as running:
        for start in (b"", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nab"):
            with stranger(running.relay.port) as connection:
                connection.sendall(start)
                assert connection.recv(1) == b""


def test_of_too_many_strangers_the_oldest_are_dropped():
    with relay_before(limits=RelayLimits(strangers_max=3, stranger_s=3600)) as running:
        strangers = [stranger(running.relay.port) for _ in range(8)]
        assert [connection.recv(1) for connection in strangers[:5]] == [b""] * 5
        assert [proof_from(connection) for connection in strangers[5:]] == [PROOF.render()] * 3
        for connection in strangers:
            connection.close()


def test_strangers_do_not_crowd_out_a_client_of_the_run():
    with relay_before(reply(PAGE), reply(PAGE), limits=RelayLimits(strangers_max=2, stranger_s=3600)) as running:
        client = running.client()
        client.call("Scan", json.dumps(ASKED).encode())
        strangers = [stranger(running.relay.port) for _ in range(6)]
        assert strangers[3].recv(1) == b""
        client.call("Scan", json.dumps(ASKED).encode())
        assert len(running.grants) == 1  # on the same connection
        client.close()
        for connection in strangers:
            connection.close()


def test_head_of_a_stranger_is_bounded_before_its_signature_is_looked_at():
    with relay_before(reply(PAGE)) as running:
        with stranger(running.relay.port) as connection, suppress(OSError):  # it may be reset while it sends
            connection.sendall(b"POST / HTTP/1.1\r\n" + (b"a: " + b"x" * 9_000 + b"\r\n") * 2 + b"\r\n")
            assert connection.recv(100) == b""
        assert running.call() == PAGE


HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "host", "x-amz-date", "content-length", "x-amz-target", "a"]),
    st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=80),
        st.builds(
            "AWS4-HMAC-SHA256 Credential={}, SignedHeaders={}, Signature={}".format,
            st.sampled_from(["RELAYKEY/1/2/3/aws4_request", "RELAYKEY", "", "RELAYKEY/\xe9/2/3/aws4_request"]),
            st.sampled_from(["host;x-amz-date", "host;x-amz-date;a", "", ";"]),
            st.text(st.characters(max_codepoint=255), max_size=70),
        ),
    ),
)


@given(line=st.text(st.characters(max_codepoint=255), max_size=90), headers=HEADERS, body=st.binary(max_size=50))
def test_whatever_a_stranger_asks_is_answered_by_a_refusal(line: str, headers: dict[str, str], body: bytes):
    handler = RelayHandler(None, RelayPlan("orders", RUN_KEYS))  # type: ignore[arg-type]
    answer = handler.last_answer(Message(line, headers, body))
    assert answer is not None
    assert answer.status == 403
    assert len(answer.body) < 300


def test_strangers_write_no_line_into_the_log(caplog: pytest.LogCaptureFixture):
    nonsense = [
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET /relay/%s HTTP/1.1\r\n\r\n" % (b"\xff" * 64),
        b"POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=\xe9\r\n\r\n",
        bytes(range(256)) * 300,
    ]
    with caplog.at_level(logging.DEBUG), relay_before(reply(PAGE)) as running:
        for data in nonsense:
            with stranger(running.relay.port) as connection, suppress(OSError):  # it may be reset while it sends
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1000):
                    pass
        assert running.call() == PAGE
    assert [record for record in caplog.records if "relay" in record.name] == []


def fill(buffers: PageBuffers, segment: int) -> None:
    for _ in range(PAGES_MAX):
        buffers.give(segment, items=200, size_bytes=BYTES_MIN, heap_bytes=BYTES_MIN)


def test_page_is_held_back_until_a_worker_of_the_run_takes_what_was_given():
    """Before it waits for a grant: units are for who can use them. A worker's line costs the driver nothing."""
    with relay_before(reply(PAGE), reply(PAGE), splits=2) as running, ThreadPoolExecutor(1) as pool:
        running.call(fields={**ASKED, "Segment": 1})
        assert running.buffers.wait(1, is_gone=lambda: True)
        fill(running.buffers, 1)
        future = pool.submit(running.call, fields={**ASKED, "Segment": 1})
        with stranger(running.relay.port) as guesser:
            guesser.sendall(render_message(taker_line(KEYS, 1), [("Host", HOST)], b""))
            assert b"InvalidSignatureException" in guesser.recv(1000)
        with stranger(running.relay.port) as worker:
            worker.sendall(render_message(taker_line(RUN_KEYS, 1), [("Host", HOST)], b""))
            worker.sendall(TAKEN.pack(0, False))
            assert not running.buffers.wait(1, is_gone=lambda: True)
            assert len(running.dynamodb.requests) == len(running.grants) == 1
            worker.sendall(TAKEN.pack(1000, True))
            assert future.result(60) == PAGE


class GoneClient:
    """Hung up as soon as its page is held back; to ask for a grant would be an error."""

    grants: CoordinatorClient

    def is_gone(self) -> bool:
        return True


def test_client_that_hangs_up_while_its_page_is_held_back_costs_nothing():
    with wire_to(reply(PAGE)) as (wire, server):
        handler = RelayHandler(wire, RelayPlan("orders", RUN_KEYS, splits=1))
        fill(handler.buffers, 0)
        asked = Message("POST / HTTP/1.1", {"x-amz-target": f"{API}.Scan"}, json.dumps(ASKED).encode())
        with pytest.raises(ClientGone):
            handler.answer(asked, GoneClient())
        assert server.requests == []


# Runs in a process of its own, whose files are counted. Says its port, and ends with its standard input.
FEW_FILES = """
import resource, socket, sys
from dynamodb_pipeline.connector.relay import Relay, RelayLimits, listen
from dynamodb_pipeline.connector.relay_handler import RelayHandler, RelayPlan
from dynamodb_pipeline.connector.relay_settings import RelayKeys

handler = RelayHandler(None, RelayPlan("orders", RelayKeys("RELAYKEY", "made-for-the-run")))
limits = RelayLimits(strangers_max=10_000, stranger_s=3600)
with Relay(handler, None, listener=listen(), limits=limits) as relay:
    relay._open._limits = limits  # as if it were allowed more than there are files
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
    print(relay.port, flush=True)
    sys.stdin.read()
"""


def test_relay_without_files_left_goes_on_accepting():
    """The process may open 30 files, and 60 strangers hold their connections open."""
    command = [sys.executable, "-c", FEW_FILES, "30"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        strangers = [stranger(port) for _ in range(60)]
        with stranger(port) as connection:
            assert proof_from(connection) == PROOF.render()
        for each in strangers:
            each.close()
        process.stdin.close()
        assert process.wait(60) == 0


@given(actions=st.lists(st.tuples(st.sampled_from(["add", "know", "leave", "wait"]), st.integers(0, 7)), max_size=60))
def test_connections_keep_to_their_limits_and_never_drop_who_is_known(actions: list[tuple[str, int]]):
    now = [0.0]
    limits = RelayLimits(clients_max=6, strangers_max=3, stranger_s=10.0)
    connections = OpenConnections(limits, clock=lambda: now[0])
    inside: dict[int, tuple[RecordedSocket, float]] = {}
    known: set[int] = set()
    for action, number in actions:
        if action == "add" and number not in inside:
            connection = RecordedSocket()
            taken = connections.add(connection)  # type: ignore[arg-type]
            assert taken == (len(inside) < limits.clients_max)
            if taken:
                inside[number] = (connection, now[0])
        elif action == "know" and number in inside and not inside[number][0].is_shut:
            connections.know(inside[number][0])  # type: ignore[arg-type]
            known.add(number)
        elif action == "leave" and number in inside:
            connections.discard(inside.pop(number)[0])  # type: ignore[arg-type]
            known.discard(number)
        elif action == "wait":
            now[0] += number
            connections.drop_late_strangers()
        open_strangers = [n for n, (c, _) in inside.items() if n not in known and not c.is_shut]
        assert len(open_strangers) <= limits.strangers_max
        assert not any(inside[n][0].is_shut for n in known)
        assert all(now[0] - inside[n][1] < limits.stranger_s + (action != "wait") * 7 for n in open_strangers)
        assert 0 < connections.wait_s() <= TURN_S


class RecordedSocket:
    """Tells whether it was shut down."""

    is_shut = False

    def shutdown(self, _how: int) -> None:
        self.is_shut = True


@pytest.mark.parametrize(("files", "clients", "strangers"), [(20, 5, 2), (1024, 256, 64), (65_536, 2048, 64)])
def test_connections_never_take_more_than_half_of_the_files(files: int, clients: int, strangers: int):
    assert RelayLimits().within(files) == RelayLimits(clients, strangers)


def test_without_a_limit_of_files_the_limits_stay_as_they_are():
    assert RelayLimits().within(resource.RLIM_INFINITY) == RelayLimits()
