"""A wire to a scripted server, and the key pair it signs with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple

from dynamodb_pipeline.dynamodb.connection import Endpoint, Timeouts
from dynamodb_pipeline.dynamodb.credentials import Credentials
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from tests.unit.dynamodb.scripted_server import Answer, ScriptedServer

NOW_S = 1_700_000_000.0  # 2023-11-14T22:13:20Z
REGION = "eu-west-1"


class Keys(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None = None


KEYS = Keys("AKIDTEST", "secret-of-the-test")


class Held:
    """botocore credentials that hold one key pair."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def get_frozen_credentials(self) -> Keys:
        return self.keys


def credentials(*pairs: Keys) -> Credentials:
    """Credentials that give `pairs` in turn, one more with each forced renewal, and keep the last."""
    left = list(pairs or (KEYS,))
    return Credentials(lambda: Held(left.pop(0) if len(left) > 1 else left[0]))


@contextmanager
def wire_to(
    *script: Answer,
    keys: Credentials | None = None,
    now: Callable[[], float] = lambda: NOW_S,
    read_s: float = 5.0,
) -> Iterator[tuple[DynamoDbWire, ScriptedServer]]:
    with ScriptedServer(list(script)) as server:
        endpoint = Endpoint("127.0.0.1", server.port, tls=False, region=REGION)
        wire = DynamoDbWire(endpoint, keys or credentials(), timeouts=Timeouts(connect_s=5.0, read_s=read_s), now=now)
        try:
            yield wire, server
        finally:
            wire.close()


def consumed(units: float, **indexes: float) -> dict[str, Any]:
    """ConsumedCapacity as DynamoDB states it for `units` of the table and of each global index."""
    fields: dict[str, Any] = {"TableName": "orders", "CapacityUnits": units + sum(indexes.values())}
    if indexes:
        fields["Table"] = {"CapacityUnits": units}
        fields["GlobalSecondaryIndexes"] = {name: {"CapacityUnits": n} for name, n in indexes.items()}
    return fields
