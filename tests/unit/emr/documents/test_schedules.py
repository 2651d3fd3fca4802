"""Schedules: the request each firing sends, and the template around it."""

from __future__ import annotations

import json
import re
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
from dynamodb_pipeline.errors import UsageError
from tests.unit.emr.builders import BOOTSTRAP, CODE, a_job, a_request, settings
from tests.unit.emr.documents import example_schedules

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
    assert made["Name"] == f"dynamodb-pipeline@nightly:export:{FIRING_TIME}"
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


def test_a_throttle_loses_no_night_and_no_launch_comes_late() -> None:
    """Scheduler's defaults are 185 retries over a day."""
    policy = template()["Resources"]["Schedule"]["Properties"]["Target"]["RetryPolicy"]
    assert policy == {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 900}


def test_every_way_to_fail_reaches_the_topic() -> None:
    resources = template(email="ops@example.com")["Resources"]
    topic = {"Ref": "Topic"}
    for alarm in ("LaunchRefused", "LaunchDropped"):
        assert resources[alarm]["Properties"]["AlarmActions"] == [topic]
    for rule in ("StepFailed", "ClusterFailed", "NoInstances"):
        assert resources[rule]["Properties"]["Targets"][0]["Arn"] == topic
    assert resources["Subscription"]["Properties"]["Endpoint"] == "ops@example.com"
    assert "Subscription" not in template()["Resources"]


def test_alarms_look_at_this_schedules_own_group_and_fall_back() -> None:
    """Scheduler's metrics have the group as their only dimension, and 0 is not sent: without data all is well."""
    resources = template()["Resources"]
    assert resources["Schedule"]["Properties"]["GroupName"] == {"Ref": "Group"}
    assert resources["Group"]["Properties"] == {"Name": "nightly"}
    metrics = set()
    for name in ("LaunchRefused", "LaunchDropped"):
        alarm = resources[name]["Properties"]
        metrics.add((alarm["Namespace"], alarm["MetricName"]))
        assert alarm["Dimensions"] == [{"Name": "ScheduleGroup", "Value": {"Ref": "Group"}}]
        assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Sum", "notBreaching")
    assert metrics == {("AWS/Scheduler", "TargetErrorCount"), ("AWS/Scheduler", "InvocationDroppedCount")}


def events(name: str, step: str) -> dict[str, dict[str, Any]]:
    """EMR's three events by the rule that is to hear of them (Management Guide, "Monitoring EMR events")."""
    cluster = {"severity": "CRITICAL", "state": "TERMINATED_WITH_ERRORS", "name": name, "clusterId": "j-1"}
    cluster["stateChangeReason"] = json.dumps({"code": "VALIDATION_ERROR", "message": "no"})
    cluster["message"] = f"Amazon EMR Cluster j-1 ({name}) has terminated with errors"
    failed = {"severity": "ERROR", "state": "FAILED", "name": step, "clusterId": "j-1", "message": "Step failed"}
    instances = {"severity": "WARN", "instanceGroupId": "ig-1", "clusterId": "j-1"}
    instances["message"] = f"We are not able to create your Amazon EMR cluster j-1 ({name}) for instance group ig-1"
    common = {"source": "aws.emr", "region": "eu-west-1", "account": "1", "id": "1", "time": "2026-11-23T03:00:00Z"}
    kinds = {
        "ClusterFailed": ("EMR Cluster State Change", cluster),
        "StepFailed": ("EMR Step Status Change", failed),
        "NoInstances": ("EMR Instance Group Provisioning", instances),
    }
    return {rule: {**common, "detail-type": kind, "detail": detail} for rule, (kind, detail) in kinds.items()}


def heard(name: str, step: str) -> set[str]:
    """The rules of schedule `nightly` that hear of a cluster and a step of these names, each only of its own event."""
    rules = {rule: template()["Resources"][rule]["Properties"]["EventPattern"] for rule in events("", "")}
    return {rule for rule, event in events(name, step).items() if matches(rules[rule], event)}


def many(count: int) -> dict[str, Any]:
    """The schedule of that many tables with names of 150 characters."""
    return template(jobs=tuple(a_job(f"Orders-{number:0143d}") for number in range(count)))


def test_a_request_that_scheduler_would_not_take_is_refused_with_the_number_that_fits() -> None:
    """EventBridge Scheduler's quotas: 256 KB of payload."""
    with pytest.raises(UsageError, match=r"EventBridge Scheduler takes 262,144") as caught:
        many(250)
    (fitting,) = re.findall(r"at most (\d+) of the tables, and another \(--schedule-name\)", str(caught.value))
    target = many(int(fitting))["Resources"]["Schedule"]["Properties"]["Target"]
    assert 250_000 < len(target["Input"].encode()) <= 262_144


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """EventBridge's rules for the filters that stand here (its user guide, "Comparison operators")."""
    return all(
        matches(wanted, event[key]) if isinstance(wanted, dict) else any(takes(one, event[key]) for one in wanted)
        for key, wanted in pattern.items()
    )


def takes(one: Any, value: str) -> bool:
    if isinstance(one, str):
        return value == one
    ((operator, text),) = one.items()
    parts = {"prefix": [text, ""], "wildcard": text.split("*")}[operator]
    return re.fullmatch(".*".join(re.escape(part) for part in parts), value, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("name", "prefix", "rules"),
    [
        ("nightly", "dynamodb-pipeline", {"StepFailed", "ClusterFailed", "NoInstances"}),
        ("nightly-2", "dynamodb-pipeline", set()),
        ("hourly", "dynamodb-pipeline", set()),
        ("nightly", "other", set()),
    ],
)
def test_each_failure_is_heard_of_by_its_own_schedule_alone(name: str, prefix: str, rules: set[str]) -> None:
    """Events carry no tags: the names are all there is to match."""
    made = scheduled_request(settings(name_prefix=prefix), name=name, shipped=SHIPPED)
    assert heard(made["Name"].replace(FIRING_TIME, "2026-11-23T03:00:00Z"), made["Steps"][0]["Name"]) == rules


def test_no_failure_of_a_manual_run_is_mailed() -> None:
    made = a_request(settings(jobs=(a_job(run_id="nightly"),), run_id="nightly"))
    assert heard(made["Name"], made["Steps"][0]["Name"]) == set()


@pytest.mark.parametrize("rule", ["StepFailed", "ClusterFailed", "NoInstances"])
def test_message_is_a_whole_sentence_with_the_region(rule: str) -> None:
    """EventBridge fills values in as they are, so a template stays JSON only without members that hold quotes."""
    event = events("dynamodb-pipeline@nightly:export:t", "dynamodb-pipeline@nightly:export:Forum:Forum")[rule]
    text = template()["Resources"][rule]["Properties"]["Targets"][0]["InputTransformer"]
    line = text["InputTemplate"]
    for key, path in text["InputPathsMap"].items():
        value: Any = event
        for member in path.split(".")[1:]:
            value = value[member]
        line = line.replace(f"<{key}>", value)
    assert json.loads(line).endswith(" j-1 --region eu-west-1")


def rights_of(rendered: dict[str, Any]) -> set[str]:
    (policy,) = rendered["Resources"]["Role"]["Properties"]["Policies"]
    return {action for statement in policy["PolicyDocument"]["Statement"] for action in statement["Action"]}


def test_schedulers_role_may_launch_only_tagged_clusters_and_pass_the_roles() -> None:
    role = template()["Resources"]["Role"]["Properties"]
    assert rights_of(template()) == {
        "elasticmapreduce:RunJobFlow",
        "elasticmapreduce:AddTags",
        "elasticmapreduce:PutAutoTerminationPolicy",
        "iam:CreateServiceLinkedRole",
        "iam:PassRole",
        "sqs:SendMessage",
    }
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "scheduler.amazonaws.com"}


@pytest.mark.parametrize("name", ["export", "import"])
def test_shipped_template_is_what_make_schedules_renders(name: str) -> None:
    shipped = (project_folder("schedules") / f"{name}.json").read_text()
    assert shipped == example_schedules.rendered(name), f"schedules/{name}.json is not current: make schedules"


@pytest.mark.parametrize("name", ["export", "import"])
def test_shipped_template_is_an_example_that_fits_the_model(name: str) -> None:
    shipped = json.loads((project_folder("schedules") / f"{name}.json").read_text())
    text = shipped["Resources"]["Schedule"]["Properties"]["Target"]["Input"]
    sent = json.loads(text.replace(FIRING_TIME, "2026-11-23T03:00:00Z"))
    assert request_problems(sent, service="emr", operation="RunJobFlow") == []
    assert sent["BootstrapActions"][0]["ScriptBootstrapAction"]["Path"].endswith(f"/{BOOTSTRAP_NAME}")
