"""
What the work costs: CPU per item, memory, requests and units of every contender, in interleaved rounds.

Each contender runs twice a round: on the full table and on one of 1,000 items. The difference is the cost of the
items; the small run is the cost of starting, and there what is written is compared item by item.
"""

from __future__ import annotations

import itertools
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.contenders import GZIP, IMPORTS, PLAIN, Contender, Place, prepare_inputs, right_digest
from benchmarks.measure.results import ResultRow
from benchmarks.measure.rounds import Sample, quiet, ratio, run_rounds, spin_s, spreads
from benchmarks.measure.usage import Command, Usage, run_measured
from benchmarks.servers import PROJECT, serving

MAKER = "kilobyte"
SMALL_ITEM_COUNT = 1000
FEWEST_SAMPLES = 3
SEGMENTS = 4
MIB = 1 << 20
RIVALS_US = {  # CPU us per item of others for the same work, on the machine where the goals below were set
    "export, plain": ("connector saveAsTextFile", 36.0),
    "export, gzip": ("connector saveAsTextFile", 97.0),
    "import": ("boto3 batch_writer", 272.0),
}
GOALS_US = {
    ("export, plain", "ours, direct reader, no JVM"): 25.0,
    ("export, plain", "ours, direct reader"): 25.0,
    ("export, gzip", "ours, direct reader, no JVM"): 35.0,
    ("export, gzip", "ours, direct reader"): 35.0,
    ("import", "ours, own export, no JVM"): 40.0,
    ("import", "ours, own export"): 40.0,
    ("import", "ours, foreign file"): 100.0,
}
SHARES = {("export, plain", "ours, connector reader"): 1.15, ("export, gzip", "ours, connector reader"): 1.0}
FIGURES = {
    "cpu_us_per_item": "us/item",
    "start_cpu_s": "s",
    "items_per_s": "items/s",
    "peak_mib": "MiB PSS",
    "calls_per_mib": "calls/MiB",
    "units_to_ideal": "ratio",
    "log_bytes_per_100k_items": "bytes",
}


class WorkDiffers(RuntimeError):
    """A contender did not do the work; its figures mean nothing."""


@dataclass(frozen=True)
class Ground:
    """The full and the small place of one comparison."""

    full: Place
    small: Place

    def at(self, place: Place, name: str) -> Place:
        """The same place with a fresh folder."""
        return Place(place.servers, place.item_count, place.folder.parent / name, place.inputs)


COMPARISONS = (("export, plain", PLAIN), ("export, gzip", GZIP), ("import", IMPORTS))


def cpu_rows(
    *, item_count: int, round_count: int, only: str = "", contender: str = ""
) -> tuple[list[ResultRow], list[str]]:
    """Rows of the comparisons whose names contain `only`, contenders matching `contender`; and remarks on noise."""
    rows: list[ResultRow] = []
    remarks: list[str] = []
    for title, contenders in COMPARISONS:
        taking_part = [one for one in contenders if re.search(contender, one.name)]
        if only in title and taking_part:
            samples = _compare(taking_part, item_count=item_count, round_count=round_count)
            kept, remark = without_noise(samples)
            remarks.append(f"{title}: {remark}")
            rows += ratio_rows(title, samples) + _rows(title, kept)
    return rows, remarks


def without_noise(samples: Sequence[Sample]) -> tuple[Sequence[Sample], str]:
    """The quiet samples, unless a contender would be left with fewer than three; and what was done, in words."""
    kept = quiet(samples)
    dropped = len(samples) - len(kept)
    before, after = (Counter(one.contender for one in some) for some in (samples, kept))
    if any(after[name] < min(FEWEST_SAMPLES, count) for name, count in before.items()):
        return samples, f"busy machine, {dropped} of {len(samples)} samples were noisy and all are kept"
    return kept, f"{dropped} of {len(samples)} samples dropped as noisy"


def _compare(contenders: Sequence[Contender], *, item_count: int, round_count: int) -> list[Sample]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        full = stack.enter_context(
            serving("--items", str(item_count), "--maker", MAKER, "--warm-segments", str(SEGMENTS))
        )
        small = stack.enter_context(serving("--items", str(SMALL_ITEM_COUNT), "--maker", MAKER, "--digest-puts"))
        ground = Ground(
            Place(full, item_count, folder / "full", folder / "lines"),
            Place(small, SMALL_ITEM_COUNT, folder / "small", folder / "small-lines"),
        )
        if contenders[0] in IMPORTS:
            for place in (ground.full, ground.small):
                prepare_inputs(place, run=partial(_must_run, place, folder / "prepare.log"))
        numbers = itertools.count()
        measures = {one.name: partial(_measure, one, ground, numbers) for one in contenders}
        return [_told(sample) for sample in run_rounds(measures, count=round_count, spin=spin_s)]


def _told(sample: Sample) -> Sample:
    """The sample, shown to whoever waits for the rest."""
    print(
        f"round {sample.round_number + 1}: {sample.contender}: {sample.figures['cpu_us_per_item']:.1f} us/item "
        f"after {sample.figures['start_cpu_s']:.1f} s, spin {sample.spin_s:.3f} s",
        file=sys.stderr,
        flush=True,
    )
    return sample


def _measure(contender: Contender, ground: Ground, numbers: itertools.count[int]) -> dict[str, float]:
    small = ground.at(ground.small, f"run-{next(numbers)}")
    start = _run(contender, small)
    _check(contender, small)
    full = ground.at(ground.full, f"run-{next(numbers)}")
    usage = _run(contender, full)
    if contender.digest is None and contender in IMPORTS:
        _check_counts(contender, full)
    items = full.item_count - small.item_count
    ledger = full.servers.dynamodb.ledger()
    scans = [row for row in ledger if row.operation == "Scan"]
    figures = {
        "cpu_us_per_item": (usage.cpu_s - start.cpu_s) / items * 1e6,
        "start_cpu_s": start.cpu_s,
        "items_per_s": items / max(usage.wall_s - start.wall_s, 0.001),
        "peak_mib": usage.peak_pss_bytes / MIB,
        "log_bytes_per_100k_items": usage.output_bytes / full.item_count * 100_000,
    }
    if scans:
        size_bytes = full.servers.dynamodb.about["size_bytes"]
        figures["calls_per_mib"] = len(scans) / (size_bytes / MIB)
        figures["units_to_ideal"] = sum(row.units for row in scans) / (size_bytes / 8192)
    return figures


def _run(contender: Contender, place: Place) -> Usage:
    place.servers.dynamodb.reset()
    log = place.folder.with_suffix(".log")
    usage = run_measured(Command(contender.command(place), log, env=place.servers.env, cwd=PROJECT))
    if usage.exit_code != 0:
        raise WorkDiffers(f"{contender.name}: exit {usage.exit_code}: {log.read_text()[-2000:]}")
    return usage


def _must_run(place: Place, log: Path, argv: tuple[str, ...]) -> None:
    usage = run_measured(Command(argv, log, env=place.servers.env, cwd=PROJECT))
    if usage.exit_code != 0:
        raise WorkDiffers(f"{' '.join(argv)}: exit {usage.exit_code}: {log.read_text()[-2000:]}")


def _check(contender: Contender, place: Place) -> None:
    """Item by item, on the small table."""
    right = right_digest(MAKER, place.item_count)
    if contender.digest is not None and contender.digest(place) != right:
        raise WorkDiffers(f"{contender.name}: its files do not hold the table's items")
    if contender in IMPORTS and place.servers.dynamodb.stats()["digest"] != right:
        raise WorkDiffers(f"{contender.name}: the table did not receive the export's items")


def _check_counts(contender: Contender, place: Place) -> None:
    stats = place.servers.dynamodb.stats()
    if stats["distinct_count"] != place.item_count or stats["foreign_count"]:
        raise WorkDiffers(f"{contender.name}: {stats} instead of {place.item_count} items")


def _rows(title: str, samples: Sequence[Sample]) -> list[ResultRow]:
    return [
        ResultRow(f"{title}: {figure.replace('_', ' ')}", name, unit, spread, _reach(title, name, figure))
        for figure, unit in FIGURES.items()
        for name, spread in spreads(samples, figure).items()
    ]


def _reach(title: str, name: str, figure: str) -> str:
    goal_us = GOALS_US.get((title, name)) if figure == "cpu_us_per_item" else None
    return "" if goal_us is None else f"<= {goal_us:g}"


def ratio_rows(title: str, samples: Sequence[Sample]) -> list[ResultRow]:
    """
    CPU of an item beside the rival's of the same round: this says the same on a slow machine as on a fast one.

    Noisy samples count too: what slows one of a round slows the other.
    """
    rival, rival_us = RIVALS_US[title]
    rows = []
    for name in dict.fromkeys(sample.contender for sample in samples):
        spread = None if name == rival else ratio(samples, "cpu_us_per_item", of=name, to=rival)
        if spread is not None:
            goal_us, share = GOALS_US.get((title, name)), SHARES.get((title, name))
            note = "" if goal_us is None else f"{goal_us:g} / {rival_us:g} us"
            share = goal_us / rival_us if goal_us else share
            reach = f"<= {share:.2f}" if share else ""
            rows.append(ResultRow(f"{title}: cpu, share of {rival}", name, "ratio", spread, reach, note))
    return rows
