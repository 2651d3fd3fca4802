"""
The two manifests of DynamoDB's own export to S3 (`manifest-summary.json`, `manifest-files.json`).

They carry what Data Pipeline's manifest lacks: an item count and an MD5 for every data file. Both are
checked. Data files are looked for relative to where the manifests lie now, not by the keys of the day of
the export. Layout:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dynamodb_pipeline.addresses import partition_of
from dynamodb_pipeline.errors import IntegrityError, counted
from dynamodb_pipeline.formats.exports.entry_location import check_entry_url
from dynamodb_pipeline.formats.exports.manifest import manifest_object
from dynamodb_pipeline.formats.files.foreign import FormatError
from dynamodb_pipeline.formats.files.text import LineError, iter_lines, md5_base64
from dynamodb_pipeline.formats.items.json_text import integer

FILES_NAME = "manifest-files.json"
DATA_FOLDER = "data"  # beside the manifests
OUTPUT_FORMATS = ("DYNAMODB_JSON", "ION")
_MD5 = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # base64 of 16 bytes
_TABLE_ARN = re.compile(r"arn:[a-z0-9-]+:dynamodb:([a-z0-9-]*):([0-9]*):table/([A-Za-z0-9_.-]+)")
_NAMES_A_PART = re.compile(r"filter|projection|condition|expression|subset|partial|sample|limit|attribute", re.I)
# Members of `manifest-summary.json` that DynamoDB's own full and incremental exports have (layout: see above).
KNOWN_MEMBERS = frozenset(
    {"version", "exportArn", "startTime", "endTime", "tableArn", "tableId", "exportTime", "s3Bucket", "s3Prefix"}
    | {"s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key", "billedSizeBytes", "itemCount", "outputFormat"}
    | {"exportType", "exportFromTime", "exportToTime", "outputView"}
)
_EXPORT_FOLDER = re.compile(r"(?:.*/)?AWSDynamoDB/[^/]+/(?=.)")


class ExportKind(Enum):
    """How much of a table an export holds, as a list of backups says it."""

    FULL = "full"
    INCREMENTAL = "incremental"
    FILTERED = "filtered"
    OTHER = "other"


@dataclass(frozen=True)
class ExportedTable:
    """A table by its ARN; region, account and TableId are None where they are not said."""

    name: str
    region: str | None = None
    account: str | None = None
    table_id: str | None = None

    @classmethod
    def of_arn(cls, arn: str, *, table_id: str | None = None) -> ExportedTable | None:
        """None for what is no table's ARN."""
        match = _TABLE_ARN.fullmatch(arn)
        return cls(match[3], match[1] or None, match[2] or None, table_id) if match else None

    @property
    def arn(self) -> str:
        """Its ARN, empty where region and account are not known."""
        region = self.region or ""
        return f"arn:{partition_of(region)}:dynamodb:{region}:{self.account or ''}:table/{self.name}"


@dataclass(frozen=True)
class NativeIdentity:
    """
    What `manifest-summary.json` says the export is of, in whatever form its data are.

    Attributes:
        exported: the table; None when the writer left its ARN out.
        export_time: the point in time the data is of, of changes their end, ISO 8601; None when absent.
        part: why it may be less than the whole table; None for a full export.
        item_count: None when it says none.
        output_format: one of OUTPUT_FORMATS, or another writer's word; None when absent.
        odd_members: names of members for which it may be less than the whole table.
        start, view: of changes, since when they are, ISO 8601, and which images they hold; None otherwise.
    """

    exported: ExportedTable | None
    export_time: str | None
    part: str | None
    kind: ExportKind
    item_count: int | None
    output_format: str | None
    odd_members: tuple[str, ...] = ()
    start: str | None = None
    view: str | None = None


@dataclass(frozen=True)
class NativeSummary:
    """
    What `manifest-summary.json` says of a full export.

    Attributes:
        table_arn: of the exported table; None when the writer left it out.
        table_id: of the exported table, likewise.
        export_time: the point in time the data is of, ISO 8601; None when absent.
        item_count: of all data files together.
        files_key: S3 key of `manifest-files.json` on the day of the export.
    """

    table_arn: str | None
    table_id: str | None
    export_time: str | None
    item_count: int
    files_key: str


@dataclass(frozen=True)
class NativeFile:
    """One data file: its S3 key on the day of the export, its items, its MD5 as base64, its ETag then."""

    data_file_key: str
    item_count: int
    md5: str
    etag: str | None


def parse_summary(data: bytes, *, where: str) -> NativeSummary:
    """
    Raises:
        FormatError: an incremental export, or another output format than DynamoDB JSON and Amazon Ion.
        IntegrityError: no JSON, or a member that is needed is missing or of the wrong type.
    """
    members = manifest_object(data, where=where)
    _refuse_other_exports(members, where)
    return NativeSummary(
        table_arn=_text_or_none(members, "tableArn", where),
        table_id=_text_or_none(members, "tableId", where),
        export_time=_text_or_none(members, "exportTime", where),
        item_count=_count(members, "itemCount", where),
        files_key=_text(members, "manifestFilesS3Key", where),
    )


def identity(data: bytes, *, where: str) -> NativeIdentity:
    """
    Raises:
        IntegrityError: no JSON object, or a member of the identity is of the wrong type or form.
    """
    members = manifest_object(data, where=where)
    arn = _text_or_none(members, "tableArn", where)
    table = None if arn is None else ExportedTable.of_arn(arn, table_id=_text_or_none(members, "tableId", where))
    if arn is not None and table is None:
        raise IntegrityError(_wrong(where, "tableArn", "the ARN of a table"))
    kind, part = _kind_and_part(members)
    return NativeIdentity(
        exported=table,
        export_time=_text_or_none(members, "exportToTime", where) or _text_or_none(members, "exportTime", where),
        part=part,
        kind=kind,
        item_count=None if members.get("itemCount") is None else _count(members, "itemCount", where),
        output_format=_text_or_none(members, "outputFormat", where),
        odd_members=tuple(odd_members(members)),
        start=_text_or_none(members, "exportFromTime", where),
        view=_text_or_none(members, "outputView", where),
    )


def _kind_and_part(members: dict[str, Any]) -> tuple[ExportKind, str | None]:
    """A full export has no other members today; a new one may mean that items or attributes are left out."""
    odd, filtered = odd_members(members), bool(filter_members(members))
    stated = members.get("exportType", "FULL_EXPORT")
    if stated != "FULL_EXPORT" or "exportFromTime" in members:
        changes = stated == "INCREMENTAL_EXPORT" or "exportFromTime" in members
        kind = ExportKind.INCREMENTAL if changes else ExportKind.OTHER
        return ExportKind.FILTERED if filtered else kind, "no full export"
    if odd:
        return ExportKind.FILTERED if filtered else ExportKind.OTHER, f"its {odd[0]} may make it a part of a table"
    return ExportKind.FULL, None


def filter_members(members: dict[str, Any]) -> list[str]:
    """The names of members which say, or may say, that the export leaves items or attributes out."""
    return sorted(name for name in members if _NAMES_A_PART.search(name))


def odd_members(members: dict[str, Any]) -> list[str]:
    """The names of members which may say that the export is less than the whole: those, and any that nobody knows."""
    unknown = {name for name, value in members.items() if name not in KNOWN_MEMBERS and value is not None}
    return sorted({*filter_members(members), *unknown})


def parse_files(data: bytes, *, where: str) -> tuple[NativeFile, ...]:
    """
    The data files of `manifest-files.json`, one JSON object a line, each file once; `check_item_total` finds a missing
    line.

    Raises:
        IntegrityError: a malformed line, a file twice with another hash or count, or a key that leads elsewhere.
    """
    try:
        files = tuple(_file(line, f"{where} line {number}") for number, _, line in iter_lines(data, name=where))
    except LineError as err:
        raise IntegrityError(str(err)) from err
    distinct = tuple(dict.fromkeys(files))
    if len({file.data_file_key for file in distinct}) != len(distinct):
        msg = f"{where} lists a data file twice, with different hashes or counts; it is damaged"
        raise IntegrityError(msg)
    return distinct


def check_item_total(summary: NativeSummary, files: Iterable[NativeFile], *, where: str) -> None:
    """Raise IntegrityError unless the files' item counts add up to the summary's."""
    total = sum(file.item_count for file in files)
    if total != summary.item_count:
        msg = (
            f"{where} says {counted(summary.item_count, 'item')}, {FILES_NAME} lists {total}; one of them is incomplete"
        )
        raise IntegrityError(msg)


def check_md5(data: bytes, stated: bytes, *, where: str) -> None:
    """
    Raise IntegrityError unless `stated`, the object that lies beside a manifest (`md5_name`), is the MD5 of `data`.

    DynamoDB writes it as base64; hex digits, which other tools write into such files, are taken too.
    """
    text = stated.decode("ascii", "replace").strip()
    if text not in (md5_base64(data), b64decode(md5_base64(data)).hex()):
        msg = f"{where} is damaged: its MD5 is not the one in {md5_name(where.rpartition('/')[2])}"
        raise IntegrityError(msg)


def md5_name(manifest_name: str) -> str:
    """`manifest-files.json` -> `manifest-files.md5`."""
    return manifest_name.removesuffix(".json") + ".md5"


def current_uri(data_file_key: str, *, folder: str) -> str:
    """
    Where a data file lies now, given the folder where the manifests lie now.

    Below the export's folder `AWSDynamoDB/<export id>/` it keeps its path, whatever the prefix and bucket
    are now; writers without that folder put data files into `data/` beside the manifests.
    """
    below = _EXPORT_FOLDER.sub("", data_file_key)
    inner = below if below != data_file_key else f"{DATA_FOLDER}/{data_file_key.rpartition('/')[2]}"
    return f"{folder.rstrip('/')}/{inner}"


def render_summary(identity: NativeIdentity, *, files_key: str, bucket: str | None, written: str) -> bytes:
    """
    `manifest-summary.json` of a full export whose items another writer than DynamoDB put there.

    Args:
        files_key: S3 key of `manifest-files.json`.
        written: when, ISO 8601.
    """
    table = identity.exported
    members = {
        "version": "2020-06-30",
        "exportArn": None,  # it was no export of DynamoDB's
        "startTime": written,
        "endTime": written,
        "tableArn": table.arn if table else None,
        "tableId": table.table_id if table else None,
        "exportTime": identity.export_time,
        "s3Bucket": bucket,
        "s3Prefix": None,
        "manifestFilesS3Key": files_key,
        "itemCount": identity.item_count,
        "outputFormat": identity.output_format,
        "exportType": "FULL_EXPORT",
    }
    return json.dumps(members).encode()


def render_files(files: Iterable[NativeFile]) -> bytes:
    """`manifest-files.json`: one object a line."""
    lines = (
        {"itemCount": f.item_count, "md5Checksum": f.md5, "etag": f.etag, "dataFileS3Key": f.data_file_key}
        for f in files
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _refuse_other_exports(members: dict[str, Any], where: str) -> None:
    kind, output = members.get("exportType", "FULL_EXPORT"), members.get("outputFormat")
    if kind == "INCREMENTAL_EXPORT" or "exportFromTime" in members:
        msg = f"{where} is of an incremental export: it holds changes, not a table; import a full export"
        raise FormatError(msg)
    if kind != "FULL_EXPORT" or output not in OUTPUT_FORMATS:
        msg = f"{where}: {kind} in {output} is not read; export the table again as DYNAMODB_JSON"
        raise FormatError(msg)


def _file(line: bytes, where: str) -> NativeFile:
    members = manifest_object(line, where=where)
    file = NativeFile(
        data_file_key=_text(members, "dataFileS3Key", where),
        item_count=_count(members, "itemCount", where),
        md5=_text(members, "md5Checksum", where),
        etag=_text_or_none(members, "etag", where),
    )
    if not _MD5.fullmatch(file.md5):
        raise IntegrityError(_wrong(where, "md5Checksum", "the base64 of an MD5"))
    try:
        check_entry_url(f"s3://bucket/{file.data_file_key}")
    except ValueError as err:
        raise IntegrityError(_wrong(where, "dataFileS3Key", "the key of a file")) from err
    return file


def _text(members: dict[str, Any], field: str, where: str) -> str:
    value = members.get(field)
    if type(value) is not str or not value:
        raise IntegrityError(_wrong(where, field, "a text"))
    return value


def _text_or_none(members: dict[str, Any], field: str, where: str) -> str | None:
    return None if members.get(field) is None else _text(members, field, where)


def _count(members: dict[str, Any], field: str, where: str) -> int:
    try:
        return integer(members.get(field))
    except ValueError as err:
        raise IntegrityError(_wrong(where, field, "a whole number")) from err


def _wrong(where: str, field: str, expected: str) -> str:
    return f"{where}: {field} is not {expected}; it is damaged or of another tool"
