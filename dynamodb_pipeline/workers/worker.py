"""
A worker's life, whatever its work: clients, the way to the driver, units of work one after the other, and the end.

What differs is a function of the tools that returns what takes one unit; it travels to Spark workers, so it is a
module's own function, or a `functools.partial` of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Callable

from dynamodb_pipeline.aws.clients import AwsClients, AwsSettings, RunClients
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire, wire_of
from dynamodb_pipeline.store.anywhere import object_store
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.engine import Connect
from dynamodb_pipeline.workers.failures import report_failure


@dataclass(frozen=True)
class WorkerContext:
    """
    Settings of AWS access and of stored objects, for a worker on any node.

    Attributes:
        shared: the driver's own clients (`AwsClients`), for workers that are threads of its process: building new ones
            costs each worker 0.3 s. They do not travel: a worker elsewhere builds its own.
        sleep: how such threads wait before they ask S3 again; raises when the run must stop. Elsewhere a stop kills
            the worker's process.
    """

    aws: AwsSettings
    put_options: tuple[tuple[str, str], ...] = field(default=())
    shared: RunClients | None = field(default=None, compare=False, repr=False)
    sleep: Callable[[float], object] | None = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> Facts:
        return {**self.__dict__, "shared": None, "sleep": None}

    def clients(self) -> RunClients:
        if self.shared is None:
            ensure_boto3()
            return AwsClients(settings=self.aws)
        return self.shared

    def store(self, clients: RunClients) -> ObjectStore:
        return object_store(clients, put_options=dict(self.put_options), sleep=self.sleep)

    def wire(self, clients: RunClients) -> DynamoDbWire:
        return wire_of(clients)


Unit = Facts  # with its `work_id`; what takes it reads it as a document of its own


@dataclass(frozen=True)
class Tools:
    """What one worker works with; open as long as it lives."""

    grants: CoordinatorClient
    clients: RunClients
    context: WorkerContext
    _open: ExitStack = field(repr=False)

    def store(self) -> ObjectStore:
        """Objects, by this worker's clients."""
        return self.context.store(self.clients)

    def wire(self) -> DynamoDbWire:
        """A connection to DynamoDB, closed with the worker."""
        wire = self.context.wire(self.clients)
        self._open.callback(wire.close)
        return wire


@contextmanager
def tools(context: WorkerContext, connect: Connect, worker_id: int, attempt: int) -> Iterator[Tools]:
    """Clients and the connection to the driver, closed at the end whatever happens."""
    clients = context.clients()
    with ExitStack() as stack:
        grants = connect(worker_id, attempt)
        stack.callback(grants.close)
        yield Tools(grants, clients, context, stack)


@dataclass(frozen=True)
class UnitWorker:
    """
    Picklable worker: takes units from the coordinator until none is left.

    Attributes:
        start: given the tools, returns what works off one unit and reports it finished.
    """

    context: WorkerContext
    connect: Connect
    start: Callable[[Tools], Callable[[Unit], None]]

    def __call__(self, worker_id: int, attempt: int) -> None:
        with tools(self.context, self.connect, worker_id, attempt) as opened:
            work = self.start(opened)
            while (unit := opened.grants.take()) is not None:
                with report_failure(opened.grants, str(unit["work_id"])):
                    work(unit)
