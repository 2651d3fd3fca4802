"""What the sandbox EMR refuses, loses and records: the parts of AWS that a launcher has to live with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from sandbox.active_table import create_active_table
from sandbox.emr.stack import EmrSandbox
from sandbox.processes import SandboxError
from tests.sandbox.emr_cluster import BUCKET, OVER, bash, described, launch, put, request, run_to_end, step_states

pytestmark = pytest.mark.sandbox

NO_RETRIES = {"retries": {"max_attempts": 0, "mode": "standard"}}


@pytest.fixture(scope="module")
def shared() -> Iterator[EmrSandbox]:
    with EmrSandbox(yarn=False) as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture
def emr(shared: EmrSandbox) -> EmrSandbox:
    """The module's EMR without faults, without a policy, with an empty record."""
    shared.control.clear_faults()
    shared.control.set(require_tag=None)
    shared.control.forget_actions()
    return shared


def names_of_live_clusters(sandbox: EmrSandbox) -> list[str]:
    states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
    return [entry["Name"] for entry in sandbox.client("emr").list_clusters(ClusterStates=states)["Clusters"]]


def test_m3_is_refused_where_ec2_does_not_offer_it(emr: EmrSandbox) -> None:
    ohio = emr.client("emr", region="us-east-2")
    with pytest.raises(ClientError, match=r"ValidationException.*'m3\.xlarge' is not supported"):
        ohio.run_job_flow(**request())
    types = supported_types(ohio)
    assert "m5.xlarge" in types
    assert "m3.xlarge" not in types
    assert "m3.xlarge" in supported_types(emr.client("emr"))


def supported_types(client: Any) -> list[str]:
    """Return every type, page by page: boto3 has no paginator for this operation."""
    types: list[str] = []
    more: dict[str, str] = {}
    while True:
        reply = client.list_supported_instance_types(ReleaseLabel="emr-7.13.0", **more)
        types += [entry["Type"] for entry in reply["SupportedInstanceTypes"]]
        if "Marker" not in reply:
            return types
        more = {"Marker": reply["Marker"]}


def test_a_subnet_in_a_zone_without_the_type_ends_the_cluster(emr: EmrSandbox) -> None:
    ec2 = emr.client("ec2")
    zone = {"Name": "availability-zone", "Values": ["us-east-1d"]}  # m3 lives in a, b, c and e
    subnet = ec2.describe_subnets(Filters=[zone])["Subnets"][0]["SubnetId"]
    wanted = request()
    wanted["Instances"]["Ec2SubnetId"] = subnet
    cluster = emr.client("emr").run_job_flow(**wanted)["JobFlowId"]
    emr.control.wait_for(cluster, *OVER)
    [detail] = described(emr, cluster)["Status"]["ErrorDetails"]
    assert detail["ErrorCode"] == "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED"
    assert {"availability-zones": "us-east-1d"} in detail["ErrorData"]


def test_without_the_tag_nothing_is_allowed_under_the_policy(emr: EmrSandbox) -> None:
    client = emr.client("emr")
    before = client.run_job_flow(**request(Tags=[], Name="untagged"))["JobFlowId"]
    emr.control.set(require_tag="dynamodbdatapipeline=true")
    with pytest.raises(ClientError, match=r"AccessDeniedException.*elasticmapreduce:RunJobFlow"):
        client.run_job_flow(**request(Tags=[{"Key": "dynamodbdatapipeline", "Value": "false"}]))
    with pytest.raises(ClientError, match=r"AccessDeniedException.*elasticmapreduce:DescribeCluster"):
        client.describe_cluster(ClusterId=before)
    assert client.list_clusters()["Clusters"]
    assert client.run_job_flow(**request())["JobFlowId"].startswith("j-")


def test_a_throttled_call_says_so_as_often_as_asked(emr: EmrSandbox) -> None:
    emr.control.add_fault("throttle", action="elasticmapreduce:List*", count=2)
    client = emr.client("emr", **NO_RETRIES)
    for _ in range(2):
        with pytest.raises(ClientError, match=r"ThrottlingException.*Rate exceeded"):
            client.list_clusters()
    client.list_clusters()
    assert [entry["status"] for entry in emr.control.actions()] == [400, 400, 200]


def test_a_lost_reply_leaves_a_cluster_and_a_lost_request_leaves_none(emr: EmrSandbox) -> None:
    client = emr.client("emr", **NO_RETRIES)
    emr.control.add_fault("lost-reply", action="elasticmapreduce:RunJobFlow")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        client.run_job_flow(**request(Name="reply-lost", keep_alive=True))
    emr.control.add_fault("lost-request", action="elasticmapreduce:RunJobFlow")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        client.run_job_flow(**request(Name="request-lost", keep_alive=True))
    live = names_of_live_clusters(emr)
    assert "reply-lost" in live
    assert "request-lost" not in live


def test_a_lost_reply_with_botocores_own_retries_makes_two_clusters(emr: EmrSandbox) -> None:
    """Why the launcher must not use them for RunJobFlow."""
    emr.control.add_fault("lost-reply", action="elasticmapreduce:RunJobFlow")
    emr.client("emr", retries={"max_attempts": 2}).run_job_flow(**request(Name="twice", keep_alive=True))
    assert names_of_live_clusters(emr).count("twice") == 2


def test_no_capacity_ends_the_cluster_with_its_reason(emr: EmrSandbox) -> None:
    emr.control.add_fault("capacity")
    status = run_to_end(emr, bash("true"))["Status"]
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "INTERNAL_ERROR")
    assert status["ErrorDetails"][0]["ErrorCode"] == "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"


def test_a_cluster_stuck_in_starting_can_be_terminated(emr: EmrSandbox) -> None:
    emr.control.add_fault("stuck-starting")
    stuck = launch(emr, bash("true"), Name="stuck")
    run_to_end(emr, bash("true"))  # a later one is long over
    assert described(emr, stuck)["Status"]["State"] == "STARTING"
    emr.client("emr").terminate_job_flows(JobFlowIds=[stuck])
    emr.control.wait_for(stuck, "TERMINATED")


def test_a_bootstrap_failure_on_demand_needs_no_script(emr: EmrSandbox) -> None:
    emr.control.add_fault("bootstrap-failure")
    status = run_to_end(emr, bash("true"))["Status"]
    assert status["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"


def test_a_lost_cluster_takes_step_and_logs_with_it(emr: EmrSandbox) -> None:
    emr.control.add_fault("cluster-lost", after_s=0.2)
    cluster = run_to_end(emr, bash("sleep 600"))
    status = cluster["Status"]
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE")
    assert step_states(emr, cluster["Id"]) == ["INTERRUPTED"]
    assert not emr.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"logs/{cluster['Id']}/").get("Contents")


def test_a_denied_action_is_denied_to_whom_it_is_meant(emr: EmrSandbox) -> None:
    put(emr, "data", "x")
    emr.control.add_fault("deny", action="s3:GetObject", principal="node", count=None)
    emr.client("s3").get_object(Bucket=BUCKET, Key="data")
    cluster = run_to_end(emr, bash(f"aws s3 cp s3://{BUCKET}/data -"), LogUri=None)
    assert step_states(emr, cluster["Id"]) == ["FAILED"]
    [refused] = emr.control.actions(principal="node")
    assert (refused["action"], refused["status"], refused["outcome"]) == ("s3:GetObject", 403, "deny")


def test_the_record_says_who_asked_for_what(emr: EmrSandbox) -> None:
    script = put(emr, "boot.sh", "true")
    action = {"Name": "b", "ScriptBootstrapAction": {"Path": script}}
    cluster = run_to_end(emr, bash(f"echo x | aws s3 cp - s3://{BUCKET}/from-node"), BootstrapActions=[action])
    recorded = emr.control.actions()
    passed = {(e["resource"], e["context"]["iam:PassedToService"]) for e in recorded if e["action"] == "iam:PassRole"}
    assert passed == {
        ("arn:aws:iam::123456789012:role/emr-service", "elasticmapreduce.amazonaws.com"),
        ("arn:aws:iam::123456789012:role/export-nodes", "ec2.amazonaws.com"),
    }
    of_node = [
        (entry["role"], entry["action"], entry["resource"]) for entry in recorded if entry["principal"] == "node"
    ]
    assert ("export-nodes", "s3:GetObject", f"arn:aws:s3:::{BUCKET}/boot.sh") in of_node
    assert ("export-nodes", "s3:PutObject", f"arn:aws:s3:::{BUCKET}/from-node") in of_node
    assert any(f"/logs/{cluster['Id']}/steps/" in resource for _, _, resource in of_node)
    assert emr.control.action_names(principal="launcher") == {
        "s3:PutObject",
        "elasticmapreduce:RunJobFlow",
        "elasticmapreduce:AddTags",
        "iam:PassRole",
        "elasticmapreduce:DescribeCluster",
    }


def test_dynamodb_behind_the_recording_address_is_the_sandboxs_own(
    emr: EmrSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_active_table(
        emr.client("dynamodb", region="eu-west-1"),
        TableName="Forum",
        KeySchema=[{"AttributeName": "Name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for name, value in {**emr.env(), "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    client: Any = boto3.session.Session().client("dynamodb")
    assert client.scan(TableName="Forum")["Items"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.scan(TableName="Thread")
    assert [(entry["action"], entry["resource"], entry["status"]) for entry in emr.control.actions()] == [
        ("dynamodb:Scan", "arn:aws:dynamodb:eu-west-1:123456789012:table/Forum", 200),
        ("dynamodb:Scan", "arn:aws:dynamodb:eu-west-1:123456789012:table/Thread", 400),
    ]


def test_a_schedule_fires_its_request_with_the_times_filled_in(emr: EmrSandbox) -> None:
    wanted = request(bash("true"), Name="nightly-<aws.scheduler.scheduled-time>-<aws.scheduler.attempt-number>")
    emr.client("scheduler").create_schedule(
        Name="nightly",
        ScheduleExpression="cron(0 3 * * ? *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:emr:runJobFlow",
            "RoleArn": "arn:aws:iam::123456789012:role/schedule",
            "Input": json.dumps(wanted),
        },
    )
    cluster = emr.control.fire("nightly", scheduled_time="2026-11-23T03:00:00Z")["JobFlowId"]
    emr.control.wait_for(cluster, "TERMINATED")
    assert described(emr, cluster)["Name"] == "nightly-2026-11-23T03:00:00Z-1"
    asked = [entry for entry in emr.control.actions(principal="scheduler") if not entry["is_implied"]]
    assert [(entry["role"].rpartition("/")[2], entry["action"]) for entry in asked] == [
        ("schedule", "elasticmapreduce:RunJobFlow")
    ]


def test_a_schedule_whose_request_emr_refuses_says_why(emr: EmrSandbox) -> None:
    wanted = request(ScaleDownBehavior="NOPE")
    emr.client("scheduler").create_schedule(
        Name="wrong",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:emr:runJobFlow",
            "RoleArn": "arn:aws:iam::123456789012:role/schedule",
            "Input": json.dumps(wanted),
        },
    )
    with pytest.raises(SandboxError, match="ScaleDownBehavior must be one of"):
        emr.control.fire("wrong")


def test_somebody_elses_bucket_is_refused_when_the_owner_is_asked_for(emr: EmrSandbox) -> None:
    client = emr.client("s3")
    client.head_bucket(Bucket=BUCKET, ExpectedBucketOwner="123456789012")
    with pytest.raises(ClientError, match="403"):
        client.head_bucket(Bucket=BUCKET, ExpectedBucketOwner="999999999999")


def test_moto_still_answers_everything_else(emr: EmrSandbox) -> None:
    assert emr.client("sts").get_caller_identity()["Account"] == "123456789012"
    emr.client("iam").create_role(RoleName="nodes", AssumeRolePolicyDocument="{}")
    emr.client("emr").create_security_configuration(Name="imdsv2", SecurityConfiguration="{}")
    assert emr.client("emr").describe_security_configuration(Name="imdsv2")["SecurityConfiguration"] == "{}"
