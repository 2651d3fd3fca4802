"""
The two kinds of value that are texts with rules of their own: numbers and binaries.

Numbers stay text and are never floats: 38 significant digits, 1E-130 to 9.99...E+125, and zero. Limits: developer
guide, "Supported data types and naming rules". Which texts the service takes and gives back was recorded against it by
others: nubo-db/dynoxide issue 109 (leading plus), ExtendDB/extenddb pull request 7 (leading zeros, `-0`),
paritysuite/dynamodb-conformance limits/numberExponent and limits/numberByteSize.

Binaries are base64 of the standard alphabet, checked strictly. The service refuses a length that is no multiple of four
("Base64 encoded length is expected a multiple of 4 bytes", scylladb issue 6487) and spare bits that are not zero
("Invalid last non-pad Base64 character", recorded in dynalite's tests). So one value has one text, and texts can be
compared instead of bytes.
"""

from __future__ import annotations

import binascii
import re

from dynamodb_pipeline.formats.items.item_error import ItemError

MAX_SIGNIFICANT_DIGITS = 38
MIN_EXPONENT = -130
MAX_EXPONENT = 125

# What the service would answer with; within every limit when it has at most 38 characters.
_CANONICAL = re.compile(r"0|-?(?:[1-9][0-9]*(?:\.[0-9]*[1-9])?|0\.[0-9]*[1-9])")
_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,19}))?")
# Before "=" the last character carries 4 bits of data and 2 spare ones, before "==" 2 and 4.
_ALPHABET_AND_END = re.compile(r"[A-Za-z0-9+/]*(?:[AEIMQUYcgkosw048]=|[AQgw]==)?")


def canonical_number(text: str) -> str:
    """
    The number as DynamoDB gives it back: plain notation, no needless zeros, `0` for every zero.

    Two texts are one value exactly when their canonical forms are equal.

    Raises:
        ItemError: no decimal number, more than 38 significant digits, or out of range.
    """
    if len(text) <= MAX_SIGNIFICANT_DIGITS and _CANONICAL.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        reason = "number must be decimal text such as -12.5 or 1E+3"
        raise ItemError(reason)
    sign, whole, fraction, bare_fraction, exponent = match.groups()
    fraction = fraction or bare_fraction or ""
    digits = ((whole or "") + fraction).lstrip("0")
    # The power of ten of the first significant digit; a zero is judged by the exponent it is written with.
    magnitude = int(exponent or "0") + (len(digits) - len(fraction) - 1 if digits else 0)
    digits = digits.rstrip("0")
    _check_limits(len(digits), magnitude)
    return ("-" if sign == "-" else "") + _plain(digits, magnitude) if digits else "0"


def number_size_bytes(text: str) -> int:
    """
    Bytes the number counts towards the item's size.

    1, plus a byte for every two significant digits begun before the point and after it, plus 1 for a minus:
    measured to the byte against the service (dynamodb-conformance, limits/numberByteSize). The developer
    guide's "approximately 1 byte per two significant digits + 1" is a byte less for `3.14159` or `-1`.

    Raises:
        ItemError: as `canonical_number`.
    """
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) <= MAX_SIGNIFICANT_DIGITS:
        return 1 + (len(text.rstrip("0")) + 1) // 2  # the most frequent: a positive whole number
    return canonical_size_bytes(canonical_number(text))


def canonical_size_bytes(canonical: str) -> int:
    """`number_size_bytes` of what `canonical_number` gave."""
    sign_bytes = 1 if canonical[0] == "-" else 0
    whole, _, fraction = canonical[sign_bytes:].partition(".")
    if not fraction:
        whole = whole.rstrip("0")
    elif whole == "0":
        whole, fraction = "", fraction.lstrip("0")
    return 1 + (len(whole) + 1) // 2 + (len(fraction) + 1) // 2 + sign_bytes


def _check_limits(digit_count: int, magnitude: int) -> None:
    if digit_count > MAX_SIGNIFICANT_DIGITS:
        reason = f"number has {digit_count} significant digits, DynamoDB keeps {MAX_SIGNIFICANT_DIGITS}"
        raise ItemError(reason)
    if not MIN_EXPONENT <= magnitude <= MAX_EXPONENT:
        reason = f"number's magnitude is outside 1E{MIN_EXPONENT} to 9.99...E+{MAX_EXPONENT}"
        raise ItemError(reason)


def _plain(digits: str, magnitude: int) -> str:
    """`digits`, the first of them worth 10^magnitude, without an exponent."""
    point = magnitude + 1
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def decoded_length(text: str) -> int:
    """
    How many bytes `text` stands for.

    Raises:
        ItemError: anything but canonical base64; lenient decoders drop characters without a word.
    """
    if len(text) % 4 or _ALPHABET_AND_END.fullmatch(text) is None:
        reason = "binary must be base64 with its padding, zero spare bits and nothing else"
        raise ItemError(reason)
    return len(text) // 4 * 3 - (text.endswith("=") + text.endswith("=="))


def decode_base64(text: str) -> bytes:
    """
    The bytes of a binary value.

    Raises:
        ItemError: as `decoded_length`.
    """
    decoded_length(text)
    return binascii.a2b_base64(text)
