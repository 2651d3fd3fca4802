"""A valid `_export.json` around given files."""

from __future__ import annotations

from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from tests.unit.reading.item_lines import KEYS


def export_record(*files: FileRecord, compression: str = "none") -> bytes:
    """The record of an export of the table `orders`."""
    return ExportRecord(
        tool_version="1",
        connector_version=None,
        run_id="run-1",
        table_name="orders",
        table_arn="arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        table_id="id",
        region="eu-west-1",
        key_schema=KEYS,
        reader="direct",
        scan_started="2026-11-23T03:00:00Z",
        scan_ended="2026-11-23T03:00:01Z",
        consistency="eventual",
        compression=compression,
        null_tag="nULL",
        files=files,
    ).to_bytes()
