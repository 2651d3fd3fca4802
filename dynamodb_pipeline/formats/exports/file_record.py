"""What the export record says of one data file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.formats.exports import record_fields as fields

_LEAST_LINE_BYTES = len('{"k":{"s":"x"}}\n')  # a key attribute's name and value have a character each


@dataclass(frozen=True)
class FileRecord:
    """
    One data file as it was stored.

    Attributes:
        name: the object's name in the export folder, also in the manifest.
        bytes: size of the stored object.
        plain_bytes: size of its text, equal to `bytes` without compression.
        item_count: lines in it, one item each.
        sha256: hex digest of the stored object.
    """

    name: str
    bytes: int
    plain_bytes: int
    item_count: int
    sha256: str

    def check(self, field: str, *, compression: str) -> None:
        """Raise FieldError, with `field` before the name, when a value is out of range or sizes contradict."""
        fields.file_name(f"{field}.name", self.name)
        for name in ("bytes", "plain_bytes", "item_count"):
            fields.whole_number(f"{field}.{name}", getattr(self, name))
        fields.sha256_digits(f"{field}.sha256", self.sha256)
        if compression == "none":
            fields.equal(f"{field}.plain_bytes", self.plain_bytes, self.bytes, why="the file is not compressed")
        least = _LEAST_LINE_BYTES * self.item_count
        fields.at_least(f"{field}.plain_bytes", self.plain_bytes, least, why="one item a line")


def parse_file_records(values: list[Any]) -> Iterator[FileRecord]:
    """From parsed JSON. Raises FieldError for an entry with a member missing or unknown."""
    names = {field.name for field in dataclasses.fields(FileRecord)}
    for number, value in enumerate(values):
        fields.exactly(f"files[{number}]", value, names)
        yield FileRecord(**value)
