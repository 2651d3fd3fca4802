"""A scheduled import that is delivered twice is done once; a dry run speaks of what it would do."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.importing.job import Checked, ImportPlan
from dynamodb_pipeline.importing.mirror import DeletionPlan, chain_text
from dynamodb_pipeline.importing.table import chosen_lines, claim_moment
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.settings.parse import import_settings
from dynamodb_pipeline.settings.parser import job_options
from dynamodb_pipeline.settings.values import ItemLimit
from tests.unit.reading.item_lines import KEYS
from tests.unit.store.memory_store import MemoryStore

LOGS = ("--logs", "s3://bucket/logs")
NIGHT = ("--scheduled-time", "2026-11-23T03:00:00Z")


def settings(*words: str, table: str = "Forum") -> ImportSettings:
    return import_settings(job_options("import", ["--table", table, "--input", "s3://bucket/exports", *words]))


def run(store: MemoryStore, run_id: str) -> RunContext:
    nobody: Any = None
    return RunContext(nobody, store, nobody, nobody, run_id, None, "1", lambda: "", nobody)


def test_second_delivery_is_refused_and_names_the_first():
    store = MemoryStore()
    claim_moment(run(store, "one"), settings(*LOGS, *NIGHT))
    with pytest.raises(PreconditionError, match="run one does this scheduled import"):
        claim_moment(run(store, "two"), settings(*LOGS, *NIGHT))
    claim_moment(run(store, "one"), settings(*LOGS, *NIGHT))  # resumed


def test_other_nights_and_tables_are_their_own():
    store = MemoryStore()
    for number, words in enumerate([(*LOGS, *NIGHT), (*LOGS, "--scheduled-time", "2026-11-24T03:00:00Z")]):
        claim_moment(run(store, f"run-{number}"), settings(*words))
    claim_moment(run(store, "other"), settings(*LOGS, *NIGHT, table="Thread"))
    assert len(store.objects) == 3


@pytest.mark.parametrize(("dry_run", "are"), [(False, "are"), (True, "would be")], ids=["import", "dry run"])
def test_a_dry_run_says_what_would_be(dry_run: bool, are: str) -> None:
    plan = ImportPlan(table="Forum", keys=KEYS, index_keys=(), resources=(), only_changes=True)
    lines = list(chosen_lines(Checked(items=10, bad=0, expired=2), plan, dry_run=dry_run))
    assert lines[0].startswith(f"only changes: 0 of 10 items stand in Forum just so and {are} left alone, ")
    assert f"{are} written" in lines[0]
    assert ("what is changed from now on" in lines[0]) is not dry_run
    assert lines[1] == f"2 of 10 items have expired and {are} left out (--skip-expired)"
    deletions = chain_text(DeletionPlan(9, 1, 0), ItemLimit(5, None), dry_run=dry_run)
    assert f"1 were deleted by its end, and {are} deleted in the table" in deletions


@pytest.mark.parametrize("words", [LOGS, (*LOGS, *NIGHT, "--dry-run")], ids=["not scheduled", "dry run"])
def test_nothing_is_claimed(words):
    store = MemoryStore()
    claim_moment(run(store, "one"), settings(*words))
    assert store.objects == {}


def test_without_logs_there_is_no_place_for_the_claim():
    with pytest.raises(UsageError, match="needs --logs"):
        settings(*NIGHT)
