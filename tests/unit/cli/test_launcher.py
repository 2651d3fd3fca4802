"""Where the launcher and the data plane meet: what a launch is called and where it writes."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.cli.launcher import imported, run_start
from dynamodb_pipeline.emr.plan.estimate import TableFacts
from dynamodb_pipeline.importing.size import ImportSize
from dynamodb_pipeline.settings.run_ids import moment_of

RUN_ID = "20261123T030000Z-7f3a91c2"
TUESDAY = datetime(2026, 11, 24, 3, tzinfo=timezone.utc)


def started(*, run_id: str | None = None, scheduled_time: datetime | None = None) -> Any:
    common = SimpleNamespace(run_id=run_id, resume=False, logs=None)
    settings = SimpleNamespace(common=common, scheduled_time=scheduled_time)
    return run_start("export", settings, SimpleNamespace(region="eu-west-1"), [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scheduled_time", "moment"),
    [(None, "2026-11-23T03:00:00Z"), (TUESDAY, "2026-11-24T03:00:00Z")],
    ids=["its id", "its schedule"],
)
def test_a_resumed_run_names_the_folders_it_began_with(scheduled_time: datetime | None, moment: str) -> None:
    """Another moment would name another folder, and the job refuses to go on there."""
    assert started(run_id=RUN_ID, scheduled_time=scheduled_time).moment == moment


def test_a_new_run_has_one_moment_in_id_and_folders() -> None:
    start = started()
    assert f"{moment_of(start.run_id):%Y-%m-%dT%H:%M:%SZ}" == start.moment


def test_an_import_is_planned_by_its_input_not_by_the_empty_target() -> None:
    target = TableFacts("Reply", 0, 0, 50.0, "50 write units", on_demand=False, written_copies=2)
    facts = imported(target, ImportSize(text_bytes=90_000, item_count=900, basis="as its _export.json says"))
    assert (facts.size_bytes, facts.item_count, facts.basis) == (90_000, 900, "as its _export.json says")
    assert (facts.written_copies, facts.units_per_s) == (2, 50.0)
