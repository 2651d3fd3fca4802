"""
Valid items of all ten types as hypothesis draws them, aimed at what breaks parsers and at what looks like a tag.

Oracles stay outside of the library: numbers are compared as `decimal.Decimal`, bytes as bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

TAG_LIKE_NAMES = ["M", "m", "S", "s", "L", "l", "N", "B", "Item", "sS", "SS", "nULL", "nULLValue", "BOOL", "Items"]
# Text that would be structure if quotes and backslashes were not escaped.
STRUCTURE_LIKE = [
    '{"s":"',
    '"}},{"',
    '\\"',
    "\\",
    '\\\\"',
    '"M":{',
    '{"M":{"S":{',
    "}},{",
    '":',
    '],"',
    "\\u0022",
    "\\n",
]
# What cuts lines or ends text elsewhere: controls, STX/ETX, DEL, NEL, separators, BOM, astral, combining.
_HARD = '\x00\x01\x02\x03\x08\x0c\x1f\n\r\t"\\/{}[]:,%\x7f\x85\u2028\u2029\ufeff\ufffd\U0001f600éße\u0301日'

_characters = st.sampled_from(_HARD + "abcMSNLmsnl0123456789 ._-")
texts = st.one_of(st.text(_characters, max_size=12), st.lists(st.sampled_from(STRUCTURE_LIKE), max_size=3).map("".join))
names = st.one_of(st.sampled_from(TAG_LIKE_NAMES), texts.filter(bool), st.sampled_from(["Id", "name", "a.b", "é"]))
binaries = st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode())


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number DynamoDB takes, spelled in any way it takes it."""
    digits = draw(st.integers(1, 10 ** draw(st.sampled_from([1, 5, 37, 38])) - 1))
    digits_text = str(digits)
    exponent = draw(st.integers(-130, 125 - (len(digits_text) - 1)))
    number = draw(st.sampled_from(["", "-", "+"])) + draw(st.sampled_from(["", "0", "000"])) + digits_text
    spelling = draw(st.sampled_from(["plain", "point", "exponent", "zero"]))
    if spelling == "plain":
        return number
    if spelling == "zero":
        return draw(st.sampled_from(["0", "-0", "0.0", "000", "0E5", "-0.00e-3", ".0"]))
    if spelling == "point":
        return number + "." + draw(st.sampled_from(["", "0", "000"]))
    return f"{number}{draw(st.sampled_from('eE'))}{exponent:{draw(st.sampled_from(['', '+']))}d}"


def _tagged(tag: str, contents: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return contents.map(lambda content: {tag: content})


scalars = st.one_of(
    _tagged("S", texts),
    _tagged("N", numbers()),
    _tagged("B", binaries),
    _tagged("BOOL", st.booleans()),
    _tagged("NULL", st.just(True)),
    _tagged("SS", st.lists(texts, min_size=1, max_size=4, unique=True)),
    _tagged("NS", st.lists(numbers(), min_size=1, max_size=4, unique_by=Decimal)),
    _tagged("BS", st.lists(binaries, min_size=1, max_size=4, unique=True)),
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return _tagged("L", st.lists(inner, max_size=3)) | _tagged("M", st.dictionaries(names, inner, max_size=3))


@st.composite
def deep_values(draw: st.DrawFn) -> dict[str, Any]:
    """A value inside up to 30 lists and maps."""
    value = draw(scalars)
    for kind in draw(st.lists(st.sampled_from("LM"), min_size=1, max_size=30)):
        value = {"L": [value]} if kind == "L" else {"M": {draw(names): value}}
    return value


values = st.one_of(scalars, st.recursive(scalars, _containers, max_leaves=6), deep_values())
items = st.dictionaries(names, values, min_size=1, max_size=5)


def alike(value: dict[str, Any], other: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Another value of the same shape; `other` makes a content of a tag and its old content, but for lists and maps."""
    ((tag, content),) = value.items()
    if tag == "L":
        return {tag: [alike(element, other) for element in content]}
    if tag == "M":
        return {tag: {name: alike(inner, other) for name, inner in content.items()}}
    return {tag: other(tag, content)}
