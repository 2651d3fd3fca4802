"""The right backup: chosen by what it says of itself, never by a folder's name."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.importing.job import find_source
from dynamodb_pipeline.reading.finished_runs import SourceChoice, choose_finished_run
from dynamodb_pipeline.store.s3 import S3ObjectStore
from tests.unit.reading.export_records import export_record
from tests.unit.store.memory_store import MemoryStore

PLACE = "s3://b/exports"
EMPTY_MANIFEST = json.dumps({"name": "DynamoDB-export", "version": 3, "entries": []}).encode()


def native(folder: str, table: str | None, time: str | None, **more: Any) -> dict[str, bytes]:
    """A native export without items; its folder is always `AWSDynamoDB/<id>`."""
    arn = {"tableArn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}"} if table else {}
    when = {"exportTime": time} if time else {}
    members = {"manifestFilesS3Key": "k", "itemCount": 0, "outputFormat": "DYNAMODB_JSON", **arn, **when, **more}
    return {f"{folder}/manifest-summary.json": json.dumps(members).encode(), f"{folder}/manifest-files.json": b""}


def ours(folder: str, table: str, time: str) -> dict[str, bytes]:
    known = ExportRecord.from_bytes(export_record(), where="record")
    record = replace(known, table_name=table, scan_started=time, scan_ended=time)
    return {f"{folder}/manifest": EMPTY_MANIFEST, f"{folder}/_export.json": record.to_bytes()}


def old(folder: str) -> dict[str, bytes]:
    """Data Pipeline's manifest says nothing of its table."""
    return {f"{folder}/manifest": EMPTY_MANIFEST}


def chosen(store: MemoryStore, place: str = PLACE, **how: Any) -> str:
    plain = {"table": "Tab", "from_table": None, "latest": True, "without_manifest": "import --without-manifest"}
    choice = SourceChoice(**{**plain, **how})
    return choose_finished_run(store, place, choice).rstrip("/")


def settings(**changes: Any) -> Any:
    plain = {
        "common": SimpleNamespace(command_with=lambda flag, without: f"import {flag}"),
        "table": "Tab",
        "bare_name": "Tab",
        "input": PLACE,
        "from_table": None,
        "latest": False,
        "mirror": False,
        "only_changes": False,
    }
    fixed = {"chain": False, "without_manifest": False, "allow_buckets": (), "accept_members": ()}
    return SimpleNamespace(**{**plain, **fixed, **changes})


def test_latest_takes_the_targets_own_native_export_not_the_newest_of_another_table() -> None:
    other = native(f"{PLACE}/AWSDynamoDB/02-b", "Other", "2026-02-02T00:00:00Z")
    store = MemoryStore({**native(f"{PLACE}/AWSDynamoDB/01-a", "Tab", "2026-01-01T00:00:00.5Z"), **other})
    assert chosen(store) == f"{PLACE}/AWSDynamoDB/01-a"
    assert chosen(store, latest=False) == f"{PLACE}/AWSDynamoDB/01-a"
    assert chosen(store, from_table="Other") == f"{PLACE}/AWSDynamoDB/02-b"
    with pytest.raises(PreconditionError, match=r"no finished export of table 'Tab'") as caught:
        chosen(MemoryStore(other))
    assert caught.value.rows[1].split() == ["2026-02-02", "00:00:00", "full", "0", "0", "bytes", "Other"]
    assert caught.value.rows[3].strip() == f"{PLACE}/AWSDynamoDB/02-b/"
    (shown,) = caught.value.facts["backups"]
    assert (shown["table"], shown["region"], shown["time"]) == ("Other", "eu-west-1", "2026-02-02T00:00:00Z")
    with pytest.raises(PreconditionError, match="--from-table"):
        chosen(MemoryStore(ours(f"{PLACE}/Tab/2026-01-01-00-00-00", "Other", "2026-01-01T00:00:00Z")))


def test_the_newest_is_that_of_its_own_time_whatever_its_folder_is_called() -> None:
    store = MemoryStore(
        {
            **ours(f"{PLACE}/2030-01-01-00-00-00", "Tab", "2026-01-01T00:00:00Z"),
            **native(f"{PLACE}/AWSDynamoDB/zz", "Tab", "2026-01-02T00:00:00Z"),
            **ours(f"{PLACE}/2020-01-01-00-00-00", "Tab", "2026-01-03T00:00:00Z"),
        }
    )
    assert chosen(store) == f"{PLACE}/2020-01-01-00-00-00"


def test_a_stamp_counts_only_where_the_backup_names_no_time() -> None:
    store = MemoryStore({**old(f"{PLACE}/2026-01-01-00-00-00"), **old(f"{PLACE}/2026-01-02-00-00-00")})
    assert chosen(store) == f"{PLACE}/2026-01-02-00-00-00"
    store.objects.update(old(f"{PLACE}/zzz"))
    with pytest.raises(PreconditionError, match="the newest cannot be told"):
        chosen(store)


def test_two_of_the_same_time_are_not_chosen_between() -> None:
    same = [ours(f"{PLACE}/{name}", "Tab", "2026-01-01T00:00:00Z") for name in "ab"]
    with pytest.raises(PreconditionError, match="the newest cannot be told"):
        chosen(MemoryStore({**same[0], **same[1]}))


@pytest.mark.parametrize(
    "part",
    [
        {"exportType": "INCREMENTAL_EXPORT", "outputView": "NEW_AND_OLD_IMAGES"},
        {"exportFromTime": "2026-01-01T00:00:00Z"},
        {"filterExpression": "a = :a"},
        {"exportType": "SOMETHING_NEW"},
    ],
    ids=["incremental", "from a time", "filtered", "unknown kind"],
)
def test_a_part_is_never_a_candidate(part: dict[str, Any]) -> None:
    newer = native(f"{PLACE}/AWSDynamoDB/02", "Tab", "2026-02-02T00:00:00Z", **part)
    store = MemoryStore({**newer, **native(f"{PLACE}/AWSDynamoDB/01", "Tab", "2026-01-01T00:00:00Z")})
    assert chosen(store) == f"{PLACE}/AWSDynamoDB/01"


def test_where_only_a_part_lies_and_no_table_was_named_none_is_spoken_of() -> None:
    """As `verify FOLDER --latest` asks without `--table`."""
    store = MemoryStore(native(f"{PLACE}/AWSDynamoDB/02", "Tab", "2026-02-02T00:00:00Z", filterExpression="a = :a"))
    with pytest.raises(PreconditionError, match="known to be of a whole table; give the folder") as caught:
        chosen(store, table=None)
    assert ("None" in str(caught.value), "--from-table" in str(caught.value)) == (False, False)
    assert any(f"{PLACE}/AWSDynamoDB/02" in row for row in caught.value.rows)


def test_a_backup_that_names_no_table_counts_only_where_none_names_one() -> None:
    unnamed = old(f"{PLACE}/2026-01-02-00-00-00")
    assert chosen(MemoryStore(unnamed)) == f"{PLACE}/2026-01-02-00-00-00"
    assert chosen(MemoryStore(unnamed), from_table="unknown") == f"{PLACE}/2026-01-02-00-00-00"
    with pytest.raises(PreconditionError, match="no finished export of table 'Other'"):
        chosen(MemoryStore(unnamed), from_table="Other")
    named = ours(f"{PLACE}/2026-01-01-00-00-00", "Tab", "2026-01-01T00:00:00Z")
    assert chosen(MemoryStore({**unnamed, **named})) == f"{PLACE}/2026-01-01-00-00-00"
    foreign = ours(f"{PLACE}/2026-01-01-00-00-00", "Other", "2026-01-01T00:00:00Z")
    with pytest.raises(PreconditionError, match="no finished export of table 'Tab'"):
        chosen(MemoryStore({**unnamed, **foreign}))


def test_unnamed_backups_of_several_folders_are_not_mixed() -> None:
    store = MemoryStore({**old(f"{PLACE}/Tab/2026-01-01-00-00-00"), **old(f"{PLACE}/Oth/2026-01-02-00-00-00")})
    with pytest.raises(PreconditionError, match="give one"):
        chosen(store)


def test_without_a_table_the_newest_is_taken_only_of_one_table() -> None:
    store = MemoryStore(ours(f"{PLACE}/a", "Tab", "2026-01-01T00:00:00Z"))
    store.objects.update(ours(f"{PLACE}/b", "Tab", "2026-01-02T00:00:00Z"))
    assert chosen(store, table=None) == f"{PLACE}/b"
    store.objects.update(ours(f"{PLACE}/c", "Other", "2026-01-03T00:00:00Z"))
    with pytest.raises(PreconditionError, match="give one"):
        chosen(store, table=None)


@pytest.mark.parametrize("place", ["s3://b", "s3://b/", "s3a://b"])
def test_a_bucket_alone_holds_region_table_and_stamp(place: str) -> None:
    deep = "s3://b/eu-west-1/Tab/2026-01-01-00-00-00"
    assert chosen(S3Like(ours(deep, "Tab", "2026-01-01T00:00:00Z")), place) == deep


class S3Like(MemoryStore):
    """Lists as S3 does: always `s3://` addresses."""

    def list(self, folder_uri: str) -> Any:
        return super().list(folder_uri.replace("s3a://", "s3://"))


def test_a_buckets_top_is_no_object_and_nothing_asks_s3_for_one() -> None:
    def no_client(bucket: str) -> Any:
        raise AssertionError(bucket)

    assert S3ObjectStore(no_client).head("s3://bucket") is None
    assert S3ObjectStore(no_client).head("s3://bucket/") is None


def test_a_record_that_cannot_be_believed_ends_the_choice() -> None:
    store = MemoryStore(ours(f"{PLACE}/a", "Tab", "2026-01-01T00:00:00Z"))
    store.objects.update({**old(f"{PLACE}/b"), f"{PLACE}/b/_export.json": b"{}"})
    with pytest.raises(IntegrityError, match=r"b/_export\.json"):
        chosen(store)


def test_one_exact_folder_of_another_table_is_imported_but_not_mirrored() -> None:
    folder = f"{PLACE}/AWSDynamoDB/01"
    store = MemoryStore(native(folder, "Other", "2026-01-01T00:00:00Z"))
    assert find_source(store, settings(input=folder)).source_table == "Other"
    for place in (folder, PLACE):
        with pytest.raises(PreconditionError, match=r"an export of table 'Other'.*--from-table Other"):
            find_source(store, settings(input=place, mirror=True))
        assert find_source(store, settings(input=place, mirror=True, from_table="Other")).source_table == "Other"
    with pytest.raises(PreconditionError, match="--from-table Third"):
        find_source(store, settings(input=folder, from_table="Third"))


def test_a_mirror_of_an_export_that_names_no_table_must_be_told_so() -> None:
    store = MemoryStore(old(PLACE))
    assert find_source(store, settings()).source_table is None
    for given in (None, "Tab"):
        with pytest.raises(PreconditionError, match=r"nothing proves.*--from-table unknown"):
            find_source(store, settings(mirror=True, from_table=given))
    assert find_source(store, settings(mirror=True, from_table="unknown")).source_table is None


def test_a_part_is_never_mirrored() -> None:
    store = MemoryStore(native(PLACE, "Tab", "2026-01-01T00:00:00Z", filterExpression="a = :a"))
    with pytest.raises(PreconditionError, match=r"filterExpression.*--accept-member filterExpression"):
        find_source(store, settings())
    accepted = {"accept_members": ("filterExpression",)}
    assert find_source(store, settings(**accepted)).source_table == "Tab"
    for mode in ("mirror", "only_changes"):
        with pytest.raises(PreconditionError, match=r"filterExpression.*whole"):
            find_source(store, settings(**accepted, **{mode: True}))
