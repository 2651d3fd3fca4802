"""Which run `--resume latest` means, and the command that resumes a stopped one."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from dynamodb_pipeline.errors import ExitCode, PreconditionError
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.run.heartbeat import Here
from dynamodb_pipeline.run.record import latest_unfinished, resume_command
from dynamodb_pipeline.settings.parser import words_read
from tests.unit.store.memory_store import MemoryStore

LOGS = "s3://bucket/logs"


def record(run_id: str, **changes: Any) -> dict[str, Any]:
    facts = {"run_id": run_id, "kind": "export", "table_names": ["Forum"], "state": "failed", "exit_code": 5}
    started = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T00:00:00Z"
    return {**facts, "started": started, **changes}


def store_of(*records: dict[str, Any]) -> MemoryStore:
    return MemoryStore({f"{LOGS}/runs/{r['run_id']}/run.json": json.dumps(r).encode() for r in records})


OLD, NEW = record("20260101T000000Z-aa"), record("20260202T000000Z-bb")


@pytest.mark.parametrize(
    "other",
    [
        record("20260303T000000Z-cc", state="done", exit_code=0),
        record("20260303T000000Z-cc", exit_code=int(ExitCode.PRECONDITION)),
        record("20260303T000000Z-cc", exit_code=int(ExitCode.INTEGRITY)),
        record("20260303T000000Z-cc", kind="import"),
        record("20260303T000000Z-cc", table_names=["Forum", "Thread"]),
    ],
    ids=["done", "refused", "damaged", "other kind", "more tables"],
)
def test_newest_run_that_can_go_on_is_taken(other):
    store = store_of(NEW, other, OLD)
    store.objects[f"{LOGS}/runs/20260404T000000Z-dd/ledger/export/Forum/header.json"] = b"{}"
    assert latest_unfinished(store, LOGS, kind="export", tables=["Forum"]) == NEW["run_id"]


def test_killed_run_counts_as_unfinished():
    killed = record("20260303T000000Z-cc", state="running")
    assert latest_unfinished(store_of(NEW, killed), LOGS, kind="export", tables=["Forum"]) == killed["run_id"]


def test_newest_run_that_is_still_at_work_is_refused_and_no_older_one_taken():
    beat = datetime(2026, 3, 3, tzinfo=timezone.utc)
    living = record("20260303T000000Z-cc", state="running", host="there", pid=7, heartbeat="2026-03-03T00:00:00Z")
    with pytest.raises(PreconditionError, match=r"run 20260303T000000Z-cc is at work: process 7 on there"):
        latest_unfinished(
            store_of(NEW, living), LOGS, kind="export", tables=["Forum"], here=Here(host="here", now=lambda: beat)
        )


def test_nothing_to_resume_is_refused():
    with pytest.raises(PreconditionError, match="no unfinished export of Thread"):
        latest_unfinished(store_of(OLD), LOGS, kind="export", tables=["Thread"])


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("--table", "T1x", "--run-id", "old", "--exact-output"), "export --table T1x --exact-output"),
        (("--run-id=old", "--table", "T1x"), "export --table T1x"),
        (("--table", "T1x", "--resume", "latest"), "export --table T1x"),
        (("--table", "T1x", "--output", "s3://b/a b"), "export --table T1x --output 's3://b/a b'"),
        (("--sse-kms-key-id=-odd",), "export --sse-kms-key-id=-odd"),
    ],
)  # fmt: skip
def test_command_that_resumes_names_the_run_once(words, command):
    assert resume_command(("export",), words_read("export", words), run_id="one") == f"{command} --run-id one"


def test_command_that_resumes_after_the_deadline_has_another_one():
    words = ("--table", "T1x", "--timeout", "90m")
    again = resume_command(("export",), words_read("export", words), run_id="one", timeout="180m")
    assert again == "export --table T1x --run-id one --timeout 180m"


def test_resumed_run_keeps_the_moment_of_its_first_attempt():
    """A run id of the user's own holds no moment, and the run folder is named by it."""
    first = {"first_started": "2026-01-02T03:04:05Z", "started": "2026-02-02T00:00:00Z"}
    assert RunState.readable(first).began == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert RunState.readable({"first_started": "soon"}).began is None
