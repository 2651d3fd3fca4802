"""
Derives Spark's conf from the instance types of a cluster.

One executor per core node (two or more on big ones), with as many task slots as processors. A reading task
holds the connector's page buffer in the heap and one data file in its Python worker; a writing task holds one
fetched file in its Python worker and next to nothing in the heap.
"""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.emr.cluster.instance_types import InstanceType, instance_type
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.spark_conf import FIXED_SIZE_CONF, REQUIRED_SPARK_CONF

MAX_CORES_PER_EXECUTOR = 8
# Client mode: the YARN application master is a 512 MB heap plus Spark's least overhead of 384 MB, rounded up.
MASTER_CONTAINER_MB = 1024
BASE_OVERHEAD_MB = 512
MAX_DRIVER_MB = 8192


@dataclass(frozen=True)
class Workload:
    """What one task needs: `python_mb` outside the heap, at least `heap_mb` inside."""

    heap_mb: int
    python_mb: int


# Connector: up to 600 buffered pages = 120 MB of item data, several times that as objects
# (AbstractReadManager); the worker holds one data file of 128 MiB of text while it is stored.
READER = Workload(heap_mb=1024, python_mb=512)
# Importer: one fetched file (128 MiB of text) and its parsed items; the heap only moves task results.
WRITER = Workload(heap_mb=256, python_mb=1024)


@dataclass(frozen=True)
class SparkLayout:
    """How many executors of what size run on the core nodes; memory in MB."""

    executors: int
    cores_per_executor: int
    heap_mb: int
    overhead_mb: int
    driver_mb: int

    @property
    def slots(self) -> int:
        """Tasks that run at once."""
        return self.executors * self.cores_per_executor

    def conf(self) -> dict[str, str]:
        """The Spark settings of this layout, with those that keep its size fixed and its reads safe."""
        return {
            "spark.executor.instances": str(self.executors),
            "spark.executor.cores": str(self.cores_per_executor),
            "spark.executor.memory": f"{self.heap_mb}m",
            "spark.executor.memoryOverhead": f"{self.overhead_mb}m",
            "spark.driver.memory": f"{self.driver_mb}m",
            **FIXED_SIZE_CONF,
            **REQUIRED_SPARK_CONF,
        }


def workload_of(verb: str) -> Workload:
    """What a task of `export`, `import` or `verify` needs."""
    return WRITER if verb == "import" else READER


def layout_of_groups(verb: str, groups: tuple[NodeGroup, ...]) -> SparkLayout:
    """
    Return the layout for the core nodes among `groups`.

    Raises:
        UsageError: as `spark_layout`; or there is no leader or core group.
    """
    by_role = {group.role: group for group in groups}
    if not {"MASTER", "CORE"} <= set(by_role):
        msg = "the cluster has no core nodes; Spark is sized for a leader and core nodes"
        raise UsageError(msg)
    core, leader = by_role["CORE"], by_role["MASTER"]
    return spark_layout(verb, core_type=core.type_name, core_count=core.count, leader_type=leader.type_name)


def spark_layout(verb: str, *, core_type: str, core_count: int, leader_type: str) -> SparkLayout:
    """
    Return the layout for `core_count` nodes of `core_type`, the driver on `leader_type`.

    Raises:
        UsageError: a type outside the table, or one too small for a single task.
    """
    node, need = instance_type(core_type), workload_of(verb)
    per_node = -(-node.vcpu_count // MAX_CORES_PER_EXECUTOR)
    container_mb = (node.yarn_memory_mb - MASTER_CONTAINER_MB) // per_node
    cores = _cores_that_fit(node, need, per_node=per_node, container_mb=container_mb)
    overhead_mb = BASE_OVERHEAD_MB + cores * need.python_mb
    return SparkLayout(
        executors=core_count * per_node,
        cores_per_executor=cores,
        heap_mb=container_mb - overhead_mb,
        overhead_mb=overhead_mb,
        driver_mb=min(MAX_DRIVER_MB, instance_type(leader_type).memory_mib // 4),
    )


def _cores_that_fit(node: InstanceType, need: Workload, *, per_node: int, container_mb: int) -> int:
    room = (container_mb - BASE_OVERHEAD_MB) // (need.heap_mb + need.python_mb)
    if room < 1:
        msg = f"{node.name} leaves {container_mb} MB to an executor, too little for one task; use m5.xlarge"
        raise UsageError(msg)
    return min(node.vcpu_count // per_node, room)
