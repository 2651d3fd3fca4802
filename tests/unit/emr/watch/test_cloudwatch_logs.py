"""Log events of one cluster, each once, whatever other clusters' streams lie beside it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from dynamodb_pipeline.emr.calls.clusters import ClusterView, cluster_view
from dynamodb_pipeline.emr.watch.cloudwatch_logs import OVERLAP_MS, CloudWatchLogs

BEGAN_MS = 1_795_575_600_000
CREATED = datetime.fromtimestamp(BEGAN_MS / 1000, tz=timezone.utc)
CLUSTER = ClusterView("j-1AB", "n", "RUNNING", created=CREATED, log_group="/g", log_streams="pre")


def event(number: int, message: str, *, stream: str = "pre/j-1AB/s-1/STDERR", later_ms: int = 0) -> dict[str, Any]:
    return {
        "eventId": str(number), "logStreamName": stream, "timestamp": BEGAN_MS + later_ms, "message": message,
    }  # fmt: skip


def expected(since_ms: int) -> dict[str, Any]:
    return {"logGroupName": "/g", "logStreamNamePrefix": "pre", "startTime": since_ms}


@pytest.fixture
def logs() -> Any:
    return boto3.client("logs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


def test_each_event_comes_once_and_the_next_look_begins_where_none_can_be_missed(logs: Any) -> None:
    late = 3 * OVERLAP_MS
    sent = CloudWatchLogs(logs, CLUSTER)
    with Stubber(logs) as stub:
        first = [event(1, "a"), event(2, "b\nc", later_ms=late)]
        stub.add_response("filter_log_events", {"events": first}, expected(BEGAN_MS))
        assert list(sent.new_lines()) == ["==> /g pre/j-1AB/s-1/STDERR <==", "a", "b", "c"]
        again = [event(2, "b\nc", later_ms=late), event(3, "d", later_ms=late, stream="pre/j-1AB/s-1/STDOUT")]
        stub.add_response("filter_log_events", {"events": again}, expected(BEGAN_MS + late - OVERLAP_MS))
        assert list(sent.new_lines()) == ["==> /g pre/j-1AB/s-1/STDOUT <==", "d"]


def test_streams_of_another_cluster_are_left_out(logs: Any) -> None:
    """A schedule's clusters share the prefix; a stream that names no cluster is taken."""
    events = [event(1, "other", stream="pre/j-9ZZ/s-1/STDERR"), event(2, "ours", stream="pre-s-1")]
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": events}, expected(BEGAN_MS))
        assert list(CloudWatchLogs(logs, CLUSTER).new_lines()) == ["==> /g pre-s-1 <==", "ours"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ResourceNotFoundException", "CloudWatch Logs does not answer (ResourceNotFoundException)"),
        ("AccessDeniedException", "logs:FilterLogEvents on /g is not allowed"),
    ],
)
def test_where_cloudwatch_gives_nothing_it_is_said_why(logs: Any, code: str, said: str) -> None:
    sent = CloudWatchLogs(logs, CLUSTER)
    with Stubber(logs) as stub:
        stub.add_client_error("filter_log_events", code)
        assert list(sent.new_lines()) == []
    assert sent.problem is not None
    assert sent.problem.startswith(said)


@pytest.mark.parametrize(("enabled", "group"), [(True, "/g"), (False, None)])
def test_the_cluster_says_where_its_logs_go(enabled: bool, group: str | None) -> None:
    config = {"Enabled": enabled, "LogGroupName": "/g", "LogStreamNamePrefix": "pre"}
    described: Any = {
        "Id": "j-1", "Status": {"State": "RUNNING"},
        "MonitoringConfiguration": {"CloudWatchLogConfiguration": config},
    }  # fmt: skip
    assert cluster_view(described).log_group == group
