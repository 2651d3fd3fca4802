"""The judge of rates: the worst window anywhere, the first one, the mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure.rate_windows import consumption, per_second, rate_report, worst_window
from sandbox.faults.ledger import LedgerRow

events_of = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 50)), min_size=1, max_size=40).map(sorted)


def test_even_consumption_has_ratio_one_everywhere():
    events = [(step / 8, 12.5) for step in range(480)]
    report = rate_report(events, allowed_per_s=100, window_s=10)
    assert report.worst == report.first == pytest.approx(1.0)
    assert report.mean == pytest.approx(1.0, rel=0.01)


def test_burst_across_a_ten_second_border_is_found():
    """Whole windows aligned to the start would see 1.0 and 1.0."""
    events = [(9.0, 1000.0), (11.0, 1000.0)]
    assert rate_report(events, allowed_per_s=100, window_s=10, start_s=0.0).worst == pytest.approx(2.0)


def test_first_window_counts_from_the_given_start():
    report = rate_report([(1.0, 500.0), (10.5, 100.0)], allowed_per_s=100, window_s=10, start_s=0.0)
    assert report.first == pytest.approx(0.5)
    assert report.mean == pytest.approx(600 / 1050)


@given(events_of, st.integers(1, 20))
def test_worst_window_is_that_of_brute_force(events, window_s):
    brute = max(
        sum(units for second, units in events if begin <= second < begin + window_s) for begin in range(-20, 61)
    )
    assert worst_window(events, window_s=window_s) == brute


def test_only_the_asked_operations_and_resource_count():
    rows = [
        LedgerRow(2.0, "Scan", "t", "table", 3.0, 1, 9, "ok"),
        LedgerRow(1.0, "Scan", "t", "table", 2.0, 1, 9, "ok"),
        LedgerRow(1.0, "BatchWriteItem", "t", "table", 9.0, 1, 9, "ok"),
        LedgerRow(1.5, "Scan", "t", "index:i", 7.0, 0, 0, "ok"),
        LedgerRow(1.7, "Scan", "t", "table", 0.0, 0, 0, "throttle_provisioned"),
    ]
    assert consumption(rows, operations=frozenset({"Scan"})) == [(1.0, 2.0), (2.0, 3.0)]
    assert consumption(rows, operations=frozenset({"Scan"}), resource="index:i") == [(1.5, 7.0)]


def test_one_request_per_worker_is_taken_off():
    report = rate_report([(0.0, 1000.0), (5.0, 300.0)], allowed_per_s=100, window_s=10)
    assert report.worst == pytest.approx(1.3)
    assert report.worst_beyond(worker_count=2, request_units=128.5) == pytest.approx(1.3 - 0.257)


def test_nothing_consumed_is_no_good_rate():
    with pytest.raises(ValueError, match="no consumption"):
        rate_report([], allowed_per_s=1, window_s=10)


def test_per_second_sums():
    assert per_second([(5.0, 1.0), (5.9, 2.0), (7.2, 4.0)]) == [3.0, 0.0, 4.0]
