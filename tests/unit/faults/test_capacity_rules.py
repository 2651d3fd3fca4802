"""Token bucket, item sizes and units: the judge's own arithmetic, checked against the documentation's rules."""

from __future__ import annotations

import pytest

from sandbox.faults.capacity import Capacity, CapacityChange, TableLimits
from sandbox.faults.item_sizes import item_size_bytes, read_units, write_units
from sandbox.faults.ledger import Ledger, rows_from_json, rows_to_json
from sandbox.faults.token_bucket import TokenBucket


@pytest.mark.parametrize(
    ("item", "size_bytes"),
    [
        ({"a": {"S": ""}}, 1),
        ({"名": {"S": "é"}}, 3 + 2),  # UTF-8 bytes of name and value
        ({"n": {"N": "0"}}, 1 + 1),
        ({"n": {"N": "12"}}, 1 + 2),
        ({"n": {"N": "123"}}, 1 + 3),
        ({"n": {"N": "-123"}}, 1 + 4),
        ({"n": {"N": "1000000"}}, 1 + 2),  # zeros at the end are no significant digits
        ({"n": {"N": "0.00012"}}, 1 + 2),
        ({"n": {"N": "1.5E+9"}}, 1 + 2),
        ({"n": {"N": "12345678901234567890123456789012345678"}}, 1 + 20),
        ({"b": {"B": "AAEC"}}, 1 + 3),
        ({"b": {"B": "AA=="}}, 1 + 1),
        ({"t": {"BOOL": False}}, 1 + 1),
        ({"t": {"NULL": True}}, 1 + 1),
        ({"s": {"SS": ["ab", "c"]}}, 1 + 3),
        ({"s": {"NS": ["1", "222"]}}, 1 + 2 + 3),
        ({"s": {"BS": ["AA==", "AAA="]}}, 1 + 3),
        ({"l": {"L": []}}, 1 + 3),  # a list or map takes 3 bytes even when empty
        ({"m": {"M": {}}}, 1 + 3),
        ({"l": {"L": [{"S": "ab"}]}}, 1 + 3 + 1 + 2),
        ({"m": {"M": {"k": {"BOOL": True}}}}, 1 + 3 + 1 + 1 + 1),
    ],
    ids=str,
)
def test_item_size_by_the_documented_rule(item, size_bytes):
    assert item_size_bytes(item) == size_bytes


@pytest.mark.parametrize(("size_bytes", "units"), [(1, 1), (1024, 1), (1025, 2), (409_600, 400)])
def test_write_units_are_started_kib(size_bytes, units):
    assert write_units(size_bytes) == units


@pytest.mark.parametrize(("size_bytes", "eventual"), [(0, 0.5), (4096, 0.5), (4097, 1.0), ((1 << 20) + 1, 128.5)])
def test_read_units_are_half_of_started_four_kib(size_bytes, eventual):
    assert read_units(size_bytes, consistent=False) == eventual
    assert read_units(size_bytes, consistent=True) == 2 * eventual


def test_bucket_admits_while_anything_is_left_and_then_pays_back():
    bucket = TokenBucket(10.0)
    assert bucket.admits(0.0)
    bucket.charge(25.0)
    assert not bucket.admits(1.4)
    assert bucket.admits(1.6)


def test_bucket_keeps_no_more_than_its_burst():
    bucket = TokenBucket(10.0, burst_s=2.0)
    assert bucket.admits(1000.0)
    assert bucket.tokens == 20.0


def test_bucket_follows_a_new_rate_from_then_on():
    bucket = TokenBucket(10.0)
    bucket.charge(10.0)
    bucket.set_rate(100.0, now_s=0.5)
    assert bucket.tokens == 5.0
    assert bucket.admits(1.0)
    assert bucket.tokens == 55.0


def test_clock_that_steps_back_gives_nothing():
    bucket = TokenBucket(10.0, now_s=5.0)
    bucket.charge(10.0)
    assert not bucket.admits(1.0)


def test_limits_are_only_told_unless_enforced():
    limits = TableLimits(Capacity(1, 1))
    limits.charge_read(1000.0)
    assert limits.admits_read(0.0)


def test_limits_change_by_script_after_the_first_request():
    limits = TableLimits(Capacity(10, 10), changes=(CapacityChange(5.0, Capacity(20, 30)),), enforced=True)
    assert limits.capacity(100.0) == Capacity(10, 10)
    assert limits.admits_write(100.0)
    limits.charge_write(30.0)
    assert limits.capacity(105.0) == Capacity(20, 30)
    assert limits.admits_write(105.8)


def test_ledger_counts_and_sums():
    times = iter([0.0, 1.0, 2.0, 3.0])
    ledger = Ledger(clock=lambda: next(times))
    ledger.add("Scan", table="t", units=2.5, items=3, size_bytes=9)
    ledger.add("Scan", table="t", outcome="bit_flip")
    ledger.add("BatchWriteItem", table="t", units=4, resource="index:i")
    assert [row.time_s for row in ledger.rows()] == [1.0, 2.0, 3.0]
    assert ledger.count(operation="Scan") == 2
    assert ledger.count(outcome="bit_flip") == 1
    assert (ledger.units(), ledger.units(resource="index:i")) == (2.5, 4)
    assert rows_from_json(rows_to_json(ledger.rows())) == ledger.rows()
