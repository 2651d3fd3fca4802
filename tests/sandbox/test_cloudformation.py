"""The sandbox's CloudFormation: our templates, deployed by boto3; test_nightly_export.py does it by the AWS CLI."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from sandbox.emr.stack import EmrSandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def emr() -> Iterator[EmrSandbox]:
    with EmrSandbox(yarn=False) as running:
        yield running


def shipped(name: str) -> str:
    return project_folder(name.partition("/")[0]).joinpath(name.partition("/")[2]).read_text()


def deploy(emr: EmrSandbox, name: str, body: str, *capabilities: str) -> dict[str, Any]:
    """Create or change a stack as `aws cloudformation deploy` does; returns its description."""
    client = emr.client("cloudformation")
    made = client.create_change_set(
        StackName=name, ChangeSetName=f"c-{uuid.uuid4().hex}", TemplateBody=body, Capabilities=list(capabilities)
    )
    assert client.describe_change_set(ChangeSetName=made["Id"])["Status"] == "CREATE_COMPLETE"
    client.execute_change_set(ChangeSetName=made["Id"])
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return dict(stack)


def deploy_from_s3(emr: EmrSandbox, name: str, body: str) -> dict[str, Any]:
    """The same with a template that is too long for a request."""
    s3, client = emr.client("s3"), emr.client("cloudformation")
    s3.create_bucket(Bucket=f"templates-{name}")
    s3.put_object(Bucket=f"templates-{name}", Key="template.json", Body=body.encode())
    url = f"https://templates-{name}.s3.us-east-1.amazonaws.com/template.json"
    made = client.create_change_set(StackName=name, ChangeSetName="c", TemplateURL=url, Capabilities=["CAPABILITY_IAM"])
    client.execute_change_set(ChangeSetName=made["Id"])
    return dict(client.describe_stacks(StackName=name)["Stacks"][0])


def test_roles_template_makes_what_it_names(emr: EmrSandbox) -> None:
    stack = deploy(emr, "roles", shipped("policies/roles.json"), "CAPABILITY_NAMED_IAM")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    iam = emr.client("iam")
    (attached,) = iam.list_attached_role_policies(RoleName="dynamodb-pipeline-service")["AttachedPolicies"]
    assert attached["PolicyName"] == "AmazonEMRServicePolicy_v2"
    policy = iam.get_policy(PolicyArn=stack["Outputs"][0]["OutputValue"])["Policy"]
    assert policy["PolicyName"] == "dynamodb-pipeline-launcher-us-east-1"
    summary = emr.client("cloudformation").get_template_summary(StackName="roles")  # so `deploy` asks before a change
    assert (summary["Parameters"], "AWS::IAM::Role" in summary["ResourceTypes"]) == ([], True)
    again = deploy(emr, "roles", shipped("policies/roles.json"), "CAPABILITY_NAMED_IAM")
    assert again["StackStatus"] == "UPDATE_COMPLETE", again.get("StackStatusReason")


@pytest.mark.parametrize("name", ["export", "import"])
def test_schedule_template_makes_schedule_topic_rules_and_alarms(emr: EmrSandbox, name: str) -> None:
    stack = deploy(emr, f"nightly-{name}", shipped(f"schedules/{name}.json"), "CAPABILITY_IAM")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    topic = stack["Outputs"][0]["OutputValue"]
    (schedule,) = [
        one for one in emr.client("scheduler").list_schedules()["Schedules"] if name in ("export", "import")
        and one["Name"] == {"export": "nightly-export", "import": "nightly-reset"}[name]
    ]  # fmt: skip
    found = emr.client("scheduler").get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])
    assert json.loads(found["Target"]["Input"])["ServiceRole"] == "dynamodb-pipeline-service"
    assert schedule["GroupName"] == schedule["Name"]
    rules = [one["Name"] for one in emr.client("events").list_rules(NamePrefix=f"nightly-{name}-")["Rules"]]
    targets = [emr.client("events").list_targets_by_rule(Rule=rule)["Targets"][0]["Arn"] for rule in rules]
    assert targets == [topic] * 3
    alarms = emr.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"nightly-{name}-")["MetricAlarms"]
    assert sorted(alarm["MetricName"] for alarm in alarms) == ["InvocationDroppedCount", "TargetErrorCount"]
    emr.client("cloudformation").delete_stack(StackName=f"nightly-{name}")
    assert emr.client("events").list_rules(NamePrefix=f"nightly-{name}-")["Rules"] == []


def test_template_with_roles_wants_that_acknowledged(emr: EmrSandbox) -> None:
    with pytest.raises(ClientError, match="InsufficientCapabilities"):
        deploy(emr, "unasked", shipped("policies/roles.json"), "CAPABILITY_IAM")


def test_template_that_is_too_long_for_a_request(emr: EmrSandbox) -> None:
    body = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Description": "x" * 51_200})
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        deploy(emr, "long", body)


def test_request_that_is_too_long_for_a_schedule(emr: EmrSandbox) -> None:
    """The stack ends in Scheduler's own words."""
    template = json.loads(shipped("schedules/export.json"))
    target = template["Resources"]["Schedule"]["Properties"]["Target"]
    target["Input"] = json.dumps({**json.loads(target["Input"]), "Name": "x" * 262_144})
    stack = deploy_from_s3(emr, "too-long", json.dumps(template))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "ValidationException" in stack["StackStatusReason"]
    assert "less than or equal to 262144" in stack["StackStatusReason"]


def test_a_stack_that_fails_takes_back_what_it_made(emr: EmrSandbox) -> None:
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}
    bad = {"PolicyName": "p", "PolicyDocument": {"Statement": "x" * 11_000}}
    body = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "taken-back"}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {**role, "Policies": [bad]}, "DependsOn": "Topic"},
    }
    stack = deploy(emr, "failing", json.dumps({"Resources": body}), "CAPABILITY_IAM")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Maximum policy size" in stack["StackStatusReason"]
    assert not [one for one in emr.client("sns").list_topics()["Topics"] if "taken-back" in one["TopicArn"]]
