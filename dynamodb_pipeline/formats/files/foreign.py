"""
What can turn up under an import's folder and is not ours to read: recognised by content, refused by name.

A wrong guess would load rubbish or half a file; a bare "malformed" would leave the user to find out what he
has. So every foreign format met in the field has its name and its remedy here. Sources of the magic
numbers: each format's own specification; the JSON shapes are those AWS writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.formats.items.tags import dynamodb_tag


class FormatError(IntegrityError):
    """Content of a format that is not read here, or of none that is known; the message has the remedy."""


@dataclass(frozen=True)
class Foreign:
    """A format's name and what its owner can do about it."""

    name: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}; {self.remedy}"


@dataclass(frozen=True)
class _Magic(Foreign):
    pattern: re.Pattern[bytes]


def _magic(name: str, remedy: str, pattern: bytes) -> _Magic:
    return _Magic(name=name, remedy=remedy, pattern=re.compile(pattern, re.DOTALL))


CODECS = (
    _magic("zstd data", "decompress it first (zstd -d)", rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    _magic("lzop data", "decompress it first (lzop -d)", rb"\x89LZO\x00\r\n\x1a\n"),
    _magic("xz data", "decompress it first (xz -d)", rb"\xfd7zXZ\x00"),
    _magic("lz4 data", "decompress it first (lz4 -d)", rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18"),
    _magic("framed snappy data", "decompress it first (snzip -d)", rb"\xff\x06\x00\x00sNaPpY|\x82SNAPPY\x00"),
    _magic("a zip archive", "unpack it first (unzip)", rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
    _magic("a 7-Zip archive", "unpack it first (7z x)", rb"7z\xbc\xaf\x27\x1c"),
    _magic("compress (.Z) data", "decompress it first (uncompress)", rb"\x1f\x9d"),
    # BlockCompressorStream of Hadoop: two big-endian lengths before each block, no magic. Item text starts
    # with no zero byte; blocks are at most 16 MiB, so both lengths start with one.
    _magic(
        "a Hadoop block codec (snappy, lz4 or lzo)",
        "write it again with gzip, or read it with the Hadoop version that wrote it",
        rb"\x00[\x00-\xff]{3}\x00[\x00-\xff]{3}",
    ),
)

CONTAINERS = (
    _magic("Parquet", "it is no item file: load it with Glue or Spark", rb"PAR([1E]).*PAR\1\Z"),
    _magic("Avro", "it is no item file: load it with Glue or Spark", rb"Obj\x01"),
    _magic("ORC", "it is no item file: load it with Glue or Spark", rb"ORC.*ORC.\Z"),
    _magic("a Hadoop SequenceFile", "export it as text", rb"SEQ[\x04-\x06]"),
    _magic("binary Amazon Ion", "export the table again as DYNAMODB_JSON", rb"\xe0\x01\x00\xea"),
    _magic("Amazon Ion text", "export the table again as DYNAMODB_JSON", rb"\$ion_1_0\b"),
    _magic("UTF-16 text", "convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)", rb"\xff\xfe|\xfe\xff"),
    _magic("XML", "convert it to DynamoDB JSON lines", rb"<[?a-zA-Z]"),
    _magic("a JSON array of no objects", "an item is an object with an attribute for each member", rb"\s*\[\s*[^\s{]"),
    _magic(
        "a Data Pipeline manifest",
        "it lists data files and holds no items: import the folder it lies in",
        rb"\s*\{\s*\"name\"\s*:\s*\"DynamoDB-export\"",
    ),
    _magic(
        "Hive text with columns (0x01)",
        "types of attributes are not in such a file: export without column mapping",
        rb"[^\x03\n]*\x01[^\x03\n]*(?:\n|\Z)",
    ),
    _magic(
        "CSV or other text with separators",
        "convert it to DynamoDB JSON lines",
        rb"[^{\n\x00\x03]*[,;\t|][^{\n\x00\x03]*(?:\n|\Z)",
    ),
)

# Members that tell a JSON object apart; the first whose names are all present wins.
OBJECTS: tuple[tuple[frozenset[str], Foreign], ...] = tuple(
    (frozenset(names.split()), Foreign(name, remedy))
    for names, name, remedy in (
        (
            "Metadata Keys",
            "AWS's native incremental export",
            "it holds changes, not a table; only full exports can be imported",
        ),
        (
            "dataFileS3Key itemCount",
            "a native export's manifest-files.json",
            "it lists data files and holds no items: import the folder it lies in",
        ),
        (
            "manifestFilesS3Key exportArn",
            "a native export's manifest-summary.json",
            "it describes an export and holds no items: import the folder it lies in",
        ),
        (
            "format_version run_id files",
            "an export record (_export.json)",
            "it describes an export and holds no items: import the folder it lies in",
        ),
    )
)
DELETE_REQUESTS = Foreign(
    "a request file that deletes items",
    "only items are imported: keep its puts (jq 'map_values(map(select(.PutRequest)))')",
)
PLAIN_JSON = Foreign(
    "JSON without DynamoDB's type tags",
    'each value must be an object with one tag, for instance {"S": "text"}',
)


def foreign_codec(data: bytes) -> Foreign | None:
    """The compression that `data` starts with when it is one that stays unread."""
    return _first_match(CODECS, data)


def foreign_container(plain: Text) -> Foreign | None:
    """The format of decompressed content that holds no item lines, by its first bytes."""
    return _first_match(CONTAINERS, plain)


def foreign_object(value: Any) -> Foreign | None:
    """What a parsed JSON line is that is no item but known; attributes of those names carry type tags."""
    if not isinstance(value, dict):
        return None
    if value.keys() == {"DeleteRequest"}:
        return DELETE_REQUESTS
    for names, foreign in OBJECTS:
        if names <= value.keys() and not all(_is_tagged(value[name]) for name in names):
            return foreign
    return None


def _is_tagged(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and dynamodb_tag(next(iter(value))) is not None


def _first_match(table: Iterable[_Magic], data: Text) -> Foreign | None:
    return next((magic for magic in table if magic.pattern.match(data)), None)
