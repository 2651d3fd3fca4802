"""
AWS's emr-dynamodb-connector as a source of item lines: the only module that names its classes and `dynamodb.*` keys.

The connector is driven through the JVM (`sc._jsc.hadoopRDD`). `sc.hadoopRDD` from Python clones every value by a
write and read round trip that loses empty lists and maps, or dies on Spark's old gson, so it is never used. How its
lines reach a Python worker is in line_pipe.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.connector.line_pipe import holder_command
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.rate.work_size import MAX_SEGMENTS

INPUT_FORMAT = "org.apache.hadoop.dynamodb.read.DynamoDBInputFormat"
KEY_CLASS = "org.apache.hadoop.io.Text"
VALUE_CLASS = "org.apache.hadoop.dynamodb.DynamoDBItemWritable"
CONNECTOR_LOGGER = "org.apache.hadoop.dynamodb"

SPARK_BUFFER_BYTES = 65536  # spark.buffer.size where nobody sets it
PIPE_BUFFER_BYTES = 65536  # of characters, in the JVM

RELAY_RATE = 1_000_000  # units/s: the connector's own limiter is out of the way when the relay meters
RCU_PER_SPLIT = 100  # the connector makes at most one split for each 100 units/s of its rate


@dataclass(frozen=True)
class ConnectorRead:
    """
    What the connector is told.

    `rate_rcu` is its own limiter's rate for all tasks together, an integer >= 1; with `relay_endpoint` the relay
    meters and the limiter is opened. `splits` never exceeds the tasks that run at once when the limiter counts,
    because each split keeps its fixed share of the rate.
    """

    table: str
    region: str
    splits: int
    segments: int
    rate_rcu: int
    average_item_bytes: float
    item_count: int
    table_bytes: int
    endpoint: str | None = None
    keys: tuple[str, str] | None = None


def job_conf(read: ConnectorRead) -> dict[str, str]:
    """
    The connector's settings (connector 4.17 and later; names and traps measured on the 5.0.0 jar).

    `dynamodb.yarn.enabled=false` everywhere: when true the jar asks EMR's instance file and off EMR dies with
    "/ by zero". Region is always set, else it falls back to us-east-1.
    """
    conf = {
        "dynamodb.input.tableName": read.table,
        "dynamodb.servicename": "dynamodb",
        "dynamodb.region": read.region,
        "dynamodb.regionid": read.region,
        "dynamodb.yarn.enabled": "false",
        "dynamodb.throughput.read": str(read.rate_rcu),
        "dynamodb.throughput.read.percent": "1",
        "dynamodb.scan.segments": str(read.segments),
        "dynamodb.max.map.tasks": str(read.splits),
        "dynamodb.item.average.size": f"{read.average_item_bytes:.1f}",
        "dynamodb.item.count": str(read.item_count),
        "dynamodb.table.size-bytes": str(read.table_bytes),
    }
    if read.endpoint:
        conf["dynamodb.endpoint"] = read.endpoint
    if read.keys:
        conf["dynamodb.awsAccessKeyId"], conf["dynamodb.awsSecretAccessKey"] = read.keys
    return conf


def splits_for(*, slots: int, rate_rcu: float, metered_by_relay: bool) -> int:
    """How many splits to read with: all slots, but without the relay one per 100 units/s at most."""
    if metered_by_relay:
        return max(1, slots)
    return max(1, min(slots, int(rate_rcu) // RCU_PER_SPLIT))


def segments_for(*, splits: int, table_bytes: int) -> int:
    """A whole multiple of `splits`; about 1 per GiB like the template's tool, at least 2 a split: tails stay short."""
    gib = table_bytes // 2**30
    per_split = max(2, -(-gib // splits))
    return min(MAX_SEGMENTS, per_split * splits)


def quiet_logs(sc: Any) -> None:
    """Set the connector's logger to WARN on this JVM; at INFO it prints one line per item."""
    configurator = sc._jvm.org.apache.logging.log4j.core.config.Configurator
    configurator.setLevel(CONNECTOR_LOGGER, sc._jvm.org.apache.logging.log4j.Level.WARN)


def connector_version(sc: Any) -> str | None:
    """The version and place of the connector jar in use, such as `emr-dynamodb-hadoop-5.0.0.jar`."""
    source = load_class(sc, VALUE_CLASS).getProtectionDomain().getCodeSource()
    return None if source is None else str(source.getLocation().getPath()).rpartition("/")[2]


def load_class(sc: Any, name: str) -> Any:
    """
    Raises:
        PreconditionError: the class is not on the class path; says how to put the jar there.
    """
    from py4j.protocol import Py4JJavaError

    loader = sc._jvm.java.lang.Thread.currentThread().getContextClassLoader()
    try:
        return sc._jvm.java.lang.Class.forName(name, True, loader)
    except Py4JJavaError as err:
        msg = (
            f"the DynamoDB connector ({name}) is not on the class path; pass --jars "
            "/usr/share/aws/emr/ddb/lib/emr-ddb-hadoop.jar on EMR, or --connector-jar"
        )
        raise PreconditionError(msg) from err


def connector_items(sc: Any, read: ConnectorRead) -> Any:
    """The connector's items as an RDD of the JVM."""
    quiet_logs(sc)
    conf = sc._jvm.org.apache.hadoop.mapred.JobConf(sc._jsc.hadoopConfiguration())
    for key, value in job_conf(read).items():
        conf.set(key, value)
    classes = (load_class(sc, name) for name in (INPUT_FORMAT, KEY_CLASS, VALUE_CLASS))
    return sc._jsc.hadoopRDD(conf, *classes).values()


def piped_items(sc: Any, read: ConnectorRead) -> Any:
    """
    Return an RDD of bytes whose partitions are to be read with `line_pipe.piped_lines`: the connector's item lines.

    Raises:
        PreconditionError: the connector made no splits, or more than were asked for.
    """
    from pyspark.rdd import RDD
    from pyspark.serializers import UTF8Deserializer

    buffer_bytes = int(sc.getConf().get("spark.buffer.size", str(SPARK_BUFFER_BYTES)))
    command = holder_command(sc.pythonExec, buffer_bytes=buffer_bytes)
    piped = connector_items(sc, read).pipe([*command], {}, False, PIPE_BUFFER_BYTES, "UTF-8")
    rdd = RDD(piped, sc, UTF8Deserializer(use_unicode=False))
    got = rdd.getNumPartitions()
    if not 1 <= got <= read.splits:
        msg = f"the connector made {got} splits of table {read.table!r}, wanted 1 to {read.splits}; see --reader direct"
        raise PreconditionError(msg)
    return rdd
