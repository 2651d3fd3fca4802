"""What a worker needs to build its own clients: picklable, made by the driver, opened on the node."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable

from dynamodb_pipeline.aws.clients import AwsClients, AwsSettings
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.dynamodb.connection import Endpoint
from dynamodb_pipeline.dynamodb.credentials import credentials_of
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.store.local import AnyObjectStore
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.store.s3 import S3_PACING, S3ObjectStore
from dynamodb_pipeline.store.s3_buckets import bucket_clients


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


def object_store(
    clients: Any, *, put_options: dict[str, str] | None = None, sleep: Callable[[float], object] | None = None
) -> ObjectStore:
    """
    Objects in S3 by `clients` (`aws_clients.AwsClients`), or in local folders, by their address.

    Args:
        sleep: waits before a request to S3 is repeated; may raise to end the wait (`RunLifetime.sleep`).
    """
    owner = clients.bucket_owner
    client_for = bucket_clients(clients.client, bucket_owner=owner)
    pacing = replace(S3_PACING, sleep=sleep) if sleep else S3_PACING
    return AnyObjectStore(S3ObjectStore(client_for, bucket_owner=owner, put_options=put_options, pacing=pacing))
