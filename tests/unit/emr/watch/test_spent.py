"""What a run was planned to cost travels with its cluster; what it came to is the plan's prices by what was used."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from dynamodb_pipeline.emr.calls.clusters import ClusterView
from dynamodb_pipeline.emr.watch.spent import PLAN_TAG, cluster_of_run, spent, spent_line
from dynamodb_pipeline.finished import units_done
from dynamodb_pipeline.settings.spark_conf import PlannedCost

BEGAN = datetime(2026, 11, 23, 3, tzinfo=timezone.utc)
# 30 min of a cluster of $2 an hour, a million units on demand at $0.125 (reads in us-east-1), a cent of S3
PLANNED = PlannedCost.of(total=1.135, units_usd=0.125, other=0.01, units=1_000_000, seconds=1800)


def cluster(*, minutes: float | None = 45, tag: str | None = None) -> ClusterView:
    ended = None if minutes is None else BEGAN + timedelta(minutes=minutes)
    tags = ((PLAN_TAG, PLANNED.tag() if tag is None else tag),)
    return ClusterView("j-1", "n", "TERMINATED", tags=tags, created=BEGAN, ended_at=ended)


def test_a_plan_is_read_back_from_its_tag() -> None:
    assert PLANNED.tag() == "total=1.1350 hour=2.0000 million=0.1250 other=0.0100"
    assert PlannedCost.from_tag(PLANNED.tag()) == PlannedCost(1.135, 2.0, 0.125, 0.01)


@pytest.mark.parametrize("text", ["", "total=1", "total=1.0000 hour=x", "total=nan hour=1 million=1 other=1"])
def test_what_somebody_else_wrote_there_is_no_plan(text: str) -> None:
    assert spent(cluster(tag=text), []) is None


def test_a_tag_has_only_characters_that_tags_may_have() -> None:
    """https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html: letters, digits,
    spaces and + - = . _ : / @, at most 256."""
    text = PlannedCost(12_345.678, 1e5, 1.25, 3.0).tag()
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789 +-=._:/@")
    assert len(text) <= 256


def test_what_a_run_came_to_is_its_cluster_by_the_hour_its_units_and_the_rest() -> None:
    """45 min at $2 are $1.50, two million units $0.25."""
    cost = spent(cluster(), [{"tables": [{"read_units_consumed": 1_500_000.0}, {"read_units_consumed": 500_000.0}]}])
    assert cost == {
        "planned_usd": 1.135, "actual_usd": 1.76, "cluster_usd": 1.5, "units_usd": 0.25, "other_usd": 0.01,
        "cluster_s": 2700,
    }  # fmt: skip
    line = "cost: about $1.76 (cluster $1.50, units $0.25, S3 $0.01), planned $1.14; list prices, no bill"
    assert spent_line(cost) == line.replace("1.14", f"{1.135:.2f}")


def test_a_minute_is_billed_at_least() -> None:
    cost = spent(cluster(minutes=0.1), [])
    assert cost is not None
    assert cost["cluster_usd"] == round(2 / 60, 4)


def test_a_cluster_that_still_runs_has_come_to_nothing_yet() -> None:
    assert spent(cluster(minutes=None), []) is None


def test_units_of_tables_and_indexes_count() -> None:
    record = {"write_units_consumed": 5.0, "index_units_consumed": {"index:a": 2.0}, "delete_units_consumed": None}
    assert units_done(record) == 7.0
    assert units_done({"read_units_consumed": True, "tables": "x"}) is None


def test_the_cluster_of_a_run_is_found_by_its_name_in_the_days_around_its_start() -> None:
    emr = boto3.client("emr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    day = timedelta(days=1)
    window = {"CreatedAfter": BEGAN - day, "CreatedBefore": BEGAN + day}
    others: list[Any] = [{"Id": "j-0", "Name": "dynamodb-pipeline-export-run-12"}]
    with Stubber(emr) as stub:
        stub.add_response("list_clusters", {"Clusters": [*others, {"Id": "j-1", "Name": "p-export-run-1"}]}, window)
        described = {"Id": "j-1", "Status": {"State": "TERMINATED", "Timeline": {"CreationDateTime": BEGAN}}}
        stub.add_response("describe_cluster", {"Cluster": described}, {"ClusterId": "j-1"})
        found = cluster_of_run(emr, "run-1", started=BEGAN)
        stub.add_response("list_clusters", {"Clusters": others}, window)
        assert cluster_of_run(emr, "run-1", started=BEGAN) is None
    assert found is not None
    assert (found.id, found.created) == ("j-1", BEGAN)
