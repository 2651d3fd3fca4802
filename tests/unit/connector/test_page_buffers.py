"""How many pages the connector may hold, and how many items each may have for the heap that they take."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.replay_items import MAKERS
from dynamodb_pipeline.connector.page_buffers import (
    BYTES_MIN,
    CONNECTORS_OWN_MAX,
    NO_TAKER_S,
    PAGE_HEAP_BYTES,
    PAGES_MAX,
    SAMPLE_BYTES,
    STALLED_S,
    VALUE_BYTES,
    HeapSizer,
    PageBuffers,
    heap_bytes,
)

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


def give(buffers: PageBuffers, *, pages: int, segment: int = 0, items: int = PAGE_ITEMS, heap: int = 0) -> None:
    for _ in range(pages):
        buffers.give(segment, items=items, size_bytes=items * ITEM_BYTES, heap_bytes=heap or items * ITEM_BYTES)


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


def test_heavy_items_are_held_back_by_their_heap_where_lighter_ones_made_the_largest_page(
    buffers: PageBuffers,
) -> None:
    """A page of 1,000 light items first; then pages of eight that take as much heap."""
    with buffers.taker(0) as take:
        buffers.give(0, items=1000, size_bytes=100_000, heap_bytes=PAGE_HEAP_BYTES)
        take(1000, False)
        for _ in range(PAGES_MAX + 10):
            buffers.give(0, items=8, size_bytes=100_000, heap_bytes=PAGE_HEAP_BYTES)
        assert is_held(buffers)


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


HEAPS = st.sampled_from((1000, PAGE_HEAP_BYTES // 2, PAGE_HEAP_BYTES, 20 * PAGE_HEAP_BYTES))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 40), HEAPS), min_size=100, max_size=400),
    on_the_way=st.integers(0, (1 << 20) // ITEM_BYTES),
    greedy=st.booleans(),
)
def test_connector_always_has_the_pages_without_which_it_hands_nothing_on(
    sizes: Sequence[tuple[int, int]], on_the_way: int, *, greedy: bool
) -> None:
    """The clock stands still: no bound gives way. Everything comes through, and no more lies there than the bound."""
    largest = max(items for items, _ in sizes)
    buffers, connector, left = PageBuffers(1, clock=lambda: 0.0), Connector(on_the_way=on_the_way), deque(sizes)
    untaken = 0
    with buffers.taker(0) as take:
        while left or connector.pages:
            may_give = bool(left) and not is_held(buffers)
            handed_on = -1 if may_give and greedy else connector.hand_on()
            if may_give and handed_on <= 0:
                items, heap = left.popleft()
                untaken += items
                connector.pages.append(items)
                give(buffers, pages=1, items=items, heap=heap)
                connector.is_draining = not left
            elif handed_on < 0:
                pytest.fail(f"deadlock with {len(left)} pages to come and {len(connector.pages)} there")
            if handed_on > 0:
                take(handed_on, False)
                untaken -= handed_on
            assert untaken <= max(PAGES_MAX * largest, BYTES_MIN // ITEM_BYTES) + largest


def reply_of(maker: str, count: int) -> bytes:
    return b'{"Count":%d,"Items":[%b]}' % (count, b",".join(MAKERS[maker](number).json for number in range(count)))


@pytest.mark.parametrize(
    ("maker", "low", "high"), [("small", 600, 800), ("kilobyte", 3500, 4500), ("wide", 9000, 12000)]
)
def test_heap_of_an_item_goes_with_its_values(maker: str, low: int, high: int) -> None:
    """The first two as measured in the connector's JVM, a quarter more at most."""
    count = 500
    assert low <= heap_bytes(reply_of(maker, count)) / count <= high


def test_beginning_of_a_reply_stands_for_all_of_it() -> None:
    body = reply_of("small", 5000)
    assert len(body) > 10 * SAMPLE_BYTES
    assert heap_bytes(body) == pytest.approx(len(body) + body.count(b'{"') * VALUE_BYTES, rel=0.01)


def test_reply_without_a_byte_takes_nothing() -> None:
    assert heap_bytes(b"") == 0


@pytest.mark.parametrize("maker", MAKERS)
def test_page_of_as_many_items_takes_what_it_may_and_not_much_less(maker: str) -> None:
    sizer = HeapSizer()
    sizer.observe(10, heap_bytes(reply_of(maker, 10)))
    heap = heap_bytes(reply_of(maker, min(sizer.limit(), 2000)))
    assert heap <= 1.05 * PAGE_HEAP_BYTES
    assert heap >= 0.5 * PAGE_HEAP_BYTES - len(MAKERS[maker](0).json)


def test_pages_of_the_connectors_own_size_stay_as_they_are() -> None:
    """203 items of 1 KB in ten attributes."""
    sizer = HeapSizer()
    sizer.observe(203, heap_bytes(reply_of("kilobyte", 203)))
    assert sizer.limit() >= 203


@given(pages=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 10**8)), min_size=1))
def test_no_page_like_the_last_would_be_too_heavy(pages: list[tuple[int, int]]) -> None:
    sizer = HeapSizer(item_bytes=100.0)
    for scanned, heap in pages:
        sizer.observe(scanned, heap)
        limit = sizer.limit()
        assert limit >= 1
        if scanned and limit > 1:
            assert limit * max(1.0, heap / scanned) <= PAGE_HEAP_BYTES


def test_lighter_items_make_larger_pages_by_and_by() -> None:
    sizer = HeapSizer()
    sizer.observe(10, 10 * 50_000)
    heavy = sizer.limit()
    limits = []
    for _ in range(60):
        sizer.observe(100, 100 * 1000)
        limits.append(sizer.limit())
    assert limits == sorted(limits)
    assert limits[0] < 2 * heavy
    assert limits[-1] > 20 * heavy


def test_first_page_is_small_where_nothing_is_known_of_the_items() -> None:
    assert HeapSizer().limit() < 100
    assert HeapSizer(item_bytes=80.0).limit() > 500
