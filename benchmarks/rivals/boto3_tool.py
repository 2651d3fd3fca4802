"""
What people write with boto3: a parallel scan into lines of JSON, and `batch_writer` back.

    python -m benchmarks.rivals.boto3_tool export --to /tmp/lines [--gzip]
    python -m benchmarks.rivals.boto3_tool import --from /tmp/lines --table target
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

SEGMENTS = 4
GZIP_LEVEL = 6  # gzip.open's users rarely give one; 9 is its default and would only flatter the others


def export(options: argparse.Namespace) -> None:
    """One thread and one file for each segment."""
    options.to.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(SEGMENTS) as pool:
        list(pool.map(lambda segment: _export_segment(options, segment), range(SEGMENTS)))


def load(options: argparse.Namespace) -> None:
    """One thread for each file, each with its own `batch_writer`."""
    with ThreadPoolExecutor(SEGMENTS) as pool:
        list(pool.map(lambda path: _load_file(path, options.table), sorted(options.source.iterdir())))


def _export_segment(options: argparse.Namespace, segment: int) -> None:
    client = boto3.session.Session().client("dynamodb")
    pages = client.get_paginator("scan").paginate(TableName=options.table, Segment=segment, TotalSegments=SEGMENTS)
    suffix = ".gz" if options.gzip else ""
    with _open(options.to / f"{segment:05d}.json{suffix}", "w") as lines:
        for page in pages:
            for item in page["Items"]:
                lines.write(json.dumps(item, separators=(",", ":"), ensure_ascii=False) + "\n")


def _load_file(path: Path, table: str) -> None:
    with boto3.session.Session().resource("dynamodb").Table(table).batch_writer() as batch:
        for item in _items(path):
            batch.put_item(Item=item)


def _items(path: Path) -> Iterator[dict[str, Any]]:
    deserialize = TypeDeserializer().deserialize
    with _open(path, "r") as lines:
        for line in lines:
            yield {name: deserialize(value) for name, value in json.loads(line, parse_float=Decimal).items()}


def _open(path: Path, mode: str) -> IO[Any]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.GzipFile(path, mode + "b", compresslevel=GZIP_LEVEL), encoding="utf-8")
    return path.open(mode, encoding="utf-8")


def main(argv: list[str]) -> int:
    """Run one verb."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals.boto3_tool", description=__doc__)
    parser.add_argument("verb", choices=("export", "import"))
    parser.add_argument("--table", default="items")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--from", type=Path, dest="source")
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args(argv)
    {"export": export, "import": load}[options.verb](options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
