"""
What can turn up under an import's folder and is not ours to read: recognised by content, refused by name.

A wrong guess would load rubbish or half a file; a bare "malformed" would leave the user to find out what he
has. So every foreign format met in the field has its name and its remedy here. Sources of the magic
numbers: each format's own specification; the JSON shapes are those AWS writes.
"""

from __future__ import annotations

import re
from codecs import utf_8_decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from shlex import quote
from typing import Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.formats.items.tags import dynamodb_tag


class FormatError(IntegrityError):
    """Content of a format that is not read here, or of none that is known; the message has the remedy."""


@dataclass(frozen=True)
class Foreign:
    """
    A format's name and what its owner can do about it.

    Attributes:
        remedy: in words.
        through: a command that makes standard input readable on standard output, where one does.
        unpack: a command that unpacks `{file}` into `{folder}`, where one does.
    """

    name: str
    remedy: str
    through: str | None = None
    unpack: str | None = None


def foreign_message(foreign: Foreign, where: str) -> str:
    """What the object at `where` is, and the remedy with a command that runs as it stands."""
    command = _command(foreign, where)
    return f"{where} is {foreign.name}; {foreign.remedy}" + (f": {command}" if command else "")


def _command(foreign: Foreign, where: str) -> str | None:
    folder, _, name = where.rpartition("/")
    new = f"{folder or '.'}-readable"
    stored = where.lower().startswith("s3://")
    if foreign.through:
        if stored:
            return f"aws s3 cp {quote(where)} - | {foreign.through} | aws s3 cp - {quote(f'{new}/{name}')}"
        return f"mkdir -p {quote(new)} && {foreign.through} < {quote(where)} > {quote(f'{new}/{name}')}"
    if foreign.unpack is None:
        return None
    if not stored:
        return f"mkdir -p {quote(new)} && " + foreign.unpack.format(file=quote(where), folder=quote(new))
    unpacked = f"{name}-readable"
    here = foreign.unpack.format(file=quote(name), folder=quote(unpacked))
    upload = f"aws s3 cp --recursive {quote(unpacked)} {quote(new)}"
    return f"aws s3 cp {quote(where)} {quote(name)} && mkdir -p {quote(unpacked)} && {here} && {upload}"


@dataclass(frozen=True)
class _Magic(Foreign):
    pattern: re.Pattern[bytes] = re.compile(b"")


def _magic(foreign: Foreign, pattern: bytes) -> _Magic:
    return _Magic(foreign.name, foreign.remedy, foreign.through, foreign.unpack, re.compile(pattern, re.DOTALL))


def _compressed(name: str, through: str) -> Foreign:
    return Foreign(name, "decompress it and import the new folder with --without-manifest", through=through)


def _archive(name: str, unpack: str) -> Foreign:
    return Foreign(name, "unpack it and import the new folder with --without-manifest", unpack=unpack)


def _recoded(name: str, encoding: str) -> Foreign:
    remedy = "convert it and import the new folder with --without-manifest"
    return Foreign(name, remedy, through=f"iconv -f {encoding} -t UTF-8")


_UNTYPED = "its columns carry none of DynamoDB's types: have the items written as DynamoDB JSON, one a line"
_LISTS = "it lists data files and holds no items: import the folder it lies in"
_DESCRIBES = "it describes an export and holds no items: import the folder it lies in"
_CHANGES = "it holds changes, not a table: import a full export of the table instead"
_AGAIN = "export the table again as DYNAMODB_JSON"
# Every value a text (S), for no other type is in such a file; the separator is found by looking.
_CSV_TO_TEXTS = (
    "python3 -c 'import csv, json, sys; text = sys.stdin.read(); "
    "rows = csv.DictReader(text.splitlines(), dialect=csv.Sniffer().sniff(text[:9999])); "
    '[print(json.dumps({name: {"S": value} for name, value in row.items()})) for row in rows]\''
)
_ONLY_PUTS = (
    'jq -c \'def puts: map(select(.PutRequest)); if type == "array" then puts '
    "elif .PutRequest or .DeleteRequest then select(.PutRequest) else map_values(puts) end'"
)

CODECS = (
    _magic(_compressed("zstd data", "zstd -dc"), rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    _magic(_compressed("lzop data", "lzop -dc"), rb"\x89LZO\x00\r\n\x1a\n"),
    _magic(_compressed("xz data", "xz -dc"), rb"\xfd7zXZ\x00"),
    _magic(_compressed("lz4 data", "lz4 -dc"), rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18"),
    _magic(_compressed("framed snappy data", "snzip -dc"), rb"\xff\x06\x00\x00sNaPpY|\x82SNAPPY\x00"),
    _magic(_archive("a zip archive", "unzip -q {file} -d {folder}"), rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
    _magic(_archive("a 7-Zip archive", "7z x -o{folder} {file}"), rb"7z\xbc\xaf\x27\x1c"),
    _magic(_compressed("compress (.Z) data", "gzip -dc"), rb"\x1f\x9d"),
    # BlockCompressorStream of Hadoop: two big-endian lengths before each block, no magic. Item text starts
    # with no zero byte; blocks are at most 16 MiB, so both lengths start with one.
    _magic(
        Foreign(
            "a Hadoop block codec (snappy, lz4 or lzo)",
            "hadoop fs -text prints what it holds, on a cluster that has the codec",
        ),
        rb"\x00[\x00-\xff]{3}\x00[\x00-\xff]{3}",
    ),
)

ARCHIVES = (
    _magic(_archive("a tar archive", "tar -xf {file} -C {folder}"), rb".{257}ustar[\x00 ]"),
    _magic(
        Foreign(
            "a database of DynamoDB Local (SQLite)",
            "start DynamoDB Local with -dbPath on its folder and save each table, for such output is read: "
            "`aws dynamodb scan --table-name TABLE --endpoint-url http://localhost:8000`",
        ),
        rb"SQLite format 3\x00",
    ),
    _magic(Foreign("Parquet", _UNTYPED), rb"PAR([1E]).*PAR\1\Z"),
    _magic(Foreign("Avro", _UNTYPED), rb"Obj\x01"),
    _magic(Foreign("ORC", _UNTYPED), rb"ORC.*ORC.\Z"),
    _magic(Foreign("a Hadoop SequenceFile", "hadoop fs -text prints what it holds"), rb"SEQ[\x04-\x06]"),
    _magic(Foreign("binary Amazon Ion", _AGAIN), rb"\xe0\x01\x00\xea"),
    _magic(
        Foreign("a PGP message", "gpg -d decrypts it, with its maker's key or passphrase"),
        rb"-----BEGIN PGP MESSAGE-----",
    ),
    _magic(
        Foreign("data encrypted by openssl", "openssl enc -d decrypts it, with its maker's cipher and password"),
        rb"Salted__",
    ),
    _magic(_recoded("UTF-16 text", "UTF-16"), rb"\xff\xfe|\xfe\xff"),
)
CONTAINERS = (
    *ARCHIVES,
    _magic(Foreign("XML", _UNTYPED), rb"<[?a-zA-Z]"),
    _magic(
        Foreign("a JSON array of no objects", "an item is an object with an attribute for each member"),
        rb"\s*\[\s*[^\s{]",
    ),
    _magic(Foreign("a Data Pipeline manifest", _LISTS), rb"\s*\{\s*\"name\"\s*:\s*\"DynamoDB-export\""),
)
# Only where nothing else fits: almost any text has a separator.
TEXTS = (
    _magic(
        Foreign(
            "Hive text with columns (0x01)",
            "types of attributes are not in such a file: export without column mapping",
        ),
        rb"[^\x00\x03\n]*\x01[^\x00\x03\n]*(?:\n|\Z)",
    ),
    _magic(
        Foreign(
            "CSV or other text with separators",
            "it has no types; this makes each value a text (S), and the new folder is imported with --without-manifest",
            through=_CSV_TO_TEXTS,
        ),
        rb"[^{\n\x00\x03]*[,;\t|][^{\n\x00\x03]*(?:\n|\Z)",
    ),
)

TABLE_DESCRIPTION = Foreign("a table's description", "it holds no items: import the files beside it")
# Members that tell a JSON object apart; the first whose names are all present wins.
OBJECTS: tuple[tuple[frozenset[str], Foreign], ...] = tuple(
    (frozenset(names.split()), foreign)
    for names, foreign in (
        ("Metadata Keys", Foreign("AWS's native incremental export", _CHANGES)),
        ("Keys SequenceNumber", Foreign("change records of a stream", _CHANGES)),
        ("dynamodb eventName", Foreign("change records of a stream", _CHANGES)),
        ("Records", Foreign("an event of a stream with change records", _CHANGES)),
        ("dataFileS3Key itemCount", Foreign("a native export's manifest-files.json", _LISTS)),
        ("manifestFilesS3Key exportArn", Foreign("a native export's manifest-summary.json", _DESCRIBES)),
        ("format_version run_id files", Foreign("an export record (_export.json)", _DESCRIBES)),
        ("Table", TABLE_DESCRIPTION),
    )
)
DELETE_REQUESTS = Foreign(
    "a request file that deletes items",
    "this keeps only its puts, and the new folder is imported with --without-manifest",
    through=_ONLY_PUTS,
)
PLAIN_JSON = Foreign(
    "JSON without DynamoDB's type tags",
    'each value must be an object with one tag, for instance {"S": "text"}',
)
COMPRESSED_TWICE = Foreign("data compressed twice", "decompress it once (gzip -d or bzip2 -d) and import the result")
CODE_PAGE = _recoded("text of a Windows code page, not UTF-8", "WINDOWS-1252")
BINARY = Foreign(
    "binary data of no known format, perhaps encrypted by whoever stored it",
    "decrypt it first, or give the folder of an export",
)
MAX_RECODED_BYTES = 1 << 20  # of the first line, to see whether it is an item in another encoding
PROBED_BYTES = 1 << 16  # of a text that may have gigabytes: its beginning and a few of its last bytes
_END_BYTES = 16
_PROBE_BYTES = 4096
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def foreign_codec(data: bytes) -> Foreign | None:
    """The compression that `data` starts with when it is one that stays unread."""
    return _first_match(CODECS, data)


def foreign_container(plain: Text) -> Foreign | None:
    """The format of decompressed content that holds no item lines, by its first bytes."""
    return _first_match(CONTAINERS, plain)


def foreign_archive(plain: Text) -> Foreign | None:
    """A format that may hold whole lines of items between its own bytes: text has no zero bytes, and it has."""
    return _first_match(ARCHIVES, plain) if b"\x00" in plain[:_PROBE_BYTES] else None


def foreign_text(plain: Text) -> Foreign | None:
    """The same for text that nothing else fits."""
    return _first_match(TEXTS, plain)


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


def foreign_bytes(plain: Text, *, is_item: Callable[[bytes], bool]) -> Foreign | None:
    """
    What text of no known form is by its bytes: of a Windows code page, or none at all.

    Args:
        is_item: whether a line of UTF-8 is a whole item.
    """
    probe = plain[:_PROBE_BYTES]
    if _is_utf8(probe):
        return BINARY if b"\x00" in probe else None
    line = plain[: plain.find(b"\n", 0, MAX_RECODED_BYTES) + 1 or MAX_RECODED_BYTES]
    try:
        if is_item(line.decode("cp1252").encode()):
            return CODE_PAGE
    except UnicodeDecodeError:
        pass
    strange_count = len(_CONTROL.findall(probe)) + probe.decode("utf-8", "replace").count("\ufffd")
    return BINARY if strange_count * 8 > len(probe) else None


def _is_utf8(data: bytes) -> bool:
    """Whether it is, but for a character that is cut at its end."""
    try:
        utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return False
    return True


def _is_tagged(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and dynamodb_tag(next(iter(value))) is not None


def _first_match(table: Iterable[_Magic], data: Text) -> Foreign | None:
    probe = data if len(data) <= PROBED_BYTES else data[: PROBED_BYTES - _END_BYTES] + data[-_END_BYTES:]
    return next((magic for magic in table if magic.pattern.match(probe)), None)
