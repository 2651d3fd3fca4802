"""Numbers: the service's verdicts, recorded against it by others, and Python's decimal as the judge of values."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.scalars import canonical_number, number_size_bytes
from tests.unit.formats.strategies import numbers

# Answers of the service: nubo-db/dynoxide issue 109, ExtendDB/extenddb pull request 7, and dynamodb-conformance
# (limits/numberByteSize, limits/numberExponent).
STORED_AS = {
    "+5": "5",
    "+1.5": "1.5",
    "+0": "0",
    "+1e2": "100",
    "1e+2": "100",
    "1.5E+3": "1500",
    "-7": "-7",
    "00042": "42",
    "-0": "0",
    "1.0": "1",
    "0042.1200": "42.12",
    "1E125": "1" + "0" * 125,
    "0e125": "0",
    "001.5000": "1.5",
    "2.50": "2.5",
}

# Refused by the service (dynamodb-conformance, error-messages/valueLayers and limits/numberExponent).
REFUSED = [
    "1e99999999999",
    "-1e99999999999",
    "1e-99999999999",
    "1e2147483648",
    "1e9223372036854775808",
    "1e126",
    "1e-131",
    "0e126",
    "0e-131",
    "abc",
    "1.2.3",
    "",
    " 1",
    "1 ",
    "0x10",
    "1e",
    "NaN",
    "Infinity",
    "1234567890123456789012345678901234567890",
    "1+2",
    "+e2",
]

# Bytes by the service's 400-KB gate, to the byte (dynamodb-conformance, limits/numberByteSize).
MEASURED_BYTES = {
    "0": 1,
    "1": 2,
    "12": 2,
    "123": 3,
    "1234": 3,
    "12345678901234567890123456789012345678": 20,
    "0042": 2,
    "100": 2,
    "1010": 3,
    "0.0000001": 2,
    "1E125": 2,
    "1E-100": 2,
    "1.5": 3,
    "15": 2,
    "1.200": 3,
    "1.234": 4,
    "3.14159": 5,
    "123456": 4,
    "100.5": 4,
    "0.15": 2,
    "-42": 3,
    "-0": 1,
}


@pytest.mark.parametrize(("text", "stored"), STORED_AS.items())
def test_canonical_is_what_the_service_gives_back(text, stored):
    assert canonical_number(text) == stored


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_service_refuses_is_refused(text):
    with pytest.raises(ItemError):
        canonical_number(text)


@pytest.mark.parametrize(
    "text", ["1_000", "1,5", "٣", "１", "1e٣", "\n1", "1\n", "--1", "+-1", ".", "-", "e5", "1e+", "-NaN"]
)
def test_only_ascii_decimal_text_is_a_number(text):
    with pytest.raises(ItemError, match="decimal text"):
        canonical_number(text)


@pytest.mark.parametrize(("text", "size_bytes"), MEASURED_BYTES.items())
def test_size_is_what_the_service_measures(text, size_bytes):
    assert number_size_bytes(text) == size_bytes


@pytest.mark.parametrize(
    "text",
    [
        "9" * 38 + "E+88",
        "9." + "9" * 37 + "E+125",
        "1E-130",
        "-1E-130",
        "0." + "0" * 129 + "1",
        "1" + "0" * 125,
        "12345678901234567890123456789012345678" + "0" * 80,
        "0" * 200 + "1",
        "1." + "0" * 200,
    ],
)
def test_limits_are_reached(text):
    assert Decimal(canonical_number(text)) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    ["1" * 39, "1." + "1" * 38, "9.9999999999E+126", "1E126", "9.99E-131", "0." + "0" * 130 + "1", "1" + "0" * 126],
)
def test_limits_hold(text):
    with pytest.raises(ItemError, match=r"significant digits|magnitude"):
        canonical_number(text)


def test_a_huge_exponent_costs_nothing():
    """int() of a million digits would take minutes, and is an error of its own in newer Pythons."""
    with pytest.raises(ItemError):
        canonical_number("1e" + "9" * 1_000_000)


@given(numbers())
def test_canonical_keeps_the_value_and_every_digit(text):
    canonical = canonical_number(text)
    assert Decimal(canonical) == Decimal(text)
    assert "E" not in canonical.upper()
    assert canonical_number(canonical) == canonical


@given(numbers(), numbers())
def test_canonical_is_equal_exactly_for_equal_values(one, other):
    assert (canonical_number(one) == canonical_number(other)) == (Decimal(one) == Decimal(other))


@given(numbers())
def test_spellings_of_one_value_share_canonical_form_and_size(text):
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("+", text.lstrip("+"))
    spellings = [text.replace("E", "e"), f"{sign}00{digits}", f"{Decimal(text):E}", f"{Decimal(text):f}"]
    assert {canonical_number(spelling) for spelling in spellings} == {canonical_number(text)}
    assert {number_size_bytes(spelling) for spelling in spellings} == {number_size_bytes(text)}


@settings(max_examples=300)
@given(st.text("0123456789+-.eE", max_size=12))
def test_verdict_agrees_with_decimal(text):
    """Over DynamoDB's alphabet `decimal` takes the same grammar; the limits are checked by value."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        with pytest.raises(ItemError):
            canonical_number(text)
        return
    if value and (not -130 <= value.adjusted() <= 125):
        with pytest.raises(ItemError, match="magnitude"):
            canonical_number(text)
    elif value:
        assert Decimal(canonical_number(text)) == value
