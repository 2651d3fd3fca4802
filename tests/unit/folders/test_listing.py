"""The backups below a place: what a row says, where it is known from, and how few requests it takes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.folders.listing import ListQuery, list_backups, list_facts, list_lines
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import Claim
from dynamodb_pipeline.run.heartbeat import Here
from tests.unit.reading.export_records import export_record
from tests.unit.reading.item_lines import lines
from tests.unit.reading.test_source import manifest
from tests.unit.store.memory_store import MemoryStore

PLACE, LOGS = "s3://b/exports", "s3://b/logs"
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"


def native(folder: str, time: str, **more: Any) -> dict[str, bytes]:
    """As AWS's documentation of the layout shows it."""
    summary = {"tableArn": ARN, "exportTime": time, "itemCount": 8, "outputFormat": "DYNAMODB_JSON", **more}
    summary = {name: value for name, value in summary.items() if value is not None}
    data = {f"{folder}/data/asdl123.json.gz": b"x" * 1500, f"{folder}/_started": b""}
    return {**data, f"{folder}/manifest-summary.json": json.dumps(summary).encode()}


def ours(folder: str, time: str) -> dict[str, bytes]:
    known = ExportRecord.from_bytes(export_record(), where="record")
    record = replace(known, scan_started=time, scan_ended=time)
    return {f"{folder}/manifest": manifest(), f"{folder}/_export.json": record.to_bytes()}


def claimed(folder: str, run_id: str) -> dict[str, bytes]:
    return {f"{folder}/_claim.json": Claim(run_id, "Orders", "id", "2026-02-07T00:00:00Z").to_bytes()}


def run_json(run_id: str, **members: Any) -> dict[str, bytes]:
    return {f"{LOGS}/runs/{run_id}/run.json": json.dumps({"run_id": run_id, **members}).encode()}


def rows(objects: dict[str, bytes], *, logs: str | None = None) -> list[dict[str, Any]]:
    query = ListQuery(PLACE, logs)
    backups = list_backups(MemoryStore(objects), query, here=Here(now=lambda: NOW))
    shown: list[dict[str, Any]] = list_facts(query, backups)["backups"]
    return shown


CHANGES = {"exportType": "INCREMENTAL_EXPORT", "exportTime": None, "exportToTime": "2026-02-03T00:00:00Z"}
EVERY_KIND = {
    **native(f"{PLACE}/AWSDynamoDB/01", "2026-02-02T00:00:00.25Z"),
    **native(f"{PLACE}/AWSDynamoDB/02", "", exportFromTime="2026-02-02T00:00:00Z", **CHANGES),
    **native(f"{PLACE}/AWSDynamoDB/03", "2026-02-04T00:00:00Z", filterSpecification={}),
    **ours(f"{PLACE}/eu-west-1/Orders/2026-02-05-00-00-00", "2026-02-05T00:00:00Z"),
    f"{PLACE}/old/deep/er/2026-02-06-00-00-00/manifest": manifest("a"),
    f"{PLACE}/old/deep/er/2026-02-06-00-00-00/a": lines("abc"),
    **claimed(f"{PLACE}/2026-02-07-00-00-00", "20260207T000000Z-00000000"),
    f"{PLACE}/AWSDynamoDB/04/_started": b"",
    f"{PLACE}/2026-01-01-00-00-00/manifest": manifest(),
    f"{PLACE}/2026-01-01-00-00-00/_export.json": b"{}",
}


def test_every_kind_has_its_row_newest_first() -> None:
    found = [(row["kind"], row["time"], row["table"], row["region"], row["items"]) for row in rows(EVERY_KIND)]
    record = ExportRecord.from_bytes(export_record(), where="record")
    assert found == [
        ("unfinished", "2026-02-07T00:00:00Z", "Orders", None, None),
        ("full", "2026-02-06T00:00:00Z", None, None, None),
        ("full", "2026-02-05T00:00:00Z", record.table_name, record.region, record.item_count),
        ("filtered", "2026-02-04T00:00:00Z", "Orders", "eu-west-1", 8),
        ("incremental", "2026-02-03T00:00:00Z", "Orders", "eu-west-1", 8),
        ("full", "2026-02-02T00:00:00Z", "Orders", "eu-west-1", 8),
        ("damaged", "2026-01-01T00:00:00Z", None, None, None),
        ("unfinished", None, None, None, None),
    ]


def test_dialect_and_bytes_are_those_of_the_data_files() -> None:
    shown = {row["time"]: (row["dialect"], row["bytes"]) for row in rows(EVERY_KIND)}
    assert shown["2026-02-06T00:00:00Z"] == ("connector-json", len(lines("abc")))
    assert shown["2026-02-02T00:00:00Z"] == ("native-export", 1500)
    assert shown["2026-02-03T00:00:00Z"] == ("native-export", 1500)


def test_with_logs_dead_runs_and_verifications_are_known() -> None:
    dead, living = "20260207T000000Z-00000000", "20260208T000000Z-00000000"
    folder = f"{PLACE}/eu-west-1/Orders/2026-02-05-00-00-00"
    done = {"kind": "verify", "state": "done", "exit_code": 0, "export": f"{folder}/"}
    objects = {
        **EVERY_KIND,
        **claimed(f"{PLACE}/2026-02-08-00-00-00", living),
        **run_json(dead, state="running", heartbeat="2026-02-07T00:01:00Z", host="h", pid=1),
        **run_json(living, state="running", heartbeat="2026-02-28T23:59:30Z", host="h", pid=1),
        **run_json("verify-one", ended="2026-02-10T00:00:00Z", **done),
        **run_json("verify-two", ended="2026-02-11T00:00:00Z", **done),
        **run_json("verify-bad", ended="2026-02-12T00:00:00Z", **{**done, "exit_code": 4, "state": "failed"}),
    }
    shown = {row["folder"]: row for row in rows(objects, logs=LOGS)}
    assert shown[f"{PLACE}/2026-02-07-00-00-00/"]["kind"] == "dead run"
    assert shown[f"{PLACE}/2026-02-08-00-00-00/"]["kind"] == "unfinished"
    assert f"run {living} is at work" in shown[f"{PLACE}/2026-02-08-00-00-00/"]["note"]
    assert [row["verified"] for row in shown.values() if row["verified"]] == ["2026-02-11T00:00:00Z"]
    assert shown[f"{folder}/"]["verified"]
    assert {row["verified"] for row in rows(objects)} == {None}


def test_the_table_for_people_has_80_columns_but_for_addresses() -> None:
    long = ARN.replace("Orders", "O" * 255)
    objects = {
        **EVERY_KIND,
        **native(f"{PLACE}/AWSDynamoDB/05", "2026-02-20T00:00:00Z", tableArn=long, itemCount=10**12),
    }
    query = ListQuery(PLACE)
    backups = list_backups(MemoryStore(objects), query)
    shown = list_lines(list_facts(query, backups), backups)
    assert [line for line in shown if len(line) > 80 and "s3://" not in line] == []
    assert "1,000,000,000,000   1.5 KiB  OOO" in shown[1]
    assert shown[2] == "    eu-west-1, native-export, verified: unknown"
    assert shown[3] == f"    {PLACE}/AWSDynamoDB/05/"
    narrow = list_lines(list_facts(query, backups), backups, narrow=True)
    assert narrow[0] == "2026-02-20 00:00:00  full"
    assert narrow[1].startswith("    1,000,000,000,000 items, 1.5 KiB, table OOO")


def test_a_place_without_backups_says_so_and_an_empty_one_is_refused() -> None:
    query = ListQuery(PLACE)
    assert list_lines(list_facts(query, []), [], narrow=True) == list_lines(list_facts(query, []), [])
    assert list_lines(list_facts(query, []), []) == [f"{PLACE} holds no backup; `inspect` looks at any other files"]
    assert rows({f"{PLACE}/a": lines("a")}) == []
    with pytest.raises(PreconditionError, match="holds nothing"):
        rows({})


class TenAtATime(MemoryStore):
    """A `get` is answered when ten have been asked for; whoever asks for one after the other waits in vain."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.calls: list[str] = []
        self._together = threading.Barrier(10)

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        self.calls.append("get")
        self._together.wait(timeout=60)
        return super().get(uri, etag=etag)

    def head(self, uri: str) -> Any:
        self.calls.append("head")
        return super().head(uri)

    def list(self, folder_uri: str) -> Any:
        self.calls.append("list")
        return iter([MemoryStore.head(self, uri) for uri in sorted(self.objects)])


def test_a_thousand_exports_take_one_listing_and_a_document_each_ten_at_a_time() -> None:
    """At 20 ms a request: 1,000 x 20 ms / 10 = 2 s, and 100 pages of the listing of 100,000 objects 2 s."""
    objects: dict[str, bytes] = {}
    for number in range(500):
        objects |= native(f"{PLACE}/AWSDynamoDB/{number:04}", "2026-02-02T00:00:00Z")
        objects |= ours(f"{PLACE}/Orders/{number:04}", "2026-02-02T00:00:00Z")
    store = TenAtATime(objects)
    assert len(list_backups(store, ListQuery(PLACE))) == 1000
    assert {call: store.calls.count(call) for call in set(store.calls)} == {"list": 1, "get": 1000}
