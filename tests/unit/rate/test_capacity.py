"""The rate a run may use, and the sentence that says how it was derived."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.rate.capacity import AllowedRate, Capacity, RateChoice, parse_percent, read_rate, write_rate
from tests.unit.dynamodb.table_replies import index, on_demand_table, provisioned_table

QUARTER = RateChoice(Decimal(25))


def capacity(table: dict[str, Any]) -> Capacity:
    return Capacity.from_description(table, on_demand="BillingModeSummary" in table)


def writes(table: dict[str, Any], choice: RateChoice, *indexes: dict[str, Any]) -> AllowedRate:
    on_demand = "BillingModeSummary" in table
    return write_rate(
        capacity(table),
        choice,
        indexes={each["IndexName"]: Capacity.from_description(each, on_demand=on_demand) for each in indexes},
    )


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("25", "25"),
        ("25%", "25"),
        (" 25 % ", "25"),
        ("1%", "1"),
        ("1.5%", "1.5"),
        ("1.6", "1.6"),
        ("2", "2"),
        ("99.9", "99.9"),
        ("150", "150"),
        ("100.0%", "100.0"),
    ],
)
def test_percent_is_understood(text: str, percent: str) -> None:
    assert parse_percent(text) == Decimal(percent)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0.25", "0.25 looks like a ratio: write 25; for one percent write 1%"),
        ("0.5", "0.5 looks like a ratio: write 50; for one percent write 1%"),
        ("1", "1 looks like a ratio: write 100; for one percent write 1%"),
        ("1.5", "1.5 looks like a ratio: write 150; for one percent write 1%"),
        ("0.001", "0.001 looks like a ratio: write 0.1; for one percent write 1%"),
    ],
)
def test_a_ratio_is_refused_with_what_to_write(text: str, advice: str) -> None:
    """The connector's and EMR's settings are ratios; 0.25 taken as a percent would be a hundredth of what was meant."""
    with pytest.raises(UsageError) as caught:
        parse_percent(text)
    assert str(caught.value) == f"throughput percent {advice}"


@pytest.mark.parametrize("text", ["0", "0%", "0.5%", "150.1", "151%", "1000"])
def test_a_percent_outside_the_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="outside 1 to 150"):
        parse_percent(text)


@pytest.mark.parametrize("text", ["", "%", "-25", "+25", "1e2", "25,5", "25%%", "half", "nan", "٢٥", "25 5"])
def test_what_is_no_number_is_refused_and_the_range_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="write 1 to 150"):
        parse_percent(text)


def test_the_default_is_the_templates_25_percent() -> None:
    assert RateChoice(parse_percent("25%")).of_capacity == RateChoice(None, 80.0).of_capacity


def test_provisioned_table() -> None:
    rate = read_rate(capacity(provisioned_table()), QUARTER)
    assert rate.units_per_s == {"table": 100.0}
    assert rate.derivation == "25% of 400 read units (provisioned) = 100/s"


@pytest.mark.parametrize(
    ("fields", "reads", "derivation"),
    [
        (
            {"OnDemandThroughput": {"MaxReadRequestUnits": 2000, "MaxWriteRequestUnits": 500}},
            500.0,
            "25% of 2,000 read units (on-demand, its own maximum) = 500/s",
        ),
        (
            {"WarmThroughput": {"ReadUnitsPerSecond": 15_000, "WriteUnitsPerSecond": 5000, "Status": "ACTIVE"}},
            3750.0,
            "25% of 15,000 read units (on-demand, warm throughput) = 3,750/s",
        ),
        (
            {
                "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1},
                "WarmThroughput": {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 5000},
            },
            5000.0,
            "25% of 20,000 read units (on-demand, warm throughput) = 5,000/s",
        ),
        (
            {
                "OnDemandThroughput": {"MaxReadRequestUnits": 1000},
                "WarmThroughput": {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 5000},
            },
            250.0,
            "25% of 1,000 read units (on-demand, its own maximum) = 250/s",
        ),
        (
            {},
            3000.0,
            "25% of 12,000 read units (on-demand, as a new table; no maximum or warm throughput is known) = 3,000/s",
        ),
    ],
    ids=["maximum", "warm", "unlimited-maximum", "both", "neither"],
)
def test_on_demand_table(fields: dict[str, Any], reads: float, derivation: str) -> None:
    """Never a silent 40,000: the source is always named."""
    rate = read_rate(capacity(on_demand_table(**fields)), QUARTER)
    assert rate == AllowedRate({"table": reads}, derivation)


def test_an_unknown_on_demand_table_takes_4000_writes() -> None:
    rate = writes(on_demand_table(), RateChoice(Decimal(50)))
    assert rate.units_per_s == {"table": 2000.0}
    assert "4,000 write units" in rate.derivation


def test_warm_throughput_of_a_provisioned_table_is_not_its_capacity() -> None:
    """DescribeTable shows it for provisioned tables as well."""
    table = provisioned_table(WarmThroughput={"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000})
    assert read_rate(capacity(table), QUARTER).units_per_s == {"table": 100.0}


def test_fractions_are_honoured() -> None:
    table = provisioned_table(ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
    rate = read_rate(capacity(table), RateChoice(Decimal(10)))
    assert rate == AllowedRate({"table": 0.1}, "10% of 1 read units (provisioned) = 0.1/s")


def test_absolute_units_need_no_capacity() -> None:
    rate = read_rate(capacity(on_demand_table()), RateChoice(None, 1234.5))
    assert rate == AllowedRate({"table": 1234.5}, "1,234.5 read units/s (--read-units)")


def test_writes_keep_to_every_global_index() -> None:
    rate = writes(provisioned_table(), QUARTER, index("slow", write=8), index("fast", write=1000))
    assert rate.units_per_s == {"table": 25.0, "index:slow": 2.0, "index:fast": 250.0}
    assert rate.tightest == 2.0
    assert rate.derivation == (
        "25% of 100 write units (provisioned) = 25/s; "
        "index 'slow' allows less: 25% of 8 write units (provisioned) = 2/s"
    )


def test_an_index_as_fast_as_the_table_needs_no_word() -> None:
    rate = writes(provisioned_table(), QUARTER, index(write=100))
    assert rate.derivation == "25% of 100 write units (provisioned) = 25/s"


def test_absolute_writes_do_not_overrun_an_index() -> None:
    rate = writes(provisioned_table(), RateChoice(None, 80.0), index(write=50))
    assert rate.units_per_s == {"table": 80.0, "index:by-customer": 50.0}
    assert "index 'by-customer' allows less: its 50 write units (provisioned) = 50/s" in rate.derivation


def test_an_index_of_an_on_demand_table_has_its_own_maximum() -> None:
    limited = index(write=0, OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 40})
    rate = writes(on_demand_table(), QUARTER, limited)
    assert rate.units_per_s == {"table": 1000.0, "index:by-customer": 10.0}
