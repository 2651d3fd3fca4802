"""
A table as a model, random writes to it, and exports of it at random moments, in the layout that AWS documents.

The model knows nothing of the library: it keeps every write with its time, and an export asks it what the table held
or what had changed then.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Tab"
TABLE_ID = "12345a12-abcd-123a-ab12-1234abc12345"
Item = dict[str, Any]


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Model:
    """Every write: second, key, and the item or None for a deletion; in order."""

    writes: list[tuple[int, str, Item | None]] = field(default_factory=list)

    def write(self, second: int, key: str, item: Item | None) -> None:
        self.writes.append((second, key, item))

    def table(self, before: int) -> dict[str, Item]:
        """What the table held right before this second."""
        held: dict[str, Item] = {}
        for second, key, item in self.writes:
            if second < before:
                held.pop(key, None) if item is None else held.__setitem__(key, item)
        return held

    def changes(self, start: int, end: int) -> Iterator[tuple[str, int, Item | None, Item | None]]:
        """Of each item that was written in [start, end): key, last write, image before and image at the end."""
        last = {key: second for second, key, _ in self.writes if start <= second < end}
        before, after = self.table(start), self.table(end)
        for key, second in last.items():
            yield key, second, before.get(key), after.get(key)


def summary(number: int, count: int, **more: Any) -> dict[str, Any]:
    export_id = f"{number:014d}-abcdef{number % 100:02d}"
    return {
        "version": "2020-06-30",
        "exportArn": f"{ARN}/export/{export_id}",
        "startTime": iso(at(number)),
        "endTime": iso(at(number)),
        "tableArn": ARN,
        "tableId": TABLE_ID,
        "exportTime": iso(at(number)),
        "s3Bucket": "backups",
        "s3Prefix": None,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"p/AWSDynamoDB/{export_id}/manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": count,
        "outputFormat": "DYNAMODB_JSON",
        **more,
    }


def stored(number: int, lines: list[Item], *, shared: bool, parts: int, **more: Any) -> dict[str, bytes]:
    """One export's objects; incremental ones share `AWSDynamoDB/data/`."""
    members = summary(number, len(lines), **more)
    export_id = members["exportArn"].rpartition("/")[2]
    folder = f"p/AWSDynamoDB/{export_id}"
    home = "p/AWSDynamoDB/data" if shared else f"{folder}/data"
    objects, entries = {f"{folder}/_started": b""}, []
    for part in range(parts):
        text = b"".join(json.dumps(line).encode() + b"\n" for line in lines[part::parts])
        data, key = gzip.compress(text, mtime=0), f"{home}/{export_id[-8:]}{number:05d}{part}.json.gz"
        digest = b64encode(hashlib.md5(data).digest()).decode()
        entries.append({"itemCount": text.count(b"\n"), "md5Checksum": digest, "etag": "e", "dataFileS3Key": key})
        objects[key] = data
    documents = {
        "manifest-files": b"".join(json.dumps(entry).encode() + b"\n" for entry in entries),
        "manifest-summary": json.dumps(members).encode(),
    }
    for name, data in documents.items():
        objects[f"{folder}/{name}.json"] = data
        objects[f"{folder}/{name}.md5"] = b64encode(hashlib.md5(data).digest())
    return {f"s3://backups/{key}": data for key, data in objects.items()}


def full(model: Model, second: int, *, parts: int = 2, number: int | None = None) -> dict[str, bytes]:
    lines = [{"Item": item} for item in model.table(second).values()]
    when = {"exportTime": iso(at(second)), "exportType": "FULL_EXPORT"}
    return stored(second if number is None else number, lines, shared=False, parts=parts, **when)


def incremental(
    model: Model,
    start: int,
    end: int,
    *,
    view: str = "NEW_AND_OLD_IMAGES",
    shared: bool = True,
    parts: int = 1,
    **more: Any,
) -> dict[str, bytes]:
    lines = []
    for key, second, before, after in model.changes(start, end):
        line: Item = {"Metadata": {"WriteTimestampMicros": {"N": f"{int(at(second).timestamp()) * 1_000_000}"}}}
        line["Keys"] = {"id": {"S": key}}
        if before is not None and view == "NEW_AND_OLD_IMAGES":
            line["OldImage"] = before
        if after is not None:
            line["NewImage"] = after
        lines.append(line)
    window = {"exportType": "INCREMENTAL_EXPORT", "exportFromTime": iso(at(start)), "exportToTime": iso(at(end))}
    return stored(50_000 + end, lines, shared=shared, parts=parts, **window, outputView=view, **more)


def item(key: str, value: int) -> Item:
    return {"id": {"S": key}, "v": {"N": str(value)}, "t": {"S": "\u2028é"}, "m": {"M": {"l": {"L": []}}}}


def random_model(seed: int, *, keys: int = 12, writes: int = 60, seconds: int = 100) -> Model:
    """Writes at random seconds, several in one second too; a third of them deletions, of what is not there as well."""
    chance, model = random.Random(seed), Model()
    for second in sorted(chance.randrange(seconds) for _ in range(writes)):
        key = f"k{chance.randrange(keys)}"
        model.write(second, key, None if chance.random() < 0.33 else item(key, chance.randrange(1000)))
    return model
