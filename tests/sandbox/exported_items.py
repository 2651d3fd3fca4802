"""Reads the items of an export's folder without any code of the library under test."""

from __future__ import annotations

import gzip
import json
from typing import Any

from sandbox.stack import Sandbox
from tests.sandbox.backups import get_objects

Item = dict[str, Any]
TAGS = {
    "s": "S", "n": "N", "b": "B", "bOOL": "BOOL", "nULL": "NULL", "nULLValue": "NULL",
    "m": "M", "l": "L", "sS": "SS", "nS": "NS", "bS": "BS",
}  # fmt: skip


def exported_items(sandbox: Sandbox, folder: str) -> list[Item]:
    """The items of every data file that the export's own record lists, as DynamoDB JSON."""
    objects = get_objects(sandbox, folder)
    names = [file["name"] for file in json.loads(objects["_export.json"])["files"]]
    plain = [gzip.decompress(objects[n]) if n.endswith(".gz") else objects[n] for n in names]
    lines = [line for data in plain for line in data.splitlines()]
    return [{name: untagged(value) for name, value in json.loads(line).items()} for line in lines]


def untagged(value: Any) -> Any:
    """A value of a connector line as DynamoDB JSON."""
    ((tag, inner),) = value.items()
    if tag == "m":
        return {"M": {name: untagged(member) for name, member in inner.items()}}
    if tag == "l":
        return {"L": [untagged(member) for member in inner]}
    return {TAGS[tag]: inner}
