"""Page sizes against DynamoDB's own arithmetic: the bytes of a page rounded up to 4 KB, 8 KB a unit (4 KB strongly)."""

from __future__ import annotations

import math

import pytest

from dynamodb_pipeline.rate.work_size import PageSizer

KB = 1024


def page_units(item_count: int, item_bytes: int, *, consistent: bool = False) -> float:
    return math.ceil(item_count * item_bytes / (4 * KB)) * (1.0 if consistent else 0.5)


def read(sizer: PageSizer, *, item_bytes: int, cap_units: float, pages: int, consistent: bool = False) -> list[tuple]:
    """Limit and units of each page of a table of even items; 1 MB ends a page too."""
    found = []
    for _ in range(pages):
        limit = sizer.limit(cap_units)
        count = min(limit or 10**9, max(1, (1024 * KB) // item_bytes))
        units = page_units(count, item_bytes, consistent=consistent)
        found.append((count, units, sizer.estimate(limit)))
        sizer.observe(count, units)
    return found


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize("item_bytes", [60, 510, 2000, 20 * KB, 400 * KB])
@pytest.mark.parametrize("cap_units", [0.6, 1.2, 5.0, 20.0, 60.0])
def test_pages_of_even_items_cost_what_one_request_may_or_hold_one_item(
    cap_units: float, item_bytes: int, consistent: bool
):
    """Once learnt: no more than the cap and a step of rounding."""
    sizer = PageSizer(consistent=consistent)
    for count, units, _ in read(sizer, item_bytes=item_bytes, cap_units=cap_units, pages=60, consistent=consistent)[
        20:
    ]:
        assert units <= max(cap_units, 1.0 if consistent else 0.5) + 0.5 or count == 1


@pytest.mark.parametrize("item_bytes", [60, 510, 2000])
@pytest.mark.parametrize("cap_units", [1.2, 5.0, 20.0])
def test_small_items_are_not_read_one_by_one_at_a_low_rate(cap_units: float, item_bytes: int):
    """Rounding must not be taken for the size of the items, or every page shrinks to one item at half a unit."""
    learnt = read(PageSizer(), item_bytes=item_bytes, cap_units=cap_units, pages=60)[30:]
    read_bytes = sum(count * item_bytes for count, _, _ in learnt)
    spent = sum(units for _, units, _ in learnt)
    assert read_bytes / (spent * 8 * KB) > 0.6


def test_estimate_of_a_learnt_page_is_within_a_step_of_its_cost():
    for count, units, estimate in read(PageSizer(), item_bytes=510, cap_units=20.0, pages=60)[30:]:
        assert abs(units - estimate) <= 1.0, count


def test_high_rate_asks_for_whole_pages():
    assert PageSizer().limit(1000.0) is None
    assert PageSizer().estimate(None) == 128.0
    assert PageSizer(consistent=True).estimate(None) == 256.0


def test_first_page_is_small_whatever_the_average_is_said_to_be():
    """The average may be hours old, and items of 400 KB may stand next to tiny ones."""
    limit = PageSizer(item_bytes=100.0).limit(20.0)
    assert limit is not None
    assert page_units(limit, 25 * KB) <= 20.0


def test_empty_page_teaches_nothing():
    sizer = PageSizer()
    before = sizer.limit(20.0)
    sizer.observe(0, 0.5)
    assert sizer.limit(20.0) == before
