from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from dynamodb_pipeline.connector.relay import INTERIM, WaitingClients

NEVER_S = 3600.0


@pytest.fixture
def clients() -> Iterator[WaitingClients]:
    waiting = WaitingClients(interval_s=NEVER_S)
    yield waiting
    waiting.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def received(theirs: socket.socket) -> bytes:
    try:
        return theirs.recv(1000)
    except BlockingIOError:
        return b""


def test_client_that_waits_is_told_in_every_round_but_its_first(clients: WaitingClients, pair):
    ours, theirs = pair
    with clients.waiting(ours):
        clients.send_interim_replies()
        assert received(theirs) == b""
        clients.send_interim_replies()
        clients.send_interim_replies()
        assert received(theirs) == INTERIM * 2


def test_client_that_has_its_answer_is_not_told(clients: WaitingClients, pair):
    ours, theirs = pair
    with clients.waiting(ours):
        clients.send_interim_replies()
    clients.send_interim_replies()
    assert received(theirs) == b""


def test_client_is_forgotten_when_its_request_fails(clients: WaitingClients, pair):
    ours, theirs = pair
    with pytest.raises(KeyError), clients.waiting(ours):
        {}["missing"]
    clients.send_interim_replies()
    clients.send_interim_replies()
    assert received(theirs) == b""


def test_client_that_hung_up_does_not_stop_the_others_from_being_told(clients: WaitingClients, pair):
    ours, theirs = pair
    dead, other = socket.socketpair()
    other.close()
    with dead, clients.waiting(dead), clients.waiting(ours):
        for _ in range(3):
            clients.send_interim_replies()
    assert received(theirs) == INTERIM * 2


def test_interim_reply_is_one_that_http_clients_pass_over():
    """RFC 9110 15.2: 1xx, no body; http.client skips only 100, so it is not the yardstick here."""
    status_line, rest = INTERIM.split(b"\r\n", 1)
    assert status_line.startswith(b"HTTP/1.1 1")
    assert rest == b"\r\n"
