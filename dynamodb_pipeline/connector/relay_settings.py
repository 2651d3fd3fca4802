"""What a relay process is told: the port, the keys made for its run, and where DynamoDB and the driver are."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from dynamodb_pipeline.aws.clients import AwsSettings, TableRole
from dynamodb_pipeline.connector.relay import HOST
from dynamodb_pipeline.workers.contract import CoordinatorAddress

LINGER_S = 30.0  # after the run's end: tells clients that it is over, else they would retry for ten minutes


class RelayKeys(NamedTuple):
    """A key pair made for one run; means nothing to AWS."""

    access_key: str
    secret_key: str
    token: str | None = None

    @classmethod
    def new(cls) -> RelayKeys:
        return cls("RELAY" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))


@dataclass(frozen=True)
class RelaySettings:
    """Everything a relay process needs; picklable, for Spark closures; never printed whole."""

    port: int
    table: str
    keys: RelayKeys = field(repr=False)
    coordinator: CoordinatorAddress
    aws: AwsSettings
    item_bytes: float = 0.0
    linger_s: float = LINGER_S
    probe_keys: RelayKeys | None = field(default=None, repr=False)
    words: str = field(default="", repr=False)
    splits: int = 0

    @property
    def endpoint(self) -> str:
        """For the connector: `dynamodb.endpoint`."""
        return f"http://{HOST}:{self.port}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RelaySettings:
        data = json.loads(text)
        aws = data["aws"]
        endpoints = tuple((service, url) for service, url in aws["endpoints"])
        keys = tuple(aws["loopback_keys"]) if aws["loopback_keys"] else None
        role = TableRole(**aws["table_role"]) if aws["table_role"] else None
        own = {
            "keys": RelayKeys(*data["keys"]),
            "probe_keys": RelayKeys(*data["probe_keys"]) if data["probe_keys"] else None,
            "coordinator": CoordinatorAddress(**data["coordinator"]),
            "aws": AwsSettings(**{**aws, "endpoints": endpoints, "loopback_keys": keys, "table_role": role}),
        }
        return cls(**{**data, **own})
