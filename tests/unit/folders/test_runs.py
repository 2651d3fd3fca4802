"""The runs below a log folder: what each record says, and what of it is believed."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from dynamodb_pipeline.emr.watch.run_end import RunEnds
from dynamodb_pipeline.folders.runs import list_runs, run_lines
from tests.unit.emr.fakes import FakeClock
from tests.unit.store.memory_store import MemoryStore

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=timezone.utc)
LOGS = "s3://b1b/logs"
DONE = {
    "run_id": "run-1",
    "kind": "export",
    "table_names": ["Forum", "Reply"],
    "state": "done",
    "exit_code": 0,
    "first_started": "2026-11-23T03:00:00Z",
    "started": "2026-11-23T03:00:00Z",
    "ended": "2026-11-23T03:12:00Z",
    "heartbeat": "2026-11-23T03:12:00Z",
    "tables": [{"items": 12_000}, {"items": 400}],
}


COMMAND = "dynamodb-pipeline export --local --table Forum --logs s3://b1b/logs --run-id run1"


def completed(record: dict[str, Any]) -> dict[str, Any]:
    """By a clock alone: of a run of this machine nobody asks EMR."""
    clock = FakeClock()
    clock.time_s = NOW.timestamp()
    return RunEnds(lambda _: pytest.fail("asked"), clock=clock, attention=clock).completed(record)


def rows(**records: dict[str, Any]) -> list[dict[str, Any]]:
    store = MemoryStore(
        {f"{LOGS}/runs/{run_id}/run.json": json.dumps(record).encode() for run_id, record in records.items()}
    )
    return list(list_runs(store, LOGS, completed=completed, now=NOW)["runs"])


def test_a_finished_run_says_all_of_it() -> None:
    (row,) = rows(run1=DONE)
    assert row == {
        "run_id": "run1",
        "run_kind": "export",
        "tables": ["Forum", "Reply"],
        "state": "done",
        "started": "2026-11-23T03:00:00Z",
        "seconds": 720,
        "items": 12_400,
        "cost_usd": None,
        "on_standing_cluster": False,
        "exit_code": 0,
    }


def test_a_launched_run_says_what_it_cost_by_the_prices_of_its_launch() -> None:
    """12 minutes at $0.50 an hour, and 2 million read units at $0.125 a million."""
    prices = {"usd_per_hour": 0.5, "usd_per_million_units": 0.125}
    tables = [{"items": 1, "read_units_consumed": 1_500_000.0}, {"items": 1, "read_units_consumed": 500_000}]
    (row,) = rows(run1={**DONE, **prices, "tables": tables})
    assert row["cost_usd"] == 0.35
    (row,) = rows(run1={**DONE, "usd_per_hour": 0.5})
    assert row["cost_usd"] == 0.1
    (row,) = rows(run1={**DONE, "usd_per_hour": "0.5"})
    assert row["cost_usd"] is None


def test_a_run_on_a_standing_cluster_says_that_its_share_is_not_counted() -> None:
    prices = {"usd_per_hour": 0.0, "usd_per_million_units": 0.125}
    tables = [{"items": 1, "read_units_consumed": 2_000_000}]
    document = {"logs": "l", "runs": rows(run1={**DONE, **prices, "tables": tables}, run2=DONE)}
    lines = list(run_lines(document))
    assert [line.split()[-2] for line in lines if line.startswith("2026")] == ["-", "$0.25*"]
    assert lines[-2] == "* share of a standing cluster: not counted"
    assert not [line for line in run_lines({"logs": "l", "runs": rows(run2=DONE)}) if "standing" in line]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"exit_code": 130, "state": "failed"}, "interrupted"),
        ({"exit_code": 130, "state": "interrupted"}, "interrupted"),
        ({"exit_code": 5, "state": "failed"}, "failed"),
        ({"exit_code": None, "state": "running", "heartbeat": "2026-11-23T03:58:00Z"}, "running"),
        ({"exit_code": None, "state": "running", "heartbeat": "2026-11-23T03:50:00Z"}, "dead"),
    ],
)
def test_a_state_is_what_became_of_the_run(changes: dict[str, Any], state: str) -> None:
    record = {name: value for name, value in {**DONE, "ended": None, **changes}.items() if value is not None}
    assert rows(run1=record)[0]["state"] == state


def test_a_run_that_was_killed_is_told_with_how_it_is_known_and_how_to_go_on() -> None:
    killed = {**DONE, "state": "running", "heartbeat": "2026-11-23T03:50:00Z", "command": COMMAND}
    record = {name: value for name, value in killed.items() if name not in ("exit_code", "ended")}
    (row,) = rows(run1=record)
    error = "ended without a result: its process has given no sign of life since 2026-11-23 03:50:00 UTC"
    assert (row["state"], row["error"], row["resume"]) == ("dead", error, COMMAND)
    lines = list(run_lines({"logs": "l", "runs": [row]}))
    assert lines[3:5] == [f"  {error}", f"  to go on: {COMMAND}"]
    assert not {"error", "note", "resume"} & rows(run1=DONE)[0].keys()


def test_a_run_that_has_not_given_a_sign_of_life_yet_took_the_time_until_now() -> None:
    record = {name: value for name, value in DONE.items() if name not in ("exit_code", "ended", "tables")}
    young = {"state": "running", "heartbeat": "2026-11-23T03:59:20Z", "first_started": "2026-11-23T03:59:20Z"}
    (row,) = rows(run1={**record, **young})
    assert (row["state"], row["seconds"]) == ("running", 40)


def test_rows_for_a_narrow_terminal_name_what_they_count() -> None:
    (row,) = rows(run1={**DONE, "usd_per_hour": 0.5})
    assert list(run_lines({"logs": "l", "runs": [row]}, narrow=True))[:3] == [
        "2026-11-23 03:00:00  export  done",
        "  12 min, 12,400 items, $0.10, exit 0",
        "  run1  Forum, Reply",
    ]


def test_the_newest_stands_first_and_what_is_no_record_is_passed_over() -> None:
    later = {**DONE, "first_started": "2026-11-23T03:30:00Z"}
    store = MemoryStore(
        {
            f"{LOGS}/runs/run1/run.json": json.dumps(DONE).encode(),
            f"{LOGS}/runs/run2/run.json": json.dumps(later).encode(),
            f"{LOGS}/runs/run3/run.json": b"[]",
            f"{LOGS}/runs/run1/ledger/export/Forum/1": b"{}",
        }
    )
    document = list_runs(store, LOGS, completed=completed, now=NOW)
    assert [row["run_id"] for row in document["runs"]] == ["run2", "run1"]
    lines = list(run_lines(document))
    assert lines[-1] == f"2 runs below {LOGS}"
    assert max(map(len, lines)) <= 80


def test_a_folder_without_runs_says_so() -> None:
    assert list(run_lines(list_runs(MemoryStore({}), LOGS, completed=completed, now=NOW))) == [
        f"no run has left its record below {LOGS}"
    ]
