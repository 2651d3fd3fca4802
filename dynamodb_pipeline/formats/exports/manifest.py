"""
The `manifest` object of a Data Pipeline export: version 3, the one list of the data files that count.

Written byte for byte as the connector's export tool does (ExportManifestRecordWriter), so that AWS's own
import reads ours; read fail-closed, because a manifest misread is a table half restored. Where the files
lie now is the matter of `entry_location`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.errors import IntegrityError, UsageError, counted
from dynamodb_pipeline.formats.exports.entry_location import Resolved, check_entry_url, resolve_entry, s3_scheme
from dynamodb_pipeline.formats.files.text import BOM, Text, pieces
from dynamodb_pipeline.formats.items.json_text import JsonTextError, integer, parse_json

__all__ = ["VERSION", "Manifest", "ManifestEntry", "Resolved", "parse", "render", "resolve_entry"]

NAME = "DynamoDB-export"
VERSION = 3
MAX_ENTRIES = 1_000_000  # 100,000 items a file: 10^11 items; more is no manifest but an attack on memory
# An address has a bucket of 63 characters and a key of 1,024 bytes, each of which may be `%XX`.
ENTRY_BYTES = 4096
OTHER_BYTES = 1 << 20  # of all members that are no entries
_ENTRY_MARKS = (b'"url"', b'"dataFileS3Key"', b'"sha256"')

_MEMBERS = {"name", "version", "entries", "url", "mandatory"}

# What java.net.URI escapes in a path: all of ASCII but RFC 2396's unreserved characters and ":@&=+$,;/" (so
# `%` itself too), and beyond ASCII the control characters and what Character.isSpaceChar names.
_ESCAPED = re.compile(
    "[^A-Za-z0-9\\-_.!~*'():@&=+$,;/\u0080-\U0010ffff]|[\u0080-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)


def check_size(text: Text, *, where: str) -> None:
    """
    Raises:
        IntegrityError: more entries than are read, or more bytes than so many have.
    """
    entries = sum(piece.count(mark) for piece in pieces(text) for mark in _ENTRY_MARKS)
    if entries > MAX_ENTRIES or len(text) > OTHER_BYTES + ENTRY_BYTES * entries:
        msg = (
            f"{where} has {len(text)} bytes for {counted(entries, 'file')}; at most {MAX_ENTRIES:,} files are read, "
            f"with {ENTRY_BYTES} bytes each: it is damaged, or no list of files"
        )
        raise IntegrityError(msg)


def manifest_object(data: bytes, *, where: str) -> dict[str, Any]:
    """
    The members of the one JSON object in `data`.

    A byte order mark before it is no content: editors leave it there when a manifest was changed by hand, as AWS's
    page once told users to.

    Args:
        where: the manifest's address, for messages.

    Raises:
        IntegrityError: cut, no strict JSON, or no object.
    """
    try:
        members = parse_json(data.removeprefix(BOM))
    except JsonTextError as err:
        msg = f"{where} is not complete JSON ({err}); the export is damaged or not finished"
        raise IntegrityError(msg) from err
    if not isinstance(members, dict):
        msg = f"{where}: the whole is not a JSON object; it is damaged or of another tool"
        raise IntegrityError(msg)
    return members


@dataclass(frozen=True)
class ManifestEntry:
    """One data file: its address when the manifest was written, quoted as Java's URI does."""

    url: str
    mandatory: bool = True


@dataclass(frozen=True)
class Manifest:
    """
    A parsed manifest.

    Attributes:
        entries: each file once, in the order they are written in.
        version: always 3.
        repeated: the names of files that are listed again.
        unknown: members that mean nothing here, of the whole and of entries.
    """

    entries: tuple[ManifestEntry, ...]
    version: int = VERSION
    repeated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def render(entries: Iterable[str]) -> bytes:
    """
    The manifest's bytes for the literal addresses of data files (`s3://bucket/prefix/name`, unquoted).

    Sorted by the file name read backwards, which spreads later reads; no newline at the end.

    Raises:
        UsageError: an address that `parse` and `resolve_entry` would refuse: choose another output folder.
        ValueError: the same file twice.
    """
    addresses = sorted(map(_checked, entries), key=_reversed_name)
    if len(set(addresses)) != len(addresses):
        msg = "a data file is listed twice"
        raise ValueError(msg)
    lines = ",\n".join(f'{{"url":"{_uri(address)}","mandatory":true}}' for address in addresses)
    return f'{{"name":"{NAME}","version":{VERSION},\n"entries": [\n{lines}\n]}}'.encode()


def parse(data: bytes, *, where: str) -> Manifest:
    """
    The manifest in `data`; white space and other members are of no meaning, as for AWS's import.

    A changed letter inside an address still makes a manifest; only the export record or the missing object
    shows it.

    Args:
        where: the manifest's address, for messages.

    Raises:
        IntegrityError: truncated, no JSON, another version, a member of the wrong type or twice, or an address no data
            file can have.
    """
    members = manifest_object(data, where=f"manifest {where}")
    _check_header(members, where)
    entries = members.get("entries")
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise IntegrityError(_wrong(where, "entries", f"a list of at most {MAX_ENTRIES}"))
    parsed = tuple(_entry(entry, f"entries[{number}]", where) for number, entry in enumerate(entries))
    distinct = {s3_scheme(entry.url): entry for entry in reversed(parsed)}  # of several the first
    once = tuple(entry for entry in parsed if distinct[s3_scheme(entry.url)] is entry)
    names = [entry.url.rpartition("/")[2] for entry in parsed if distinct[s3_scheme(entry.url)] is not entry]
    unknown = {*members, *(name for entry in entries for name in entry)} - _MEMBERS
    return Manifest(once, repeated=tuple(names), unknown=tuple(sorted(unknown)))


def _checked(address: str) -> str:
    try:
        check_entry_url(address)
    except ValueError as err:
        msg = f"a manifest cannot name this data file: {err}; choose another output folder"
        raise UsageError(msg) from err
    return s3_scheme(address)


def _uri(address: str) -> str:
    """As `new Path(folder, name).toUri().toString()` prints it: the path quoted, s3n:// and s3a:// made s3://."""
    start = address.index("/", len("s3://"))
    return address[:start] + _ESCAPED.sub(_percent, address[start:])


def _percent(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character.group().encode("utf-8"))


def _reversed_name(address: str) -> bytes:
    return address.rpartition("/")[2][::-1].encode("utf-8", "surrogatepass")


def _check_header(members: dict[str, Any], where: str) -> None:
    if members.get("name", NAME) != NAME:
        raise IntegrityError(_wrong(where, "name", NAME))
    try:
        version = integer(members.get("version"))
    except ValueError as err:
        raise IntegrityError(_wrong(where, "version", str(VERSION))) from err
    if version != VERSION:
        msg = f"manifest {where}: version {version} is unknown; this tool and AWS's read version {VERSION}"
        raise IntegrityError(msg)


def _entry(entry: Any, field: str, where: str) -> ManifestEntry:
    if not isinstance(entry, dict) or "url" not in entry:
        raise IntegrityError(_wrong(where, field, "an object with url and mandatory"))
    url, mandatory = entry["url"], entry.get("mandatory", True)
    if type(url) is not str:
        raise IntegrityError(_wrong(where, f"{field}.url", "a string"))
    if not isinstance(mandatory, bool):
        raise IntegrityError(_wrong(where, f"{field}.mandatory", "true or false"))
    try:
        check_entry_url(url)
    except ValueError as err:
        msg = f"manifest {where}: {field}.url: {err}"
        raise IntegrityError(msg) from err
    return ManifestEntry(url=url, mandatory=mandatory)


def _wrong(where: str, field: str, expected: str) -> str:
    return f"manifest {where}: {field} is not {expected}; it is damaged or of another tool"
