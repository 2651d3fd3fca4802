"""The percentage holds for all tasks together, judged by a proxy that counts what DynamoDB reports."""

from __future__ import annotations

import pytest

from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.cli import run_cli
from tests.sandbox.tables import make_bucket, make_table, numbered

WINDOW_S = 10.0
SECONDS = 16  # well over a window, so that the windows bind


@pytest.mark.parametrize("tasks", [1, 4, 8])
def test_half_of_100_write_units_whatever_the_tasks(sandbox: Sandbox, tasks: int) -> None:
    """100 WCU at 50 %: every 10-s window <= 1.05 x 50 from the first second, at least 0.9 x 50 on average."""
    allowed = 50.0
    items = numbered(int(allowed * SECONDS), size=600)
    source = make_table(sandbox, read_units=20_000)
    source.put(items)
    env = sandbox.process_env()
    local = ["--local", "--engine", "process", "--region", "us-east-1"]
    output = ["--table", source.name, "--output", f"s3://{make_bucket(sandbox)}/x", "--segments", "16"]
    out = run_cli(["export", *local, *output, "--throughput-percent", "100"], env=env)
    target = make_table(sandbox, write_units=100)

    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        words = ["import", *local, "--table", target.name, "--input", out.result["export_uri"], "--tasks", str(tasks)]
        done = run_cli(
            [*words, "--throughput-percent", "50"], env=sandbox.process_env(AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
        )
        windows = proxy.windows(WINDOW_S, operation="BatchWriteItem")
        calls = proxy.of("BatchWriteItem")

    assert done.code == 0, done.text
    assert proxy.units(operation="BatchWriteItem") == len(items)
    assert windows.most_units <= 1.05 * allowed * WINDOW_S
    duration_s = calls[-1].time_s - calls[0].time_s
    assert len(items) / duration_s >= 0.9 * allowed
    assert done.result["write_units_consumed"] == len(items)
