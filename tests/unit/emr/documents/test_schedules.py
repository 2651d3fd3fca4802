"""Schedules: the request each firing sends, and the template around it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.model_check import request_problems
from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from dynamodb_pipeline.emr.documents.policy_scope import PolicyScope
from dynamodb_pipeline.emr.documents.schedules import (
    FIRING_TIME,
    Schedule,
    ScheduledCode,
    schedule_template,
    scheduled_request,
)
from dynamodb_pipeline.emr.request.bundle import BOOTSTRAP_NAME
from tests.unit.emr.builders import BOOTSTRAP, CODE, a_job, settings

SHIPPED = ScheduledCode(CODE, BOOTSTRAP)
SCOPE = PolicyScope(
    account="",
    region="eu-west-1",
    tables=("Forum",),
    data=S3Uri("data", "exports"),
    logs=S3Uri("logs", "app"),
    code=S3Uri("logs", "app/code"),
)


def request(**changes: Any) -> dict[str, Any]:
    jobs = (a_job("Forum"), a_job("Thread"))
    return scheduled_request(settings(**{"jobs": jobs, **changes}), name="nightly", shipped=SHIPPED)


def template(**changes: Any) -> dict[str, Any]:
    schedule = Schedule("nightly", "cron(0 3 * * ? *)", timezone="Asia/Tokyo", email=changes.pop("email", None))
    return schedule_template(schedule, request=request(**changes), scope=SCOPE, name_prefix="dynamodb-pipeline")


def test_input_fits_emrs_model_with_the_time_filled_in() -> None:
    """Scheduler replaces the attribute before it calls RunJobFlow."""
    text = template()["Resources"]["Schedule"]["Properties"]["Target"]["Input"]
    sent = json.loads(text.replace(FIRING_TIME, "2026-11-23T03:00:00Z"))
    assert request_problems(sent, service="emr", operation="RunJobFlow") == []
    assert not set("<>$|`") & set(sent["Name"])


def test_each_firing_has_its_own_cluster_name_tag_and_folder() -> None:
    made = request()
    assert made["Name"] == f"dynamodb-pipeline-export-nightly-{FIRING_TIME}"
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert tags["dynamodb-pipeline:run-id"] == f"nightly-{FIRING_TIME}"
    assert tags["dynamodbdatapipeline"] == "true"
    for step in made["Steps"]:
        words = step["HadoopJarStep"]["Args"]
        assert words[words.index("--scheduled-time") + 1] == FIRING_TIME


def test_two_deliveries_do_not_share_a_run_id() -> None:
    """The second must meet the first one's claim as a stranger, not continue it."""
    assert all("--run-id" not in step["HadoopJarStep"]["Args"] for step in request()["Steps"])


@pytest.mark.parametrize(("verb", "claimed"), [("import", True), ("verify", False)])
def test_import_claims_its_moment_and_a_verification_needs_none(verb: str, claimed: bool) -> None:
    made = request(verb=verb, jobs=(a_job(),))
    assert (FIRING_TIME in made["Steps"][0]["HadoopJarStep"]["Args"]) is claimed


def test_a_late_or_repeated_launch_is_not_tried() -> None:
    """Scheduler's defaults are 185 retries over a day."""
    policy = template()["Resources"]["Schedule"]["Properties"]["Target"]["RetryPolicy"]
    assert policy == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 900}


def test_every_way_to_fail_reaches_the_topic() -> None:
    resources = template(email="ops@example.com")["Resources"]
    topic = {"Ref": "Topic"}
    assert resources["DeadLettersAlarm"]["Properties"]["AlarmActions"] == [topic]
    for rule in ("StepFailed", "ClusterFailed"):
        assert resources[rule]["Properties"]["Targets"][0]["Arn"] == topic
    assert resources["Subscription"]["Properties"]["Endpoint"] == "ops@example.com"
    assert "Subscription" not in template()["Resources"]


@pytest.mark.parametrize(("rule", "name"), [("StepFailed", "steps"), ("ClusterFailed", "cluster")])
def test_rules_match_the_names_we_give(rule: str, name: str) -> None:
    """Events carry no tags: the names are all there is to match."""
    pattern = template()["Resources"][rule]["Properties"]["EventPattern"]
    (prefix,) = [match["prefix"] for match in pattern["detail"]["name"]]
    made = request()
    names = [step["Name"] for step in made["Steps"]] if name == "steps" else [made["Name"]]
    assert all(one.startswith(prefix) for one in names)


def rights_of(rendered: dict[str, Any]) -> set[str]:
    (policy,) = rendered["Resources"]["Role"]["Properties"]["Policies"]
    return {action for statement in policy["PolicyDocument"]["Statement"] for action in statement["Action"]}


def test_schedulers_role_may_launch_only_tagged_clusters_and_pass_the_roles() -> None:
    role = template()["Resources"]["Role"]["Properties"]
    assert rights_of(template()) == {
        "elasticmapreduce:RunJobFlow",
        "elasticmapreduce:AddTags",
        "elasticmapreduce:PutAutoTerminationPolicy",
        "iam:PassRole",
        "sqs:SendMessage",
    }
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "scheduler.amazonaws.com"}


@pytest.mark.parametrize("name", ["export", "import"])
def test_shipped_template_is_an_example_that_fits_the_model(name: str) -> None:
    shipped = json.loads((project_folder("schedules") / f"{name}.json").read_text())
    text = shipped["Resources"]["Schedule"]["Properties"]["Target"]["Input"]
    sent = json.loads(text.replace(FIRING_TIME, "2026-11-23T03:00:00Z"))
    assert request_problems(sent, service="emr", operation="RunJobFlow") == []
    assert set(shipped["Resources"]) == set(template()["Resources"])
    assert rights_of(shipped) == rights_of(template()), "schedules/ is older than the policy of a schedule"
    assert sent["BootstrapActions"][0]["ScriptBootstrapAction"]["Path"].endswith(f"/{BOOTSTRAP_NAME}")
