"""What a terminal shows of running jobs: read from their records, at the cost that was promised, and never an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from dynamodb_pipeline.emr.calls.clock import utc
from dynamodb_pipeline.emr.calls.clusters import ClusterView, StepView
from dynamodb_pipeline.emr.calls.console import TableRow
from dynamodb_pipeline.emr.request.steps import spark_submit_arguments
from dynamodb_pipeline.emr.watch.lifecycle import Ending, Outcome, RunTarget
from dynamodb_pipeline.emr.watch.run_records import LiveTables, job_result, table_row
from dynamodb_pipeline.emr.watch.run_report import RunReport
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.run.progress import Goal, Sample, TimeSeries
from dynamodb_pipeline.run.record import time_text
from tests.unit.emr.aws import LOGS, LOGS_URI, REGION, Account, now_clock
from tests.unit.emr.builders import CODE, RUN, a_job
from tests.unit.emr.fakes import client_error

GOAL = Goal("export Forum", 100.0, "read units", 4_000)


def a_step(table: str = "Forum", *, state: str = "RUNNING", run_id: str = RUN, began_s: float = 0.0) -> StepView:
    job = a_job(table, run_id=run_id, extra=("--logs", LOGS_URI))
    arguments = tuple(spark_submit_arguments(job, verb="export", code=CODE, conf={}))
    started = None if state == "PENDING" else utc(began_s)
    return StepView(f"s-{table}", f"dynamodb-pipeline:export:{table}:{run_id}", state, arguments, started=started)


def series(seconds: int, *, units_s: float = 80.0, goal: Goal = GOAL, resources: tuple[str, ...] = ("table",)) -> Any:
    """A job that reads ten items a second, twice as fast from the hundredth on."""
    now_s = [1000.0]
    made = TimeSeries(clock=lambda: now_s[0])
    one = made.begin(goal, Sample(0, 0, {}, dict.fromkeys(resources, goal.allowed_units_s)))
    units = items = 0.0
    for second in range(1, seconds + 1):
        now_s[0] += 1
        faster = 2 if second > 100 else 1
        units, items = units + units_s * faster, items + 10 * faster
        allowed = dict.fromkeys(resources, goal.allowed_units_s)
        made.add(one, Sample(int(items), int(second > 50), dict.fromkeys(resources, units), allowed))
    return made.facts()


def a_record(seconds: int, *, at_s: float = 0.0, **changes: Any) -> dict[str, Any]:
    beat = {"heartbeat": time_text(utc(at_s)), "state": "running", "run_id": RUN}
    return {**beat, **series(seconds), **changes}


def test_a_row_says_what_the_record_says() -> None:
    row = table_row(a_step(), a_record(60, at_s=100.0), at_s=100.0)
    assert row == TableRow("Forum", "running", 0.15, 600, 80.0, 100.0, 1, 340.0, "export Forum")


def test_the_rate_is_the_mean_of_the_promised_window() -> None:
    """Not of the last moment, and not of the whole run: from the hundredth second on it reads twice as fast."""
    assert table_row(a_step(), a_record(110), at_s=0.0).units_s == 160.0
    assert table_row(a_step(), a_record(105), at_s=0.0).units_s == 120.0
    slow = series(110, goal=Goal("export Forum", 20.0, "read units", 4_000))
    assert table_row(a_step(), slow, at_s=0.0).units_s == pytest.approx((50 * 80 + 10 * 160) / 60)


def test_after_a_change_the_mean_is_of_what_came_since() -> None:
    """From the 101st second on twice as much is allowed, and twice as much is taken."""
    record = series(105)
    for point in record["series"]["passes"][0]["points"][101:]:
        point[4] = 200.0
    row = table_row(a_step(), record, at_s=0.0)
    assert (row.units_s, row.allowed_units_s) == (160.0, 200.0)


def test_a_pause_has_no_time_that_is_left() -> None:
    record = series(105)
    for point in record["series"]["passes"][0]["points"][101:]:
        point[4] = 0.0
    assert table_row(a_step(), record, at_s=0.0).left_s is None


def test_the_time_left_goes_on_from_when_the_record_was_written() -> None:
    record = a_record(60, at_s=100.0)
    assert [table_row(a_step(), record, at_s=at).left_s for at in (100.0, 130.0, 9_999.0)] == [340.0, 310.0, 0.0]


def test_a_paused_table_says_so() -> None:
    order = {"percent": None, "paused": True, "by": "x", "at": "2026-11-23T03:00:00Z"}
    assert table_row(a_step(), a_record(60, rate_orders=[order]), at_s=0.0).state == "paused"
    assert (
        table_row(a_step(), a_record(60, rate_orders=[order, {**order, "paused": False}]), at_s=0.0).state == "running"
    )


def test_work_on_files_has_no_rate() -> None:
    row = table_row(a_step(), series(5, resources=()), at_s=0.0)
    assert (row.items, row.units_s, row.allowed_units_s) == (50, None, None)


@pytest.mark.parametrize(
    ("state", "word"), [("PENDING", "waiting"), ("COMPLETED", "done"), ("FAILED", "failed"), ("CANCELLED", "cancelled")]
)
def test_states_are_words(state: str, word: str) -> None:
    assert table_row(a_step(state=state), {}, at_s=0.0).state == word


def test_a_finished_table_has_the_items_of_its_result() -> None:
    record = a_record(60, tables=[{"table": "Forum", "items": 4_123}], items=None)
    row = table_row(a_step(state="COMPLETED"), record, at_s=0.0)
    assert (row.share, row.items, row.left_s) == (1.0, 4_123, None)


FOREIGN = {
    "no series": {},
    "series of an earlier version": {
        "series": {"passes": [{"label": "x", "unit": "read units", "points": [[0, 1, 2]]}]}
    },
    "no points": {"series": {"passes": [{"label": "x", "resources": [], "points": []}]}},
    "no passes": {"series": {"passes": []}},
    "text": {"series": "x"},
    "list": {"series": []},
    "texts in points": {"series": {"passes": [{"label": "x", "resources": [], "points": [["a", "b"]]}]}},
    "a pass that is none": {"series": {"passes": [None]}},
    "orders that are none": {"rate_orders": [7]},
}


@pytest.mark.parametrize("record", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_record_of_another_hand_leaves_the_row_without_counts(record: dict[str, Any]) -> None:
    assert table_row(a_step(), record, at_s=0.0) == TableRow("Forum", "running")


class Shown:
    """A board that remembers what it was to draw last."""

    rows: tuple[TableRow, ...] = ()

    def show(self, title: str, rows: Any, *, since_s: float) -> None:
        self.rows = tuple(rows)


class Scene:
    """Three tables of a run with a record of the first; `gets` are the requests for records, with what they brought."""

    def __init__(self, made: Account) -> None:
        self.s3, self.said, self.board = made.s3, list[str](), Shown()
        self.gets: list[tuple[str, int]] = []
        self.s3.meta.events.register("after-call.s3.GetObject", self._note, unique_id="scene")
        self.live = LiveTables(self.s3, self.board, say=self.said.append)
        self.now_s = made.clock.now()
        self.put = made.put_record

    def _note(self, http_response: Any, **_: Any) -> None:
        self.gets.append((http_response.url.partition("/runs/")[2], http_response.status_code))

    def look(self, *steps: StepView) -> tuple[TableRow, ...]:
        self.gets.clear()
        self.live.show(steps, title="cluster j-1 RUNNING", at_s=self.now_s, since_s=self.now_s)
        return self.board.rows


@pytest.fixture
def scene() -> Iterator[Scene]:
    with mock_aws():
        made = Account(now_clock())
        made.s3.create_bucket(Bucket=LOGS, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Scene(made)
        made.s3.meta.events.unregister("after-call.s3.GetObject", unique_id="scene")


def test_a_look_costs_one_get_for_each_table_that_runs(scene: Scene) -> None:
    scene.put(f"{RUN}.Forum", **a_record(60))
    forum = a_step(run_id=f"{RUN}.Forum", began_s=scene.now_s - 1_000_000)
    waiting, done = a_step("Thread", state="PENDING"), a_step("Reply", state="COMPLETED")
    rows = scene.look(forum, waiting, done)
    assert [(row.table, row.state, row.items) for row in rows] == [
        ("Forum", "running", 600), ("Thread", "waiting", None), ("Reply", "done", None),
    ]  # fmt: skip
    assert scene.gets == [(f"{RUN}.Forum/run.json", 200)]


def test_a_record_that_did_not_change_is_not_sent_again(scene: Scene) -> None:
    scene.put(RUN, **a_record(60))
    step = a_step(began_s=scene.now_s - 1_000_000)
    scene.look(step)
    assert scene.look(step)[0].items == 600
    assert scene.gets == [(f"{RUN}/run.json", 304)]
    scene.put(RUN, **a_record(90))
    assert scene.look(step)[0].items == 900
    assert scene.gets == [(f"{RUN}/run.json", 200)]


def test_a_table_that_has_ended_is_looked_at_once_more(scene: Scene) -> None:
    step = a_step(began_s=scene.now_s - 1_000_000)
    scene.look(step)
    scene.put(RUN, **a_record(60, items=4_123))
    ended = replace(step, state="COMPLETED")
    assert scene.look(ended)[0].items == 4_123
    assert scene.look(ended)[0].items == 4_123
    assert scene.gets == []


def test_a_record_that_is_missing_or_half_written_or_of_an_earlier_attempt_is_no_error(scene: Scene) -> None:
    step = a_step(began_s=scene.now_s - 1_000_000)
    assert scene.look(step) == (TableRow("Forum", "running"),)
    text = json.dumps(a_record(60))
    scene.s3.put_object(Bucket=LOGS, Key=f"app/runs/{RUN}/run.json", Body=text[: len(text) // 2].encode())
    assert scene.look(step) == (TableRow("Forum", "running"),)
    scene.put(RUN, **a_record(60))
    later = replace(step, started=utc(scene.now_s) + timedelta(days=3650))
    assert scene.look(later) == (TableRow("Forum", "running"),)
    assert scene.said == []


def test_a_record_that_may_not_be_read_is_said_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise client_error("AccessDenied", operation="GetObject", message="no", status=403)

    monkeypatch.setattr(scene.s3, "get_object", refuse)
    for _ in range(3):
        assert scene.look(a_step()) == (TableRow("Forum", "running"),)
    (line,) = scene.said
    assert line.startswith("note: no counts of the running tables: s3:GetObject was denied")


def test_a_job_without_logs_is_said_once(scene: Scene) -> None:
    bare = replace(a_step(), arguments=("spark-submit", "s3://x/export_table.py", "--table", "Forum"))
    for _ in range(3):
        assert scene.look(bare) == (TableRow("Forum", "running"),)
    assert scene.said == ["note: no counts of the running tables: their jobs were started without --logs"]
    assert scene.gets == []


def test_a_step_of_somebody_else_has_a_row_and_nothing_is_said(scene: Scene) -> None:
    foreign = StepView("s-1", "hive", "RUNNING", ("hive-script",))
    assert scene.look(foreign) == (TableRow("hive", "running"),)
    assert (scene.said, scene.gets) == ([], [])


@pytest.mark.parametrize(
    ("own", "way"), [({"resume": "x"}, "what was done is kept; to go on"), ({}, "nothing is kept")]
)
def test_a_job_that_had_begun_nothing_is_not_said_to_have_kept_anything(own: dict[str, Any], way: str) -> None:
    step = a_step(state="FAILED")
    result = job_result(step, {"run_id": RUN, "exit_code": 7, **own})
    outcome = Outcome(Ending.FINISHED, ClusterView("j-1", "export", "TERMINATED"), (step,))
    report = RunReport(RunTarget("j-1", RUN, REGION, ours=True), outcome, (result,), None, ExitCode.DENIED)
    assert [line.startswith(way) for line in report.lines() if f"--run-id {RUN}" in line] == [True]


@pytest.mark.parametrize("record", [{"run_id": RUN}, {}], ids=["recorded", "no record"])
def test_a_job_whose_cluster_was_ended_below_it_comes_with_the_command_that_goes_on(record: dict[str, Any]) -> None:
    step = a_step(state="FAILED")
    result = job_result(step, record)
    outcome = Outcome(Ending.CLUSTER_LOST, ClusterView("j-1", "export", "TERMINATED"), (step,))
    report = RunReport(RunTarget("j-1", RUN, REGION, ours=True), outcome, (result,), None, ExitCode.CLUSTER)
    ways = [line for line in report.lines() if line.startswith("what was done is kept; to go on: ")]
    assert len(ways) == len(record)  # where no record was begun there is nothing to go on with
    assert all(f"--run-id {RUN}" in way and "--table Forum" in way for way in ways)
