"""
Cuts a stream of puts into BatchWriteItem requests: pure, no clock, no network.

Limits of one request: 25 items, 16 MB, no key twice (DynamoDB refuses the whole request), and as many write units as
the budget lets one request take, so that a single request never breaks the rate's window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_ITEMS = 25
MAX_BYTES = 15 * 1024 * 1024  # of 16 MB; the rest is for the request's frame


class Put(NamedTuple):
    """One item to write: its JSON, write units by its size, and its canonical key where known."""

    body: bytes
    units: float
    key: bytes | None
    line: int


def batches(puts: Iterable[Put], *, max_units: float = math.inf) -> Iterator[list[Put]]:
    """
    Yield the puts in order, cut into requests.

    A put that is larger than `max_units` by itself makes a request of its own.
    """
    batch: list[Put] = []
    keys: set[bytes] = set()
    units, size = 0.0, 0
    for put in puts:
        body, put_units, key, _ = put
        units += put_units
        size += len(body)
        if units > max_units or size > MAX_BYTES or len(batch) == MAX_ITEMS or key in keys:
            if batch:
                yield batch
            batch, keys, units, size = [], set(), put_units, len(body)
        batch.append(put)
        if key is not None:
            keys.add(key)
    if batch:
        yield batch
