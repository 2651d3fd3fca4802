"""
Makers of benchmark items: item number -> its DynamoDB JSON and its size.

Items are a pure function of their number, so any server, client or check can make them again. Every item of a
maker has one known shape; that makes a million of them cheap and lets a server know sizes without parsing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

KEY_NAME = "Id"
KEY_PREFIX = "item-"
KEY_DIGITS = 12

_PROSE_SEED = 20240725
_VOCABULARY_COUNT = 4000
_PROSE_CHARS = 1 << 22  # far beyond gzip's 32 KiB window, so that two items rarely share a phrase


@dataclass(frozen=True)
class ReplayItem:
    """`json` is compact DynamoDB JSON; `size_bytes` follows DynamoDB's size rule, not the length of the JSON."""

    json: bytes
    size_bytes: int


ItemMaker = Callable[[int], ReplayItem]


def key_of(number: int) -> str:
    """The `Id` of item `number`."""
    return f"{KEY_PREFIX}{number:0{KEY_DIGITS}d}"


def number_of(key: str) -> int:
    """The inverse of `key_of`; raises ValueError for a key that is none of ours."""
    if len(key) != len(KEY_PREFIX) + KEY_DIGITS or not key.startswith(KEY_PREFIX):
        message = f"{key[:64]!r} is not a replay key like {key_of(0)!r}"
        raise ValueError(message)
    return int(key[len(KEY_PREFIX) :])


def small_item(number: int) -> ReplayItem:
    """3 attributes, 79 bytes."""
    json = _SMALL % (key_of(number), _digits(number), _prose(number, 44))
    return ReplayItem(json.encode("ascii"), 79)


def wide_item(number: int) -> ReplayItem:
    """61 attributes of one number each, 619 bytes: as objects many times its size."""
    values = ",".join(f'"a{at:02d}":{{"N":"{_digits(number + at)}"}}' for at in range(60))
    return ReplayItem(f'{{"Id":{{"S":"{key_of(number)}"}},{values}}}'.encode("ascii"), 619)


def kilobyte_item(number: int) -> ReplayItem:
    """10 attributes of 7 types, flat and nested, 1,000 bytes."""
    return ReplayItem(_kilobyte_json(number, text_chars=740).encode("ascii"), 1000)


def alternating_item(number: int) -> ReplayItem:
    """Even numbers cost 1 write unit, odd ones 9: the case in which a guess by the mean goes wrong."""
    if number % 2 == 0:
        return kilobyte_item(number)
    return ReplayItem(_kilobyte_json(number, text_chars=8740).encode("ascii"), 9000)


def large_item(number: int) -> ReplayItem:
    """10 attributes, 400,000 bytes: three of them fill a page of 1 MiB."""
    return ReplayItem(_kilobyte_json(number, text_chars=399_740).encode("ascii"), 400_000)


MAKERS: dict[str, ItemMaker] = {
    "small": small_item,
    "kilobyte": kilobyte_item,
    "alternating": alternating_item,
    "large": large_item,
    "wide": wide_item,
}


def _kilobyte_json(number: int, *, text_chars: int) -> str:
    return _KILOBYTE % (
        key_of(number),
        _digits(number),
        _digits(number * 7),
        "true" if number % 3 else "false",
        number % 28 + 1,
        number % 24,
        number % 60,
        _prose(number * 3, 40),
        _prose(number * 5, 24),
        _prose(number * 11, 32),
        number % 90000 + 10000,
        _prose(number, text_chars),
    )


_SMALL = '{"Id":{"S":"%s"},"Count":{"N":"%s"},"Text":{"S":"%s"}}'

_KILOBYTE = (
    '{"Id":{"S":"%s"},"Sequence":{"N":"%s"},"Price":{"N":"%s"},"Active":{"BOOL":%s},'
    '"Created":{"S":"2024-07-%02dT%02d:%02d:00.000Z"},"Name":{"S":"%s"},'
    '"Tags":{"SS":["alpha","beta","gamma"]},'
    '"Address":{"M":{"City":{"S":"%s"},"Street":{"S":"%s"},"Zip":{"S":"%05d"}}},'
    '"History":{"L":[{"N":"1"},{"S":"created"},{"NULL":true}]},'
    '"Text":{"S":"%s"}}'
)


def _digits(number: int) -> str:
    """Always 11 significant digits, so that every item of a maker has the same size."""
    return f"1{number % 10**9:09d}7"


def _prose(number: int, chars: int) -> str:
    """`chars` letters and spaces from somewhere in a long made-up text, another place for each number."""
    start = number * 7919 % _PROSE_CHARS
    piece = _PROSE[start : start + chars]
    return piece if len(piece) == chars else piece + _PROSE[: chars - len(piece)]


def _made_up_text() -> str:
    rng = random.Random(_PROSE_SEED)
    words = ["".join(rng.choices("etaoinshrdlucmfwypvbgkqjxz", k=rng.randint(2, 11))) for _ in range(_VOCABULARY_COUNT)]
    weights = [(rank + 1) ** -0.5 for rank in range(_VOCABULARY_COUNT)]
    text = " ".join(rng.choices(words, weights, k=_PROSE_CHARS // 5))
    return text[:_PROSE_CHARS]


_PROSE = _made_up_text()
