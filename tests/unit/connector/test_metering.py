"""Relays start on another port where somebody else has theirs; what else stops them is said at once, or after three."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from py4j.protocol import Py4JError

from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.connector.metering import PORTS_TRIED, Metering, start_metering
from dynamodb_pipeline.connector.read import ConnectorRead
from dynamodb_pipeline.connector.relay_settings import RelayKeys, RelaySettings
from dynamodb_pipeline.errors import DeniedError, PipelineError, StoppedError
from dynamodb_pipeline.workers.contract import CoordinatorAddress
from dynamodb_pipeline.workers.failures import failure_line

READ = ConnectorRead(
    "T", "eu-west-1", splits=1, segments=1, rate_rcu=1, average_item_bytes=1.0, item_count=1, table_bytes=1
)
AWS = AwsSettings("eu-west-1")


class Cluster:
    """A SparkContext whose barrier jobs end as `ends` say, one after the other."""

    master = "local[1]"
    defaultParallelism = 1

    def __init__(self, *ends: PipelineError | None, hosts: tuple[str, ...] = ("node-1",)) -> None:
        self.ends = list(ends)
        self.hosts = hosts

    def parallelize(self, *_: Any) -> Cluster:
        return self

    def barrier(self) -> Cluster:
        return self

    def mapPartitions(self, _: Any) -> Cluster:
        return self

    def collect(self) -> list[str]:
        end = self.ends.pop(0)
        if end is not None:
            raise Py4JError(f"Job aborted: {failure_line(end)}")
        return ["node-1"]

    @property
    def _jsc(self) -> Any:
        """Of the JVM's objects: an executor on each host."""
        addresses = iter([f"{host}:4041" for host in self.hosts])
        keys = SimpleNamespace(hasNext=lambda: addresses.__length_hint__() > 0, next=lambda: next(addresses))
        status = SimpleNamespace(keySet=lambda: SimpleNamespace(iterator=lambda: keys))
        driver = SimpleNamespace(blockManagerId=lambda: SimpleNamespace(hostPort=lambda: "node-1:4041"))
        env = SimpleNamespace(blockManager=lambda: driver)
        return SimpleNamespace(sc=lambda: SimpleNamespace(getExecutorMemoryStatus=lambda: status, env=lambda: env))


def started(cluster: Cluster) -> tuple[Metering, list[int]]:
    ports: list[int] = []

    def on_a_port() -> Metering:
        ports.append(20_000 + len(ports))
        address = CoordinatorAddress("10.0.0.1", 5000, "00ff")
        return Metering(READ, RelaySettings(ports[-1], "T", RelayKeys.new(), address, AWS))

    engine: Any = SimpleNamespace(sc=cluster)
    return start_metering(engine, on_a_port), ports


TAKEN = StoppedError("port 20000 is taken by another program")


def test_a_port_that_is_taken_is_left_for_another() -> None:
    chosen, ports = started(Cluster(TAKEN, TAKEN, None))
    assert chosen.relay is not None
    assert chosen.relay.port == ports[-1] == 20_002


@pytest.mark.parametrize(
    ("ends", "raised"), [([TAKEN] * PORTS_TRIED, StoppedError), ([DeniedError("no credentials")], DeniedError)]
)
def test_what_another_port_does_not_help_is_said(ends: list[PipelineError], raised: type[PipelineError]) -> None:
    cluster = Cluster(*ends)
    with pytest.raises(PipelineError) as caught:
        started(cluster)
    assert caught.value.exit_code is raised.exit_code
    assert cluster.ends == []


def test_a_host_without_a_relay_ends_the_run_with_a_way_out() -> None:
    """Looked at twice, for an executor may have come late."""
    cluster = Cluster(*[None] * 2 * PORTS_TRIED, hosts=("node-1", "node-2"))
    with pytest.raises(
        StoppedError, match=r"node-1, node-2, relays only on node-1; resume the run, or give --reader direct"
    ):
        started(cluster)
    assert len(cluster.ends) == 2 * PORTS_TRIED - 2
