"""
All benchmarks, one results file.

    python -m benchmarks [--quick] [--only cpu,rates,growth,memory] [--rounds 5] [--items 300000]
    python -m benchmarks --only ten-billion --name ten-billion

Writes benchmarks/results/<name>.md and .json, and prints the table. Quick runs show that everything works; their
figures are not worth keeping and go to a file of their own.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from datetime import datetime, timezone

from benchmarks.cpu import cpu_rows
from benchmarks.growth import growth_rows
from benchmarks.measure.machine import machine_note
from benchmarks.measure.results import ResultRow, Results, write_results
from benchmarks.rates import rate_cases, rate_rows
from benchmarks.spark_memory import spark_memory_rows
from benchmarks.ten_billion import ten_billion_rows
from dynamodb_pipeline.workers.spark_session import COLLECTOR

SECTIONS = ("cpu", "rates", "growth", "memory")  # and "ten-billion", which is only run when it is asked for
FULL_ITEMS, QUICK_ITEMS = 300_000, 20_000
FULL_ROUNDS, FEWEST_ROUNDS, QUICK_ROUNDS = 5, 3, 1
MEMORY, QUICK_MEMORY = (10_000, 300_000, 1_000_000), (2_000, 20_000)
GROWTH, QUICK_GROWTH = (30_000, 100_000, 300_000, 1_000_000), (20_000, 100_000)


def arguments(argv: list[str]) -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas")
    parser.add_argument("--comparison", default="", help="part of a cpu comparison's title, such as 'gzip'")
    parser.add_argument("--contender", default="", help="pattern of contenders' names, such as 'no JVM|boto3'")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--items", type=int)
    parser.add_argument("--name", help="name of the results file")
    options = parser.parse_args(argv)
    options.only = options.only.split(",")
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else FULL_ROUNDS)
    if options.rounds < FEWEST_ROUNDS and not options.quick:
        parser.error(
            f"--rounds {options.rounds}: of two rounds nobody knows which is the odd one; give {FEWEST_ROUNDS}"
        )
    options.items = options.items or (QUICK_ITEMS if options.quick else FULL_ITEMS)
    options.name = options.name or ("quick" if options.quick else "full")
    return options


def run(options: argparse.Namespace) -> Results:
    """Measure the asked sections."""
    rows: list[ResultRow] = []
    remarks: list[str] = []
    if "cpu" in options.only:
        found, dropped = cpu_rows(
            item_count=options.items, round_count=options.rounds, only=options.comparison, contender=options.contender
        )
        rows += found
        remarks.append(f"items of 1,000 bytes and 10 attributes; {options.items:,} a run, {options.rounds} rounds")
        remarks += [*dropped, f"Java: {os.environ.get('JAVA_TOOL_OPTIONS', COLLECTOR)}, for every contender"]
    if "rates" in options.only:
        rows += rate_rows(rate_cases(quick=options.quick))
        remarks.append("rates: from the server's ledger, windows slide from the first request on")
    if "growth" in options.only:
        rows += growth_rows(item_counts=QUICK_GROWTH if options.quick else GROWTH)
    if "memory" in options.only:
        rows += spark_memory_rows(item_counts=QUICK_MEMORY if options.quick else MEMORY)
    if "ten-billion" in options.only:
        rows += ten_billion_rows(quick=options.quick)
    command = "python -m benchmarks " + " ".join(options.argv)
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    return Results(f"Benchmarks, {options.name}", command.strip(), today, machine_note(), tuple(rows), tuple(remarks))


def main(argv: list[str]) -> int:
    """Measure, write and print."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and contenders end with this process
    options = arguments(argv)
    options.argv = argv
    results = run(options)
    markdown, data = write_results(results, name=options.name)
    print(results.to_markdown())
    print(f"written to {markdown} and {data}", file=sys.stderr)
    return 0
