"""The kills on YARN as a test: all of them in `make faults`, what they cover in the CI."""

from __future__ import annotations

import os

import pytest

from tests.faults.spark_kills import JOBS, VICTIMS, Kill, main, never_struck, report


@pytest.mark.sandbox
@pytest.mark.yarn
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_every_kill_ends_well() -> None:
    """A hundred; goes on where it was stopped."""
    assert main(["--kills", os.environ.get("SPARK_KILLS", "0..99")]) == 0


def test_a_hundred_kills_strike_everybody_in_every_job() -> None:
    kills = [Kill.from_seed(seed) for seed in range(100)]
    wanted = {(job, victim) for job in JOBS for victim in VICTIMS if victim != "relay" or job == "export"}
    assert {(kill.job, kill.victim) for kill in kills} == wanted


def test_the_report_counts_those_that_were_struck() -> None:
    rows = [
        {"seed": 1, "job": "export --reader direct", "victim": "driver", "ok": True, "struck": 2, "fresh_starts": 0},
        {"seed": 2, "job": "import", "victim": "worker", "ok": True, "struck": 0, "fresh_starts": 0},
        {"seed": 3, "job": "import", "victim": "worker", "ok": False},
    ]
    assert report(rows) == "3 runs, {'export/driver': 1} killed, 2 done under their run id, 1 failed [3]"


def test_a_victim_that_is_never_found_is_no_proof() -> None:
    rows = [{"victim": "relay", "struck": 0}, {"victim": "worker", "struck": 0}, {"victim": "worker"}] * 2
    assert never_struck(rows) == ["worker"]
    assert never_struck([*rows, {"victim": "worker", "struck": 1}, {"victim": "relay", "struck": 0}]) == ["relay"]
