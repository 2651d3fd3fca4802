"""Another speed for a run: who is told, what is refused, what the next order is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynamodb_pipeline.documents import to_bytes
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.finished import RateOrder
from dynamodb_pipeline.folders.speed import OrderedBy, SpeedRequest, order_speed
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.progress import Goal, Sample, TimeSeries
from tests.unit.store.memory_store import MemoryStore

LOGS, RUN = "s3://bucket/logs", "20261129T030000Z-abcdef"
NOW = datetime(2026, 11, 29, 3, 30, tzinfo=timezone.utc)
ANN = OrderedBy("arn:aws:iam::123456789012:user/ann", NOW)


def record(run: str = RUN, state: str = "running", heartbeat: datetime = NOW, **more: Any) -> dict[str, bytes]:
    facts = {"run_id": run, "state": state, "heartbeat": f"{heartbeat:%Y-%m-%dT%H:%M:%SZ}", **more}
    return {f"{LOGS}/runs/{run}/run.json": to_bytes(facts)}


class Said:
    def __init__(self, *records: dict[str, bytes]) -> None:
        self.store, self.lines = MemoryStore({k: v for one in records for k, v in one.items()}), list[str]()

    def __call__(self, speed: str | None) -> dict[str, Any]:
        request = SpeedRequest(RUN, LOGS, speed)
        return order_speed(self.store, request, caller=lambda: ANN, say=self.lines.append)

    def stored(self, run: str = RUN) -> dict[str, Any]:
        return json.loads(self.store.get(f"{LOGS}/runs/{run}/rate.json"))


def test_a_percent_is_an_object_beside_the_record() -> None:
    said = Said(record())
    assert said("10%")["jobs"][0]["order"] == said.stored()
    assert said.stored() == {"percent": "10%", "paused": False, "by": ANN.arn, "at": "2026-11-29T03:30:00Z"}


def test_a_pause_keeps_the_percent_and_a_percent_ends_it() -> None:
    said, seen = Said(record()), list[tuple[Any, bool]]()
    for speed in ("pause", "10%", "pause", "continue", "pause", "50%"):
        said(speed)
        seen.append((said.stored()["percent"], said.stored()["paused"]))
    assert seen == [(None, True), ("10%", False), ("10%", True), ("10%", False), ("10%", True), ("50%", False)]
    assert f"{RUN}: its deadline counts on while it is paused" in said.lines


def test_every_table_of_a_run_is_told_and_other_runs_are_not() -> None:
    others = [f"{RUN}.Forum", f"{RUN}.Reply", f"{RUN}x", "other"]
    said = Said(*map(record, others))
    assert [job["run_id"] for job in said("10%")["jobs"]] == others[:2]
    assert sum(uri.endswith("rate.json") for uri in said.store.objects) == 3  # with that of the whole run


def context(store: MemoryStore, run: str) -> RunContext:
    nobody: Any = None
    return RunContext(nobody, store, nobody, nobody, run, f"{LOGS}/runs/{run}", "1", lambda: "", NOW)


def test_a_job_that_begins_later_finds_what_its_launch_was_told() -> None:
    said = Said(record(f"{RUN}.Forum"))
    said("10%")
    order = f"10% of the capacity, by {ANN.arn} at 2026-11-29T03:30:00Z"
    assert said.lines[-1] == f"jobs of run {RUN} that have yet to begin: {order}"
    said(None)
    assert said.lines[-1].endswith(order)
    later = context(said.store, f"{RUN}.my.table")
    assert later.rate_order() == RateOrder.from_json(said.stored())
    own = {**said.stored(), "percent": "50", "at": "2026-11-29T03:30:01Z"}
    said.store.put(f"{LOGS}/runs/{RUN}.my.table/rate.json", to_bytes(own))
    assert later.rate_order() == RateOrder.from_json(own)  # the newer of both


def test_the_order_of_a_run_is_for_no_other_run_whose_id_begins_so() -> None:
    said = Said(record(), record("other"))
    said("10%")
    assert not [line for line in said.lines if "yet to begin" in line]
    assert [context(said.store, run).rate_order() for run in (f"{RUN}.Forum", f"{RUN}x", "other")] == [None] * 3


def test_a_look_changes_nothing() -> None:
    said = Said(record(state="done"))
    assert said(None)["jobs"] == [{"run_id": RUN, "state": "done", "order": None}]
    assert said.lines == [f"{RUN}: has ended; its speed was: as it was started"]


SERIES = TimeSeries(clock=lambda: 0.0)
SERIES.begin(Goal("x", 40.0, "write units"), Sample(0, 0, {}, {"table": 40.0, "index:a": 20.0}))


@pytest.mark.parametrize(
    ("facts", "rate"),
    [
        ({"rate": "10% of 400 write units (provisioned) = 40/s"}, ": 10% of 400 write units (provisioned) = 40/s"),
        ({"tables": [{"rate": "A"}, {"rate": "B"}, {"error": "x"}, {"rate": "A"}]}, ": A; B"),
        (SERIES.facts(), ": 20.0 write units/s allowed"),
        ({"series": {"passes": [7]}}, ""),
        ({"tables": [7]}, ""),
    ],
    ids=["ended", "ended, several tables", "at work", "no series", "no table"],
)
def test_a_speed_that_nobody_changed_is_said_as_the_record_has_it(facts: dict[str, Any], rate: str) -> None:
    said = Said(record(**facts))
    said(None)
    assert said.lines == [f"{RUN}: as it was started{rate}"]


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([], "holds no run"),
        ([record(state="done")], f"^run {RUN} has ended"),
        ([record(f"{RUN}.Forum", state="failed")], f"^no job of run {RUN} is at work"),
    ],
)
def test_who_is_not_there_cannot_be_told(records: list[dict[str, bytes]], text: str) -> None:
    said = Said(*records)
    with pytest.raises(PreconditionError, match=text):
        said("10%")
    assert not any(uri.endswith("rate.json") for uri in said.store.objects)


def test_what_is_no_order_is_replaced() -> None:
    said = Said(record(), {f"{LOGS}/runs/{RUN}/rate.json": b"nonsense"})
    said("pause")
    assert said.stored()["paused"] is True


def test_a_run_without_a_sign_of_life_is_doubted() -> None:
    said = Said(record(heartbeat=NOW - timedelta(minutes=61)))
    said("10%")
    assert said.lines[-1].endswith("but its last sign of life is 61 minutes old")
