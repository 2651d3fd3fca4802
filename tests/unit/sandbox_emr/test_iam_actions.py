"""Which IAM actions a request needs: the names are the Service Authorization Reference's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.emr.iam_actions import Action, actions_of
from sandbox.emr.protocol import Request
from sandbox.emr.s3_actions import action_of

BUCKET_ARN = "arn:aws:s3:::b"
OBJECT_ARN = "arn:aws:s3:::b/folder/k"


def request(service: str, *, target: str = "", params: Any = None, **members: Any) -> Request:
    values: dict[str, Any] = {"method": "POST", "path": "/", "query": {}, "headers": {}, "body": b"", **members}
    if target:
        values["headers"] = {**values["headers"], "x-amz-target": f"Prefix.{target}"}
    if params is not None:
        values["body"] = json.dumps(params).encode()
    return Request(access_key="k", region="eu-west-1", service=service, **values)


@pytest.mark.parametrize(
    ("method", "path", "query", "action", "resource"),
    [
        ("GET", "/", "", "s3:ListAllMyBuckets", "*"),
        ("GET", "/b", "list-type=2", "s3:ListBucket", BUCKET_ARN),
        ("HEAD", "/b/", "", "s3:ListBucket", BUCKET_ARN),
        ("GET", "/b", "location", "s3:GetBucketLocation", BUCKET_ARN),
        ("GET", "/b", "uploads", "s3:ListBucketMultipartUploads", BUCKET_ARN),
        ("GET", "/b", "publicAccessBlock", "s3:GetBucketPublicAccessBlock", BUCKET_ARN),
        ("PUT", "/b", "", "s3:CreateBucket", BUCKET_ARN),
        ("POST", "/b", "delete", "s3:DeleteObject", BUCKET_ARN),
        ("GET", "/b/folder/k", "", "s3:GetObject", OBJECT_ARN),
        ("HEAD", "/b/folder/k", "", "s3:GetObject", OBJECT_ARN),
        ("PUT", "/b/folder/k", "", "s3:PutObject", OBJECT_ARN),
        ("PUT", "/b/folder/k", "partNumber=1&uploadId=x", "s3:PutObject", OBJECT_ARN),
        ("POST", "/b/folder/k", "uploads", "s3:PutObject", OBJECT_ARN),
        ("POST", "/b/folder/k", "uploadId=x", "s3:PutObject", OBJECT_ARN),
        ("DELETE", "/b/folder/k", "uploadId=x", "s3:AbortMultipartUpload", OBJECT_ARN),
        ("GET", "/b/folder/k", "uploadId=x", "s3:ListMultipartUploadParts", OBJECT_ARN),
        ("DELETE", "/b/folder/k", "", "s3:DeleteObject", OBJECT_ARN),
        ("OPTIONS", "/b/folder/k", "", "s3:?", OBJECT_ARN),
    ],
)
def test_an_s3_request_needs(method: str, path: str, query: str, action: str, resource: str) -> None:
    names = {part.partition("=")[0]: [""] for part in query.split("&") if part}
    assert action_of(method, path, names) == (action, resource)


def test_a_copy_reads_its_source_too() -> None:
    copied = request("s3", method="PUT", path="/b/k", headers={"x-amz-copy-source": "other/source"})
    assert [(action.name, action.resource) for action in actions_of(copied)] == [
        ("s3:PutObject", "arn:aws:s3:::b/k"),
        ("s3:GetObject", "arn:aws:s3:::other/source"),
    ]


def test_a_listing_tells_its_prefix_for_policies_on_it() -> None:
    [action] = actions_of(request("s3", method="GET", path="/b", query={"list-type": ["2"], "prefix": ["logs/"]}))
    assert action.context == {"s3:prefix": "logs/"}


@pytest.mark.parametrize("method", ["HEAD", "GET"], ids=["HeadBucket", "listing of everything"])
def test_a_request_without_prefix_has_none_for_policies_either(method: str) -> None:
    [action] = actions_of(request("s3", method=method, path="/b"))
    assert (action.name, action.context) == ("s3:ListBucket", {})


@pytest.mark.parametrize(
    ("body", "resource"),
    [
        (b"Action=GetRole&RoleName=r", "arn:aws:iam::123456789012:role/r"),
        (b"Action=GetInstanceProfile&InstanceProfileName=p", "arn:aws:iam::123456789012:instance-profile/p"),
        (b"Action=SimulatePrincipalPolicy&PolicySourceArn=arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fu", "arn:aws:iam::1:user/u"),
        (b"Action=ListRoles", "*"),
    ],
    ids=["role", "profile", "principal", "none"],
)
def test_an_iam_request_names_what_it_is_about(body: bytes, resource: str) -> None:
    assert [action.resource for action in actions_of(request("iam", body=body))] == [resource]


def test_run_job_flow_needs_tagging_and_both_roles_too() -> None:
    params = {
        "Name": "n",
        "ServiceRole": "arn:aws:iam::123456789012:role/path/service",
        "JobFlowRole": "nodes",
        "Tags": [{"Key": "dynamodbdatapipeline", "Value": "true"}],
    }
    tags = {"elasticmapreduce:RequestTag/dynamodbdatapipeline": "true"}
    assert actions_of(request("elasticmapreduce", target="RunJobFlow", params=params)) == (
        Action("elasticmapreduce:RunJobFlow", "*", tags),
        Action("elasticmapreduce:AddTags", "arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/*", tags),
        Action("iam:PassRole", params["ServiceRole"], {"iam:PassedToService": "elasticmapreduce.amazonaws.com"}),
        Action("iam:PassRole", "arn:aws:iam::123456789012:role/nodes", {"iam:PassedToService": "ec2.amazonaws.com"}),
    )


def test_run_job_flow_with_an_idle_guard_needs_the_right_to_set_one() -> None:
    params = {"Name": "n", "AutoTerminationPolicy": {"IdleTimeout": 3600}}
    names = [action.name for action in actions_of(request("elasticmapreduce", target="RunJobFlow", params=params))]
    assert names == ["elasticmapreduce:RunJobFlow", "elasticmapreduce:PutAutoTerminationPolicy"]


@pytest.mark.parametrize(
    ("operation", "params", "clusters"),
    [
        ("DescribeCluster", {"ClusterId": "j-1"}, ["j-1"]),
        ("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": []}, ["j-1"]),
        ("AddTags", {"ResourceId": "j-1"}, ["j-1"]),
        ("TerminateJobFlows", {"JobFlowIds": ["j-1", "j-2"]}, ["j-1", "j-2"]),
        ("ListClusters", {}, ["*"]),
    ],
)
def test_an_emr_request_names_its_clusters(operation: str, params: dict[str, Any], clusters: list[str]) -> None:
    found = actions_of(request("elasticmapreduce", target=operation, params=params))
    assert [action.name for action in found] == [f"elasticmapreduce:{operation}"] * len(clusters)
    assert [action.resource.rpartition("/")[2] for action in found] == clusters


@pytest.mark.parametrize(
    ("params", "tables"),
    [
        ({"TableName": "Forum"}, ["Forum"]),
        ({"RequestItems": {"Thread": [], "Reply": []}}, ["Reply", "Thread"]),
        ({"TableName": "arn:aws:dynamodb:us-west-2:123456789012:table/Forum"}, ["Forum"]),
    ],
    ids=["one", "batch", "arn"],
)
def test_a_dynamodb_request_names_its_tables(params: dict[str, Any], tables: list[str]) -> None:
    found = actions_of(request("dynamodb", target="Scan", params=params))
    assert [action.resource.rpartition("/")[2] for action in found] == tables
    assert {action.name for action in found} == {"dynamodb:Scan"}


@pytest.mark.parametrize(
    ("asked", "action"),
    [
        (request("sts", body=b"Action=GetCallerIdentity&Version=2011-06-15"), "sts:GetCallerIdentity"),
        (request("ec2", body=b"Action=DescribeSubnets"), "ec2:DescribeSubnets"),
        (request("monitoring", target="GetMetricData"), "cloudwatch:GetMetricData"),
        (request("scheduler", path="/schedules/nightly"), "scheduler:CreateSchedule"),
        (request("scheduler", method="GET", path="/schedules"), "scheduler:ListSchedules"),
    ],
    ids=["sts", "ec2", "cloudwatch", "schedule", "schedules"],
)
def test_other_services_are_named_too(asked: Request, action: str) -> None:
    assert [found.name for found in actions_of(asked)] == [action]


def test_an_unsigned_request_needs_nothing() -> None:
    assert actions_of(request("")) == ()
