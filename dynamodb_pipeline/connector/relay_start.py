"""Starts the relay on the nodes of a Spark cluster, before the connector reads through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.connector.relay_process import ensure_relay
from dynamodb_pipeline.connector.relay_settings import RelaySettings
from dynamodb_pipeline.workers.engine import SparkEngine
from dynamodb_pipeline.workers.failures import carry_exit_code, raise_task_failure
from dynamodb_pipeline.workers.spark_session import slots as all_slots


def start_relays(engine: SparkEngine, relay: RelaySettings) -> None:
    """
    Start the relay on every node that has a slot: a barrier job runs one task in each slot, all at once.

    It cannot be left to the tasks that read: Spark starts a task's Python side only when the connector has brought its
    first lines, and those come through the relay.
    """
    count = all_slots(engine.sc)  # --tasks may be fewer, and Spark chooses which of the slots they get
    tasks = engine.sc.parallelize(range(count), count).barrier()
    with raise_task_failure():
        tasks.mapPartitions(_StartRelay(relay)).collect()


@dataclass(frozen=True)
class _StartRelay:
    relay: RelaySettings

    def __call__(self, _ids: Iterable[int]) -> Iterator[None]:
        with carry_exit_code():
            ensure_boto3()
            ensure_relay(self.relay)
        return iter(())
