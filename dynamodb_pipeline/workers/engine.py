"""
Where workers run: Spark tasks of a cluster (or of this machine), or threads of this process without any JVM.

A worker is the same callable in both: `worker(worker_id, attempt)`. It connects to the driver's coordinator by the
`connect` function it was built with, takes work until there is none, and returns nothing: what it finished it told the
coordinator.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Protocol

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.settings.job import CommonSettings
from dynamodb_pipeline.workers.client import TcpCoordinatorClient
from dynamodb_pipeline.workers.contract import CoordinatorAddress, CoordinatorClient
from dynamodb_pipeline.workers.coordinator import Coordinator, LocalCoordinatorClient
from dynamodb_pipeline.workers.failures import carry_exit_code, raise_task_failure

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

PROCESS_SLOTS = 4

Worker = Callable[[int, int], None]
Connect = Callable[[int, int], CoordinatorClient]


class Engine(Protocol):
    """A place with a number of slots in which workers run at once."""

    name: str
    slots: int
    host: str

    def connect_to(self, coordinator: Coordinator) -> Connect:
        """Return what a worker calls to reach the coordinator; picklable where workers are remote."""

    def run(self, worker: Worker, *, count: int, group: str) -> None:
        """Run `count` workers at once and wait for all; raises the first failure after the rest were stopped."""

    def cancel(self, group: str) -> None:
        """Stop the workers of a group as soon as possible."""


@dataclass(frozen=True)
class TcpConnect:
    """Picklable: connects a Spark worker to the driver."""

    address: CoordinatorAddress

    def __call__(self, worker_id: int, attempt: int) -> CoordinatorClient:
        return TcpCoordinatorClient(self.address, worker_id=worker_id, attempt=attempt)


class SparkEngine:
    """Workers are Spark tasks, one partition each."""

    name = "spark"

    def __init__(self, sc: SparkContext, *, slots: int, host: str):
        self.sc, self.slots, self.host = sc, slots, host

    def connect_to(self, coordinator: Coordinator) -> Connect:
        return TcpConnect(coordinator.address)

    def run(self, worker: Worker, *, count: int, group: str) -> None:
        self.sc.setJobGroup(group, group, interruptOnCancel=True)
        with raise_task_failure():
            self.sc.parallelize(range(count), count).foreachPartition(_SparkTask(worker))

    def cancel(self, group: str) -> None:
        self.sc.cancelJobGroup(group)


@dataclass(frozen=True)
class _SparkTask:
    worker: Worker

    def __call__(self, ids: Iterable[int]) -> None:
        from pyspark import TaskContext

        task = TaskContext.get()
        for worker_id in ids:
            with carry_exit_code():
                self.worker(worker_id, task.attemptNumber() if task else 0)


class ProcessEngine:
    """Workers are threads of this process; for small tables, tests and thousands of fault runs."""

    name = "process"
    host = "127.0.0.1"

    def __init__(self, *, slots: int):
        self.slots = slots

    def connect_to(self, coordinator: Coordinator) -> Connect:
        return lambda worker_id, attempt: LocalCoordinatorClient(coordinator, worker_id=worker_id, attempt=attempt)

    def run(self, worker: Worker, *, count: int, group: str) -> None:
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=_recorded, args=(worker, number, failures), name=f"{group}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def cancel(self, group: str) -> None:
        """Threads cannot be killed; the stopped coordinator ends them at their next request."""


def _recorded(worker: Worker, number: int, failures: list[BaseException]) -> None:
    try:
        worker(number, 0)
    except BaseException as err:
        failures.append(err)


class Engines:
    """
    Starts the engine when the first table passed its checks, and ends it with the run.

    Args:
        own_limiter: the connector reads without our relay, and as far ahead as it likes.
        say: takes what the JVM of a local run writes to stderr, where something is drawn there.
    """

    def __init__(
        self,
        common: CommonSettings,
        *,
        kind: str,
        local: bool,
        engine: str,
        own_limiter: bool = False,
        say: Callable[[str], None] | None = None,
    ):
        self._common, self._kind, self._local, self._name = common, kind, local, engine
        self._own_limiter, self._say = own_limiter, say
        self._spark: SparkSession | None = None
        self._engine: Engine | None = None
        self.facts: Facts = {}  # for the run's record, once the engine is there

    def get(self) -> Engine:
        """The run's engine, started once."""
        if self._engine is None:
            self._engine = self._start()
        return self._engine

    def _start(self) -> Engine:
        tasks = self._common.tasks
        if self._name == "process":
            return ProcessEngine(slots=tasks or PROCESS_SLOTS)
        from dynamodb_pipeline.workers import spark_session as session

        jar = session.find_jar(self._common.connector_jar) if self._local and self._kind == "export" else None
        heap_mb = session.UNBOUND_HEAP_MB_PER_TASK if self._own_limiter else session.LOCAL_HEAP_MB_PER_TASK
        self._spark = session.start_session(
            f"dynamodb-{self._kind}",
            jar=jar,
            local=self._local,
            tasks=tasks,
            heap_mb_per_task=heap_mb,
            say=self._say,
        )
        sc = self._spark.sparkContext
        self.facts = {"java_collectors": session.java_collectors(sc)}
        slots = session.slots(sc)
        return SparkEngine(sc, slots=min(slots, tasks or slots), host=session.driver_host(sc))

    def close(self) -> None:
        if self._spark is not None:
            from dynamodb_pipeline.workers.spark_session import stop_session

            spark, self._spark = self._spark, None
            stop_session(spark)
