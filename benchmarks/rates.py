"""
Does the percentage hold? Consumed against allowed units in every window, as the server's own ledger has it.

Each case has servers of its own, so several run at once: they mostly wait.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import BUCKET, OWN, SLOTS, UNBOUND, export_options, import_options
from benchmarks.measure.rate_windows import Event, RateReport, consumption, rate_report
from benchmarks.measure.results import ResultRow
from benchmarks.measure.rounds import Spread
from benchmarks.replay_items import MAKERS
from benchmarks.servers import PROJECT, Servers, serving
from sandbox.faults.item_sizes import write_units
from sandbox.faults.ledger import LedgerRow

READ, WRITE = frozenset({"Scan"}), frozenset({"BatchWriteItem"})
AT_ONCE = 3
CAPACITY = 10_000
LOW_RATE = 25  # up to here the window is 60 s
SLACK_S = 240


@dataclass(frozen=True)
class RateCase:
    """
    One run at `rate` units per second, long enough for `seconds`.

    `change` is (second, new capacity): the table's capacity and so the allowed rate drop to it in mid-run.
    """

    title: str
    writes: bool
    rate: int
    tasks: int
    seconds: int
    maker: str = "kilobyte"
    engine: str = "process"
    reader: str = "direct"
    change: tuple[int, int] | None = None
    skew: float = 0.0

    @property
    def window_s(self) -> float:
        return 60.0 if self.rate <= LOW_RATE else 10.0

    @property
    def item_count(self) -> int:
        """As many items as the rate moves in that time."""
        sizes = [MAKERS[self.maker](number).size_bytes for number in (0, 1)]
        per_item = sum(map(write_units, sizes)) / 2 if self.writes else sum(sizes) / 2 / 8192
        return max(50, int(self.rate * self.seconds / per_item))


def rate_cases(*, quick: bool) -> list[RateCase]:
    """All cases, or the few of a quick look."""
    if quick:
        return [RateCase("write, 2 tasks", True, 300, 2, 15), RateCase("read, direct, 2 tasks", False, 300, 2, 15)]
    tasks = (1, 2, 8, 32)
    return [
        *(RateCase(f"write, {count} tasks", True, 800, count, 40) for count in tasks),
        *(RateCase(f"read, direct, {count} tasks", False, 800, count, 40) for count in tasks),
        *(RateCase(f"write, {count} Spark tasks", True, 800, count, 40, engine="spark") for count in (2, 8)),
        RateCase("write, items of 1 and 9 units", True, 800, 2, 40, maker="alternating"),
        RateCase("read, connector through the relay, 2 tasks", False, 400, 2, 40, engine="spark", reader="connector"),
        RateCase("read, connector through the relay, 8 tasks", False, 400, 8, 40, engine="spark", reader="connector"),
        *(RateCase(f"write, {rate} units/s", True, rate, 2, 150) for rate in (1, 5, 25)),
        *(RateCase(f"read, direct, {rate} units/s", False, rate, 2, 150) for rate in (1, 5, 25)),
        RateCase("write, capacity halved in mid-run", True, 800, 2, 90, change=(20, 400)),
        RateCase("read, capacity halved in mid-run", False, 800, 2, 90, change=(20, 400)),
        RateCase("read, half the data in one segment", False, 800, 2, 30, skew=0.5),
    ]


def rate_rows(cases: Sequence[RateCase]) -> list[ResultRow]:
    """Run the cases, a few at once, and make rows of what the ledgers say."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [row for rows in pool.map(run_case, cases) for row in rows]


def run_case(case: RateCase) -> list[ResultRow]:
    """One case's rows."""
    with serving(*_replay_options(case)) as servers, tempfile.TemporaryDirectory(prefix="rate-") as folder:
        if case.writes:
            _run(_export(OWN, rate=UNBOUND), servers, folder, timeout_s=SLACK_S)
            servers.dynamodb.reset()
        _run(_command(case), servers, folder, timeout_s=case.seconds * 3 + SLACK_S)
        ledger = servers.dynamodb.ledger()
    return rows_of(case, ledger)


def rows_of(case: RateCase, ledger: Sequence[LedgerRow]) -> list[ResultRow]:
    """What the ledger says of one case."""
    events = consumption(ledger, operations=WRITE if case.writes else READ)
    if case.change is not None:
        return [_reaction(case, events)]
    report = rate_report(events, allowed_per_s=case.rate, window_s=case.window_s)
    request = max(units for _, units in events)
    beyond = report.worst_beyond(worker_count=case.tasks, request_units=request)
    note = (
        f"first window {report.first:.3f}; less one request of {request:g} units for each task {beyond:.3f}; "
        f"{report.duration_s:.0f} s, {len(events)} requests"
    )
    title = f"rate: {case.title}, allowed {case.rate}/s"
    reach = "<= 1.10" if case.rate <= LOW_RATE else "<= 1.05"
    return [
        ResultRow(f"{title}: worst {case.window_s:g}-s window", "ours", "ratio", _one(report.worst), reach, note),
        ResultRow(f"{title}: mean", "ours", "ratio", _one(report.mean), ">= 0.90"),
        *([_tail(case, report)] if case.skew else []),
    ]


def _tail(case: RateCase, report: RateReport) -> ResultRow:
    ideal_s = report.units / case.rate
    return ResultRow(f"rate: {case.title}: wall / ideal", "ours", "ratio", _one(report.duration_s / ideal_s), "<= 1.3")


def _reaction(case: RateCase, events: Sequence[Event]) -> ResultRow:
    """Seconds from the change until no 10-s window is above the new rate any more."""
    assert case.change is not None
    second, rate = case.change
    changed_s = events[0][0] + second
    obeyed_s = changed_s
    for end_s, _ in events:
        inside = sum(units for when, units in events if end_s - 10 < when <= end_s)
        if end_s > changed_s and inside > 1.05 * 10 * rate:
            obeyed_s = end_s
    return ResultRow(
        f"rate: {case.title}: new rate obeyed after",
        "ours",
        "s",
        _one(obeyed_s - 10 - changed_s),
        "<= 60",
        "start of the last 10-s window above it, from the change",
    )


def _one(value: float) -> Spread:
    return Spread.of([value])


def _replay_options(case: RateCase) -> list[str]:
    capacity = case.rate if case.change else CAPACITY
    options = [
        "--items",
        str(case.item_count),
        "--maker",
        case.maker,
        "--read-units",
        str(capacity),
        "--write-units",
        str(capacity),
        "--skew",
        str(case.skew),
    ]
    if case.change is not None:
        second, rate = case.change
        options += ["--change", f"{second}:{rate}:{rate}"]
    return options


def _command(case: RateCase) -> tuple[str, ...]:
    """Our job at the case's rate; a change is followed only where the rate is a percentage."""
    if not case.writes:
        return _export("rated", rate=case.rate, case=case)
    rate = ("--throughput-percent", "100") if case.change else ("--write-units", str(case.rate))
    return import_options(case.engine, f"s3://{BUCKET}/{OWN}", tasks=case.tasks, rate=rate)


def _export(folder: str, *, rate: int, case: RateCase | None = None) -> tuple[str, ...]:
    engine, reader, tasks = (case.engine, case.reader, case.tasks) if case else ("process", "direct", SLOTS)
    units = ("--throughput-percent", "100") if case and case.change else ("--read-units", str(rate))
    place = f"s3://{BUCKET}/{folder}"
    return export_options(engine, reader, "--table", "items", "--output", place, tasks=tasks, rate=units)


def _run(command: Sequence[str], servers: Servers, folder: str, *, timeout_s: float) -> None:
    log = Path(folder) / "log"
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=servers.process_env(),
            cwd=PROJECT,
            timeout=timeout_s,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {log.read_text()[-2000:]}")
