"""
What is fuzzed, and the inputs of the short form.

A target takes any bytes and raises when the product does with them what it must not. The long form (`make fuzz`) hands
it inputs that a coverage-guided fuzzer finds; the short form those that are made here out of examples, each from its
number alone, so that a run of the CI tries the same ones every time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

BYTES_MAX = 64 * 1024  # of an input


@dataclass(frozen=True)
class Target:
    """
    One kind of input from outside.

    Attributes:
        run: takes an input; raises (whatever) for a fault.
        examples: good inputs and known bad ones, to begin with.
        words: parts that inputs of this kind are made of.
        short_count: inputs of the short form.
        memory_mib: what a process may take beyond what it has after its imports, while the long form runs.
    """

    name: str
    run: Callable[[bytes], object]
    examples: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    short_count: int = 1000
    memory_mib: int = 256


class FoundError(AssertionError):
    """An input at which a target failed; the text says how to try it again."""


def try_short_form(target: Target) -> None:
    """
    Try `short_count` inputs.

    Raises:
        FoundError: names the input's number.
    """
    for number in range(target.short_count):
        try_one(target, variant(target, number), again=f"make fuzz TARGET={target.name} NUMBER={number}")


def try_one(target: Target, data: bytes, *, again: str) -> None:
    """
    Try one input.

    Raises:
        FoundError: says `again`, the command that tries it once more.
    """
    try:
        target.run(data)
    except BaseException as err:
        msg = f"{target.name} failed at {data[:200]!r} ({len(data)} bytes): {type(err).__name__}: {err}\nagain: {again}"
        raise FoundError(msg) from err


def variant(target: Target, number: int) -> bytes:
    """The input of this number: an example as it is, further on one that was changed a few times."""
    if number < len(target.examples):
        return target.examples[number]
    draw = random.Random(f"{target.name} {number}")
    data = draw.choice(target.examples)
    for _ in range(draw.choice((1, 1, 2, 3, 5, 8))):
        data = draw.choice(CHANGES)(data, draw, target)[:BYTES_MAX]
    return data


Change = Callable[[bytes, random.Random, Target], bytes]
NUMBERS = (b"0", b"-1", b"1e400", b"NaN", b"1" * 30, b"9" * 5000, b"18446744073709551616", b"1.5", b"true", b"null")
BYTES = (b"\x00", b"\n", b"\r\n", b"\x1b", b"\x7f", b"\x80", b"\xc2\x9b", b"\xff", b"\xed\xa0\x80", b'\\"', b"\\ud800")
NESTS = (b"[", b'{"a":', b'{"M":{"a":', b'{"L":[', b"{", b'"')


def _place(data: bytes, draw: random.Random) -> tuple[int, int]:
    """A slice of the input, mostly a short one."""
    begin = draw.randrange(len(data) + 1)
    return begin, min(len(data), begin + draw.choice((0, 0, 1, 2, 4, 16, 64, len(data))))


def _with(data: bytes, draw: random.Random, piece: bytes) -> bytes:
    begin, end = _place(data, draw)
    return data[:begin] + piece + data[end:]


def _flipped(data: bytes, draw: random.Random, _: Target) -> bytes:
    begin, _end = _place(data, draw)
    return data[:begin] + bytes(byte ^ (1 << draw.randrange(8)) for byte in data[begin : begin + 1]) + data[begin + 1 :]


def _cut(data: bytes, draw: random.Random, _: Target) -> bytes:
    return _with(data, draw, b"")


def _ended(data: bytes, draw: random.Random, _: Target) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _repeated(data: bytes, draw: random.Random, _: Target) -> bytes:
    begin, end = _place(data, draw)
    return data[:end] + data[begin:end] * draw.choice((1, 1, 2, 10, 1000)) + data[end:]


def _worded(data: bytes, draw: random.Random, target: Target) -> bytes:
    return _with(data, draw, draw.choice(target.words or BYTES))


def _odd(data: bytes, draw: random.Random, _: Target) -> bytes:
    return _with(data, draw, draw.choice((*BYTES, *NUMBERS)))


def _nested(data: bytes, draw: random.Random, _: Target) -> bytes:
    return _with(data, draw, draw.choice(NESTS) * draw.choice((1, 2, 40, 1000, 9000)))


def _numbered(data: bytes, draw: random.Random, _: Target) -> bytes:
    """One of the input's numbers becomes another."""
    places = [i for i in range(len(data)) if data[i : i + 1].isdigit() and not data[i - 1 : i].isdigit()]
    if not places:
        return data
    begin = draw.choice(places)
    end = next((i for i in range(begin, len(data)) if not data[i : i + 1].isdigit()), len(data))
    return data[:begin] + draw.choice(NUMBERS) + data[end:]


def _spliced(data: bytes, draw: random.Random, target: Target) -> bytes:
    other: Sequence[int] = draw.choice(target.examples)
    begin, end = _place(bytes(other), draw)
    return _with(data, draw, bytes(other[begin:end]))


CHANGES: tuple[Change, ...] = (
    *(_flipped, _cut, _ended, _repeated, _worded, _worded, _odd, _nested, _numbered, _spliced),
)
