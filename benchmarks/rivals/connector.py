"""
The connector by itself under Spark: `saveAsTextFile`, a bare count, or a copy through its own output format.

    python -m benchmarks.rivals.connector export --table items --items 300000 --to /tmp/lines [--gzip]

The recipes are the documented ones (issues of the connector, its README), with its limiter opened.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from dynamodb_pipeline.connector.read import (
    INPUT_FORMAT,
    KEY_CLASS,
    RELAY_RATE,
    VALUE_CLASS,
    ConnectorRead,
    job_conf,
    load_class,
)
from dynamodb_pipeline.workers.spark_session import find_jar, start_session

OUTPUT_FORMAT = "org.apache.hadoop.dynamodb.write.DynamoDBOutputFormat"
GZIP = "org.apache.hadoop.io.compress.GzipCodec"
ITEM_BYTES = 1000
SLOTS = 2
SEGMENTS = 4


def pairs_of(sc: Any, table: str, *, item_count: int, endpoint: str) -> Any:
    """The connector's (Text, DynamoDBItemWritable) pairs as a JavaPairRDD."""
    keys = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    read = ConnectorRead(
        table,
        os.environ["AWS_DEFAULT_REGION"],
        SEGMENTS,
        SEGMENTS,
        RELAY_RATE,
        ITEM_BYTES,
        item_count,
        item_count * ITEM_BYTES,
        endpoint,
        keys,
    )
    return sc._jsc.hadoopRDD(
        _conf(sc, job_conf(read)), *(load_class(sc, name) for name in (INPUT_FORMAT, KEY_CLASS, VALUE_CLASS))
    )


def export(sc: Any, options: argparse.Namespace) -> None:
    """Text lines by Spark's own committer."""
    values = pairs_of(sc, options.table, item_count=options.items, endpoint=options.endpoint).values()
    if options.gzip:
        values.saveAsTextFile(options.to, load_class(sc, GZIP))
    else:
        values.saveAsTextFile(options.to)


def count(sc: Any, options: argparse.Namespace) -> None:
    """Read and drop: what the connector costs before anything is done with an item."""
    print(pairs_of(sc, options.table, item_count=options.items, endpoint=options.endpoint).count())


def copy(sc: Any, options: argparse.Namespace) -> None:
    """Scan and write again through the connector's output format, its limiter opened."""
    pairs = pairs_of(sc, options.table, item_count=options.items, endpoint=options.endpoint)
    conf = _conf(
        sc,
        {
            "dynamodb.output.tableName": options.to,
            "dynamodb.endpoint": options.endpoint,
            "dynamodb.region": os.environ["AWS_DEFAULT_REGION"],
            "dynamodb.awsAccessKeyId": os.environ["AWS_ACCESS_KEY_ID"],
            "dynamodb.awsSecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"],
            "dynamodb.throughput.write": str(RELAY_RATE),
            "dynamodb.throughput.write.percent": "1",
            "dynamodb.yarn.enabled": "false",
            "mapreduce.job.maps": "1",
            "mapred.output.format.class": OUTPUT_FORMAT,
            "mapred.output.key.class": KEY_CLASS,
            "mapred.output.value.class": VALUE_CLASS,
        },
    )
    pairs.saveAsHadoopDataset(conf)


def _conf(sc: Any, values: dict[str, str]) -> Any:
    conf = sc._jvm.org.apache.hadoop.mapred.JobConf(sc._jsc.hadoopConfiguration())
    for name, value in values.items():
        conf.set(name, value)
    return conf


def main(argv: list[str]) -> int:
    """Run one verb."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals.connector", description=__doc__)
    parser.add_argument("verb", choices=("export", "count", "copy"))
    parser.add_argument("--table", default="items")
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--to", help="folder of `export`, table of `copy`")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"))
    options = parser.parse_args(argv)
    spark = start_session("connector", jar=find_jar(None), local=True, tasks=SLOTS)
    try:
        {"export": export, "count": count, "copy": copy}[options.verb](spark.sparkContext, options)
    finally:
        spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
