"""Spark's size follows from the instance types and never exceeds what YARN has."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.emr.cluster.instance_types import instance_type, known_types
from dynamodb_pipeline.emr.cluster.sizing import MASTER_CONTAINER_MB, spark_layout
from dynamodb_pipeline.errors import UsageError


@pytest.mark.parametrize("verb", ["export", "import", "verify"])
@pytest.mark.parametrize("type_name", known_types())
def test_executors_and_master_fit_into_one_nodes_yarn_memory(type_name: str, verb: str) -> None:
    layout = spark_layout(verb, core_type=type_name, core_count=1, leader_type=type_name)
    used_mb = layout.executors * (layout.heap_mb + layout.overhead_mb) + MASTER_CONTAINER_MB
    assert used_mb <= instance_type(type_name).yarn_memory_mb
    assert 1 <= layout.slots <= instance_type(type_name).vcpu_count


@pytest.mark.parametrize("type_name", known_types())
def test_every_task_gets_its_heap_and_python_memory(type_name: str) -> None:
    """A reading task buffers 120 MB of pages and holds a 128 MiB file."""
    layout = spark_layout("export", core_type=type_name, core_count=1, leader_type=type_name)
    assert layout.heap_mb / layout.cores_per_executor >= 1024
    assert layout.overhead_mb / layout.cores_per_executor >= 512


def test_default_cluster_runs_four_tasks() -> None:
    assert spark_layout("export", core_type="m3.xlarge", core_count=1, leader_type="m3.xlarge").slots == 4


def test_big_nodes_are_split_and_nodes_multiply() -> None:
    layout = spark_layout("export", core_type="m5.4xlarge", core_count=4, leader_type="m5.xlarge")
    assert (layout.executors, layout.cores_per_executor, layout.slots) == (8, 8, 64)


def test_conf_keeps_the_size_fixed_and_reads_whole() -> None:
    conf = spark_layout("export", core_type="m5.xlarge", core_count=2, leader_type="m5.xlarge").conf()
    expected = {
        "spark.executor.instances": "2",
        "spark.executor.cores": "4",
        "spark.dynamicAllocation.enabled": "false",
        "spark.yarn.heterogeneousExecutors.enabled": "false",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.hadoopRDD.ignoreEmptySplits": "false",
        "spark.speculation": "false",
        "spark.files.ignoreCorruptFiles": "false",
    }
    assert {key: conf[key] for key in expected} == expected


def test_an_import_has_less_heap_and_more_python_memory_than_an_export() -> None:
    reader = spark_layout("export", core_type="m5.xlarge", core_count=1, leader_type="m5.xlarge")
    writer = spark_layout("import", core_type="m5.xlarge", core_count=1, leader_type="m5.xlarge")
    assert writer.overhead_mb > reader.overhead_mb
    assert writer.heap_mb < reader.heap_mb


def test_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"m3\.xlarge"):
        spark_layout("export", core_type="t3.nano", core_count=1, leader_type="m5.xlarge")
