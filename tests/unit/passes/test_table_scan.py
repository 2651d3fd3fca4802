"""Parts that a scan for digests or keys shares with an export: requests, sizes, work on files without a table."""

from __future__ import annotations

import json
import pickle

import pytest

from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.dynamodb.requests import ScanRequest
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED, Consumed, Rated, counts_of
from dynamodb_pipeline.rate.budget import RateBudget
from dynamodb_pipeline.rate.work_size import MAX_SEGMENTS, segment_count, worker_count
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.run.progress import Counts, Goal, progress_line
from dynamodb_pipeline.workers.coordinator import Coordinator
from dynamodb_pipeline.workers.work_queue import WorkQueue
from dynamodb_pipeline.workers.worker import WorkerContext

MIB = 2**20


def test_a_scan_for_keys_asks_for_nothing_else() -> None:
    """Names go by placeholders: a key attribute may be called like a reserved word."""
    body = json.loads(ScanRequest("orders", attributes=("name", "a.b")).body())
    assert body["ProjectionExpression"] == "#a0,#a1"
    assert body["ExpressionAttributeNames"] == {"#a0": "name", "#a1": "a.b"}
    assert body["ReturnConsumedCapacity"] == "TOTAL"


def test_a_scan_for_items_asks_for_all_of_them() -> None:
    body = json.loads(ScanRequest("orders", start_key=b'{"id":{"S":"x"}}').body())
    assert {"ProjectionExpression", "ExpressionAttributeNames"} & body.keys() == set()
    assert body["ExclusiveStartKey"] == {"id": {"S": "x"}}


@pytest.mark.parametrize(
    ("table_bytes", "workers", "segments"),
    [(0, 1, 4), (600 * MIB, 1, 4), (100 * 1024 * MIB, 4, 200), (10**18, 1, MAX_SEGMENTS)],
)
def test_segments_follow_the_tables_size_and_the_workers(table_bytes: int, workers: int, segments: int) -> None:
    assert segment_count(table_bytes, workers=workers) == segments


@pytest.mark.parametrize(("rate", "slots", "workers"), [(1, 8, 1), (24, 8, 1), (400, 8, 2), (1e6, 8, 8)])
def test_workers_follow_the_rate(rate: float, slots: int, workers: int) -> None:
    assert worker_count(rate, slots=slots) == workers


def test_work_on_files_has_no_rate_and_says_none() -> None:
    rated = Rated.files_only("check s3://b/x", items=200)
    assert rated.rates == {}
    line = progress_line(rated.goal, Counts(50, 0.0), elapsed_s=10.0, recent_units_s=0.0)
    assert line == "check s3://b/x: 50 items, 25%, 30 s left"


def test_work_on_a_table_says_its_rate() -> None:
    goal = Goal("export orders", 100.0, "read units", None)
    line = progress_line(goal, Counts(50, 0.0), elapsed_s=10.0, recent_units_s=87.6)
    assert line == "export orders: 50 items, 87.6 of 100.0 read units/s allowed, 10 s"


def test_what_was_consumed_adds_up() -> None:
    first, second = Consumed({"table": 1.5}, 2.0, 1), Consumed({"table": 1.0, "index:by-n": 3.0}, 1.0, 0)
    assert first.plus(second) == Consumed({"table": 2.5, "index:by-n": 3.0}, 3.0, 1)
    assert NOTHING_CONSUMED.plus(first) == first


def test_the_drivers_clients_and_its_stop_flag_do_not_travel() -> None:
    shared = object()
    context = WorkerContext(AwsSettings("eu-west-1"), (("SSEKMSKeyId", "k"),), shared, RunLifetime().sleep)
    assert context.clients() is shared
    elsewhere = pickle.loads(pickle.dumps(context))
    assert (elsewhere, elsewhere.shared, elsewhere.sleep) == (context, None, None)


def test_counts_say_the_rate_that_the_budget_has_now() -> None:
    budget = RateBudget({"table": 100.0, "by-date": 40.0}, clock=lambda: 0.0)
    with Coordinator(budget, WorkQueue([])) as coordinator:
        before = counts_of(coordinator).allowed_units_s
        coordinator.set_rates({"table": 10.0, "by-date": 4.0})
        assert (before, counts_of(coordinator).allowed_units_s) == (40.0, 4.0)
