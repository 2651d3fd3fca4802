"""The percentage holds for all tasks together, judged by a proxy that counts what DynamoDB reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, get_objects, put_backup, put_objects
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.tables import NONE, make_bucket, make_table, numbered

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
    """100 WCU at 50 %: never more than 50 for each second that has passed."""
    done, proxy = imports[tasks]
    assert done.code == 0, done.text
    assert done.result["write_units_consumed"] == proxy.units(operation="BatchWriteItem") == ALLOWED * SECONDS
    assert proxy.most_ahead(ALLOWED, operation="BatchWriteItem") <= 0.05 * ALLOWED * WINDOW_S


@pytest.mark.slow  # a machine that stands still for half a second moves calls from one window into another
@pytest.mark.parametrize("tasks", TASKS)
def test_every_window_holds_and_is_used(imports: dict[int, tuple[Outcome, MeteringProxy]], tasks: int) -> None:
    """Every 10-s window <= 1.05 x 50 from the first second, at least 0.9 x 50 on average."""
    _, proxy = imports[tasks]
    calls = proxy.of("BatchWriteItem")
    assert proxy.windows(WINDOW_S, operation="BatchWriteItem").most_units <= 1.05 * ALLOWED * WINDOW_S
    assert ALLOWED * SECONDS / (calls[-1].time_s - calls[0].time_s) >= 0.9 * ALLOWED


def test_an_order_is_obeyed_by_the_run_it_is_for(sandbox: Sandbox) -> None:
    """50 % of 100 units at the start, 10 % by an order that lies there: 60 items take 6 s and not 1."""
    bucket, target = make_bucket(sandbox), make_table(sandbox, write_units=100)
    backup = put_backup(sandbox, f"s3://{bucket}/backup", {"a": connector_lines(numbered(60))})
    ann = "arn:aws:iam::123456789012:user/ann"
    order = {"percent": "10%", "paused": False, "by": ann, "at": "2026-11-29T03:00:00Z"}
    put_objects(sandbox, f"s3://{bucket}/logs/runs/slow-one", {"rate.json": json.dumps(order).encode()})
    state = ("--logs", f"s3://{bucket}/logs", "--run-id", "slow-one", "--throughput-percent", "50")
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        env = sandbox.process_env(AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
        done = run_cli(["import", *LOCAL, "--table", target.name, "--input", backup, *state], env=env)
        assert done.code == 0, done.text
    calls = proxy.of("BatchWriteItem")
    assert calls[-1].time_s - calls[0].time_s >= 60 / 10 - 2
    record = json.loads(get_objects(sandbox, f"s3://{bucket}/logs/runs/slow-one")["run.json"])
    assert record["rate_orders"] == done.result["rate_orders"] == [order]
    assert "; the rate was changed once, 10% at the end" in done.text
    assert f"rate: 10% of the capacity, by {ann}" in done.text


@pytest.mark.slow
def test_a_run_is_paused_and_goes_on(sandbox: Sandbox) -> None:
    """As a person does it: `rate RUN pause`, nothing is written, `rate RUN continue`, all of it is."""
    bucket, target = make_bucket(sandbox), make_table(sandbox, write_units=100)
    items = numbered(800)
    backup = put_backup(sandbox, f"s3://{bucket}/backup", {"a": connector_lines(items)})
    logs, env = ("--logs", f"s3://{bucket}/logs"), sandbox.process_env()
    words = ["--table", target.name, "--input", backup, *logs, "--run-id", "paused-one", "--throughput-percent", "20"]

    def tell(speed: str) -> Outcome:
        return run_cli(["rate", "paused-one", speed, *logs, "--region", "us-east-1"], env=env)

    with MeteringProxy(sandbox.dynamodb_url) as proxy, ThreadPoolExecutor(1) as pool:
        metered = sandbox.process_env(AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
        run = pool.submit(run_cli, ["import", *LOCAL, *words], env=metered)
        wait_until(lambda: len(proxy.of("BatchWriteItem")) > 3)
        assert tell("pause").code == 0
        time.sleep(30)  # obeyed within 30 s
        paused_at = len(proxy.of("BatchWriteItem"))
        time.sleep(15)
        assert len(proxy.of("BatchWriteItem")) == paused_at
        assert tell("100%").code == 0
        assert run.result().code == 0, run.result().text
    assert target.differences(items) == NONE
    record = json.loads(get_objects(sandbox, f"s3://{bucket}/logs/runs/paused-one")["run.json"])
    assert [(order["percent"], order["paused"]) for order in record["rate_orders"]] == [(None, True), ("100%", False)]


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.2)
