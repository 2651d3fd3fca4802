"""From a ledger to a verdict on rate; from usages to a slope."""

from __future__ import annotations

import pytest

from benchmarks.growth import rows_of as growth_rows_of
from benchmarks.growth import slope
from benchmarks.measure.usage import Usage
from benchmarks.rates import RateCase, rate_cases, rows_of
from benchmarks.spark_memory import row_of as memory_row_of
from sandbox.faults.ledger import LedgerRow


def writes(*events):
    return [LedgerRow(second, "BatchWriteItem", "target", "table", units, 1, 1, "ok") for second, units in events]


def case(**fields):
    return RateCase(**{"title": "a case", "writes": True, "rate": 100, "tasks": 2, "seconds": 30, **fields})


def test_rows_tell_worst_and_mean():
    worst, mean = rows_of(case(), writes(*((second, 110.0 if second == 12 else 100.0) for second in range(31))))
    assert worst.spread.median == pytest.approx(1.01)
    assert mean.spread.median == pytest.approx(3110 / 3000)
    assert (worst.reach, mean.reach) == ("<= 1.05", ">= 0.90")


def test_low_rates_are_judged_by_the_minute():
    worst, _ = rows_of(case(rate=5), writes(*((second, 5.0) for second in range(121))))
    assert "worst 60-s window" in worst.figure
    assert worst.spread.median == pytest.approx(1.0)


def test_reaction_is_the_time_until_no_window_is_above_the_new_rate():
    events = [(float(second), 100.0 if second < 45 else 50.0) for second in range(100)]
    (row,) = rows_of(case(change=(20, 50)), writes(*events))
    assert row.spread.median == pytest.approx(23, abs=2)  # obeyed at 45, changed at 20, the window is 10 s long
    (row,) = rows_of(case(change=(20, 50)), writes(*[(float(second), 100.0) for second in range(100)]))
    assert row.spread.median > 60


def test_skew_is_judged_by_wall_time():
    *_, tail = rows_of(case(skew=0.5), writes(*((second, 50.0) for second in range(21))))
    assert tail.spread.median == pytest.approx(20 / (1050 / 100))


def test_every_promised_case_is_there():
    titles = [one.title for one in rate_cases(quick=False)]
    assert len(titles) == len(set(titles))
    for wanted in (
        "write, 1 tasks",
        "write, 32 tasks",
        "read, direct, 8 tasks",
        "write, 1 units/s",
        "read, direct, 5 units/s",
        "read, connector through the relay, 2 tasks",
        "write, capacity halved in mid-run",
    ):
        assert wanted in titles


def test_item_count_lasts_as_long_as_asked():
    assert case(rate=100, seconds=30).item_count == 3000
    assert case(rate=100, seconds=30, maker="alternating").item_count == 600  # 5 units on average
    assert case(rate=100, seconds=30, writes=False).item_count == 24_576  # 8 items of 1,000 bytes a unit


@pytest.mark.parametrize(("power", "wanted"), [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5)])
def test_slope_is_the_power_of_growth(power, wanted):
    assert slope([(items, 3e-5 * items**power) for items in (10**4, 10**5, 10**6)]) == pytest.approx(wanted)


def test_growth_subtracts_the_start():
    sizes = [
        (items, Usage(0, 1.0, 2.0 + items * 3e-5, mib << 20, {}, 0)) for items, mib in ((10_000, 100), (100_000, 110))
    ]
    slope_row, memory_row = growth_rows_of("export", sizes, start_cpu_s=2.0)
    assert slope_row.spread.median == pytest.approx(1.0)
    assert memory_row.spread.median == pytest.approx(1.1)


def test_memory_on_spark_is_that_of_the_largest_process_of_a_kind():
    peaks = [{"java": 400 << 20, "python3": 90 << 20, "python": small << 20} for small in (100, 110)]
    sizes = [(items, Usage(0, 1.0, 1.0, 0, peak, 0)) for items, peak in zip((10_000, 200_000), peaks, strict=True)]
    row = memory_row_of("import", "python", sizes)
    assert row.spread.median == pytest.approx(1.1)
    assert row.figure == "memory on Spark: import: python, 20x items"
