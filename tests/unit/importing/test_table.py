"""A scheduled import that is delivered twice is done once."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.importing.table import claim_moment
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.settings.parse import import_settings
from dynamodb_pipeline.settings.parser import job_options
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


@pytest.mark.parametrize("words", [LOGS, (*LOGS, *NIGHT, "--dry-run")], ids=["not scheduled", "dry run"])
def test_nothing_is_claimed(words):
    store = MemoryStore()
    claim_moment(run(store, "one"), settings(*words))
    assert store.objects == {}


def test_without_logs_there_is_no_place_for_the_claim():
    with pytest.raises(UsageError, match="needs --logs"):
        settings(*NIGHT)
