"""
The world of a fault run, seen directly: tables and objects without any proxy between.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sandbox.active_table import create_active_table
from sandbox.faults.s3_faults import RIVAL_BODY
from sandbox.stack import Sandbox
from tests.faults.model import Content, Item, content

BUCKET = "fault-storm"
CAPACITY = 10_000


@dataclass(frozen=True)
class World:
    """The emulators' own clients."""

    dynamodb: Any
    s3: Any

    @staticmethod
    def of(sandbox: Sandbox) -> World:
        world = World(sandbox.client("dynamodb"), sandbox.client("s3", s3={"addressing_style": "path"}))
        if BUCKET not in {bucket["Name"] for bucket in world.s3.list_buckets()["Buckets"]}:
            world.s3.create_bucket(Bucket=BUCKET)
        return world

    def create_table(self, name: str, items: list[Item]) -> None:
        """A table with the key (Id S, At N) and these items."""
        keys = (("Id", "HASH", "S"), ("At", "RANGE", "N"))
        create_active_table(
            self.dynamodb,
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": role} for key, role, _ in keys],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, _, kind in keys],
            ProvisionedThroughput={"ReadCapacityUnits": CAPACITY, "WriteCapacityUnits": CAPACITY},
        )
        for start in range(0, len(items), 25):
            writes = [
                {"PutRequest": {"Item": _converted(item, base64.b64decode)}} for item in items[start : start + 25]
            ]
            assert not self.dynamodb.batch_write_item(RequestItems={name: writes})["UnprocessedItems"]

    def delete_table(self, name: str) -> None:
        self.dynamodb.delete_table(TableName=name)

    def table(self, name: str) -> Content:
        """Everything in the table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        return content([_converted(item, _encoded) for page in pages for item in page["Items"]])

    def export(self, folder: str) -> Content | None:
        """
        What the export's manifest says is in it, read with nothing of the library; None without one, or with what
        the fault `rival_writer` has put in its place.

        Raises AssertionError for a file that is missing or does not parse.
        """
        names = set(self.keys(folder))
        if f"{folder}/manifest" not in names:
            return None
        manifest = self._get(f"{folder}/manifest")
        if manifest == RIVAL_BODY:
            return None
        entries = json.loads(manifest)["entries"]
        paths = [unquote(entry["url"]).partition(f"s3://{BUCKET}/")[2] for entry in entries]
        missing = [path for path in paths if path not in names]
        assert not missing, f"the manifest names {missing}, which do not exist"
        lines = [line for path in paths for line in _plain(self._get(path)).split(b"\n") if line]
        return content([json.loads(line) for line in lines])

    def keys(self, folder: str) -> list[str]:
        """All keys below the folder."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{folder}/")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def keys_of_the_job(self, folder: str) -> list[str]:
        """Keys below the folder, without what the fault `rival_writer` has put there in somebody else's name."""
        return [key for key in self.keys(folder) if self._get(key) != RIVAL_BODY]

    def without_record(self, folder: str) -> str:
        """Copy the finished export as another tool would have left it, manifest and data files; returns the folder."""
        copy = f"{folder}-foreign"
        for key in self.keys(folder):
            name = key.rpartition("/")[2]
            if not name.startswith("_"):
                self.s3.put_object(Bucket=BUCKET, Key=f"{copy}/{name}", Body=self._get(key))
        return copy

    def uploads(self) -> list[Any]:
        """Multipart uploads that nobody finished."""
        found: list[Any] = self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return found

    def delete_folder(self, folder: str) -> None:
        for key in self.keys(folder):
            self.s3.delete_object(Bucket=BUCKET, Key=key)

    def _get(self, key: str) -> bytes:
        data: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data


def _plain(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _converted(item: Item, convert: Callable[[Any], Any]) -> Item:
    """The item with every binary value converted: boto3 takes and gives bytes, the wire has base64 text."""
    return {name: _converted_value(value, convert) for name, value in item.items()}


def _converted_value(value: Item, convert: Callable[[Any], Any]) -> Item:
    ((tag, inner),) = value.items()
    if tag == "B":
        return {tag: convert(inner)}
    if tag == "BS":
        return {tag: [convert(one) for one in inner]}
    if tag == "L":
        return {tag: [_converted_value(one, convert) for one in inner]}
    return {tag: _converted(inner, convert)} if tag == "M" else value


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
