"""
`_export.json`: what an export knows about itself, written just before the manifest.

The manifest says which files count; this says what is in them: sizes, item counts, SHA-256 of every stored
object, the table and its key, the time of the scan, and of a part of a table (version 2) which part it is. AWS's
tools skip names that start with "_". The record carries the SHA-256 of its own fields, so that damage to the record
itself shows; against somebody who edits data and record alike no plain hash helps.
"""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamodb_pipeline.documents import DocumentError
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports import record_fields as fields
from dynamodb_pipeline.formats.exports.layout import MANIFEST, PART_MANIFEST
from dynamodb_pipeline.formats.exports.manifest import Manifest
from dynamodb_pipeline.formats.exports.native_manifest import ExportedTable
from dynamodb_pipeline.formats.exports.record_fields import FieldError
from dynamodb_pipeline.formats.items.item_rules import Expiry
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.formats.items.tags import NULL_TAG_OPTIONS

_LEAST_LINE_BYTES = len('{"k":{"s":"x"}}\n')  # a key attribute's name and value have a character each

NAME = "_export.json"
WHOLE_VERSION, PART_VERSION = 1, 2  # of a whole table; of a part of one
NOT_A_POINT_IN_TIME = "not a point in time: items changed during the scan may be in their old or new state"
READERS = ("connector", "direct", "convert")
CONSISTENCIES = ("eventual", "strong")
COMPRESSIONS = ("none", "gzip")


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


def file_record(value: object) -> FileRecord:
    """
    One entry of a ledger or a worker's report, whatever the compression.

    Raises:
        DocumentError: not the members of a file record, or out of range.
    """
    try:
        fields.exactly("file", value, {field.name for field in dataclasses.fields(FileRecord)})
        record = FileRecord(**fields.members_of("file", value))
        record.check("file", compression="any")
    except fields.FieldError as err:
        msg = f"a file record: {err}"
        raise DocumentError(msg) from err
    return record


@dataclass(frozen=True)
class ExportPart:
    """
    Which part of its table an export holds, in the words of DynamoDB's Scan; checked when made.

    Attributes:
        index: the secondary index that was read in place of the table.
        filter, projection: FilterExpression and ProjectionExpression.
        names, values: ExpressionAttributeNames and ExpressionAttributeValues.
        ttl_attribute: the table's TTL attribute, where items that had expired are left out.
        expired_at: the moment that decides which had, in seconds since 1970.
    """

    index: str | None = None
    filter: str | None = None
    projection: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    ttl_attribute: str | None = None
    expired_at: int | None = None

    def __post_init__(self) -> None:
        """Raise FieldError for what is not as it must be, and for a part that leaves nothing out."""
        said = [text for text in (self.index, self.filter, self.projection, self.ttl_attribute) if text is not None]
        fields.at_least("part", len(said), 1, why="an index, a filter, a projection or a TTL attribute")
        for text in said:
            fields.text("part", text)
        if self.ttl_attribute is not None:
            fields.whole_number("part.expired_at", self.expired_at)
        for name in ("names", "values"):
            fields.members_of(f"part.{name}", getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """Its members in a record and in a ledger's header."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, value: object) -> ExportPart:
        """From a record's member. Raises FieldError."""
        fields.exactly("part", value, {each.name for each in dataclasses.fields(cls)})
        return cls(**fields.members_of("part", value))

    def scan_members(self, keys: KeySchema) -> dict[str, Any]:
        """
        Members of a Scan request. The table's key attributes are in every projection: without its key an item can be
        told from no other, and none could be imported.
        """
        names, values = dict(self.names), dict(self.values)
        filters = [] if self.filter is None else [self.filter]
        if self.ttl_attribute is not None:
            filters.append(_not_expired(Expiry(self.ttl_attribute, int(self.expired_at or 0)), names, values))
        projection = None if self.projection is None else _with_keys(self.projection, names, keys)
        members = {
            "IndexName": self.index,
            "FilterExpression": " AND ".join(map(_grouped, filters)) if len(filters) > 1 else "".join(filters),
            "ProjectionExpression": projection,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        return {name: value for name, value in members.items() if value}

    @property
    def caution(self) -> str:
        """What an import of it may do beside what is wanted."""
        return "; an import replaces whole items by what it holds of them" if self.projection or self.index else ""

    def __str__(self) -> str:
        """For people; values are left out."""
        words = {"index": self.index, "filter": self.filter, "projection": self.projection}
        words["without what had expired by"] = self.ttl_attribute
        said = ", ".join(f"{name} {text!r}" for name, text in words.items() if text is not None)
        return f"it holds a part of its table ({said})"


def _with_keys(projection: str, names: dict[str, str], keys: KeySchema) -> str:
    """The projection with the key attributes that it does not name; placeholders that are needed go into `names`."""
    asked = {names.get(path, path) for path in map(str.strip, projection.split(","))}
    missing = [name for name in keys.names if name not in asked]
    return ", ".join((projection, *(_placeholder("#key", name, names) for name in missing)))


def _grouped(expression: str) -> str:
    """In one pair of parentheses: a second pair around the same DynamoDB refuses as redundant."""
    depths = list(itertools.accumulate({"(": 1, ")": -1}.get(letter, 0) for letter in expression.strip()))
    is_one_group = expression.strip().startswith("(") and 0 not in depths[:-1]
    return expression if is_one_group else f"({expression})"


def _not_expired(expiry: Expiry, names: dict[str, str], values: dict[str, Any]) -> str:
    """What an item meets that had not expired; a comparison with what is absent or no number is false."""
    name = _placeholder("#ttl", expiry.attribute, names)
    first, end = ({"N": str(limit)} for limit in (expiry.first_s, expiry.now_s))
    least, below = _placeholder(":from", first, values), _placeholder(":now", end, values)
    return f"NOT ({name} >= {least} AND {name} < {below})"


def _placeholder(stem: str, means: Any, taken: dict[str, Any]) -> str:
    """A placeholder of an expression that nobody uses yet, noted in `taken` with what it stands for."""
    free = next(name for name in map(f"{stem}{{}}".format, itertools.count()) if name not in taken)
    taken[free] = means
    return free


@dataclass(frozen=True)
class ExportRecord:
    """
    A finished export; checked as a whole when made.

    Attributes:
        tool_version: of dynamodb-pipeline.
        connector_version: of the connector's jar, None when it did not read.
        run_id: of the run that wrote the export.
        table_name, table_arn, table_id, region: the table; `table_id` tells it from later ones of that name.
        key_schema: its primary key, which the target of an import must have.
        reader: "connector" or "direct"; "convert" for a copy of a backup that others had written.
        scan_started, scan_ended: ISO 8601 in UTC.
        consistency: of the reads, "eventual" or "strong"; neither makes the export a point in time.
        compression: "none" or "gzip".
        null_tag: how NULL is tagged, "nULL" or "nULLValue".
        files: the data files, in the order of their names whatever order they are given in.
        part: which part of the table it is, None for the whole.
        items_read: how many items a scan that left some out has looked at; None where nobody counted.
        format_version: 1, of a part 2: an earlier version of this tool, which knows no parts, must not take it.
    """

    tool_version: str
    connector_version: str | None
    run_id: str
    table_name: str
    table_arn: str
    table_id: str
    region: str
    key_schema: KeySchema
    reader: str
    scan_started: str
    scan_ended: str
    consistency: str
    compression: str
    null_tag: str
    files: tuple[FileRecord, ...]
    part: ExportPart | None = None
    items_read: int | None = None

    @property
    def format_version(self) -> int:
        return WHOLE_VERSION if self.part is None else PART_VERSION

    @property
    def manifest_name(self) -> str:
        """The name of the object that makes the export a finished one."""
        return MANIFEST if self.part is None else PART_MANIFEST

    def __post_init__(self) -> None:
        """Raise FieldError, a ValueError, for the first field that is not as it must be."""
        for name in ("tool_version", "run_id", "table_name", "table_arn", "table_id", "region"):
            fields.text(name, getattr(self, name))
        if self.connector_version is not None:
            fields.text("connector_version", self.connector_version)
        if self.items_read is not None:
            fields.whole_number("items_read", self.items_read)
        fields.one_of("reader", self.reader, READERS)
        fields.one_of("consistency", self.consistency, CONSISTENCIES)
        fields.one_of("compression", self.compression, COMPRESSIONS)
        fields.one_of("null_tag", self.null_tag, NULL_TAG_OPTIONS)
        fields.ordered_times("scan_started", self.scan_started, "scan_ended", self.scan_ended)
        for number, record in enumerate(self.files):
            record.check(f"files[{number}]", compression=self.compression)
        fields.distinct("files", [record.name for record in self.files])
        in_order = tuple(sorted(self.files, key=lambda record: record.name))
        object.__setattr__(self, "files", in_order)  # so that equal exports are equal records

    @property
    def part_text(self) -> str | None:
        """Which part of its table it is, in words; None for the whole."""
        return str(self.part) if self.part else None

    @property
    def exported_table(self) -> ExportedTable:
        """The table that this is an export of."""
        named = ExportedTable.of_arn(self.table_arn)
        return ExportedTable(self.table_name, self.region, named.account if named else None, self.table_id)

    @property
    def item_count(self) -> int:
        """Items in all files."""
        return sum(record.item_count for record in self.files)

    @property
    def bytes(self) -> int:
        """Stored bytes of all files."""
        return sum(record.bytes for record in self.files)

    @property
    def plain_bytes(self) -> int:
        """Bytes of text of all files."""
        return sum(record.plain_bytes for record in self.files)

    def to_bytes(self) -> builtins.bytes:
        """The record's JSON, the same bytes for the same record; files in the order of their names."""
        members = self._members()
        members["record_sha256"] = _digest(members)
        return (json.dumps(members, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")

    @classmethod
    def from_bytes(cls, data: builtins.bytes, *, where: str) -> ExportRecord:
        """
        The record in `data`, every field, total and the record's own hash checked.

        Args:
            where: the record's address, for messages.

        Raises:
            IntegrityError: names the field, what was expected and what was found.
        """
        try:
            return cls._from_members(parse_json(data))
        except JsonTextError as err:
            msg = f"export record {where} is not complete JSON ({err}); it is damaged"
            raise IntegrityError(msg) from err
        except ValueError as err:
            msg = f"export record {where}: {err}"
            raise IntegrityError(msg) from err

    def check_manifest(self, manifest: Manifest, *, where: str) -> None:
        """
        Raise IntegrityError unless the manifest lists exactly this record's files, by name.

        This finds a damaged name in the manifest, which the manifest alone cannot.
        """
        listed = {entry.url.rpartition("/")[2] for entry in manifest.entries}
        recorded = {record.name for record in self.files}
        if listed != recorded or len(manifest.entries) != len(self.files):
            odd = ", ".join(sorted(listed ^ recorded)[:3]) or "a file listed twice"
            msg = f"{where}: manifest and {NAME} name different files ({odd}); one is damaged or of another export"
            raise IntegrityError(msg)

    def check_name(self, name: str, *, where: str) -> None:
        """Raise IntegrityError unless `name` is that of this record's manifest: a part must not pass for a table."""
        if name != self.manifest_name:
            msg = f"{where} says that the manifest's name must be {self.manifest_name}, not {name}: name it so again"
            raise IntegrityError(msg)

    def _members(self) -> dict[str, Any]:
        members = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        part, items_read = members.pop("part"), members.pop("items_read")
        if part is not None:
            members.update(part=part.to_json(), items_read=items_read)
        members.update(
            format_version=self.format_version,
            point_in_time=NOT_A_POINT_IN_TIME,
            key_schema=self.key_schema.to_json(),
            files=[dataclasses.asdict(record) for record in self.files],
            totals=self._totals(),
        )
        return members

    def _totals(self) -> dict[str, int]:
        return {
            "file_count": len(self.files),
            "item_count": self.item_count,
            "bytes": self.bytes,
            "plain_bytes": self.plain_bytes,
        }

    @classmethod
    def _from_members(cls, value: Any) -> ExportRecord:
        members = fields.plain_numbers(value)
        version = fields.members_of("the record", members).get("format_version")
        fields.one_of("format_version", version, (WHOLE_VERSION, PART_VERSION))
        of_parts = {"part", "items_read"}
        own = {field.name for field in dataclasses.fields(cls)} - (of_parts if version == WHOLE_VERSION else set())
        fields.exactly("the record", members, own | {"format_version", "point_in_time", "totals", "record_sha256"})
        found_hash, totals = members.pop("record_sha256"), members.pop("totals")
        del members["format_version"]
        fields.equal("point_in_time", members.pop("point_in_time"), NOT_A_POINT_IN_TIME, why="it is a fixed text")
        record = cls(**{**members, **_parsed(members)})
        fields.equal("totals", totals, record._totals(), why="the sums over files")
        fields.equal("record_sha256", found_hash, _digest(record._members()), why="the hash of the other fields")
        return record


def _parsed(members: dict[str, Any]) -> dict[str, Any]:
    try:
        key_schema = KeySchema.from_json(members["key_schema"])
    except (ValueError, TypeError, AttributeError) as err:
        msg = f"key_schema: {err}"
        raise FieldError(msg) from err
    files = fields.list_of("files", members["files"])
    part = {"part": ExportPart.from_json(members["part"])} if "part" in members else {}
    return {"key_schema": key_schema, "files": tuple(parse_file_records(files)), **part}


def _digest(members: dict[str, Any]) -> str:
    canonical = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
