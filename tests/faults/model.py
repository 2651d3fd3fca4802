"""
The model: what a table holds, as a plain dict, and how two contents are compared.

Items come from a seed and use all ten types. Numbers compare by value and sets as sets, as DynamoDB keeps them.
"""

from __future__ import annotations

import base64
import random
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
Content = dict[tuple[str, Decimal], Item]

CANARY = "canary-b7e1"  # stands in every item; must never be seen in a log


def make_items(rng: random.Random, count: int, *, generation: str) -> list[Item]:
    """`count` items with distinct keys (Id S, At N)."""
    return [_item(rng, number, generation) for number in range(count)]


def key_of(item: Item) -> tuple[str, Decimal]:
    """The key of a normalised item, by value."""
    return item["Id"]["S"], Decimal(item["At"]["N"])


def content(items: list[Item]) -> Content:
    """Items by key, normalised. Raises AssertionError when a key stands twice."""
    found = {key_of(item): item for item in map(normal, items)}
    assert len(found) == len(items), f"{len(items) - len(found)} keys stand more than once"
    return found


def normal(item: Item) -> Item:
    """The item with every value in one comparable form; connector tags become DynamoDB's."""
    return {name: _normal(value) for name, value in item.items()}


_NAMES = ("a", "b.c", "name with space", "M", "S", "日本", 'q"uote')
_TAGS = {
    "s": "S",
    "n": "N",
    "b": "B",
    "m": "M",
    "l": "L",
    "sS": "SS",
    "nS": "NS",
    "bS": "BS",
    "bOOL": "BOOL",
    "nULL": "NULL",
    "nULLValue": "NULL",
}


def _normal(value: Item) -> Item:
    ((tag, inner),) = value.items()
    tag = _TAGS.get(tag, tag)
    if tag == "N":
        return {tag: str(Decimal(inner).normalize())}
    if tag == "NS":
        return {tag: sorted(str(Decimal(one).normalize()) for one in inner)}
    if tag in ("SS", "BS"):
        return {tag: sorted(inner)}
    if tag == "L":
        return {tag: [_normal(one) for one in inner]}
    return {tag: normal(inner)} if tag == "M" else {tag: inner}


def _item(rng: random.Random, number: int, generation: str) -> Item:
    item: Item = {
        "Id": {"S": f"key {number % 17} é"},
        "At": {"N": str(number)},
        "Canary": {"S": f"{CANARY}-{generation}-{number}"},
    }
    for index in range(rng.randint(0, 6)):
        item[f"{rng.choice(_NAMES)}{index}"] = _value(rng, depth=0)
    if rng.random() < 0.05:
        item["Large"] = {"S": "x" * rng.choice((5_000, 30_000, 90_000))}
    return item


def _value(rng: random.Random, *, depth: int) -> Item:
    makers = _SCALARS + (_CONTAINERS if depth < 3 else ())
    return rng.choice(makers)(rng, depth)


def _string(rng: random.Random) -> str:
    return "".join(rng.choices('ab\n\t"\\\x02\x03\u2028\u0085é漢😀 {}[]:,', k=rng.randint(0, 24)))


def _number(rng: random.Random) -> str:
    return rng.choice(
        (
            "0",
            "-1",
            "1.5",
            "3.0000001",
            "99999999999999999999999999999999999999",
            "1E-20",
            str(rng.randint(-(10**9), 10**9)),
        )
    )


def _bytes(rng: random.Random) -> str:
    return base64.b64encode(rng.randbytes(rng.randint(0, 12))).decode()


_SCALARS = (
    lambda rng, _: {"S": _string(rng)},
    lambda rng, _: {"N": _number(rng)},
    lambda rng, _: {"B": _bytes(rng)},
    lambda rng, _: {"BOOL": rng.random() < 0.5},
    lambda _rng, _: {"NULL": True},
    lambda rng, _: {"SS": sorted({f"s{_string(rng)}" for _ in range(rng.randint(1, 4))})},
    lambda rng, _: {"NS": [str(number) for number in rng.sample(range(-50, 50), rng.randint(1, 4))]},
    lambda rng, _: {"BS": sorted({base64.b64encode(rng.randbytes(3)).decode() for _ in range(3)})},
)
_CONTAINERS = (
    lambda rng, depth: {"L": [_value(rng, depth=depth + 1) for _ in range(rng.randint(0, 3))]},
    lambda rng, depth: {"M": {f"k{index}": _value(rng, depth=depth + 1) for index in range(rng.randint(0, 3))}},
)
