"""The storm in short: some seeds of every sort, and every seed that ever failed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.faults.kinds import KINDS, Service
from sandbox.faults.plan import FaultPlan
from sandbox.stack import Sandbox
from tests.faults.scenario import Mode, Scenario
from tests.faults.storm import main, report, results, seeds_of
from tests.faults.storm_run import run_scenario, run_seed

SHORT = range(2030, 2040)  # none of `make faults`' own, so that CI adds to them
REGRESSIONS = {
    5: "stopped between `_export.json` and manifest: the rerun lost a race against itself",
    37: "killed between `_export.json` and manifest",
    107: "another object's content in place of the ledger's header was a KeyError",
    125: "an S3 body that broke off was no known error",
    176: "the body of an S3 error reply that broke off was no known error",
    1549: "after a restart somebody else's manifest was taken for our own",
}


@pytest.fixture(scope="module")
def storm_sandbox() -> Iterator[Sandbox]:
    """Servers of its own: the jobs' environment points at proxies before them."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.sandbox
@pytest.mark.parametrize("seed", SHORT)
def test_short_storm(storm_sandbox: Sandbox, seed: int) -> None:
    """Export and import survive, or fail and are resumed; the dict of items says so."""
    run_seed(seed, storm_sandbox)


@pytest.mark.sandbox
@pytest.mark.parametrize("seed", REGRESSIONS, ids=REGRESSIONS.get)
def test_seed_that_failed_once(storm_sandbox: Sandbox, seed: int) -> None:
    """As it was when it failed: seeds below a thousand had one mode of import and no faults of the control plane."""
    plans = {name.value: FaultPlan.from_seed(seed, name, control=False) for name in Service}
    run_scenario(replace(Scenario.from_seed(seed), mode=Mode.OWN, verified=False, **plans), storm_sandbox)


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_long_storm() -> None:
    """About a thousand seeds; goes on where it was stopped."""
    seeds = os.environ.get("STORM_SEEDS", "0..999")
    assert main(["--seeds", seeds, "--processes", "2"]) == 0


def test_short_storm_kills_and_spoils_for_good() -> None:
    """Its seeds are worth something: many kinds, some kills, some lasting faults."""
    scenarios = [Scenario.from_seed(seed) for seed in SHORT]
    kinds = {rule.kind for one in scenarios for plan in (one.dynamodb, one.s3) for rule in plan.rules}
    assert len(kinds) >= 40
    assert sum(one.killed for one in scenarios) >= 4
    assert sum(one.lasting for one in scenarios) >= 3
    assert {one.mode for one in scenarios} == set(Mode)
    assert sum(one.verified for one in scenarios) >= 4


def test_thousand_seeds_hold_every_kind_and_hundreds_of_kills() -> None:
    scenarios = [Scenario.from_seed(seed) for seed in range(1000)]
    kinds = {rule.kind for one in scenarios for plan in (one.dynamodb, one.s3) for rule in plan.rules}
    assert kinds == KINDS.keys()
    assert sum(one.killed for one in scenarios) >= 100
    assert min(Counter(one.mode for one in scenarios).values()) >= 150
    assert sum(one.verified for one in scenarios) >= 300


def test_scenario_is_a_function_of_its_seed() -> None:
    assert Scenario.from_seed(7) == Scenario.from_seed(7)
    assert str(Scenario.from_seed(7)).startswith("seed 7: ")


@pytest.mark.parametrize(("text", "seeds"), [("7", [7]), ("2..5", [2, 3, 4, 5]), ("1,5,9", [1, 5, 9])])
def test_seeds_are_read(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


def test_state_file_keeps_the_last_result_of_a_seed(tmp_path: Path) -> None:
    path = tmp_path / "storm.jsonl"
    path.write_text('{"seed": 1, "ok": false}\n{"seed": 1, "ok": true}\n')
    assert results(path)[1]["ok"]
    assert results(tmp_path / "none") == {}


def test_report_names_failed_seeds() -> None:
    rows = [
        {"seed": 1, "ok": True, "killed": True, "lasting": False, "kinds": ["slow"]},
        {"seed": 2, "ok": False, "killed": False, "lasting": False, "kinds": ["slow", "bit_flip"]},
    ]
    assert report(rows) == "2 seeded runs, 2 fault kinds, 1 with a kill, 0 with a lasting fault, 1 failed [2]"
