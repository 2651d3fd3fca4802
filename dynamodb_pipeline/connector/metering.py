"""Who holds the connector to its rate: our relay in front of DynamoDB (the default), or the connector's own limiter."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.connector.read import RELAY_RATE, ConnectorRead
from dynamodb_pipeline.connector.relay_settings import RelayKeys, RelaySettings
from dynamodb_pipeline.workers.coordinator import Coordinator

# One port for the relays of all nodes, for the connector has one endpoint in its conf. Below Linux's own ephemeral
# range (32768 and up), so that no outgoing connection of another process has it.
RELAY_PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Metering:
    """What the connector is told, and the relay that every node must have while it reads (None: its own limiter)."""

    read: ConnectorRead
    relay: RelaySettings | None


def metering(read: ConnectorRead, coordinator: Coordinator, *, rate_control: str, aws: AwsSettings) -> Metering:
    """
    Decide who meters: our relay (`rate_control` is "relay"), or the connector's own limiter.

    With the connector's own limiter each split keeps a fixed share of the rate and starts with five seconds of it
    saved up: about 1.5 times the rate in the first ten seconds, 0.98 afterwards (measured on 5.0.0).
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
    )
    metered = replace(read, rate_rcu=RELAY_RATE, endpoint=relay.endpoint, keys=(keys.access_key, keys.secret_key))
    return Metering(metered, relay)
