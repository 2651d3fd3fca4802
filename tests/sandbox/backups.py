"""Writes backups as other tools wrote them, without any code of the library under test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.demo_data import Item
from sandbox.stack import Sandbox


def connector_line(item: Item) -> bytes:
    """One item as the connector writes it: tags with a small first letter, no spaces."""
    small = {name: _small(value) for name, value in item.items()}
    return (json.dumps(small, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _small(value: Item) -> dict[str, Any]:
    ((tag, content),) = value.items()
    if tag == "M":
        content = {name: _small(inner) for name, inner in content.items()}
    if tag == "L":
        content = [_small(inner) for inner in content]
    return {tag[0].lower() + tag[1:]: content}


def connector_lines(items: Iterable[Item]) -> bytes:
    return b"".join(map(connector_line, items))


def manifest(folder: str, names: Iterable[str]) -> bytes:
    """Data Pipeline's manifest of `names` in `folder`."""
    entries = ",\n".join(f'{{"url":"{folder}/{name}","mandatory":true}}' for name in names)
    return f'{{"name":"DynamoDB-export","version":3,\n"entries": [\n{entries}\n]}}'.encode()


def put_objects(sandbox: Sandbox, folder: str, files: Mapping[str, bytes]) -> str:
    """Store `files` in the folder s3://bucket/prefix and return its address."""
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    s3 = sandbox.client("s3")
    for name, data in files.items():
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=data)
    return folder


def put_backup(sandbox: Sandbox, folder: str, files: Mapping[str, bytes]) -> str:
    """Store data files and the manifest that lists them in this order, as a Data Pipeline export had them."""
    return put_objects(sandbox, folder, {**files, "manifest": manifest(folder, files)})


def get_objects(sandbox: Sandbox, folder: str) -> dict[str, bytes]:
    """Everything below a folder, by its name inside it."""
    bucket, _, prefix = folder.rstrip("/").removeprefix("s3://").partition("/")
    s3 = sandbox.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
    names = [entry["Key"] for entry in listed]
    return {name.removeprefix(f"{prefix}/"): s3.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names}
