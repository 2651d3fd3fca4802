"""The percentage holds for all tasks together, judged by a proxy that counts what DynamoDB reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.metering import Call
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, get_objects, put_backup, put_objects
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.speed_changes import Speed, SteeredRun, windows_of
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


def test_windows_of_changing_speeds_are_judged_by_the_highest_that_was_in_force() -> None:
    """100/s until second 20, when 30/s is obeyed: 400 units from second 19 on are fine, from second 24 on too many."""
    speeds = [Speed(0.0, 0.0, 100.0), Speed(15.0, 20.0, 30.0)]

    def over(second: float) -> list[float]:
        call = Call(second, 0.0, "Scan", "T", 200, 0, 0, {"table": 400.0})
        return [window.from_s for window in windows_of([call], speeds) if window.units > window.allowed_units]

    assert over(19.0) == []
    assert over(24.0) == [24.0]
    assert over(34.0) == [34.0, 24.0]


ORDERS = ("100%", "30%", "pause", "continue", "80%", "40%", "100%", "pause", "60%", "30%")
SPARK = ("--local", "--engine", "spark", "--region", "us-east-1", "--tasks", "2")


@pytest.mark.slow
@pytest.mark.parametrize("job", ["export, direct", "export, connector", "import"])
def test_every_window_keeps_to_what_was_allowed_in_it_when_the_speed_changes_ten_times(
    sandbox: Sandbox, job: str
) -> None:
    """Orders by `rate RUN`, the windows by DynamoDB's own numbers: 30 to 100 units/s and two pauses."""
    kind, bucket = job.partition(",")[0], make_bucket(sandbox)
    state = ("many", "--logs", f"s3://{bucket}/logs", "--region", "us-east-1")
    on = SPARK if "connector" in job else LOCAL
    words = (kind, *on, *much_to_do(sandbox, kind, bucket), "--run-id", "many", *state[1:3])
    operation = "Scan" if kind == "export" else "BatchWriteItem"
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        metered = sandbox.process_env(AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
        started = SteeredRun.start(words, env=metered, proxy=proxy, operation=operation, full=100, percent=50)
        with started as run:
            for order in ORDERS:
                run.tell(state, order, env=sandbox.process_env())
            assert run.stop() == 143, run.text
        record = json.loads(get_objects(sandbox, f"s3://{bucket}/logs/runs/many")["run.json"])
        assert len(record["rate_orders"]) == len(ORDERS)
        over = [window for window in run.windows() if window.units > 1.05 * window.allowed_units]
        assert not over, (over[:3], run.speeds)
        assert proxy.units(operation=operation) >= run.allowed_units() / 2, "too little to bind"


def much_to_do(sandbox: Sandbox, kind: str, bucket: str) -> tuple[str, ...]:
    """Words for a job of 100 units/s at full speed that has enough to do for five minutes."""
    if kind == "export":
        source = make_table(sandbox, read_units=100, write_units=100_000)
        source.put(numbered(6000, size=20_000))
        return ("--table", source.name, "--output", f"s3://{bucket}/x", "--segments", "8")
    target = make_table(sandbox, write_units=100)
    items = numbered(20_000)
    files = {f"part-{n}": connector_lines(items[n::8]) for n in range(8)}
    return ("--table", target.name, "--input", put_backup(sandbox, f"s3://{bucket}/backup", files))
