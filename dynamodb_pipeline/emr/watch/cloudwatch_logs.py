"""
What a run's steps printed, read from CloudWatch Logs where the cluster sends it there (`--cloudwatch-logs`): within
seconds, while S3 has it every five minutes.

EMR names the streams by a prefix that the request gives; a schedule's runs share one, so that events are taken of the
cluster's own life, and of streams that name no other cluster.
https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-logging-cw.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dynamodb_pipeline.aws.api_errors import error_code, is_denied
from dynamodb_pipeline.emr.calls.clusters import ClusterView

CLUSTER_ID = re.compile(r"\bj-[A-Z0-9]+")
OVERLAP_MS = 60_000  # streams of several nodes arrive out of order


class CloudWatchLogs:
    """
    The log events of one cluster, each handed out once.

    Args:
        logs: client of CloudWatch Logs.
        cluster: with its log group.
    """

    def __init__(self, logs: Any, cluster: ClusterView):
        self._logs, self._cluster = logs, cluster
        self.group = cluster.log_group or ""
        self._since_ms = milliseconds(cluster.created) if cluster.created else 0
        self._seen: dict[str, int] = {}
        self._stream = ""
        self.problem: str | None = None

    def new_lines(self) -> Iterator[str]:
        """What has come since the last call, a heading before the lines of another stream; `problem` says why not."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield from self._new_lines()
        except (BotoCoreError, ClientError) as err:
            self.problem = f"CloudWatch Logs does not answer ({error_code(err)}); the logs in S3 are read instead"
            if is_denied(err):
                self.problem = f"logs:FilterLogEvents on {self.group} is not allowed; reading from S3"

    def _new_lines(self) -> Iterator[str]:
        latest_ms = self._since_ms
        for event in self._events():
            latest_ms = max(latest_ms, event["timestamp"])
            name = f"{event['logStreamName']} {event['eventId']}"
            if name in self._seen:
                continue
            self._seen[name] = event["timestamp"]
            if event["logStreamName"] != self._stream:
                self._stream = event["logStreamName"]
                yield f"==> {self.group} {self._stream} <=="
            yield from event["message"].splitlines()
        self._since_ms = max(self._since_ms, latest_ms - OVERLAP_MS)
        self._seen = {name: at_ms for name, at_ms in self._seen.items() if at_ms >= self._since_ms}

    def _events(self) -> Iterator[dict[str, Any]]:
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.group,
            logStreamNamePrefix=self._cluster.log_streams,
            startTime=self._since_ms,
        )
        for page in pages:
            yield from (event for event in page.get("events", []) if self._is_ours(event["logStreamName"]))

    def _is_ours(self, stream: str) -> bool:
        named = CLUSTER_ID.findall(stream)
        return not named or self._cluster.id in named


def milliseconds(moment: datetime) -> int:
    """Since 1970, as CloudWatch counts."""
    return int(moment.timestamp() * 1000)
