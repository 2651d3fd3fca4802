"""`policy`, `schedule` and `migrate-config` from end to end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.cli.command_line import read_line
from dynamodb_pipeline.cli.launcher_options import POLICY_TABLES
from dynamodb_pipeline.emr.commands import (
    CommandResult,
    Console,
    PolicyQuery,
    RefreshQuery,
    ScheduleQuery,
    run_migrate_config,
    run_policy,
    run_refresh,
    run_schedule,
)
from dynamodb_pipeline.emr.documents.policies import NO_BUCKET, POLICY_KINDS
from dynamodb_pipeline.emr.documents.schedules import Schedule, code_folder, deployed_request
from dynamodb_pipeline.emr.plan.cost import load_prices
from dynamodb_pipeline.errors import ExitCode, PreconditionError, UsageError
from dynamodb_pipeline.settings.spark_conf import RunPrices
from tests.unit.emr.aws import LOGS, LOGS_URI, OUTPUT, Account, account
from tests.unit.emr.builders import a_job, settings
from tests.unit.emr.documents.test_migrate_config import ROWS, export_definition
from tests.unit.emr.documents.test_policies import scope
from tests.unit.emr.fakes import FakeClock


def console(said: list[str]) -> Console:
    clock = FakeClock()
    return Console(say=said.append, clock=clock, attention=clock)


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_policy_prints_a_document_to_be_used_as_it_is(kind: str) -> None:
    result = run_policy(PolicyQuery(kind, scope(tables=("Forum",))), console([]))
    assert result.exit_code == ExitCode.DONE
    assert "exit_code" not in result.to_json()
    assert json.loads(json.dumps(result.to_json()))


def test_the_pages_policy_comes_with_its_note() -> None:
    said: list[str] = []
    run_policy(PolicyQuery("as-published", scope()), console(said))
    assert "only ever allows RunJobFlow" in said[0]


def test_an_imports_policy_names_the_options_that_it_was_not_given() -> None:
    said: list[str] = []
    run_policy(PolicyQuery("nodes-import", scope(tables=("Forum",), mirror=True)), console(said))
    run_policy(PolicyQuery("nodes-export", scope(tables=("Forum",), index="by-day")), console(said))
    assert said == ["note: an import with --skip-existing or --only-changes needs more rights: give the same here"]


def test_a_tables_own_policy_comes_with_the_command_that_attaches_it() -> None:
    said: list[str] = []
    run_policy(PolicyQuery("table-resource", scope(tables=("Forum",))), console(said))
    arn = "arn:aws:dynamodb:us-west-2:123456789012:table/Forum"
    place = f"--resource-arn {arn} --region us-west-2"
    assert f"aws dynamodb put-resource-policy {place} --policy file://" in said[0]
    assert f"aws dynamodb get-resource-policy {place}" in said[1]
    command = said[2].rpartition("printed by: ")[2]
    assert command.startswith(f"dynamodb-pipeline policy nodes-export --table {arn} --bucket ")
    assert read_line(shlex.split(command)[1:]).options[POLICY_TABLES] == (arn,)
    run_policy(PolicyQuery("table-resource", scope(tables=("Forum",), data=S3Uri(NO_BUCKET, "x"))), console(said))
    assert "give --bucket of the exports here too" in said[-1]
    for more in ({"tables": ("Forum", "Thread")}, {"tables": (), "table_prefixes": ("prod-",)}):
        with pytest.raises(UsageError, match="is of one table"):
            run_policy(PolicyQuery("table-resource", scope(**more)), console(said))


def test_a_tables_own_policy_of_more_than_20_kb_is_refused() -> None:
    """DynamoDB counts white space (resource-based policy considerations)."""
    roles = tuple(f"arn:aws:iam::210987654321:role/{'team/' * 40}{number:03d}" for number in range(100))
    query = PolicyQuery("table-resource", scope(tables=("Forum",), principals=roles))
    with pytest.raises(UsageError, match=r"would have 2[0-9],[0-9]{3} bytes, DynamoDB takes 20,480"):
        run_policy(query, console([]))


def test_trust_is_for_roles_only() -> None:
    found = run_policy(PolicyQuery("service", scope(), trust=True), console([]))
    assert "elasticmapreduce.amazonaws.com" in str(found.document)
    with pytest.raises(UsageError, match="people"):
        run_policy(PolicyQuery("launcher", scope(), trust=True), console([]))


PRICES = load_prices(region="eu-west-1")


def query(tmp_path: Path, **changes: Any) -> ScheduleQuery:
    zip_path = tmp_path / "dynamodb_pipeline.zip"
    zip_path.write_bytes(b"zip")
    launch = settings(logs_uri=LOGS_URI, data_uris=(OUTPUT,), jobs=(a_job("Forum"), a_job("Reply")))
    return ScheduleQuery(Schedule("nightly", "rate(1 day)"), launch, zip_path, **{"prices": PRICES, **changes})


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


def test_a_schedules_clusters_and_jobs_know_what_an_hour_costs(tmp_path: Path) -> None:
    """A launch says its plan; of a schedule the nodes are all that is known."""
    with account() as made:
        sent = sent_by(run_schedule(query(tmp_path), made.clients, made.console).document)
    hour = 2 * (sum(PRICES.node_hour("m3.xlarge")) + PRICES.extras_hour("m3.xlarge"))
    (tag,) = [tag["Value"] for tag in sent["Tags"] if tag["Key"] == "dynamodb-pipeline:plan"]
    assert tag == f"hour={hour:.4f}"
    for step in sent["Steps"]:
        assert RunPrices.of_words(step["HadoopJarStep"]["Args"]) == RunPrices(round(hour, 4), None)


def test_a_schedule_of_nodes_without_a_price_says_what_is_missing(tmp_path: Path) -> None:
    with account() as made:
        bare = replace(PRICES, ec2_per_hour={})
        sent = sent_by(run_schedule(query(tmp_path, prices=bare), made.clients, made.console).document)
        assert not [tag for tag in sent["Tags"] if tag["Key"] == "dynamodb-pipeline:plan"]
        (note,) = [line for line in made.said if line.startswith("note: the schedule's runs are listed without")]
        assert "no price for m3.xlarge" in note
        assert "--prices" in note


def test_schedule_without_upload_only_prints(tmp_path: Path) -> None:
    with account() as made:
        run_schedule(query(tmp_path, upload=False), made.clients, made.console)
        assert "Contents" not in made.s3.list_objects_v2(Bucket=LOGS)
        assert made.emr.calls == []


@contextmanager
def deployed(made: Account, template: dict[str, Any] | None) -> Iterator[None]:
    """A CloudFormation that has this template under the name nightly, or no such stack."""
    with Stubber(made.clients.client("cloudformation")) as stub:
        if template is None:
            missing = "Stack with id nightly does not exist"
            stub.add_client_error("get_template", "ValidationError", missing, expected_params={"StackName": "nightly"})
        else:
            stub.add_response("get_template", {"TemplateBody": json.dumps(template)}, {"StackName": "nightly"})
        yield


def refreshed(made: Account, zip_path: Path, **changes: Any) -> CommandResult:
    return run_refresh(RefreshQuery("nightly", changes.pop("verb", "export"), zip_path), made.clients, made.console)


def sent_by(template: dict[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(template["Resources"]["Schedule"]["Properties"]["Target"]["Input"])
    return sent


def test_a_refreshed_schedule_differs_in_its_code_alone(tmp_path: Path) -> None:
    with account() as made:
        asked = query(tmp_path)
        before = run_schedule(asked, made.clients, made.console).document
        asked.bundle_zip.write_bytes(b"the zip of another version")
        with deployed(made, before):
            after = refreshed(made, asked.bundle_zip).document
        old, new = (code_folder(sent_by(template)) for template in (before, after))
        assert old != new
        for name in ("dynamodb_pipeline.zip", "export_table.py", "check_code.sh"):
            assert made.s3.head_object(Bucket=LOGS, Key=new.child(name).key)
        assert json.dumps(sent_by(before)).replace(old.uri, new.uri).replace(
            sha256(b"zip").hexdigest(), sha256(b"the zip of another version").hexdigest()
        ) == json.dumps(sent_by(after))
        assert made.said[-1].startswith(
            "deploy what this prints, kept as nightly.json: aws cloudformation deploy --stack-name nightly "
            "--template-file nightly.json "
        )
        assert f"code stored in {new.uri}; {old.uri} may go" in made.said[-2]


def test_a_schedule_that_has_this_versions_code_says_so(tmp_path: Path) -> None:
    with account() as made:
        asked = query(tmp_path)
        before = run_schedule(asked, made.clients, made.console).document
        with deployed(made, before):
            assert sent_by(refreshed(made, asked.bundle_zip).document) == sent_by(before)
        assert "runs the code of this version already" in made.said[-2]


@pytest.mark.parametrize(
    ("there", "verb", "said"),
    [
        (False, "export", "there is no stack nightly in "),
        (True, "import", "schedules an export, not an import: dynamodb-pipeline schedule export --refresh"),
    ],
)
def test_what_cannot_be_refreshed_is_said_and_nothing_is_stored(
    tmp_path: Path, there: bool, verb: str, said: str
) -> None:
    with account() as made:
        asked = query(tmp_path, upload=False)
        before = run_schedule(asked, made.clients, made.console).document
        with deployed(made, before if there else None), pytest.raises(PreconditionError, match=said):
            refreshed(made, asked.bundle_zip, verb=verb)
        assert "Contents" not in made.s3.list_objects_v2(Bucket=LOGS)


@pytest.mark.parametrize(
    "template", [{}, {"Resources": {"Schedule": {"Properties": {"Target": {"Input": "{}"}}}}}, "x"]
)
def test_a_stack_of_something_else_is_refused(template: Any) -> None:
    with pytest.raises(PreconditionError, match="holds no schedule that `schedule` printed"):
        deployed_request(template, name="nightly", region="eu-west-1")


def test_migrate_config_says_the_command(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(export_definition()))
    said: list[str] = []
    result = run_migrate_config(path, console(said), rows=ROWS)
    assert result.words[0].startswith("dynamodb-pipeline export --table Forum")
    assert result.document["verb"] == "export"
