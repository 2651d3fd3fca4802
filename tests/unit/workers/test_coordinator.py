"""
The coordinator and both its clients: grants, work, lost workers, strangers, and a driver that is gone.

Sockets are loopback and real; waiting is for events, never for time, but where a time limit itself is tested.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.errors import IntegrityError, StoppedError
from dynamodb_pipeline.rate.budget import RateBudget, Reservation
from dynamodb_pipeline.workers import protocol as messages
from dynamodb_pipeline.workers.client import TcpCoordinatorClient
from dynamodb_pipeline.workers.contract import (
    CoordinatorAddress,
    CoordinatorClient,
    CoordinatorLost,
    RunStopped,
    Superseded,
)
from dynamodb_pipeline.workers.coordinator import Coordinator, LocalCoordinatorClient
from dynamodb_pipeline.workers.dispatcher import Dispatcher
from dynamodb_pipeline.workers.server import CoordinatorServer, PeerLimits
from dynamodb_pipeline.workers.work_queue import HAND_OUTS_MAX, WorkQueue, WorkUnit

PLENTY = 1e6  # units/s: nobody waits
NEVER = 1e-3  # units/s: nobody is granted anything within a test
PATIENCE_S = 60.0

Connect = Callable[..., CoordinatorClient]


def coordinator_of(rate: float = PLENTY, *ids: str, **options: Any) -> Coordinator:
    budget = RateBudget({"table": rate}, clock=time.monotonic)
    return Coordinator(budget, WorkQueue([WorkUnit(each, {"uri": each}) for each in ids]), **options)


def tcp(coordinator: Coordinator, worker_id: int = 1, attempt: int = 0) -> CoordinatorClient:
    return TcpCoordinatorClient(coordinator.address, worker_id=worker_id, attempt=attempt)


def local(coordinator: Coordinator, worker_id: int = 1, attempt: int = 0) -> CoordinatorClient:
    return LocalCoordinatorClient(coordinator, worker_id=worker_id, attempt=attempt)


@pytest.fixture(params=[tcp, local], ids=["tcp", "local"])
def connect(request: pytest.FixtureRequest) -> Connect:
    return request.param  # type: ignore[no-any-return]


@contextlib.contextmanager
def in_background(action: Callable[[], Any]) -> Iterator[list[Any]]:
    """Runs `action` in a thread; yields a list that holds its result or error once the block has ended."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(action())
        except Exception as err:
            outcome.append(err)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield outcome
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it is still blocked"


def eventually(holds: Callable[[], bool]) -> None:
    """Give other threads the time to make something true."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "it never became true"
        threading.Event().wait(0.002)


@contextlib.contextmanager
def one_worker(connect: Connect, *ids: str, **options: Any) -> Iterator[tuple[Coordinator, CoordinatorClient]]:
    """A coordinator with these units of work and plenty of units, and one client."""
    with coordinator_of(PLENTY, *ids, **options) as coordinator, contextlib.closing(connect(coordinator)) as client:
        yield coordinator, client


def waiting_count(coordinator: Coordinator) -> int:
    return coordinator.state().budget.waiting_count


# grants


def test_a_grant_is_settled_with_what_was_consumed(connect: Connect) -> None:
    with coordinator_of() as coordinator, contextlib.closing(connect(coordinator)) as client:
        client.settle(client.reserve({"table": 25.0}), {"table": 17.5})
        client.forfeit(client.reserve({"table": 2.0}))
        eventually(lambda: coordinator.state().budget.in_flight_count == 0)
        assert coordinator.state().budget.consumed["table"] == 19.5


def test_a_worker_learns_how_large_a_request_may_be(connect: Connect) -> None:
    with coordinator_of(1000.0) as coordinator, contextlib.closing(connect(coordinator)) as client:
        assert client.units_cap() == pytest.approx(200.0)
        coordinator.set_rates({"table": 50.0})
        client.settle(client.reserve({"table": 1.0}), {"table": 1.0})
        assert client.units_cap() == pytest.approx(10.0)
        assert client.units_cap("index:unlimited") == float("inf")


def test_reserve_waits_for_the_rate(connect: Connect) -> None:
    """40 requests of 10 units at 2,000 units/s take a fifth of a second, however fast they are answered."""
    started_s = time.monotonic()
    with coordinator_of(2000.0) as coordinator, contextlib.closing(connect(coordinator)) as client:
        for _ in range(40):
            client.settle(client.reserve({"table": 10.0}), {"table": 10.0})
        assert time.monotonic() - started_s >= 400 / 2000


def test_two_kinds_of_workers_share_one_budget() -> None:
    started_s = time.monotonic()
    with coordinator_of(2000.0) as coordinator:
        clients = [tcp(coordinator, 1), local(coordinator, 2), tcp(coordinator, 3)]

        def work(client: CoordinatorClient) -> None:
            for _ in range(20):
                client.settle(client.reserve({"table": 10.0}), {"table": 10.0})

        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(in_background(lambda client=client: work(client)))  # type: ignore[misc]
        assert time.monotonic() - started_s >= 600 / 2000
        assert coordinator.state().budget.consumed["table"] <= 600
        for client in clients:
            client.close()


def test_new_rates_wake_those_who_wait(connect: Connect) -> None:
    with coordinator_of(NEVER) as coordinator, contextlib.closing(connect(coordinator)) as client:
        with in_background(lambda: client.reserve({"table": 1.0})) as outcome:
            eventually(lambda: waiting_count(coordinator) == 1)
            coordinator.set_rates({"table": PLENTY})
        assert outcome[0].grant_id >= 1


def test_throttles_reported_by_workers_lower_the_rate(connect: Connect) -> None:
    with coordinator_of() as coordinator, contextlib.closing(connect(coordinator)) as client:
        client.settle(client.reserve({"table": 1.0}), {}, throttled=True)
        eventually(lambda: coordinator.state().budget.throttle_count == 1)
        assert coordinator.state().budget.throttle_share == pytest.approx(0.7)


# work


def test_work_is_taken_finished_and_told_in_order(connect: Connect) -> None:
    told: list[tuple[str, Any]] = []
    ids = [f"file-{number}" for number in range(20)]
    with one_worker(connect, *ids, on_finished=lambda *each: told.append(each)) as (coordinator, client):
        order = []
        while (unit := client.take()) is not None:
            assert unit["uri"] == unit["work_id"]
            order.append(unit["work_id"])
            client.finished(unit["work_id"], {"items": len(order)})
        coordinator.drain()
        assert told == [(work_id, {"items": number + 1}) for number, work_id in enumerate(order)]
        assert sorted(order) == sorted(ids)


def test_the_rest_of_a_unit_is_queued_as_it_finishes(connect: Connect) -> None:
    with coordinator_of(PLENTY, "segment-1") as coordinator, contextlib.closing(connect(coordinator)) as client:
        assert client.take() is not None
        client.finished("segment-1", {}, rest=WorkUnit("segment-1b", {"from": "key"}))
        assert client.take() == {"work_id": "segment-1b", "from": "key"}


def test_data_is_kept_only_of_a_unit_that_is_held(connect: Connect) -> None:
    told: list[tuple[str, str]] = []
    with one_worker(connect, "file-1", on_kept=lambda *each: told.append(each)) as (coordinator, client):
        client.take()
        client.keep("file-1", "digest")
        client.finished("file-1", {})
        with pytest.raises(Superseded):
            client.keep("file-1", "too late")
        coordinator.drain()
    assert told == [("file-1", "digest")]


def test_progress_adds_up(connect: Connect) -> None:
    with coordinator_of() as coordinator, contextlib.closing(connect(coordinator)) as client:
        client.progress(items=3, bytes=100)
        eventually(lambda: (coordinator.state().items, coordinator.state().bytes) == (3, 100))
        for _ in range(1000):
            client.progress(items=4, bytes=1)
        client.close()
        eventually(lambda: (coordinator.state().items, coordinator.state().bytes) == (4003, 1100))


def test_progress_is_told_before_a_finish_and_not_with_every_request(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    tell = Dispatcher._progress
    monkeypatch.setattr(Dispatcher, "_progress", lambda dispatcher, *given: (told.append(1), tell(dispatcher, *given)))
    with one_worker(connect, "file-1") as (coordinator, client):
        client.take()
        for _ in range(1000):
            client.progress(items=1)
        client.finished("file-1", {})
        assert coordinator.state().items == 1000
    assert len(told) < 100


def test_a_failed_unit_stops_the_run_unless_the_driver_decides(connect: Connect) -> None:
    with coordinator_of(PLENTY, "file-1") as coordinator, contextlib.closing(connect(coordinator)) as client:
        client.take()
        client.failed("file-1", "line 3 is no item")
        coordinator.drain()
        with pytest.raises(RunStopped, match="'file-1' failed: line 3 is no item"):
            client.reserve({"table": 1.0})

    told: list[tuple[str, str]] = []
    with one_worker(connect, "file-1", on_failed=lambda *each: told.append(each)) as (coordinator, client):
        client.take()
        client.failed("file-1", "bad")
        coordinator.drain()
        client.reserve({"table": 1.0})
    assert told == [("file-1", "bad")]


def test_a_ledger_that_blocks_does_not_delay_grants(connect: Connect) -> None:
    release = threading.Event()
    with one_worker(connect, "file-1", on_finished=lambda *_: release.wait(PATIENCE_S)) as (_, client):
        client.take()
        client.finished("file-1", {})
        client.settle(client.reserve({"table": 1.0}), {"table": 1.0})
        release.set()


@pytest.mark.parametrize(
    ("error", "raised"), [(IntegrityError("lost race"), IntegrityError), (OSError("disk"), StoppedError)], ids=repr
)
def test_a_ledger_that_fails_stops_the_run_and_is_raised(error: Exception, raised: type[Exception]) -> None:
    def on_finished(*_: Any) -> None:
        raise error

    with one_worker(tcp, "file-1", "file-2", on_finished=on_finished) as (coordinator, client):
        unit = client.take()
        assert unit is not None
        client.finished(unit["work_id"], {})
        with pytest.raises(raised, match=str(error)):
            coordinator.drain()
        with pytest.raises(RunStopped, match=str(error)):
            client.take()


# stop


def test_stop_reaches_who_waits_and_who_comes_next(connect: Connect) -> None:
    with coordinator_of(NEVER, "file-1") as coordinator, contextlib.closing(connect(coordinator)) as client:
        with in_background(lambda: client.reserve({"table": 1.0})) as outcome:
            eventually(lambda: waiting_count(coordinator) == 1)
            coordinator.stop("the deadline has passed")
            coordinator.stop("a later reason")
        assert isinstance(outcome[0], RunStopped)
        assert str(outcome[0]) == "the deadline has passed"
        with pytest.raises(RunStopped, match="the deadline has passed"):
            client.take()
        assert coordinator.stop_reason == "the deadline has passed"
        assert coordinator.state().budget.consumed["table"] == 0.0


def test_what_was_finished_before_a_stop_is_still_recorded(connect: Connect) -> None:
    told: list[str] = []
    with one_worker(connect, "file-1", on_finished=lambda work_id, _: told.append(work_id)) as (coordinator, client):
        client.take()
        coordinator.stop("SIGTERM")
        client.finished("file-1", {})
    assert told == ["file-1"]


def test_the_end_of_the_driver_stops_its_workers() -> None:
    coordinator = coordinator_of(NEVER)
    waiting, idle = tcp(coordinator, 1), tcp(coordinator, 2)
    with in_background(lambda: waiting.reserve({"table": 1.0})) as outcome:
        eventually(lambda: waiting_count(coordinator) == 1)
        coordinator.close()
    assert isinstance(outcome[0], RunStopped)
    with pytest.raises(CoordinatorLost, match="this worker stops"):
        idle.reserve({"table": 1.0})
    waiting.close()
    idle.close()


def test_a_worker_that_finds_no_driver_says_where_it_looked() -> None:
    coordinator = coordinator_of()
    coordinator.close()
    with pytest.raises(CoordinatorLost, match=rf"127\.0\.0\.1:{coordinator.address.port}"):
        tcp(coordinator)


# lost and superseded workers


def test_a_lost_worker_gives_back_its_work_and_its_requests_count_as_consumed(connect: Connect) -> None:
    with coordinator_of(PLENTY, "file-1") as coordinator:
        lost = connect(coordinator, 1)
        assert lost.take() is not None
        lost.reserve({"table": 30.0})
        lost.close()
        eventually(lambda: coordinator.state().worker_count == 0)
        assert coordinator.state().budget.consumed["table"] == 30.0
        with contextlib.closing(connect(coordinator, 2)) as other:
            assert other.take() == {"work_id": "file-1", "uri": "file-1"}


def test_a_worker_lost_while_it_waits_costs_nothing_and_blocks_nobody() -> None:
    with coordinator_of(1000.0) as coordinator:
        lost = tcp(coordinator, 1)
        with in_background(lambda: lost.reserve({"table": 1e6})) as outcome:
            eventually(lambda: waiting_count(coordinator) == 1)
            lost._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        assert isinstance(outcome[0], CoordinatorLost)
        with contextlib.closing(tcp(coordinator, 2)) as other:
            other.settle(other.reserve({"table": 1.0}), {"table": 1.0})
        assert coordinator.state().budget.consumed["table"] <= 1.0
        lost.close()


def test_a_newer_attempt_takes_over(connect: Connect) -> None:
    with coordinator_of(PLENTY, "file-1") as coordinator:
        old = connect(coordinator, 7, 0)
        old.take()
        new = connect(coordinator, 7, 1)
        for refused in (lambda: old.reserve({"table": 1.0}), old.take, lambda: old.finished("file-1", {})):
            with pytest.raises(Superseded, match="attempt 0 of worker 7 was replaced by attempt 1"):
                refused()
        assert new.take() is not None
        new.finished("file-1", {})
        with pytest.raises(Superseded):
            connect(coordinator, 7, 0)
        old.close()
        new.close()


def test_a_superseded_attempt_that_waits_is_told_at_once(connect: Connect) -> None:
    with coordinator_of(NEVER) as coordinator:
        old = connect(coordinator, 7, 0)
        with in_background(lambda: old.reserve({"table": 1.0})) as outcome:
            eventually(lambda: waiting_count(coordinator) == 1)
            new = connect(coordinator, 7, 1)
        assert isinstance(outcome[0], Superseded)
        old.close()
        new.close()


def test_threads_of_one_attempt_may_have_a_connection_each(connect: Connect) -> None:
    with coordinator_of() as coordinator:
        clients = [connect(coordinator, 7, 2) for _ in range(3)]
        for client in clients:
            client.settle(client.reserve({"table": 1.0}), {"table": 1.0})
            client.close()


def test_work_that_loses_worker_after_worker_stops_the_run(connect: Connect) -> None:
    with coordinator_of(PLENTY, "poison") as coordinator:
        for number in range(HAND_OUTS_MAX):
            client = connect(coordinator, number)
            assert client.take() is not None
            client.close()
            eventually(lambda: coordinator.state().work.taken_count == 0)
        assert coordinator.stop_reason is not None
        assert "'poison' was lost by too many workers" in coordinator.stop_reason


# strangers


def raw(address: CoordinatorAddress) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=PATIENCE_S)


def read_line(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as lines:
        return dict(json.loads(lines.readline()))


def is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            continue
    except ConnectionResetError:
        return True
    return True


def test_a_worker_without_the_key_gets_nothing() -> None:
    with coordinator_of() as coordinator:
        address = coordinator.address
        wrong = CoordinatorAddress(address.host, address.port, "00" * 32)
        with pytest.raises(CoordinatorLost):
            TcpCoordinatorClient(wrong, worker_id=1)
        assert coordinator.state().worker_count == 0


def test_a_driver_without_the_key_is_refused() -> None:
    """Somebody who took over the driver's port must not hand out grants: the proof is mutual."""
    listener = socket.create_server(("127.0.0.1", 0))

    def impostor() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(messages.encode_message({"protocol": 1, "challenge": messages.challenge()}))
            hello = read_line(connection)
            stolen = hello["proof"]  # all it has: the worker's own proof, sent back
            connection.sendall(messages.encode_message({"proof": stolen, "caps": {}}))
            is_closed(connection)

    port = listener.getsockname()[1]
    with in_background(impostor), pytest.raises(CoordinatorLost, match="does not know the run's key"):
        TcpCoordinatorClient(CoordinatorAddress("127.0.0.1", port, "11" * 32), worker_id=1)
    listener.close()


def hello_for(coordinator: Coordinator, asked: str, **changes: Any) -> dict[str, Any]:
    key, own = bytes.fromhex(coordinator.address.key_hex), messages.challenge()
    proof = messages.worker_proof(key, asked=asked, own=own, worker="1", attempt=0)
    return {"op": "hello", "challenge": own, "worker": "1", "attempt": 0, "proof": proof, **changes}


@pytest.mark.parametrize(
    "changes",
    [{}, {"worker": "2"}, {"attempt": 1}, {"challenge": "00"}, {"proof": None}, {"proof": "é"}, {"attempt": True}],
    ids=str,
)
def test_a_proof_holds_for_one_name_attempt_and_challenge(changes: dict[str, Any]) -> None:
    with coordinator_of() as coordinator, raw(coordinator.address) as connection:
        challenge = read_line(connection)["challenge"]
        connection.sendall(messages.encode_message(hello_for(coordinator, challenge, **changes)))
        if changes:
            assert is_closed(connection)
        else:
            assert "proof" in read_line(connection)


def test_a_proof_cannot_be_used_again() -> None:
    with coordinator_of() as coordinator, raw(coordinator.address) as first, raw(coordinator.address) as second:
        hello = hello_for(coordinator, read_line(first)["challenge"])
        read_line(second)
        second.sendall(messages.encode_message(hello))
        assert is_closed(second)


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x80\x04\x95pickle\n", b"[]\n", b"{}\n", b"[" * 900 + b"\n", b"x" * 5000],
    ids=["http", "pickle", "list", "empty", "deep", "endless-line"],
)
def test_a_stranger_that_talks_nonsense_is_closed(data: bytes) -> None:
    with coordinator_of() as coordinator, raw(coordinator.address) as connection:
        connection.sendall(data)
        assert is_closed(connection)
        with contextlib.closing(tcp(coordinator)) as client:
            client.reserve({"table": 1.0})


@pytest.mark.parametrize(
    "changes",
    [{"proof": "\ud800"}, {"challenge": "\ud800"}, {"worker": "\udfff"}, {"attempt": 10**900}, {"attempt": -1}],
    ids=["proof", "challenge", "worker", "huge attempt", "negative attempt"],
)
def test_a_strangers_odd_text_or_number_only_closes_its_connection(changes: dict[str, Any]) -> None:
    with coordinator_of() as coordinator, raw(coordinator.address) as connection:
        read_line(connection)
        hello = {"challenge": "a", "worker": "w", "attempt": 0, "proof": "b", **changes}
        connection.sendall(json.dumps(hello).encode() + b"\n")
        assert is_closed(connection)
        with contextlib.closing(tcp(coordinator)) as client:
            client.reserve({"table": 1.0})
        assert coordinator.stop_reason is None


SURROGATES = st.integers(0xD800, 0xDFFF).map(chr)  # alone: text that no UTF-8 can hold
ODD_TEXTS = st.lists(st.characters() | SURROGATES, max_size=8).map("".join)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("challenge", "worker", "attempt", "proof", "op")
HELLOS = st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, JSON_VALUES))
LIKELY = st.fixed_dictionaries(
    {
        "challenge": ODD_TEXTS,
        "worker": ODD_TEXTS,
        "attempt": st.integers(),
        "proof": ODD_TEXTS,
    }
)
SENT_HELLOS = st.one_of(HELLOS, LIKELY, LIKELY, LIKELY).map(lambda hello: json.dumps(hello).encode() + b"\n")
LINES = st.binary(max_size=200) | SENT_HELLOS


def test_nothing_that_a_stranger_sends_ends_the_service() -> None:
    with coordinator_of() as coordinator:

        @settings(max_examples=150, deadline=None)
        @given(st.lists(LINES, min_size=1, max_size=3))
        def send(parts: list[bytes]) -> None:
            with raw(coordinator.address) as connection, contextlib.suppress(ConnectionError):
                connection.sendall(b"".join(parts))
                connection.shutdown(socket.SHUT_WR)
                is_closed(connection)
            assert coordinator.stop_reason is None

        send()
        with contextlib.closing(tcp(coordinator)) as client:
            client.reserve({"table": 1.0})
        assert coordinator.state().worker_count <= 1


class OddBudget(RateBudget):
    """A budget with a bug in it."""

    def ask(self, estimate: Mapping[str, float]) -> Reservation:
        if estimate.get("table") == 13.0:
            raise ValueError("thirteen")
        return super().ask(estimate)


def test_a_bug_met_by_one_worker_drops_that_worker_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    budget = OddBudget({"table": PLENTY}, clock=time.monotonic)
    with Coordinator(budget, WorkQueue([WorkUnit("a")])) as coordinator:
        for _ in range(2):
            client = tcp(coordinator)
            assert client.take() is not None
            with pytest.raises(CoordinatorLost):
                client.reserve({"table": 13.0})
            client.close()
            eventually(lambda: coordinator.state().work.waiting_count == 1)
        with contextlib.closing(tcp(coordinator)) as client:
            assert client.take() is not None
            client.settle(client.reserve({"table": 12.0}), {"table": 12.0})
        assert coordinator.stop_reason is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ValueError" in caplog.text


def test_a_rest_with_an_id_of_the_run_drops_its_worker_and_the_unit_goes_to_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    finished: list[str] = []
    with coordinator_of(PLENTY, "a", on_finished=lambda work_id, _: finished.append(work_id)) as coordinator:
        client = tcp(coordinator)
        assert client.take() is not None
        with pytest.raises(CoordinatorLost):
            client.finished("a", {}, rest=WorkUnit("a"))
        client.close()
        eventually(lambda: coordinator.state().work.waiting_count == 1)
        with contextlib.closing(tcp(coordinator)) as client:
            assert client.take() is not None
            client.finished("a", {})
        coordinator.drain()
        assert (finished, coordinator.stop_reason, caplog.text) == (["a"], None, "")


@contextlib.contextmanager
def server_with(limits: PeerLimits) -> Iterator[tuple[CoordinatorAddress, Dispatcher]]:
    """A running server of its own, to give it other limits."""
    dispatcher = Dispatcher(RateBudget({}, clock=time.monotonic), WorkQueue(), on_event=lambda _: None)
    server = CoordinatorServer(dispatcher, key=b"key", host="127.0.0.1", limits=limits)
    with in_background(server.serve):
        yield CoordinatorAddress("127.0.0.1", server.port, b"key".hex()), dispatcher
        server.close()


def test_silent_strangers_block_nobody_and_are_dropped() -> None:
    with server_with(PeerLimits(handshake_s=0.2)) as (address, _), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(raw(address)) for _ in range(20)]
        with contextlib.closing(TcpCoordinatorClient(address, worker_id=1)) as client:
            client.reserve({"table": 1.0})
        assert all(is_closed(each) for each in silent)


def test_a_flood_of_strangers_does_not_keep_a_worker_out() -> None:
    """Beyond the bound the one that has been silent longest goes, not the newcomer."""
    with server_with(PeerLimits(strangers_max=5)) as (address, _), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(raw(address)) for _ in range(12)]
        with contextlib.closing(TcpCoordinatorClient(address, worker_id=1)) as client:
            client.reserve({"table": 1.0})
        assert all(is_closed(each) for each in silent[:7])


def test_the_number_of_workers_is_bounded() -> None:
    with server_with(PeerLimits(peers_max=2)) as (address, dispatcher):
        clients = [TcpCoordinatorClient(address, worker_id=number) for number in range(2)]
        with pytest.raises(CoordinatorLost):
            TcpCoordinatorClient(address, worker_id=3)
        clients.pop().close()
        eventually(lambda: dispatcher.state().worker_count == 1)
        clients.append(TcpCoordinatorClient(address, worker_id=3))
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    "message",
    [
        {"op": "unknown"},
        {"op": ["reserve"]},
        {"op": "reserve"},
        {"op": "reserve", "units": {"table": -1}},
        {"op": "reserve", "units": {"table": 1e300}},
        {"op": "reserve", "units": {"table": "1"}},
        {"op": "settle", "grant": 99, "units": {}},
        {"op": "finished", "work": "file-1"},
        {"op": "progress", "items": "many", "bytes": 0},
    ],
    ids=str,
)
def test_a_worker_that_sends_nonsense_is_closed_and_released(message: dict[str, Any]) -> None:
    with coordinator_of(PLENTY, "file-1") as coordinator:
        client = tcp(coordinator)
        client.take()
        client._send(message)  # type: ignore[attr-defined]
        with pytest.raises(CoordinatorLost):
            client.take()
        eventually(lambda: coordinator.state().work.waiting_count == 1)
        client.close()


def test_a_worker_that_reads_no_answers_is_dropped() -> None:
    """Its answers must not pile up in the driver's memory."""
    big = [WorkUnit(str(number), {"text": "x" * 2_000_000}) for number in range(20)]
    with Coordinator(RateBudget({}, clock=time.monotonic), WorkQueue(big)) as coordinator:
        greedy = tcp(coordinator)
        for _ in big:
            with contextlib.suppress(CoordinatorLost):
                greedy._send({"op": "take"})  # type: ignore[attr-defined]
        eventually(lambda: coordinator.state().worker_count == 0)
        greedy.close()


def test_a_record_of_a_megabyte_arrives_whole() -> None:
    told: list[Any] = []
    record = {"buckets": ["ab" * 64] * 8000}
    with one_worker(tcp, "file-1", on_finished=lambda _, each: told.append(each)) as (coordinator, client):
        client.take()
        client.finished("file-1", record)
        coordinator.drain()
    assert told == [record]


# the key


def test_the_key_is_fresh_and_never_shown() -> None:
    with coordinator_of() as first, coordinator_of() as second:
        assert first.address.key_hex != second.address.key_hex
        assert len(first.address.key_hex) == 64
        for text in (repr(first.address), str(first.address), repr(first), f"{vars(first)}"):
            assert first.address.key_hex not in text


def test_the_address_travels_in_a_closure() -> None:
    with coordinator_of() as coordinator:
        address = pickle.loads(pickle.dumps(coordinator.address))
        assert address == coordinator.address
        with contextlib.closing(TcpCoordinatorClient(address, worker_id="3", attempt=1)) as client:
            client.reserve({"table": 1.0})


def test_the_key_does_not_cross_the_wire() -> None:
    with coordinator_of() as coordinator, raw(coordinator.address) as connection:
        challenge = read_line(connection)["challenge"]
        hello = messages.encode_message(hello_for(coordinator, challenge))
        assert coordinator.address.key_hex.encode() not in hello
