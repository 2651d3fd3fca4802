"""
The connector's partitions as data files: one Spark job per partition, records only from tasks that succeeded.

A job per partition (instead of one job for all) means that the records of a finished partition are safe on the driver
while others still run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Callable

from dynamodb_pipeline.connector.read import read_partition
from dynamodb_pipeline.exporting.data_files import DataFileWriter
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.formats.items.tags import CONNECTOR_NULL, TEMPLATE_NULL
from dynamodb_pipeline.workers.client import CoordinatorClient
from dynamodb_pipeline.workers.engine import Connect
from dynamodb_pipeline.workers.failures import carry_exit_code, raise_task_failure
from dynamodb_pipeline.workers.worker import WorkerContext, tools

_NULL, _TEMPLATE_NULL = (b'{"%b":true}' % tag.encode() for tag in (CONNECTOR_NULL, TEMPLATE_NULL))


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
        with carry_exit_code():
            return self._written(groups)

    def _written(self, groups: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        records: list[FileRecord] = []
        with tools(self.worker, self.connect, *_task()) as opened:
            writer = DataFileWriter(opened.store(), self.folder, compression=self.compression, on_file=records.append)
            try:
                self._write(writer, groups, opened.grants)
            except BaseException:
                writer.abandon()
                raise
        return iter([asdict(record) for record in records])

    def _write(self, writer: DataFileWriter, groups: Iterable[bytes], driver: CoordinatorClient) -> None:
        retag = self.null_tag != CONNECTOR_NULL
        for lines, count in read_partition(iter(groups)):
            writer.add(lines.replace(_NULL, _TEMPLATE_NULL) if retag else lines, count)
            driver.progress(items=count)
        writer.flush()


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
        with raise_task_failure():
            records = sc.runJob(rdd, write, [partition])
        on_partition(partition, [FileRecord(**record) for record in records])

    pool = ThreadPoolExecutor(max_workers=max(1, len(partitions)), thread_name_prefix="partition")
    return pool, [pool.submit(inheritable_thread_target(run), p) for p in partitions]
