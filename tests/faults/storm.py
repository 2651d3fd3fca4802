"""
The storm: many seeds, one after another, resumable.

    python -m tests.faults.storm --seeds 0..999 [--processes 2] [--state FILE]
    python -m tests.faults.storm --seeds 17 --show

A seed that went well is not run again while the state file knows it; a seed that failed is printed with its whole
plan. The exit code is 0 when every seed of the range went well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from sandbox.stack import Sandbox
from tests.faults.scenario import Scenario
from tests.faults.storm_run import run_seed

STATE = Path(".sandbox") / "storm.jsonl"


def seeds_of(text: str) -> list[int]:
    """`7`, `0..999` (both ends included) or `1,5,9`."""
    first, dots, last = text.partition("..")
    return list(range(int(first), int(last) + 1)) if dots else [int(part) for part in text.split(",")]


def results(path: Path) -> dict[int, dict[str, Any]]:
    """The last result of every seed in the state file."""
    if not path.exists():
        return {}
    return {row["seed"]: row for row in map(json.loads, path.read_text().splitlines())}


def run_all(seeds: list[int], *, state: Path) -> None:
    """Run seeds in this process and append their results."""
    state.parent.mkdir(parents=True, exist_ok=True)
    with Sandbox() as sandbox, state.open("a") as rows:
        for seed in seeds:
            row = result(seed, sandbox)
            rows.write(json.dumps(row) + "\n")
            rows.flush()
            print("." if row["ok"] else f"\nFAILED\n{Scenario.from_seed(seed)}\n{row['error']}", end="", flush=True)


def result(seed: int, sandbox: Sandbox) -> dict[str, Any]:
    """One seed's row."""
    started_s = time.monotonic()
    scenario = Scenario.from_seed(seed)
    row: dict[str, Any] = {
        "seed": seed,
        "ok": True,
        "killed": scenario.killed,
        "lasting": scenario.lasting,
        "kinds": sorted({rule.kind for plan in (scenario.dynamodb, scenario.s3) for rule in plan.rules}),
    }
    try:
        story = run_seed(seed, sandbox)
        row |= {"attempts": story.attempts, "fresh_starts": story.fresh_starts}
    except Exception:
        row |= {"ok": False, "error": traceback.format_exc()}
    return {**row, "seconds": round(time.monotonic() - started_s, 2)}


def report(rows: list[dict[str, Any]]) -> str:
    """What the seeds together show."""
    failed = [row["seed"] for row in rows if not row["ok"]]
    kinds = Counter(kind for row in rows for kind in row["kinds"])
    killed = sum(row["killed"] for row in rows)
    return (
        f"{len(rows)} seeded runs, {len(kinds)} fault kinds, {killed} with a kill, "
        f"{sum(row['lasting'] for row in rows)} with a lasting fault, {len(failed)} failed {failed[:20]}"
    )


def main(argv: list[str]) -> int:
    """Run what is left of the range and report on all of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--seeds", default="0..999", type=seeds_of)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--state", type=Path, default=STATE)
    parser.add_argument("--again", action="store_true", help="run seeds that went well before, too")
    parser.add_argument("--show", action="store_true", help="print the scenarios and run nothing")
    options = parser.parse_args(argv)
    if options.show:
        print("\n\n".join(str(Scenario.from_seed(seed)) for seed in options.seeds))
        return 0
    known = {} if options.again else results(options.state)
    left = [seed for seed in options.seeds if not known.get(seed, {"ok": False})["ok"]]
    if options.processes > 1:
        _run_apart(left, options)
    elif left:
        run_all(left, state=options.state)
    rows = [row for seed, row in sorted(results(options.state).items()) if seed in set(options.seeds)]
    print("\n" + report(rows))
    return 0 if len(rows) == len(options.seeds) and all(row["ok"] for row in rows) else 1


def _run_apart(seeds: list[int], options: argparse.Namespace) -> None:
    """Deal the seeds to processes, each with a sandbox of its own."""
    processes = []
    for number in range(options.processes):
        share = ",".join(map(str, seeds[number :: options.processes]))
        if share:
            again = ("--again", "--seeds", share, "--state", str(options.state))
            processes.append(subprocess.Popen((sys.executable, "-m", "tests.faults.storm", *again)))
    for process in processes:
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
