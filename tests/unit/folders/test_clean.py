"""What `clean` deletes, what it never touches, and that a clean which is broken off does no harm."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import PreconditionError, StoppedError
from dynamodb_pipeline.exporting.run_folder import Claim, publish
from dynamodb_pipeline.folders.clean import CleanRequest, Leftovers, _lines, clean
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.run.heartbeat import Here
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.store.objects import ObjectInfo
from tests.unit.store.memory_store import MemoryStore

LOGS = "s3://bucket/logs"
PARENT = "s3://bucket/exports"
NOW = datetime(2026, 11, 23, 3, 0, 0, tzinfo=timezone.utc)
HERE = Here("here", 1, lambda: NOW, lambda _: True, lambda _: None)
FAILED = {"state": "failed", "exit_code": 5}
KILLED = {"state": "running", "host": "there", "pid": 7, "heartbeat": "2026-11-23T02:00:00Z"}
ALIVE = {**KILLED, "heartbeat": "2026-11-23T02:59:00Z"}
LINE = b'{"Id":{"s":"1"}}\n'
KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"),))


class World(MemoryStore):
    """A bucket with export folders; remembers the order of deletions and fails at a chosen one."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[str] = []
        self.deletions_left = 10**6

    def delete(self, uri: str) -> None:
        if self.deletions_left == 0:
            raise StoppedError("S3 does not answer")
        self.deletions_left -= 1
        self.deleted.append(uri)
        super().delete(uri)

    def claim(self, run_id: str, *, table: str = "Forum", stamp: str | None = None) -> str:
        """A claimed folder; returns its address."""
        folder = f"{PARENT}/{table}/{stamp or run_id}"
        self.objects[f"{folder}/_claim.json"] = Claim(run_id, table, "id", "2026-11-23T01:00:00Z").to_bytes()
        return folder

    def record(self, run_id: str, **facts: Any) -> None:
        self.objects[f"{LOGS}/runs/{run_id}/run.json"] = json.dumps({"run_id": run_id, **facts}).encode()

    def data_file(self, folder: str, *, suffix: str = "") -> FileRecord:
        record = FileRecord(f"{uuid.uuid4()}_000000{suffix}", len(LINE), len(LINE), 1, "0" * 64)
        self.objects[f"{folder}/{record.name}"] = LINE
        return record

    def ledger(self, run_id: str, folder: str, files: list[FileRecord], *, table: str = "Forum") -> None:
        ledger = Ledger(self, f"{LOGS}/runs/{run_id}/ledger/export/{table}")
        ledger.open({"folder": f"{folder}/"})
        for number, file in enumerate(files):
            ledger.add(f"segment-{number}", {"files": [asdict(file)]})

    def dead(self, run_id: str, *, table: str = "Forum", **facts: Any) -> str:
        """A run that stopped after two files, one of them not yet in its ledger."""
        folder = self.claim(run_id, table=table)
        self.record(run_id, **(facts or FAILED))
        self.ledger(run_id, folder, [self.data_file(folder)], table=table)
        self.data_file(folder, suffix=".gz")
        return folder

    def finished(self, run_id: str) -> tuple[str, list[str]]:
        """A finished export of one file beside an orphan; returns folder and the addresses that belong to it."""
        folder = self.claim(run_id)
        self.record(run_id, state="done", exit_code=0)
        listed = self.data_file(folder)
        publish(self, S3Uri.parse(folder).folder, _export(run_id, listed), lifetime=RunLifetime())
        whole = [uri for uri in self.objects if uri.startswith(folder)]
        self.data_file(folder)
        return folder, whole

    def below(self, folder: str) -> list[str]:
        return [uri for uri in self.objects if uri.startswith(f"{folder}/")]


def _export(run_id: str, file: FileRecord) -> ExportRecord:
    moments = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
    return ExportRecord(
        *("1", None, run_id, "Forum", "arn:aws:dynamodb:eu-west-1:123456789012:table/Forum", "id", "eu-west-1"),
        *(KEYS, "direct", *moments, "eventual", "none", "nULL", (file,)),
    )


def cleaned(store: World, folder: str, *, yes: bool = True) -> dict[str, Any]:
    said: list[str] = []
    result = clean(store, CleanRequest(folder, LOGS, yes), say_all=said.extend, here=HERE)
    return {**result, "said": "\n".join(said)}


@pytest.fixture
def store() -> World:
    return World()


@pytest.mark.parametrize("facts", [FAILED, KILLED], ids=["failed", "killed"])
def test_folder_and_ledger_of_a_dead_run_are_emptied(store: World, facts: dict[str, Any]) -> None:
    folder = store.dead("run-1", **facts)
    result = cleaned(store, folder)
    assert store.below(folder) == []
    assert list(store.objects) == [f"{LOGS}/runs/run-1/run.json"]
    assert (result["files"], result["bytes"], result["runs"][0]["ledger_objects"]) == (2, 2 * len(LINE), 2)


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 data file and 1 ledger entry;"), (2, "2 data files and 2 ledger entries;")]
)
def test_what_would_be_deleted_is_right_for_one_and_many(count: int, said: str) -> None:
    files = tuple(ObjectInfo(f"s3://b/x/{number}", 1, "") for number in range(count))
    one = Leftovers("s3://b/x", "run-1", "Forum", "failed", False, files, tuple(info.uri for info in files))
    assert f"would delete {said}" in "\n".join(_lines([one], [], deletes=False))


def test_dry_run_lists_and_deletes_nothing(store: World) -> None:
    folder = store.dead("run-1")
    before = dict(store.objects)
    result = cleaned(store, folder, yes=False)
    assert store.objects == before
    assert (result["dry_run"], result["files"]) == (True, 2)
    assert "run run-1, failed: would delete 2 data files and 2 ledger entries" in result["said"]
    assert all(uri in result["said"] for uri in store.below(folder) if uri.endswith(("000000", ".gz")))
    assert "--yes deletes" in result["said"]


def test_no_data_file_goes_before_the_ledger(store: World) -> None:
    """Wherever a clean is broken off: a ledger entry that is left names a file that is left."""
    folder = store.dead("run-1")
    cleaned(store, folder)
    kinds = ["ledger" if LOGS in uri else uri.rpartition("/")[2][:1] == "_" for uri in store.deleted]
    assert kinds == ["ledger", "ledger", False, False, True]
    assert store.deleted[1].endswith("header.json")
    assert store.deleted[-1].endswith("_claim.json")


@pytest.mark.parametrize("deletions", range(6))
def test_clean_that_was_broken_off_is_run_again(store: World, deletions: int) -> None:
    folder = store.dead("run-1")
    store.objects[f"{folder}/_export.json"] = b"{}"
    store.deletions_left = deletions
    with pytest.raises(StoppedError):
        cleaned(store, folder)
    store.deletions_left = 10**6
    cleaned(store, folder)
    assert list(store.objects) == [f"{LOGS}/runs/run-1/run.json"]


def test_finished_export_keeps_what_it_lists_and_loses_its_orphan(store: World) -> None:
    folder, whole = store.finished("run-1")
    result = cleaned(store, PARENT)
    assert store.below(folder) == whole
    assert (result["files"], result["runs"][0]["finished"]) == (1, True)


@pytest.mark.parametrize("name", ["manifest", "_export.json"])
def test_finished_export_whose_list_is_damaged_is_not_touched(store: World, name: str) -> None:
    folder, _ = store.finished("run-1")
    store.objects[f"{folder}/{name}"] = store.objects[f"{folder}/{name}"][:-3]
    with pytest.raises(PreconditionError, match=name):
        cleaned(store, folder)
    assert store.deleted == []


def test_finished_export_of_the_old_template_is_not_touched(store: World) -> None:
    """It holds files of just such names, and no claim of ours."""
    store.data_file(f"{PARENT}/old")
    store.objects[f"{PARENT}/old/manifest"] = b"{}"
    with pytest.raises(PreconditionError, match=r"no _claim\.json"):
        cleaned(store, PARENT)
    assert store.deleted == []


def test_living_run_is_refused_by_host_and_process(store: World) -> None:
    folder = store.dead("run-1", **ALIVE)
    with pytest.raises(PreconditionError, match=r"run run-1 is at work: process 7 on there"):
        cleaned(store, folder)
    assert store.deleted == []


def test_living_run_beside_a_dead_one_is_kept_and_told(store: World) -> None:
    alive, dead = store.dead("run-1", **ALIVE), store.dead("run-2", table="Thread")
    before = store.below(alive)
    result = cleaned(store, PARENT)
    assert (store.below(alive), store.below(dead)) == (before, [])
    assert [one["folder"] for one in result["kept"]] == [alive]
    assert f"{LOGS}/runs/run-1/ledger/export/Forum/header.json" in store.objects


@pytest.mark.parametrize(
    "record",
    [None, {**FAILED, "run_id": "another"}, {"state": "running"}],
    ids=["no record", "another's", "running without heartbeat"],
)
def test_run_that_nothing_says_is_dead_is_not_touched(store: World, record: dict[str, Any] | None) -> None:
    folder = store.dead("run-1")
    uri = f"{LOGS}/runs/run-1/run.json"
    del store.objects[uri]
    if record is not None:
        store.objects[uri] = json.dumps({"run_id": "run-1", **record}).encode()
    with pytest.raises(PreconditionError, match="nothing tells that it is dead"):
        cleaned(store, folder)
    assert store.deleted == []


@pytest.mark.parametrize("claim", [b"", b"[]", b"{}", b'{"run_id": "../x", "table_name": "T"}'])
def test_claim_that_is_not_ours_is_not_followed(store: World, claim: bytes) -> None:
    folder = store.dead("run-1")
    store.objects[f"{folder}/_claim.json"] = claim
    with pytest.raises(PreconditionError, match=r"_claim\.json is not one of ours"):
        cleaned(store, folder)


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "part-00000", f"sub/{uuid.UUID(int=0, version=4)}_000000", "ae10f955-fb2f-4790-9b11_000000", "x.gz"],
)
def test_file_with_another_name_is_kept(store: World, name: str) -> None:
    folder = store.dead("run-1")
    store.objects[f"{folder}/{name}"] = b"theirs"
    cleaned(store, folder)
    assert store.below(folder) == [f"{folder}/{name}"]


def test_ledger_of_the_same_run_in_another_folder_is_kept(store: World) -> None:
    """The run was tried with another --output and refused; its claim there owns no ledger."""
    store.dead("run-1")
    strayed = store.claim("run-1", stamp="strayed")
    result = cleaned(store, strayed)
    assert (store.below(strayed), result["runs"][0]["ledger_objects"]) == ([], 0)
    assert f"{LOGS}/runs/run-1/ledger/export/Forum/segment-0.json" in store.objects


def test_table_whose_name_begins_like_another_keeps_its_ledger(store: World) -> None:
    folder, other = store.dead("run-1"), store.dead("run-1", table="Forum2")
    cleaned(store, folder)
    assert f"{LOGS}/runs/run-1/ledger/export/Forum2/segment-0.json" in store.objects
    assert len(store.below(other)) == 3


def test_long_list_is_shortened_for_people(store: World) -> None:
    folder = store.dead("run-1")
    for _ in range(30):
        store.data_file(folder)
    result = cleaned(store, folder, yes=False)
    assert result["files"] == 32
    assert "  and 12 more" in result["said"].splitlines()
