"""What a worker needs to build its own clients: picklable, made by the driver, opened on the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from dynamodb_pipeline.aws.clients import AwsClients, AwsSettings
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.dynamodb.connection import Endpoint
from dynamodb_pipeline.dynamodb.credentials import credentials_of
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.store.anywhere import object_store
from dynamodb_pipeline.store.objects import ObjectStore


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
    shared: Any = field(default=None, compare=False, repr=False)
    sleep: Callable[[float], object] | None = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "shared": None, "sleep": None}

    def clients(self) -> AwsClients:
        if self.shared is None:
            ensure_boto3()
            return AwsClients(settings=self.aws)
        shared: AwsClients = self.shared
        return shared

    def store(self, clients: AwsClients) -> ObjectStore:
        return object_store(clients, put_options=dict(self.put_options), sleep=self.sleep)

    def wire(self, clients: AwsClients) -> DynamoDbWire:
        endpoint = Endpoint.from_client(clients.client("dynamodb"))
        return DynamoDbWire(endpoint, credentials_of(clients.session))
