"""The relay as a process beside the real coordinator and the emulator: started once, ending with the run."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measure.process_tree import process_info
from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.aws.request_errors import Rejected
from dynamodb_pipeline.connector.relay import HOST
from dynamodb_pipeline.connector.relay_process import ensure_relay
from dynamodb_pipeline.connector.relay_settings import RelayKeys, RelaySettings
from dynamodb_pipeline.dynamodb.connection import Endpoint
from dynamodb_pipeline.dynamodb.credentials import Credentials
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.rate.budget import RateBudget
from dynamodb_pipeline.workers.contract import CoordinatorAddress
from dynamodb_pipeline.workers.coordinator import Coordinator
from dynamodb_pipeline.workers.failures import WorkerFailure
from sandbox.active_table import create_active_table
from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

TABLE = "relayed"
ENDS_WITHIN_S = 60.0


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def aws(sandbox: Sandbox) -> AwsSettings:
    client = sandbox.client("dynamodb")
    create_active_table(
        client,
        TableName=TABLE,
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(40):
        client.put_item(TableName=TABLE, Item={"Id": {"S": str(number)}, "text": {"S": "x" * 2000}})
    endpoints = (("dynamodb", sandbox.dynamodb_url), ("s3", sandbox.s3_url))
    return AwsSettings(sandbox.region, endpoints, ("sandbox", "sandbox-secret", None))


@contextmanager
def coordinator(*, units_per_s: float) -> Iterator[Coordinator]:
    with Coordinator(RateBudget({"table": units_per_s}, clock=time.monotonic)) as running:
        yield running


def settings(aws: AwsSettings, address: CoordinatorAddress) -> RelaySettings:
    return RelaySettings(free_port(), TABLE, RelayKeys.new(), address, aws, item_bytes=2000.0, linger_s=1.0)


def client_of(relay: RelaySettings) -> DynamoDbWire:
    class Given:
        def get_frozen_credentials(self) -> RelayKeys:
            return relay.keys

    return DynamoDbWire(Endpoint(HOST, relay.port, tls=False, region=relay.aws.region), Credentials(Given))


def scan(relay: RelaySettings, *, limit: int = 10) -> dict[str, object]:
    client = client_of(relay)
    try:
        return client.call("Scan", json.dumps({"TableName": TABLE, "Limit": limit}).encode()).json()
    finally:
        client.close()


def relay_pids(relay: RelaySettings) -> set[int]:
    """Processes that listen on the relay's port, from /proc (Linux)."""
    wanted = f"{relay.port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f[9] for f in lines if f[1].endswith(f":{wanted}") and f[3] == "0A"}
    found = set()
    for folder in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(folder).removeprefix("socket:[").rstrip("]") in inodes:
                found.add(int(folder.parts[2]))
        except OSError:
            continue
    return found


def serving_pid(relay: RelaySettings) -> int:
    """The relay itself: of the two that hold its port it is the other's child."""
    pids = relay_pids(relay)
    (child,) = [pid for pid in pids if parent_of(pid) in pids]
    assert len(pids) == 2
    return child


def parent_of(pid: int) -> int:
    info = process_info(pid)
    assert info is not None
    return info.parent_pid


def wait_for_the_end(relay: RelaySettings) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while relay_pids(relay):
        assert time.monotonic() < deadline, "the relay is still there"
        time.sleep(0.1)


def test_relay_serves_pages_under_grants_of_the_coordinator(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1000.0) as driver:
        relay = settings(aws, driver.address)
        ensure_relay(relay)
        assert scan(relay)["Count"] == 10
        assert consumed_by(driver) == 2.5  # 10 items of 2 KB, eventually consistent


def consumed_by(driver: Coordinator) -> float:
    """The units settled; that message may arrive a moment after the client's answer."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not driver.state().budget.consumed["table"] and time.monotonic() < deadline:
        time.sleep(0.01)
    return driver.state().budget.consumed["table"]


def test_relay_is_started_once_however_many_tasks_ask(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1000.0) as driver:
        relay = settings(aws, driver.address)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(ensure_relay, [relay] * 3))
        assert serving_pid(relay)
        assert scan(relay)["Count"] == 10


def test_keys_are_neither_in_arguments_nor_in_the_environment(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1000.0) as driver:
        relay = settings(aws, driver.address)
        ensure_relay(relay)
        pid = serving_pid(relay)
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    for secret in (relay.keys.secret_key, driver.address.key_hex, "sandbox-secret"):
        assert secret.encode() not in shown
        assert secret not in repr(relay)


def test_port_of_another_program_is_not_taken_for_a_relay(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1.0) as driver, socket.create_server((HOST, 0)) as other:
        relay = replace(settings(aws, driver.address), port=other.getsockname()[1])
        answering = threading.Thread(target=_hang_up_once, args=(other,))
        answering.start()
        with pytest.raises(WorkerFailure, match=f"port {relay.port} is taken by another program") as caught:
            ensure_relay(relay)
        answering.join()
    assert caught.value.exit_code is ExitCode.STOPPED


def _hang_up_once(listener: socket.socket) -> None:
    listener.accept()[0].close()


def test_relay_of_another_run_is_not_taken_for_ours(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1.0) as driver:
        relay = settings(aws, driver.address)
        ensure_relay(relay)
        with pytest.raises(WorkerFailure, match="taken by another program"):
            ensure_relay(replace(relay, keys=RelayKeys.new()))


def test_relay_without_a_coordinator_does_not_start(aws: AwsSettings) -> None:
    nobody = CoordinatorAddress(HOST, free_port(), secrets.token_hex(32))
    with pytest.raises(WorkerFailure, match="coordinator") as caught:
        ensure_relay(settings(aws, nobody))
    assert caught.value.exit_code is ExitCode.STOPPED


def test_relay_of_a_stopped_run_says_so_to_the_client(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1000.0) as driver:
        relay = settings(aws, driver.address)
        ensure_relay(relay)
        driver.stop("cancelled by its owner")
        with pytest.raises(Rejected, match=r"run stopped: .*cancelled by its owner"):
            scan(relay)


def test_relay_outlives_its_starter_and_ends_with_the_run(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1000.0) as driver:
        relay = replace(settings(aws, driver.address), linger_s=0.1)
        ensure_relay(relay)
        assert os.getsid(serving_pid(relay)) != os.getsid(0)
    wait_for_the_end(relay)


def kill(pid: int) -> None:
    """Return when it is dead: until then it may still accept a connection, which then dies with it."""
    os.kill(pid, signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether any thread of it is; a zombie that nobody waited for is not (Linux)."""
    try:
        threads = [task.name for task in Path(f"/proc/{pid}/task").iterdir()]
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return threads != [str(pid)] or state != "Z"


def test_a_killed_relay_is_started_again(aws: AwsSettings) -> None:
    """Who asks meanwhile waits for it: the port stays open."""
    with coordinator(units_per_s=1000.0) as driver:
        relay = replace(settings(aws, driver.address), linger_s=0.1)
        ensure_relay(relay)
        killed = []
        for _ in range(2):
            killed.append(serving_pid(relay))
            kill(killed[-1])
            assert scan(relay)["Count"] == 10
        assert serving_pid(relay) not in killed
    wait_for_the_end(relay)


def test_relay_serves_on_when_the_one_that_watches_it_is_killed(aws: AwsSettings) -> None:
    with coordinator(units_per_s=1000.0) as driver:
        relay = replace(settings(aws, driver.address), linger_s=0.1)
        ensure_relay(relay)
        kill(parent_of(serving_pid(relay)))
        assert scan(relay)["Count"] == 10
        ensure_relay(relay)
    wait_for_the_end(relay)
