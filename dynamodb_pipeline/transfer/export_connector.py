"""
Export through AWS's emr-dynamodb-connector: one Spark job per partition, records only from tasks that succeeded.

A job per partition (instead of one job for all) means that the records of a finished partition are safe on the driver
while others still run: they go to the ledger at once, and a resume reads only the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable

from dynamodb_pipeline.formats.export_record import FileRecord
from dynamodb_pipeline.runtime import ensure_boto3
from dynamodb_pipeline.transfer.connector import (
    ConnectorRead,
    connector_version,
    line_groups,
    read_partition,
    segments_for,
    splits_for,
)
from dynamodb_pipeline.transfer.connector_metering import metering
from dynamodb_pipeline.transfer.context import RunContext
from dynamodb_pipeline.transfer.coordinator_client import CoordinatorClient
from dynamodb_pipeline.transfer.data_files import DataFileWriter
from dynamodb_pipeline.transfer.engine import Connect, SparkEngine
from dynamodb_pipeline.transfer.export import ReadOutcome, TableExport
from dynamodb_pipeline.transfer.failures import marked, unmarked
from dynamodb_pipeline.transfer.ledger import Ledger
from dynamodb_pipeline.transfer.page_size import EVENTUAL_BYTES_PER_UNIT, average_item_bytes
from dynamodb_pipeline.transfer.progress import Goal
from dynamodb_pipeline.transfer.rated_run import Rated, RatedRun
from dynamodb_pipeline.transfer.relay_process import RelaySettings, ensure_relay
from dynamodb_pipeline.transfer.spark_session import slots as all_slots
from dynamodb_pipeline.transfer.worker_context import WorkerContext

PROGRESS_ITEMS = 2000
GUESSED_ITEM_BYTES = 512.0  # where DescribeTable knows nothing yet; only sizes the connector's first pages

CONNECTOR_NULL = b'{"nULL":true}'
TEMPLATE_NULL = b'{"nULLValue":true}'


@dataclass(frozen=True)
class PartitionWriter:
    """
    Runs in a Spark worker: turns one partition's lines into data files and yields their records as plain dicts.

    Replacing the null tag on bytes is exact: the bytes `{"nULL":true}` cannot stand inside a JSON string (its quotes
    would be escaped), and an attribute named nULL has an object after it, not `true`.
    """

    worker: WorkerContext
    folder: str
    compression: str
    null_tag: str
    connect: Connect

    def __call__(self, groups: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        with marked():
            return self._written(groups)

    def _written(self, groups: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        records: list[FileRecord] = []
        clients = self.worker.clients()
        driver = self.connect(*_task())
        writer = DataFileWriter(
            self.worker.store(clients), self.folder, compression=self.compression, on_file=records.append
        )
        try:
            self._write(writer, groups, driver)
        except BaseException:
            writer.abandon()
            raise
        finally:
            driver.close()
        return iter([asdict(record) for record in records])

    def _write(self, writer: DataFileWriter, groups: Iterable[bytes], driver: CoordinatorClient) -> None:
        retag = self.null_tag != "nULL"
        items = 0
        for lines, count in read_partition(iter(groups)):
            writer.add(lines.replace(CONNECTOR_NULL, TEMPLATE_NULL) if retag else lines, count)
            items += count
            if items >= PROGRESS_ITEMS:
                driver.progress(items=items)
                items = 0
        writer.flush()
        driver.progress(items=items)


def _task() -> tuple[int, int]:
    """This Spark task's partition and attempt."""
    from pyspark import TaskContext

    task = TaskContext.get()
    return (task.partitionId(), task.attemptNumber()) if task else (0, 0)


def run_partitions(
    rdd: Any,
    write: PartitionWriter,
    partitions: Iterable[int],
    *,
    job_group: str,
    on_partition: Callable[[int, list[FileRecord]], None],
) -> None:
    """
    Write the given partitions of `rdd` at once and report each as it succeeds.

    Args:
        rdd: `connector.line_groups`.
        job_group: Spark job group, so that a stop can cancel all of it.
        on_partition: called from several threads with a partition's file records.

    Raises:
        Exception: the first partition's failure; the others are cancelled.
    """
    from concurrent.futures import FIRST_EXCEPTION, wait

    sc = rdd.context
    pool, futures = _start(sc, rdd, write, list(partitions), job_group=job_group, on_partition=on_partition)
    with pool:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failed = [f for f in done if f.exception() is not None]
        if failed:
            sc.cancelJobGroup(job_group)
    for future in failed:
        future.result()


def _start(
    sc: Any, rdd: Any, write: PartitionWriter, partitions: list[int], *, job_group: str, on_partition: Any
) -> tuple[Any, list[Any]]:
    from concurrent.futures import ThreadPoolExecutor

    from pyspark import inheritable_thread_target

    def run(partition: int) -> None:
        sc.setJobGroup(job_group, f"export partition {partition}", interruptOnCancel=True)
        with unmarked():
            records = sc.runJob(rdd, write, [partition])
        on_partition(partition, [FileRecord(**record) for record in records])

    pool = ThreadPoolExecutor(max_workers=max(1, len(partitions)), thread_name_prefix="partition")
    return pool, [pool.submit(inheritable_thread_target(run), p) for p in partitions]


def read_with_connector(ctx: RunContext, export: TableExport, engine: SparkEngine, *, ledger: Ledger) -> ReadOutcome:
    """
    Read the table through the connector, metered by the relay or by the connector's own limiter.

    Raises:
        PipelineError: the reason to stop, or what made a task fail.
    """
    metered = export.settings.rate_control == "relay"
    splits = splits_for(slots=engine.slots, rate_rcu=export.rate.units_per_s["table"], metered_by_relay=metered)
    read = as_dealt(connector_read(export, splits), export, ledger.header())
    entries = ledger.open(ledger_header(export, read))
    records = [FileRecord(**fields) for entry in entries.values() for fields in entry["files"]]
    lock = threading.Lock()

    def on_partition(partition: int, files: list[FileRecord]) -> None:
        with lock:
            records.extend(files)
            ledger.add(partition_id(partition), {"files": [asdict(f) for f in files]})

    units = _run(ctx, export, engine, read, done=frozenset(entries), on_partition=on_partition)
    estimate = sum(f.plain_bytes for f in records) / EVENTUAL_BYTES_PER_UNIT
    details = {"segments": read.segments, "tasks": read.splits, "resumed": bool(entries)}
    version = connector_version(engine.sc) or "unknown"
    return ReadOutcome(tuple(records), estimate if units is None else units, units is None, version, details)


def _run(
    ctx: RunContext,
    export: TableExport,
    engine: SparkEngine,
    read: ConnectorRead,
    *,
    done: frozenset[str],
    on_partition: Callable[[int, list[FileRecord]], None],
) -> float | None:
    """Read what is not done; returns the units the relay counted, None when nobody counted."""
    goal = Goal(f"export {read.table}", export.rate.units_per_s["table"], "read units", export.table.item_count or None)
    rated = RatedRun(ctx, engine, Rated(export.table, export.rate_of, goal), units=[], on_finished=_nothing)
    group, settings = f"export-{read.table}", export.settings
    with rated.coordinator() as coordinator:
        metered = metering(read, coordinator, export)
        if metered.relay is not None:
            start_relays(engine, metered.relay)
        rdd = line_groups(engine.sc, metered.read)
        left = [p for p in range(rdd.getNumPartitions()) if partition_id(p) not in done]
        write = PartitionWriter(
            export.worker,
            str(export.folder),
            settings.compression,
            settings.null_tag,
            engine.connect_to(coordinator),
        )
        with ctx.lifetime.on_stop(lambda _: engine.cancel(group)), rated.explaining(coordinator):
            run_partitions(rdd, write, left, job_group=group, on_partition=on_partition)
        counted = coordinator.state().budget.consumed.get("table", 0.0)
    return counted if settings.rate_control == "relay" else None


def start_relays(engine: SparkEngine, relay: RelaySettings) -> None:
    """
    Start the relay on every node that has a slot: a barrier job runs one task in each slot, all at once.

    It cannot be left to the tasks that read: Spark starts a task's Python side only when the connector has brought its
    first lines, and those come through the relay.
    """
    count = all_slots(engine.sc)  # --tasks may be fewer, and Spark chooses which of the slots they get
    tasks = engine.sc.parallelize(range(count), count).barrier()
    with unmarked():
        tasks.mapPartitions(_StartRelay(relay)).collect()


@dataclass(frozen=True)
class _StartRelay:
    relay: RelaySettings

    def __call__(self, _ids: Iterable[int]) -> Iterator[None]:
        with marked():
            ensure_boto3()
            ensure_relay(self.relay)
        return iter(())


def _nothing(_work_id: str, _record: dict[str, Any]) -> None:
    """The connector's tasks take no work from the coordinator."""


def partition_id(partition: int) -> str:
    """A partition's id in the ledger."""
    return f"partition-{partition:06d}"


def connector_read(export: TableExport, splits: int) -> ConnectorRead:
    """What the connector is told about this export, before anything is metered."""
    table = export.table
    segments = export.settings.segments or segments_for(splits=splits, table_bytes=table.size_bytes)
    return ConnectorRead(
        table=table.name,
        region=table.region or export.worker.aws.region,
        splits=min(splits, segments),
        segments=segments,
        rate_rcu=max(1, int(export.rate.units_per_s["table"])),
        average_item_bytes=average_item_bytes(table_bytes=table.size_bytes, item_count=table.item_count)
        or GUESSED_ITEM_BYTES,
        item_count=table.item_count,
        table_bytes=table.size_bytes,
        endpoint=export.worker.aws.endpoint("dynamodb"),
        keys=export.worker.aws.loopback_keys[:2] if export.worker.aws.loopback_keys else None,
    )


def as_dealt(read: ConnectorRead, export: TableExport, header: dict[str, Any] | None) -> ConnectorRead:
    """
    The read with the segments and splits of the run's earlier attempts: both follow from the table's size and the
    cluster, which may have changed meanwhile. What the user asks for, and the connector's own limiter, come first.
    """
    settings = export.settings
    if header is None or settings.segments is not None or settings.rate_control == "connector":
        return read
    return replace(read, segments=int(header["segments"]), splits=int(header["splits"]))


def ledger_header(export: TableExport, read: ConnectorRead) -> dict[str, Any]:
    """What a resume depends on: the same segments dealt to the same partitions."""
    return {
        "kind": "export-connector",
        "table": read.table,
        "table_id": export.table.table_id,
        "folder": str(export.folder),
        "segments": read.segments,
        "splits": read.splits,
        "compression": export.settings.compression,
        "null_tag": export.settings.null_tag,
    }
