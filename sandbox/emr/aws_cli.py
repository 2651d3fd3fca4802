"""
The little of the AWS CLI that a bootstrap action needs: `aws s3 cp`, single objects, prefixes, standard output.

Every EMR node has the real one. What is not here fails with the CLI's own exit code for a usage error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import boto3
from botocore.exceptions import ClientError

USAGE = 252  # AWS CLI user guide, "return codes": invalid syntax or unknown parameter
FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="aws", description="the sandbox's part of the AWS CLI")
    parser.exit_on_error = False
    parser.add_argument("service", choices=["s3"])
    parser.add_argument("command", choices=["cp"])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--recursive", action="store_true")
    parser.add_argument("--region")
    for flag in ("--quiet", "--only-show-errors", "--no-progress"):
        parser.add_argument(flag, action="store_true")
    try:
        options = parser.parse_args(arguments)
    except (argparse.ArgumentError, SystemExit) as error:
        print(f"aws: the sandbox knows `aws s3 cp SOURCE TARGET` only: {error}", file=sys.stderr)
        return USAGE
    return _copy(options)


def _copy(options: argparse.Namespace) -> int:
    client: Any = boto3.session.Session().client("s3", region_name=options.region or "us-east-1")
    try:
        if options.recursive:
            _download_prefix(client, options.source, Path(options.target))
        elif options.source.startswith("s3://"):
            _download(client, options.source, options.target)
        else:
            _upload(client, options.source, options.target)
    except (ClientError, OSError) as error:
        print(f"fatal error: {error}", file=sys.stderr)
        return FAILED
    return 0


def _download(client: Any, source: str, target: str) -> None:
    bucket, key = _split(source)
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    if target == "-":
        sys.stdout.buffer.write(body.read())
        return
    file = Path(target)
    if target.endswith("/") or file.is_dir():
        file = file / key.rpartition("/")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as output:
        for block in body.iter_chunks(1 << 20):
            output.write(block)


def _download_prefix(client: Any, source: str, folder: Path) -> None:
    bucket, prefix = _split(source)
    for reply in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in reply.get("Contents", []):
            relative = entry["Key"][len(prefix) :].lstrip("/")
            _download(client, f"s3://{bucket}/{entry['Key']}", str(folder / relative))


def _upload(client: Any, source: str, target: str) -> None:
    bucket, key = _split(target)
    name = key + Path(source).name if key.endswith("/") or not key else key
    body = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    client.put_object(Bucket=bucket, Key=name, Body=body)


def _split(uri: str) -> tuple[str, str]:
    parts = urlparse(uri)
    return parts.netloc, parts.path.lstrip("/")


if __name__ == "__main__":
    sys.exit(main())
