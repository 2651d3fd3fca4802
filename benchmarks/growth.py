"""
Does the cost grow with the work alone? CPU and memory over tables of growing size.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import BUCKET, OWN, export_options, import_options
from benchmarks.measure.results import ResultRow
from benchmarks.measure.rounds import Spread
from benchmarks.measure.usage import Command, Usage, run_measured
from benchmarks.servers import PROJECT, Servers, serving

MIB = 1 << 20
START_ITEM_COUNT = 1000
START_RUNS = 3


def growth_rows(*, item_counts: Sequence[int]) -> list[ResultRow]:
    """Slope of CPU over items (start-up subtracted) and peak memory from the smallest size to the largest."""
    starts = [_point(START_ITEM_COUNT) for _ in range(START_RUNS)]
    sizes = [_point(item_count) for item_count in item_counts]
    rows: list[ResultRow] = []
    for verb in _commands():
        start_cpu_s = statistics.median(point.usages[verb].cpu_s for point in starts)
        rows += rows_of(verb, [(point.item_count, point.usages[verb]) for point in sizes], start_cpu_s=start_cpu_s)
    return rows


@dataclass(frozen=True)
class Point:
    """One size: what its export and its import cost."""

    item_count: int
    usages: dict[str, Usage]


def _point(item_count: int) -> Point:
    with (
        serving("--items", str(item_count), "--warm-segments", "8") as servers,
        tempfile.TemporaryDirectory(prefix="growth-") as folder,
    ):
        usages = {verb: measured(verb, command, servers, Path(folder)) for verb, command in _commands().items()}
    return Point(item_count, usages)


def rows_of(verb: str, sizes: Sequence[tuple[int, Usage]], *, start_cpu_s: float) -> list[ResultRow]:
    """Two rows for one verb; sizes grow."""
    net = [(items, usage.cpu_s - start_cpu_s) for items, usage in sizes]
    text = ", ".join(f"{items:,} items {cpu_s:.2f} s" for items, cpu_s in net)
    slopes = [slope([one, other]) for one, other in zip(net, net[1:])]
    memory = [usage.peak_pss_bytes / MIB for _, usage in sizes]
    return [
        ResultRow(
            f"growth: {verb}: log-log slope of CPU",
            "ours, no JVM",
            "",
            Spread.of([slope(net)]),
            "0.95-1.05",
            f"{text}; pairwise {min(slopes):.2f} to {max(slopes):.2f}",
        ),
        ResultRow(
            f"growth: {verb}: peak memory, largest / smallest",
            "ours, no JVM",
            "ratio",
            Spread.of([memory[-1] / memory[0]]),
            "<= 1.15 for 10x",
            ", ".join(f"{items:,} items {mib:.0f} MiB" for (items, _), mib in zip(sizes, memory)),
        ),
    ]


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Least squares through the logarithms: 1.0 is proportional."""
    xs = [math.log(items) for items, _ in points]
    ys = [math.log(max(cpu_s, 1e-3)) for _, cpu_s in points]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys))
    return over / sum((x - middle_x) ** 2 for x in xs)


def _commands() -> dict[str, tuple[str, ...]]:
    place = f"s3://{BUCKET}/{OWN}"
    return {
        "export": (*export_options("process", "direct"), "--table", "items", "--output", place),
        "import": import_options("process", place),
    }


def measured(
    verb: str, command: tuple[str, ...], servers: Servers, folder: Path, *, env: Mapping[str, str] | None = None
) -> Usage:
    """Run one command against the servers. Raises RuntimeError with its last words when it fails."""
    log = folder / f"{verb}.log"
    usage = run_measured(Command(command, log, env={**servers.env, **(env or {})}, cwd=PROJECT))
    if usage.exit_code != 0:
        raise RuntimeError(f"{verb}: exit {usage.exit_code}: {log.read_text()[-2000:]}")
    return usage
