"""
Export through AWS's emr-dynamodb-connector: its partitions as data files, one Spark job per partition, records only
from tasks that succeeded.

A job per partition (instead of one job for all) means that the records of a finished partition are safe in the ledger
while others still run; a resume reads only the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from dynamodb_pipeline.connector.line_pipe import piped_lines
from dynamodb_pipeline.connector.metering import Metering, metering, probe, start_metering
from dynamodb_pipeline.connector.read import (
    ConnectorRead,
    connector_version,
    piped_items,
    segments_for,
    splits_for,
)
from dynamodb_pipeline.connector.relay_process import Taking, check_relay
from dynamodb_pipeline.connector.relay_settings import RelaySettings
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import UnreachableError
from dynamodb_pipeline.exporting.data_files import DataFileWriter
from dynamodb_pipeline.exporting.job import (
    PartitionEntry,
    ReadDetails,
    ReadOutcome,
    TableExport,
    expiry_sample,
    export_header,
)
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.formats.items.item_rules import Expiry, ExpirySample
from dynamodb_pipeline.formats.items.tags import CONNECTOR_NULL, TEMPLATE_NULL
from dynamodb_pipeline.passes.rated_run import Rated, RatedRun
from dynamodb_pipeline.rate.work_size import EVENTUAL_BYTES_PER_UNIT, average_item_bytes
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.ledger import Ledger, entries_of
from dynamodb_pipeline.run.progress import Goal
from dynamodb_pipeline.settings.job import CommonSettings
from dynamodb_pipeline.settings.job_options import RATE_CONTROL, READER, RESUME, RUN_ID
from dynamodb_pipeline.settings.rows import Given, command_line
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.coordinator import Coordinator
from dynamodb_pipeline.workers.engine import Connect, SparkEngine
from dynamodb_pipeline.workers.failures import carry_exit_code, raise_task_failure
from dynamodb_pipeline.workers.worker import WorkerContext, tools

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from pyspark import RDD

OnPartition = Callable[[int, PartitionEntry], None]
SAMPLED_ITEMS = 100  # of a partition
_NULL, _TEMPLATE_NULL = (b'{"%b":true}' % tag.encode() for tag in (CONNECTOR_NULL, TEMPLATE_NULL))
GUESSED_ITEM_BYTES = 512.0  # where DescribeTable knows nothing yet; only sizes the connector's first pages


@dataclass(frozen=True)
class PartitionWriter:
    """
    Runs in a Spark worker: turns one partition's lines into data files and yields its entry of the ledger.

    Of a table whose items expire it looks at the first `SAMPLED_ITEMS` for those that expire soon.

    Replacing the null tag on bytes is exact: the bytes `{"nULL":true}` cannot stand inside a JSON string (its quotes
    would be escaped), and an attribute named nULL has an object after it, not `true`.
    """

    worker: WorkerContext
    folder: str
    compression: str
    null_tag: str
    connect: Connect
    relay: RelaySettings | None = None
    expiry: Expiry | None = None

    def __call__(self, holders: Iterable[bytes]) -> Iterator[Facts]:
        with carry_exit_code():
            return self._written(holders)

    def _written(self, holders: Iterable[bytes]) -> Iterator[Facts]:
        records: list[FileRecord] = []
        sample = ExpirySample(self.expiry) if self.expiry else None
        task = _task()
        with Taking(self.relay, task[0]) as taking, tools(self.worker, self.connect, *task) as opened:
            writer = DataFileWriter(opened.store(), self.folder, compression=self.compression, on_file=records.append)
            try:
                self._write(writer, holders, opened.grants, taking, sample)
                if self.relay is not None:
                    check_relay(self.relay)
            except BaseException:
                writer.abandon()
                raise
        seen = (sample.items, sample.expiring) if sample else (0, 0)
        return iter([PartitionEntry(tuple(records), *seen).to_json()])

    def _write(
        self,
        writer: DataFileWriter,
        holders: Iterable[bytes],
        driver: CoordinatorClient,
        taking: Taking,
        sample: ExpirySample | None,
    ) -> None:
        retag = self.null_tag != CONNECTOR_NULL
        for lines, count in taking.watched(piped_lines(holders)):
            writer.add(lines.replace(_NULL, _TEMPLATE_NULL) if retag else lines, count)
            if sample is not None and sample.items < SAMPLED_ITEMS:
                sample.add(lines)
            taking.items += count
            driver.progress(items=count)
        writer.flush()


def _task() -> tuple[int, int]:
    """This Spark task's partition and attempt."""
    from pyspark import TaskContext

    task = TaskContext.get()
    return (task.partitionId(), task.attemptNumber()) if task else (0, 0)


def run_partitions(
    rdd: RDD[bytes],
    write: PartitionWriter,
    partitions: Iterable[int],
    *,
    job_group: str,
    on_partition: OnPartition,
) -> None:
    """
    Write the given partitions of `rdd` at once and report each as it succeeds.

    Args:
        rdd: `connector.read.piped_items`.
        job_group: Spark job group, so that a stop can cancel all of it.
        on_partition: called from several threads with a partition's entry.

    Raises:
        Exception: the first partition's failure; the others are cancelled.
    """
    from concurrent.futures import FIRST_EXCEPTION, wait

    pool, futures = _start(rdd, write, list(partitions), job_group=job_group, on_partition=on_partition)
    with pool:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failed = [f for f in done if f.exception() is not None]
        if failed:
            rdd.context.cancelJobGroup(job_group)
    for future in failed:
        future.result()


def _start(
    rdd: RDD[bytes], write: PartitionWriter, partitions: list[int], *, job_group: str, on_partition: OnPartition
) -> tuple[ThreadPoolExecutor, list[Future[None]]]:
    from concurrent.futures import ThreadPoolExecutor

    from pyspark import inheritable_thread_target

    sc = rdd.context

    def run(partition: int) -> None:
        sc.setJobGroup(job_group, f"export partition {partition}", interruptOnCancel=True)
        with raise_task_failure():
            (entry,) = sc.runJob(rdd, write, [partition])
        on_partition(partition, PartitionEntry.from_json(entry))

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
    read = as_dealt(connector_read(export, splits), export, ledger)
    dealt: Facts = {"splits": read.splits}  # the same segments to the same partitions
    header = export_header(export, kind="export-connector", segments=read.segments, more=dealt)
    entries = entries_of(PartitionEntry, ledger.open(header))
    records = list(entries.values())
    lock = threading.Lock()

    def on_partition(partition: int, entry: PartitionEntry) -> None:
        with lock:
            records.append(entry)
            ledger.add(partition_id(partition), entry.to_json())

    units = _run(ctx, export, engine, read, done=frozenset(entries), on_partition=on_partition)
    files = tuple(file for entry in records for file in entry.files)
    estimate = sum(file.plain_bytes for file in files) / EVENTUAL_BYTES_PER_UNIT
    details = ReadDetails(read.segments, read.splits, bool(entries))
    version = connector_version(engine.sc) or "unknown"
    consumed = estimate if units is None else units
    sample = expiry_sample(export.expiry, records)
    return ReadOutcome(files, consumed, units is None, version, details, sample=sample)


def _run(
    ctx: RunContext,
    export: TableExport,
    engine: SparkEngine,
    read: ConnectorRead,
    *,
    done: frozenset[str],
    on_partition: OnPartition,
) -> float | None:
    """Read what is not done; returns the units the relay counted, None when nobody counted."""
    goal = Goal(f"export {export.table.name}", export.rate.units_per_s["table"], "read units", export.expected_items)
    steerable = export.settings.rate_control == "relay"
    table = Rated(export.table, export.rate_of, goal, steerable)
    rated = RatedRun(ctx, engine, table, units=[], on_finished=_nothing)
    group, settings = f"export-{export.table.name}", export.settings
    with rated.coordinator() as coordinator:
        control, aws, words = settings.rate_control, export.worker.aws, export.words
        metered = start_metering(
            engine, lambda: metering(read, coordinator, rate_control=control, aws=aws, words=words)
        )
        rdd = piped_items(engine.sc, metered.read)
        left = [p for p in range(rdd.getNumPartitions()) if partition_id(p) not in done]
        write = PartitionWriter(
            export.worker,
            str(export.folder),
            settings.compression,
            settings.null_tag,
            engine.connect_to(coordinator),
            metered.relay,
            export.expiry,
        )
        with ctx.lifetime.on_stop(lambda _: engine.cancel(group)), rated.replace_by_cause(coordinator):
            if left:
                _probe(export, engine, metered, group=group, coordinator=coordinator)
            run_partitions(rdd, write, left, job_group=group, on_partition=on_partition)
        counted = coordinator.state().budget.consumed.get("table", 0.0)
    return counted if settings.rate_control == "relay" else None


def _probe(
    export: TableExport, engine: SparkEngine, metered: Metering, *, group: str, coordinator: Coordinator
) -> None:
    """`metering.probe`; an error of the connector or of the way to it names two that do without."""

    def is_answered() -> bool:
        budget = coordinator.state().budget
        return bool(budget.throttle_count or budget.consumed.get("table", 0.0))

    try:
        probe(engine, metered, group=group, is_answered=is_answered)
    except UnreachableError as err:
        raise with_other_ways(err, export.settings.common) from err


def with_other_ways(err: UnreachableError, common: CommonSettings) -> UnreachableError:
    """The error of a way that is closed, with the commands of the two that do without it."""
    given = common.given.without(RUN_ID, RESUME, READER, RATE_CONTROL)
    ways = ((READER, "direct"), (RATE_CONTROL, "connector"))
    rows = [command_line(common.program, given + Given.of({row: value})) for row, value in ways]
    return UnreachableError(f"{err}. Nothing was read; two ways do without:", rows=rows)


def _nothing(_work_id: str, _record: Facts) -> None:
    """The connector's tasks take no work from the coordinator."""


def partition_id(partition: int) -> str:
    """A partition's id in the ledger."""
    return f"partition-{partition:06d}"


def connector_read(export: TableExport, splits: int) -> ConnectorRead:
    """What the connector is told about this export, before anything is metered."""
    table, target = export.table, export.target
    segments = export.settings.segments or segments_for(splits=splits, table_bytes=target.size_bytes)
    return ConnectorRead(
        table=table.address,
        region=table.region or export.worker.aws.region,
        splits=min(splits, segments),
        segments=segments,
        rate_rcu=max(1, int(export.rate.units_per_s["table"])),
        average_item_bytes=average_item_bytes(table_bytes=target.size_bytes, item_count=target.item_count)
        or GUESSED_ITEM_BYTES,
        item_count=target.item_count,
        table_bytes=target.size_bytes,
        endpoint=export.worker.aws.endpoint("dynamodb"),
        keys=export.worker.aws.loopback_keys[:2] if export.worker.aws.loopback_keys else None,
    )


def as_dealt(read: ConnectorRead, export: TableExport, ledger: Ledger) -> ConnectorRead:
    """
    The read with the segments and splits of the run's earlier attempts: both follow from the table's size and the
    cluster, which may have changed meanwhile. What the user asks for, and the connector's own limiter, come first.
    """
    settings = export.settings
    if settings.segments is not None or settings.rate_control == "connector":
        return read
    segments, splits = ledger.pinned_number("segments"), ledger.pinned_number("splits")
    return read if segments is None or splits is None else replace(read, segments=segments, splits=splits)
