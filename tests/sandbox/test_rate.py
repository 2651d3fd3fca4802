"""The percentage holds for all tasks together, judged by a proxy that counts what DynamoDB reports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.tables import make_bucket, make_table, numbered

WINDOW_S = 10.0
SECONDS = 16  # well over a window, so that the windows bind
ALLOWED = 50.0
LOCAL = ("--local", "--engine", "process", "--region", "us-east-1")
TASKS = (1, 4, 8)


@pytest.fixture(scope="module")
def imports(sandbox: Sandbox) -> dict[int, tuple[Outcome, MeteringProxy]]:
    """One import for each number of tasks, into a table of its own; all at once, as they mostly wait."""
    source = make_table(sandbox, read_units=20_000)
    source.put(numbered(int(ALLOWED * SECONDS), size=600))
    output = ["--table", source.name, "--output", f"s3://{make_bucket(sandbox)}/x", "--segments", "16"]
    out = run_cli(["export", *LOCAL, *output, "--throughput-percent", "100"], env=sandbox.process_env())

    def run(tasks: int) -> tuple[Outcome, MeteringProxy]:
        target = make_table(sandbox, write_units=100)
        with MeteringProxy(sandbox.dynamodb_url) as proxy:
            words = ["--table", target.name, "--input", out.result["export_uri"], "--tasks", str(tasks)]
            env = sandbox.process_env(AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
            return run_cli(["import", *LOCAL, *words, "--throughput-percent", "50"], env=env), proxy

    with ThreadPoolExecutor(len(TASKS)) as pool:
        return dict(zip(TASKS, pool.map(run, TASKS), strict=True))


@pytest.mark.parametrize("tasks", TASKS)
def test_half_of_100_write_units_whatever_the_tasks(
    imports: dict[int, tuple[Outcome, MeteringProxy]], tasks: int
) -> None:
    """100 WCU at 50 %: every 10-s window <= 1.05 x 50 from the first second, at least 0.9 x 50 on average."""
    done, proxy = imports[tasks]
    calls = proxy.of("BatchWriteItem")

    assert done.code == 0, done.text
    assert done.result["write_units_consumed"] == proxy.units(operation="BatchWriteItem") == ALLOWED * SECONDS
    assert proxy.windows(WINDOW_S, operation="BatchWriteItem").most_units <= 1.05 * ALLOWED * WINDOW_S
    assert ALLOWED * SECONDS / (calls[-1].time_s - calls[0].time_s) >= 0.9 * ALLOWED
