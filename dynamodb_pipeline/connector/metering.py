"""
Who holds the connector to its rate: our relay in front of DynamoDB (the default), started on the nodes of a Spark
cluster before the connector reads through it, or the connector's own limiter.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Callable

from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.connector.read import RELAY_RATE, ConnectorRead, connector_items
from dynamodb_pipeline.connector.relay_process import ensure_relay
from dynamodb_pipeline.connector.relay_settings import RelayKeys, RelaySettings
from dynamodb_pipeline.errors import ExitCode, StoppedError, UnreachableError
from dynamodb_pipeline.workers.coordinator import Coordinator
from dynamodb_pipeline.workers.engine import SparkEngine
from dynamodb_pipeline.workers.failures import WorkerFailure, carry_exit_code, raise_task_failure
from dynamodb_pipeline.workers.spark_session import executor_addresses
from dynamodb_pipeline.workers.spark_session import slots as all_slots

# One port for the relays of all nodes, for the connector has one endpoint in its conf. Below Linux's own ephemeral
# range (32768 and up), so that no outgoing connection of another process has it.
RELAY_PORTS = range(20_000, 32_000)
ROUNDS = 2
PROBE_S = 120.0  # on a busy node that has just started, JVM and Python worker take most of it
PORTS_TRIED = 3  # another user of a node may have taken one, or many


def start_metering(engine: SparkEngine, metering_on_a_port: Callable[[], Metering]) -> Metering:
    """
    Start the relays; where another program has their port on a node, on another port.

    Raises:
        WorkerFailure: they do not start, there either. StoppedError: see `start_relays`.
    """
    for tries_left in reversed(range(PORTS_TRIED)):
        chosen = metering_on_a_port()
        try:
            if chosen.relay is not None:
                start_relays(engine, chosen.relay)
        except WorkerFailure as err:
            if not tries_left or ExitCode.of_error(err) is not ExitCode.STOPPED:
                raise
        else:
            return chosen
    raise AssertionError(PORTS_TRIED)


def start_relays(engine: SparkEngine, relay: RelaySettings) -> None:
    """
    Start the relay on every node that has a slot: a barrier job runs one task in each slot, all at once.

    It cannot be left to the tasks that read: Spark starts a task's Python side only when the connector has brought its
    first lines, and those come through the relay.

    Raises:
        StoppedError: the host of an executor has none all the same, after a second round for those that came late.
        WorkerFailure: a relay cannot start.
    """
    relays: set[str] = set()
    for _ in range(ROUNDS):
        count = all_slots(engine.sc)  # --tasks may be fewer, and Spark chooses which of the slots they get
        tasks = engine.sc.parallelize(range(count), count).barrier()
        with raise_task_failure():
            relays.update(tasks.mapPartitions(_StartRelay(relay)).collect())
        hosts = {address.rpartition(":")[0] for address in executor_addresses(engine.sc)}
        if len(relays) >= len(hosts):  # by number: a node's own name and Spark's for it may differ
            return
    places = f"{', '.join(sorted(hosts))}, relays only on {', '.join(sorted(relays))}"
    msg = f"executors are on {places}; resume the run, or give --reader direct"
    raise StoppedError(msg)


def probe(engine: SparkEngine, metered: Metering, *, group: str, is_answered: Callable[[], bool]) -> None:
    """
    Have the connector bring one item through the relay: one Scan for one item, before the job.

    The connector itself would ask in vain for ten minutes, and in each of a task's attempts.

    Args:
        is_answered: whether DynamoDB has answered the relay by now, be it that it throttles.

    Raises:
        WorkerFailure: what the relay refuses, by its own exit code.
        UnreachableError: the connector brought nothing in `PROBE_S`, or failed by itself.
    """
    from concurrent.futures import ThreadPoolExecutor
    from concurrent.futures import TimeoutError as TooLong

    keys = metered.relay.probe_keys if metered.relay else None
    if keys is None:
        return
    read = replace(metered.read, splits=1, segments=1, keys=(keys.access_key, keys.secret_key))
    items = connector_items(engine.sc, read)

    def run() -> None:
        engine.sc.setJobGroup(group, "probe", interruptOnCancel=True)
        with raise_task_failure():
            items.count()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run)
        try:
            future.result(timeout=PROBE_S)
        except (TooLong, StoppedError) as err:
            engine.cancel(group)
            if isinstance(err, TooLong) and is_answered():
                return  # the way is open, and the table busy
            why = str(err) or f"nothing came in {PROBE_S:.0f} s"
            msg = f"the connector cannot read {metered.read.table!r} through the relay: {why}"
            raise UnreachableError(msg) from err


@dataclass(frozen=True)
class _StartRelay:
    relay: RelaySettings

    def __call__(self, _ids: Iterable[int]) -> Iterator[str]:
        """Yields this node's name."""
        with carry_exit_code():
            ensure_boto3()
            ensure_relay(self.relay)
        return iter([socket.gethostname()])


@dataclass(frozen=True)
class Metering:
    """What the connector is told, and the relay that every node must have while it reads (None: its own limiter)."""

    read: ConnectorRead
    relay: RelaySettings | None


def metering(
    read: ConnectorRead, coordinator: Coordinator, *, rate_control: str, aws: AwsSettings, words: bytes = b""
) -> Metering:
    """
    Decide who meters: our relay (`rate_control` is "relay"), or the connector's own limiter.

    With the connector's own limiter each split keeps a fixed share of the rate and starts with five seconds of it
    saved up: about 1.5 times the rate in the first ten seconds, 0.98 afterwards (measured on 5.0.0).

    Args:
        words: what the relay adds to each Scan (`ScanRequest.words`); the connector itself has none.
    """
    if rate_control == "connector":
        return Metering(read, None)
    keys = RelayKeys.new()
    relay = RelaySettings(
        port=random.SystemRandom().choice(RELAY_PORTS),
        table=read.table,
        keys=keys,
        coordinator=coordinator.address,
        aws=aws,
        item_bytes=read.average_item_bytes,
        probe_keys=RelayKeys.new(),
        words=words.decode(),
        splits=read.splits,
    )
    metered = replace(read, rate_rcu=RELAY_RATE, endpoint=relay.endpoint, keys=(keys.access_key, keys.secret_key))
    return Metering(metered, relay)
