"""
Where an export goes: folders, stamps, claims.

Layout (as AWS Data Pipeline's template made it): one table `OUTPUT/<stamp>/`, several `OUTPUT/<table>/<stamp>/`,
stamp `yyyy-MM-dd-HH-mm-ss` in UTC; a bucket alone means `s3://bucket/<region>/<table>/<stamp>/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.documents import Document, member, string, to_bytes
from dynamodb_pipeline.errors import UsageError

NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}_[0-9]{6,}(\.gz)?")

MANIFEST = "manifest"
# Of an export that holds a part of its table. AWS's importer and earlier versions of this tool look for `manifest`, and
# read no object whose name begins with "_".
PART_MANIFEST = "_part_manifest"
NATIVE_SUMMARY = "manifest-summary.json"  # of DynamoDB's own export to S3
NATIVE_STARTED = "_started"  # what that puts first
EXPORT_RECORD = "_export.json"
CLAIM = "_claim.json"
TABLE_DEFINITION = "_table.json"
SUCCESS = "_SUCCESS"
STAMP_FORMAT = "%Y-%m-%d-%H-%M-%S"
STAMP = re.compile(r"[0-9]{4}(?:-[0-9]{2}){5}")
MARKER_SUFFIX = "_$folder$"


def stamp(moment: datetime) -> str:
    """`yyyy-MM-dd-HH-mm-ss` of a moment, in UTC."""
    return moment.astimezone(timezone.utc).strftime(STAMP_FORMAT)


def output_folder(output: S3Uri, *, table: str, region: str, several: bool, moment: datetime, exact: bool) -> S3Uri:
    """
    The run folder of one table's export.

    Raises:
        UsageError: `exact` with several tables or with a bucket alone.
    """
    base = output.folder
    if exact:
        if several or not base.key:
            msg = "--exact-output needs one --table and a folder (s3://bucket/folder)"
            raise UsageError(msg)
        return base
    if not base.key:
        base = base.child(f"{region}/{table}/")
    elif several:
        base = base.child(f"{table}/")
    return base.child(f"{stamp(moment)}/")


def is_data_file(name: str) -> bool:
    """True for a name that `DataFileWriter` gives: `<uuid4>_<number>`, `.gz` behind it when compressed."""
    return NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class Claim(Document):
    """The claim of one run; `claimed_at` as our documents write times."""

    run_id: str = member(string)
    table_name: str = member(string)
    table_id: str = member(string)
    claimed_at: str = member(string)

    def to_bytes(self) -> bytes:
        """The document as it is stored."""
        return to_bytes(self.to_json())


UNKNOWN_CLAIM = Claim("unknown", "?", "?", "?")  # what lies there is none of ours
