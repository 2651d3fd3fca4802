"""
DynamoDB's numbers as text, never as float: 38 significant digits, 1E-130 to 9.99...E+125 and zero.

Source of the limits: developer guide, "Supported data types and naming rules", Number. What the service takes
as text was recorded against it by others (nubo-db/dynoxide issue 109, ExtendDB/extenddb pull request 7):
a leading "+", leading zeros and an exponent with or without sign are accepted; it answers in plain notation
without needless zeros, "-0" as "0".
"""

from __future__ import annotations

import re

from dynamodb_pipeline.formats.item_error import ItemError

MAX_SIGNIFICANT_DIGITS = 38
MIN_EXPONENT = -130
MAX_EXPONENT = 125

# Already as the service answers and, with at most 38 characters, within every limit.
_CANONICAL = re.compile(r"0|-?(?:[1-9][0-9]*|0\.[0-9]*[1-9]|[1-9][0-9]*\.[0-9]*[1-9])")
_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)\.?([0-9]*)|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")
_MAX_EXPONENT_DIGITS = 10  # of Java's int, in which the service counts; also keeps int() cheap


def canonical_number(text: str) -> str:
    """
    The number as DynamoDB gives it back: plain notation, no needless zeros, `0` for every zero.

    Two texts are one value exactly when their canonical forms are equal.

    Raises:
        ItemError: no decimal number, more than 38 significant digits, or out of range.
    """
    if len(text) <= MAX_SIGNIFICANT_DIGITS and _CANONICAL.fullmatch(text):
        return text
    sign, digits, exponent = _significant(text)
    if not digits:
        return "0"
    return ("-" if sign == "-" else "") + _plain(digits, exponent)


def check_number(text: str) -> None:
    """Raise ItemError unless `text` is a number DynamoDB stores."""
    canonical_number(text)


def number_size_bytes(text: str) -> int:
    """
    Bytes the number counts towards the item's size; `text` must be valid.

    One byte per two significant digits, rounded up, and one more (developer guide, "DynamoDB item sizes and
    formats": "approximately"); a negative number takes one more, as measured by others.
    """
    sign, digits, _ = _significant(text)
    return (len(digits) + 1) // 2 + 1 + (sign == "-" and digits != "")


def _significant(text: str) -> tuple[str, str, int]:
    """Sign, significant digits, and the power of ten of the first of them; no digits for zero."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        reason = "number must be decimal text such as -12.5 or 1E+3"
        raise ItemError(reason)
    sign, whole, fraction, bare_fraction, exponent_text = match.groups()
    whole, fraction = whole or "", fraction or bare_fraction or ""
    digits = (whole + fraction).lstrip("0")
    exponent = len(digits) - len(fraction) - 1 + _exponent(exponent_text)
    digits = digits.rstrip("0")
    if digits:
        _check_limits(digits, exponent)
    return sign, digits, exponent


def _exponent(text: str | None) -> int:
    if text is None:
        return 0
    if len(text) > _MAX_EXPONENT_DIGITS:
        reason = "number's exponent has more than 10 characters"
        raise ItemError(reason)
    return int(text)


def _check_limits(digits: str, exponent: int) -> None:
    if len(digits) > MAX_SIGNIFICANT_DIGITS:
        reason = f"number has {len(digits)} significant digits, DynamoDB keeps at most {MAX_SIGNIFICANT_DIGITS}"
        raise ItemError(reason)
    if not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        reason = f"number's magnitude is outside 1E{MIN_EXPONENT} to 9.99...E+{MAX_EXPONENT}"
        raise ItemError(reason)


def _plain(digits: str, exponent: int) -> str:
    """Plain notation of 0.digits x 10^(exponent + 1)."""
    point = exponent + 1
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]
