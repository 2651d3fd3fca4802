from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.connector.waiting_clients import (
    BYTES_MIN,
    CONNECTORS_OWN_MAX,
    INTERIM,
    NO_TAKER_S,
    PAGES_MAX,
    STALLED_S,
    PageBuffers,
    WaitingClients,
)

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


ITEM_BYTES = 8192
PAGE_ITEMS = 25
MUX_BATCH = 50  # PageResultMultiplexer hands nothing on while it holds fewer pages, unless all have come


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buffers(clock: Clock) -> PageBuffers:
    return PageBuffers(2, clock=clock)


def is_held(buffers: PageBuffers, segment: int = 0) -> bool:
    return not buffers.wait(segment, is_gone=lambda: True)


def give(buffers: PageBuffers, *, pages: int, segment: int = 0, items: int = PAGE_ITEMS) -> None:
    for _ in range(pages):
        buffers.give(segment, items=items, size_bytes=items * ITEM_BYTES)


def test_partition_is_held_back_at_its_bound_and_others_are_not(buffers: PageBuffers) -> None:
    give(buffers, pages=PAGES_MAX - 1)
    assert not is_held(buffers)
    give(buffers, pages=1)
    assert [is_held(buffers, segment) for segment in range(4)] == [True, False, True, False]


def test_what_a_worker_takes_makes_room(buffers: PageBuffers) -> None:
    give(buffers, pages=PAGES_MAX)
    with buffers.taker(0) as take:
        take(0, False)
        assert is_held(buffers)
        take(1, True)
        assert not is_held(buffers)


def test_small_pages_are_not_held_back_while_buffers_on_their_way_may_hold_them_all(buffers: PageBuffers) -> None:
    pages = BYTES_MIN // (2 * ITEM_BYTES)
    give(buffers, pages=pages - 1, items=2)
    assert not is_held(buffers)
    give(buffers, pages=1, items=2)
    assert is_held(buffers)


def test_nothing_is_held_back_where_the_partitions_are_not_known() -> None:
    buffers = PageBuffers(0)
    give(buffers, pages=10 * PAGES_MAX)
    assert not is_held(buffers)


def test_worker_that_waits_in_vain_gets_twice_as_much_and_in_the_end_all(buffers: PageBuffers, clock: Clock) -> None:
    """A deadlock would last for ever: whatever the reason, a bound that starves the worker gives way."""
    with buffers.taker(0) as take:
        bound = PAGES_MAX
        give(buffers, pages=bound)
        while bound < CONNECTORS_OWN_MAX:
            take(0, True)
            clock.now_s += STALLED_S - 0.01
            assert is_held(buffers)
            clock.now_s += 0.01
            assert not is_held(buffers)
            give(buffers, pages=bound)
            bound *= 2
        give(buffers, pages=10 * CONNECTORS_OWN_MAX)
        assert not is_held(buffers)


def test_worker_that_is_busy_is_waited_for(buffers: PageBuffers, clock: Clock) -> None:
    """It may store a file for minutes."""
    give(buffers, pages=PAGES_MAX)
    with buffers.taker(0) as take:
        for _ in range(100):
            clock.now_s += STALLED_S / 2
            take(0, False)
            assert is_held(buffers)


def test_worker_that_has_not_come_is_not_waited_for_long(buffers: PageBuffers, clock: Clock) -> None:
    give(buffers, pages=PAGES_MAX)
    clock.now_s += NO_TAKER_S - 0.01
    assert is_held(buffers)
    clock.now_s += 0.01
    assert not is_held(buffers)


def test_end_of_a_worker_forgets_what_was_given(buffers: PageBuffers) -> None:
    """The connector of the next attempt begins with nothing."""
    with buffers.taker(0):
        give(buffers, pages=PAGES_MAX)
        assert is_held(buffers)
    assert not is_held(buffers)


def test_attempt_that_lingers_takes_nothing_from_its_successor(buffers: PageBuffers) -> None:
    with buffers.taker(0):
        with buffers.taker(0) as lingering, buffers.taker(0):
            give(buffers, pages=PAGES_MAX)
            lingering(PAGE_ITEMS, True)
            assert is_held(buffers)
        assert not is_held(buffers)


def test_request_that_is_held_goes_on_when_something_is_taken() -> None:
    buffers, held, passed = PageBuffers(1), threading.Event(), threading.Event()
    give(buffers, pages=PAGES_MAX)

    def request() -> None:
        buffers.wait(0, is_gone=lambda: held.set() or False)  # type: ignore[func-returns-value]
        passed.set()

    with buffers.taker(0) as take:
        thread = threading.Thread(target=request)
        thread.start()
        assert held.wait(60)
        assert not passed.is_set()
        take(PAGE_ITEMS, True)
        thread.join(60)
    assert passed.is_set()


class Connector:
    """
    AWS's PageResultMultiplexer, and buffers behind it that hold items back until more come: pages are walked in turn,
    one item of each, and nothing is handed on while there are fewer than `MUX_BATCH`.
    """

    def __init__(self, *, on_the_way: int) -> None:
        self.pages: deque[int] = deque()
        self.is_draining = False
        self._room = self._on_the_way = on_the_way

    def hand_on(self) -> int:
        """Take one item of the next page; returns how many reach the worker, -1 where it waits for pages."""
        if not self.pages or (len(self.pages) < MUX_BATCH and not self.is_draining):
            return -1
        left = self.pages.popleft() - 1
        if left:
            self.pages.append(left)
        if self._room:
            self._room -= 1
            return 0
        return 1


@given(
    sizes=st.lists(st.integers(1, 40), min_size=100, max_size=400),
    on_the_way=st.integers(0, (1 << 20) // ITEM_BYTES),
    greedy=st.booleans(),
)
def test_connector_always_has_the_pages_without_which_it_hands_nothing_on(
    sizes: Sequence[int], on_the_way: int, *, greedy: bool
) -> None:
    """The clock stands still: no bound gives way. Everything comes through, and no more lies there than the bound."""
    buffers, connector, left = PageBuffers(1, clock=lambda: 0.0), Connector(on_the_way=on_the_way), deque(sizes)
    untaken = 0
    with buffers.taker(0) as take:
        while left or connector.pages:
            may_give = bool(left) and not is_held(buffers)
            handed_on = -1 if may_give and greedy else connector.hand_on()
            if may_give and handed_on <= 0:
                untaken += left[0]
                connector.pages.append(left[0])
                give(buffers, pages=1, items=left.popleft())
                connector.is_draining = not left
            elif handed_on < 0:
                pytest.fail(f"deadlock with {len(left)} pages to come and {len(connector.pages)} there")
            if handed_on > 0:
                take(handed_on, False)
                untaken -= handed_on
            assert untaken <= max(PAGES_MAX * max(sizes), BYTES_MIN // ITEM_BYTES) + max(sizes)
