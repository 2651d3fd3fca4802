"""
Interleaved rounds: every contender once a round, each round beginning with another one.

On a shared machine a slow minute hits whoever runs in it. Rotation spreads that over all, and a fixed piece of work
before and after each run tells how much of the machine was there.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

SPIN_LOOPS = 2_000_000
NOISE_LIMIT = 0.30  # fixed beforehand: a run is dropped when the machine was this much slower than at its best


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of repeated measurements."""

    low: float
    median: float
    high: float
    count: int

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        return Spread(min(values), statistics.median(values), max(values), len(values))


@dataclass(frozen=True)
class Sample:
    """One contender's figures in one round, and the slower of the two spins around it."""

    contender: str
    round_number: int
    spin_s: float
    figures: dict[str, float]


def rotation(contenders: Sequence[str], round_number: int) -> list[str]:
    """The order of a round: ABCD, BCDA, CDAB ..."""
    shift = round_number % len(contenders)
    return [*contenders[shift:], *contenders[:shift]]


def run_rounds(
    contenders: Mapping[str, Callable[[], dict[str, float]]], *, count: int, spin: Callable[[], float]
) -> Iterator[Sample]:
    """Run all contenders `count` times, interleaved; yields each sample as it is made."""
    for round_number in range(count):
        for name in rotation(list(contenders), round_number):
            before_s = spin()
            figures = contenders[name]()
            yield Sample(name, round_number, max(before_s, spin()), figures)


def quiet(samples: Sequence[Sample]) -> list[Sample]:
    """The samples taken while the machine was at most 30 % slower than at its best."""
    limit_s = (1 + NOISE_LIMIT) * min((sample.spin_s for sample in samples), default=0.0)
    return [sample for sample in samples if sample.spin_s <= limit_s]


def spreads(samples: Sequence[Sample], figure: str) -> dict[str, Spread]:
    """One figure of every contender that has it."""
    values: dict[str, list[float]] = {}
    for sample in samples:
        if figure in sample.figures:
            values.setdefault(sample.contender, []).append(sample.figures[figure])
    return {name: Spread.of(found) for name, found in values.items()}


def ratio(samples: Sequence[Sample], figure: str, *, of: str, to: str) -> Spread | None:
    """`of` / `to` taken within each round, then spread over the rounds; None when they share no round."""
    by_round: dict[int, dict[str, float]] = {}
    for sample in samples:
        if figure in sample.figures:
            by_round.setdefault(sample.round_number, {})[sample.contender] = sample.figures[figure]
    ratios = [found[of] / found[to] for found in by_round.values() if of in found and found.get(to)]
    return Spread.of(ratios) if ratios else None


def spin_s(loops: int = SPIN_LOOPS) -> float:
    """Wall seconds that a fixed piece of work takes now."""
    started_s = time.perf_counter()
    total = 0
    for number in range(loops):
        total += number
    return time.perf_counter() - started_s
