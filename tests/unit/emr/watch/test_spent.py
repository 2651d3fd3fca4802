"""What a run was planned to cost travels with its cluster; what it came to is the plan's prices by what was used."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from dynamodb_pipeline.emr.calls.clusters import ClusterView
from dynamodb_pipeline.emr.watch.spent import (
    PLAN_TAG,
    cluster_of_run,
    is_on_standing,
    spent,
    spent_line,
    spent_on_standing,
)
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


def test_of_a_schedule_the_cluster_alone_is_known() -> None:
    cost = spent(cluster(tag=PlannedCost.of_hour(2.0).tag()), [{"read_units_consumed": 5.0}])
    assert cost == {
        "planned_usd": None, "actual_usd": 1.5, "cluster_usd": 1.5, "units_usd": None, "other_usd": None,
        "cluster_s": 2700,
    }  # fmt: skip
    assert PlannedCost.from_tag("hour=2.0000") == PlannedCost(None, 2.0, None, None)
    words = "(cluster $1.50); units of tables on demand: not counted; list prices, no bill"
    assert spent_line(cost) == f"cost: about $1.50 {words}"


def test_on_a_standing_cluster_units_alone_are_known() -> None:
    records = [{"usd_per_hour": 0.0, "usd_per_million_units": 0.125, "read_units_consumed": 2_000_000}]
    assert is_on_standing(records)
    assert not is_on_standing([{"usd_per_hour": 0.5}, {"usd_per_hour": "x"}, {}])
    cost = spent_on_standing(records)
    assert (cost["actual_usd"], cost["cluster_usd"], cost["units_usd"]) == (0.25, None, 0.25)
    line = "cost: about $0.25 (units $0.25); share of a standing cluster: not counted; list prices, no bill"
    assert spent_line(cost) == line


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
    status = {"State": "TERMINATED", "Timeline": {"CreationDateTime": BEGAN}}
    others: list[Any] = [{"Id": "j-0", "Name": "dynamodb-pipeline-export-run-12", "Status": status}]
    s3 = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(emr) as stub:
        stub.add_response(
            "list_clusters", {"Clusters": [*others, {"Id": "j-1", "Name": "p-export-run-1", "Status": status}]}, window
        )
        described = {"Id": "j-1", "Status": status}
        stub.add_response("describe_cluster", {"Cluster": described}, {"ClusterId": "j-1"})
        found = cluster_of_run(emr, s3, "run-1", started=BEGAN)
        stub.add_response("list_clusters", {"Clusters": others}, window)
        assert cluster_of_run(emr, s3, "run-1", started=BEGAN) is None
    assert found is not None
    assert (found.id, found.created) == ("j-1", BEGAN)


def test_the_cluster_of_a_schedules_run_is_found_by_the_record_of_its_job() -> None:
    """Its name says the schedule and a moment; another schedule's cluster was there at the same time."""
    run, logs = "20201123T030500Z-00c0ffee", "s3://pipeline-logs/app"
    began = BEGAN.replace(year=2020)  # before the record, whatever day it is
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    emr, s3 = (boto3.client(name, region_name="eu-west-1", **keys) for name in ("emr", "s3"))
    status = {"State": "TERMINATED", "Timeline": {"CreationDateTime": began}}
    clusters = [
        {"Id": f"j-{name}", "Name": f"p@{name}:export:2020-11-23T03:00:00Z", "Status": status} for name in ("a", "b")
    ]

    def step(table: str) -> dict[str, Any]:
        words = ["spark-submit", "s3://x/export_table.py", "--table", table, "--logs", logs]
        timeline = {"StartDateTime": began, "EndDateTime": began + timedelta(minutes=30)}
        return {"Id": "s-1", "Config": {"Args": words}, "Status": {"State": "COMPLETED", "Timeline": timeline}}

    with mock_aws(), Stubber(emr) as stub:
        s3.create_bucket(Bucket="pipeline-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        record = {"run_id": run, "kind": "export", "table_names": ["Forum"]}
        s3.put_object(Bucket="pipeline-logs", Key=f"app/runs/{run}/run.json", Body=json.dumps(record).encode())
        stub.add_response("list_clusters", {"Clusters": clusters})
        for cluster, table in (("j-a", "Thread"), ("j-b", "Forum")):
            stub.add_response("list_steps", {"Steps": [step(table)]}, {"ClusterId": cluster})
        stub.add_response("describe_cluster", {"Cluster": {"Id": "j-b", "Status": status}}, {"ClusterId": "j-b"})
        found = cluster_of_run(emr, s3, run, started=began + timedelta(minutes=5))
    assert found is not None
    assert found.id == "j-b"
