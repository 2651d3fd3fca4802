"""`policy`, `schedule` and `migrate-config` from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.emr.commands import (
    Console,
    PolicyQuery,
    ScheduleQuery,
    run_migrate_config,
    run_policy,
    run_schedule,
)
from dynamodb_pipeline.emr.documents.policies import POLICY_KINDS
from dynamodb_pipeline.emr.documents.schedules import Schedule
from dynamodb_pipeline.errors import ExitCode, UsageError
from tests.unit.emr.aws import LOGS, LOGS_URI, OUTPUT, account
from tests.unit.emr.builders import a_job, settings
from tests.unit.emr.documents.test_migrate_config import ROWS, export_definition
from tests.unit.emr.documents.test_policies import scope
from tests.unit.emr.fakes import FakeClock


def console(said: list[str]) -> Console:
    clock = FakeClock()
    return Console(say=said.append, clock=clock, attention=clock)


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_policy_prints_a_document_to_be_used_as_it_is(kind: str) -> None:
    result = run_policy(PolicyQuery(kind, scope()), console([]))
    assert result.exit_code == ExitCode.DONE
    assert "exit_code" not in result.to_json()
    assert json.loads(json.dumps(result.to_json()))


def test_the_pages_policy_comes_with_its_note() -> None:
    said: list[str] = []
    run_policy(PolicyQuery("as-published", scope()), console(said))
    assert "only ever allows RunJobFlow" in said[0]


def test_trust_is_for_roles_only() -> None:
    found = run_policy(PolicyQuery("service", scope(), trust=True), console([]))
    assert "elasticmapreduce.amazonaws.com" in str(found.document)
    with pytest.raises(UsageError, match="people"):
        run_policy(PolicyQuery("launcher", scope(), trust=True), console([]))


def query(tmp_path: Path, **changes: Any) -> ScheduleQuery:
    zip_path = tmp_path / "dynamodb_pipeline.zip"
    zip_path.write_bytes(b"zip")
    launch = settings(logs_uri=LOGS_URI, data_uris=(OUTPUT,), jobs=(a_job("Forum"), a_job("Reply")))
    return ScheduleQuery(Schedule("nightly", "rate(1 day)"), launch, zip_path, **changes)


def test_schedule_names_code_that_it_has_stored(tmp_path: Path) -> None:
    with account() as made:
        result = run_schedule(query(tmp_path), made.clients, made.console)
        text = result.document["Resources"]["Schedule"]["Properties"]["Target"]["Input"]
        sent = json.loads(text)
        uris = [a for a in sent["Steps"][0]["HadoopJarStep"]["Args"] if a.startswith(f"{LOGS_URI}/code/")]
        assert len(uris) == 2
        for uri in uris:
            assert made.s3.head_object(Bucket=LOGS, Key=uri.removeprefix(f"s3://{LOGS}/"))
        assert any("cloudformation deploy" in line for line in made.said)


def test_schedule_without_upload_only_prints(tmp_path: Path) -> None:
    with account() as made:
        run_schedule(query(tmp_path, upload=False), made.clients, made.console)
        assert "Contents" not in made.s3.list_objects_v2(Bucket=LOGS)
        assert made.emr.calls == []


def test_migrate_config_says_the_command(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(export_definition()))
    said: list[str] = []
    result = run_migrate_config(path, console(said), rows=ROWS)
    assert result.words[0].startswith("dynamodb-pipeline export --table Forum")
    assert result.document["verb"] == "export"
