"""
Does a job on Spark need more memory for a larger table? Peaks of the largest Python process and of the JVM.

The rate does not bind here, so the connector fills its buffer, 600 pages of 200 KB a task as Java objects: between two
tables that both fill it nothing may grow; a small table shows what a job at its rate needs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import BUCKET, export_options, import_options
from benchmarks.growth import measured
from benchmarks.measure.results import ResultRow
from benchmarks.measure.rounds import Spread
from benchmarks.measure.usage import Usage
from benchmarks.servers import serving

MIB = 1 << 20
HEAP = {"SPARK_SUBMIT_OPTS": "-XX:+UseSerialGC -XX:MaxHeapFreeRatio=20 -XX:MinHeapFreeRatio=10"}  # as small as it can
PLACE = f"s3://{BUCKET}/spark-memory"


def spark_memory_rows(*, item_counts: Sequence[int]) -> list[ResultRow]:
    """Two rows for each job: Python (driver or worker, whichever is larger) and JVM (driver and executor in one)."""
    points = [(item_count, _usages(item_count)) for item_count in item_counts]
    return [
        row_of(job, kind, [(count, usages[job]) for count, usages in points])
        for job in _commands()
        for kind in ("python", "java")
    ]


def row_of(job: str, kind: str, sizes: Sequence[tuple[int, Usage]]) -> ResultRow:
    """Peak of the largest process of that kind, largest table over smallest; sizes grow."""
    mib = [_peak(usage, kind) / MIB for _, usage in sizes]
    text = ", ".join(f"{count:,} items {value:.0f} MiB" for (count, _), value in zip(sizes, mib))
    return ResultRow(
        f"memory on Spark: {job}: {kind}, {sizes[-1][0] // sizes[0][0]}x items",
        "ours, Spark",
        "ratio",
        Spread.of([mib[-1] / mib[0]]),
        "<= 1.15 for 10x",
        text,
    )


def _peak(usage: Usage, kind: str) -> int:
    return max(peak for name, peak in usage.peak_pss_by_name.items() if name.startswith(kind))


def _commands() -> dict[str, tuple[str, ...]]:
    return {
        "export, connector": (*export_options("spark", "connector"), "--table", "items", "--output", PLACE),
        "import": import_options("spark", PLACE),
    }


def _usages(item_count: int) -> dict[str, Usage]:
    with (
        serving("--items", str(item_count), "--warm-segments", "8") as servers,
        tempfile.TemporaryDirectory(prefix="spark-memory-") as folder,
    ):
        return {job: measured(job, command, servers, Path(folder), env=HEAP) for job, command in _commands().items()}
