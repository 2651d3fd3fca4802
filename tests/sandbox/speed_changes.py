"""Changes the speed of a run at work, as people do, and judges each window by what was allowed in it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sandbox.metering import Call
from sandbox.metering_proxy import MeteringProxy
from tests.sandbox.cli import run_cli

WINDOW_S = 10.0
GRACE_S = 3.0  # between what the run does and what is seen of it
HELD_S = WINDOW_S + GRACE_S + 1  # so that a whole window lies inside of each speed


@dataclass(frozen=True)
class Speed:
    """What was allowed, and since when by the proxy's ledger: told to the run, and obeyed as it says itself."""

    told_s: float
    from_s: float
    units_per_s: float


@dataclass(frozen=True)
class Window:
    """The units of one window of `WINDOW_S` and the most that was allowed at any moment of it."""

    from_s: float
    units: float
    allowed_units: float


@dataclass
class SteeredRun:
    """
    A job at work behind a proxy.

    Attributes:
        operation: what costs units.
        full_units: what 100 % is.
        speeds: what was allowed so far, first at the start.
    """

    job: subprocess.Popen[bytes]
    proxy: MeteringProxy
    operation: str
    full_units: float
    speeds: list[Speed]
    lines: list[tuple[float, str]] = field(default_factory=list)
    reader: threading.Thread | None = None

    @classmethod
    def start(
        cls,
        words: Sequence[str],
        *,
        env: dict[str, str],
        proxy: MeteringProxy,
        operation: str,
        full: float,
        percent: int,
    ) -> SteeredRun:
        """Start the job at that percent and wait until it is at work."""
        command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *words, "--throughput-percent", str(percent)]
        job = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        run = cls(job, proxy, operation, full, [Speed(0.0, 0.0, percent / 100 * full)])
        run.reader = threading.Thread(target=run._read, daemon=True)
        run.reader.start()
        run.wait_for(lambda: len(proxy.of(operation)) > 5)
        return run

    def __enter__(self) -> SteeredRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.job.kill()
        self.job.wait()
        if self.reader is not None:
            self.reader.join(60)
        if self.job.stderr is not None:
            self.job.stderr.close()

    def _read(self) -> None:
        assert self.job.stderr is not None
        for line in self.job.stderr:
            self.lines.append((self.proxy.now_s(), line.decode(errors="replace")))

    def wait_for(self, holds: Callable[[], bool], *, most_s: float = 120) -> None:
        ends = time.monotonic() + most_s
        while not holds():
            assert self.job.poll() is None, self.text
            assert time.monotonic() < ends, self.text
            time.sleep(0.05)

    @property
    def text(self) -> str:
        return "".join(line for _, line in self.lines)

    def tell(self, words: Sequence[str], speed: str, *, env: dict[str, str]) -> None:
        """Give the order by `rate RUN`, wait until the run says that it obeys, and let it work so."""
        heard = len(self.lines)
        told_s = self.proxy.now_s()
        done = run_cli(["rate", *words[:1], speed, *words[1:]], env=env)
        assert done.code == 0, done.text
        self.wait_for(lambda: any(" by " in line and "rate: " in line for _, line in self.lines[heard:]))
        seen_s = next(at_s for at_s, line in self.lines[heard:] if " by " in line and "rate: " in line)
        self.speeds.append(Speed(told_s, seen_s, self._units_of(speed)))
        time.sleep(HELD_S)
        assert self.job.poll() is None, f"the data does not last:\n{self.text}"

    def _units_of(self, speed: str) -> float:
        if speed == "pause":
            return 0.0
        if speed == "continue":
            return next(each.units_per_s for each in reversed(self.speeds) if each.units_per_s)
        return float(speed.rstrip("%")) / 100 * self.full_units

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.job.terminate()
        return self.job.wait(120)

    def windows(self) -> Iterator[Window]:
        """Every window that begins or ends with a reply."""
        return windows_of(self.proxy.of(self.operation), self.speeds)

    def allowed_units(self) -> float:
        """The units allowed from the first reply until the last order was obeyed and held."""
        ends = [*(speed.from_s for speed in self.speeds[1:]), self.speeds[-1].from_s + HELD_S]
        first_s = self.proxy.of(self.operation)[0].time_s
        return sum(each.units_per_s * (end - max(first_s, each.from_s)) for each, end in zip(self.speeds, ends))


def windows_of(calls: Iterable[Call], speeds: Sequence[Speed]) -> Iterator[Window]:
    marks = sorted((call.time_s, call.units_of("table")) for call in calls)
    for at_s, _ in marks:
        for from_s in (at_s, at_s - WINDOW_S):
            units = sum(spent for second, spent in marks if from_s <= second <= from_s + WINDOW_S)
            yield Window(from_s, units, WINDOW_S * most_allowed(speeds, from_s, from_s + WINDOW_S))


def most_allowed(speeds: Sequence[Speed], from_s: float, until_s: float) -> float:
    """The highest allowance that may have been in force between two seconds; none is before it was told."""
    begins = [max(speed.told_s, speed.from_s - GRACE_S) for speed in speeds]
    ends = [*(speed.from_s + GRACE_S for speed in speeds[1:]), float("inf")]
    in_force = zip(speeds, begins, ends)
    return max(speed.units_per_s for speed, begin, end in in_force if begin < until_s and end > from_s)
