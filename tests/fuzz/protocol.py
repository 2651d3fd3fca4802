"""
The coordinator's port: what strangers send, and what somebody sends who has the run's key.

A stranger's bytes go through the real sockets, and an honest worker must be served after each. A worker's lines go to
the dispatcher itself, where the server does not stand between us and an error of our own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import time
from typing import Any

from dynamodb_pipeline.rate.budget import RateBudget
from dynamodb_pipeline.workers.client import TcpCoordinatorClient
from dynamodb_pipeline.workers.coordinator import Coordinator
from dynamodb_pipeline.workers.dispatcher import Dispatcher
from dynamodb_pipeline.workers.protocol import LINE_BYTES_MAX, LineBuffer, ProtocolError, encode_message
from dynamodb_pipeline.workers.work_queue import WorkQueue, WorkUnit
from tests.fuzz.target import Target

STRANGER, WORKER = b"s", b"w"  # the first byte of an input says whose the others are
UNITS_PER_S = 1000.0


def run(data: bytes) -> None:
    """The input's first byte says who sends the rest."""
    if data[:1] == STRANGER:
        strange(data[1:])
    else:
        known(data[1:])


@functools.cache
def honest() -> tuple[Coordinator, TcpCoordinatorClient]:
    """A run that goes on beside all the strangers, and a worker of it; they end with the process."""
    coordinator = Coordinator(RateBudget({"table": 1e9}, clock=time.monotonic))
    return coordinator, TcpCoordinatorClient(coordinator.address, worker_id=1)


def strange(data: bytes) -> None:
    coordinator, worker = honest()
    place = (coordinator.address.host, coordinator.address.port)
    with socket.create_connection(place, timeout=10) as connection, contextlib.suppress(OSError):
        connection.sendall(data)  # an OSError: it has hung up on us
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    worker.settle(worker.reserve({"table": 1.0}), {"table": 1.0})
    assert coordinator.state().worker_count == 1, "a stranger was taken for a worker"
    assert coordinator.stop_reason is None


def known(data: bytes) -> None:
    """Everything but a message of ours ends in a ProtocolError; whatever came, the next worker gets its grant."""
    now_s = [0.0]
    answers: list[Any] = []
    budget = RateBudget({"table": UNITS_PER_S}, clock=lambda: now_s[0])
    work = WorkQueue([WorkUnit("a", {"uri": "a"}), WorkUnit("b", {"uri": "b"})])
    dispatcher = Dispatcher(budget, work, on_event=lambda event: answers.append({"event": str(event)}))
    session = dispatcher.open_session("1", 0, answers.append)
    with contextlib.suppress(ProtocolError):
        for message in LineBuffer(LINE_BYTES_MAX).feed(data):
            dispatcher.handle(session, message)
            dispatcher.pump()
            now_s[0] += 1.0
    dispatcher.end_session(session)
    for answer in answers:
        encode_message(answer)
    _refuse_starved(dispatcher, now_s)


def _refuse_starved(dispatcher: Dispatcher, now_s: list[float]) -> None:
    """What a worker may claim at once is bounded, so that the wait of the next one is."""
    answers: list[Any] = []
    dispatcher.handle(dispatcher.open_session("2", 0, answers.append), {"op": "reserve", "units": {"table": 1.0}})
    wait_s = dispatcher.pump()
    for _ in range(100):
        if wait_s is None:
            break
        now_s[0] += max(wait_s, 1.0)
        wait_s = dispatcher.pump()
    assert "grant" in answers[-1], f"no grant for an honest worker: {answers[-1]}"


def _lines(*messages: Any) -> bytes:
    return WORKER + b"".join(json.dumps(message).encode() + b"\n" for message in messages)


HELLO = {"challenge": "a", "worker": "w", "attempt": 0, "proof": "0" * 64}
RESERVE = {"op": "reserve", "units": {"table": 25.0, "index:byDate": 1.0}}
TARGET = Target(
    "protocol",
    run,
    examples=(
        STRANGER + json.dumps(HELLO).encode() + b"\n",
        STRANGER + json.dumps({**HELLO, "proof": "\ud800"}).encode() + b"\n",
        STRANGER + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        STRANGER + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        STRANGER + b"x" * 2000,
        _lines(RESERVE, {"op": "settle", "grant": 1, "units": {"table": 17.5}, "throttled": True}),
        _lines(RESERVE, {"op": "forfeit", "grant": 1}, RESERVE),
        _lines({"op": "take"}, {"op": "finished", "work": "a", "record": {"items": 3}}),
        _lines({"op": "take"}, {"op": "take"}, {"op": "finished", "work": "a", "record": {}, "rest": {}}),
        _lines(
            *({"op": "take"}, {"op": "take"}),
            {"op": "finished", "work": "a", "record": {}, "rest": {"work_id": "b", "body": {}}},
        ),
        _lines({"op": "take"}, {"op": "failed", "work": "b", "reason": "no"}, {"op": "take"}),
        _lines({"op": "take"}, {"op": "keep", "work": "a", "data": "QUJD"}),
        _lines({"op": "progress", "items": 10, "bytes": 1000}),
    ),
    words=tuple(
        json.dumps(word).encode()
        for word in (
            *("op", "reserve", "units", "table", "settle", "grant", "throttled", "forfeit", "take", "finished", "work"),
            *("record", "rest", "work_id", "body", "failed", "reason", "keep", "data", "progress", "items", "bytes"),
            *("challenge", "worker", "attempt", "proof", "a", "b", True, None, 1, 2, -1, 0.5, [], {}),
        )
    ),
    short_count=6_000,
)
