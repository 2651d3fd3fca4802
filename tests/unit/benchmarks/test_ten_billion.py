"""The rehearsal of a large table, on small numbers."""

from __future__ import annotations

import pytest

from benchmarks.ten_billion import GOAL_HASHES, S3_S, coordinator_facts, files_facts, files_rows, keys_facts, keys_rows


def test_requests_of_an_export_of_few_files_are_counted() -> None:
    facts = files_facts(50)
    assert (facts["ledger_add_requests"], facts["ledger_resume_requests"]) == (50, 50 + 3)  # header twice, one listing
    rows = {row.figure: row for row in files_rows(50, facts)}
    start = rows["ten billion items: 50 files: import start"]
    assert start.spread.median == pytest.approx(facts["import_start_cpu_s"] + facts["import_start_requests"] * S3_S)


def test_keys_that_stand_twice_are_seen() -> None:
    assert keys_facts(2_000)["look_us_per_key"] > 0


def test_a_billion_keys_are_what_the_largest_number_says() -> None:
    few = {"spill_us_per_key": 9.0, "look_us_per_key": 9.0, "peak_mib": 60.0}
    many = {"spill_us_per_key": 1.0, "look_us_per_key": 2.0, "peak_mib": 69.0}
    rows = {row.figure.rpartition(": ")[2]: row for row in keys_rows([(1_000, few), (10_000, many)], part_peak_mib=700)}
    assert rows["cpu, extrapolated"].spread.median == 3.0 * GOAL_HASHES / 1e6
    assert rows["peak memory"].spread.median == 700


@pytest.mark.parametrize("pause_s", [0.0, 0.01])
def test_workers_of_a_process_are_served(pause_s: float) -> None:
    facts = coordinator_facts(3, pause_s=pause_s)
    assert (facts["workers"], facts["lost"], facts["grants"]) == (3, 0, 24)
