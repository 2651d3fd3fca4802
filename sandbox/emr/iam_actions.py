"""
Which IAM actions a request needs, on what, in what context: what a policy is compared with.

Sources: Service Authorization Reference of each service; for RunJobFlow also Management Guide, "Fine-grained cluster
access" (AddTags) and "Using an auto-termination policy", and IAM User Guide, "Granting permissions to pass a role".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.emr import s3_actions
from sandbox.emr.protocol import Request

ACCOUNT_ID = "123456789012"
SIGNED_AS = {"monitoring": "cloudwatch"}  # service names in signatures that are not the IAM prefix
SCHEDULER_OPERATIONS = {"POST": "Create", "GET": "Get", "PUT": "Update", "DELETE": "Delete"}
# The ARN of a role has its path, which a request does not tell.
PATHS = {"AWSServiceRoleForEMRCleanup": "aws-service-role/elasticmapreduce.amazonaws.com/"}
PASSED_TO = {"ServiceRole": "elasticmapreduce.amazonaws.com", "JobFlowRole": "ec2.amazonaws.com"}


@dataclass(frozen=True)
class Action:
    """One action on one resource; `context` holds the condition keys that policies of this project look at."""

    name: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


def actions_of(request: Request, *, account: str | None = None) -> tuple[Action, ...]:
    """
    Return the request's own action first, then those it implies; empty for an unsigned request.

    Args:
        account: the caller's, where it is not the sandbox's own: a table's name means one of that account.
    """
    if request.service == "s3":
        return s3(request)
    if request.service == "elasticmapreduce":
        return elasticmapreduce(request)
    if request.service == "dynamodb":
        return dynamodb(request, account=account or ACCOUNT_ID)
    if request.service == "scheduler":
        return (scheduler(request),)
    if request.service == "logs":
        return (logs(request),)
    if request.service == "iam":
        return (iam(request),)
    if request.service == "cloudformation":
        return (cloudformation(request),)
    if request.service == "sts" and request.form.get("Action") == "AssumeRole":
        return (Action("sts:AssumeRole", request.form["RoleArn"]),)
    return (_plain(request),) if request.service else ()


def s3(request: Request) -> tuple[Action, ...]:
    """Return the actions of an S3 request, the source's of a copy included."""
    name, resource = s3_actions.action_of(request.method, request.path, request.query)
    prefix = request.query.get("prefix")  # HeadBucket and a listing of everything carry none
    context = {"s3:prefix": prefix[0]} if name == "s3:ListBucket" and prefix else {}
    source = request.headers.get("x-amz-copy-source")
    copied = (Action("s3:GetObject", f"arn:aws:s3:::{source.lstrip('/')}"),) if source else ()
    return (Action(name, resource, context), *copied)


def elasticmapreduce(request: Request) -> tuple[Action, ...]:
    """Return the actions of an EMR request; one entry per cluster where it names several."""
    params = request.json()
    name = f"elasticmapreduce:{request.target}"
    if request.target == "RunJobFlow":
        return _run_job_flow(name, params, request.region)
    named = [params[key] for key in ("ClusterId", "JobFlowId", "ResourceId") if params.get(key)]
    clusters = [*named, *params.get("JobFlowIds", [])] or ["*"]
    context = _request_tags(params)
    return tuple(Action(name, _cluster_arn(cluster, request.region), context) for cluster in clusters)


def _run_job_flow(name: str, params: Mapping[str, Any], region: str) -> tuple[Action, ...]:
    tags = _request_tags(params)
    passed = tuple(
        Action("iam:PassRole", _role_arn(params[member]), {"iam:PassedToService": service})
        for member, service in PASSED_TO.items()
        if params.get(member)
    )
    cluster = _cluster_arn("*", region)
    tagging = (Action("elasticmapreduce:AddTags", cluster, tags),) if tags else ()
    idle = (Action("elasticmapreduce:PutAutoTerminationPolicy", cluster),)
    return (Action(name, "*", tags), *tagging, *(idle if params.get("AutoTerminationPolicy") else ()), *passed)


def _request_tags(params: Mapping[str, Any]) -> dict[str, str]:
    prefix = "elasticmapreduce:RequestTag/"
    return {f"{prefix}{tag.get('Key', '')}": str(tag.get("Value", "")) for tag in params.get("Tags", [])}


def _cluster_arn(cluster_id: str, region: str) -> str:
    return f"arn:aws:elasticmapreduce:{region}:{ACCOUNT_ID}:cluster/{cluster_id}"


def _role_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"


def dynamodb(request: Request, *, account: str = ACCOUNT_ID) -> tuple[Action, ...]:
    """Return one action per table that the request names; one that reads an index asks for that instead."""
    params = request.json()
    name = f"dynamodb:{request.target}"
    named = params.get("TableName") or params.get("ResourceArn")
    tables = [named] if named else sorted(params.get("RequestItems", {}))
    index = f"/index/{params['IndexName']}" if params.get("IndexName") else ""
    place = f"arn:aws:dynamodb:{request.region}:{account}:table"
    arns = (table if table.startswith("arn:") else f"{place}/{table}" for table in tables)
    return tuple(Action(name, arn + index) for arn in arns) or (Action(name),)


def scheduler(request: Request) -> Action:
    """Return the action of an EventBridge Scheduler request, which only method and path tell."""
    _, collection, *name = request.path.split("/")
    kind = "ScheduleGroup" if collection == "schedule-groups" else "Schedule"
    if not any(name):
        return Action(f"scheduler:List{kind}s")
    group = request.query.get("groupName", ["default"])[0]
    arn = f"arn:aws:scheduler:{request.region}:{ACCOUNT_ID}:schedule/{group}/{name[0]}"
    return Action(f"scheduler:{SCHEDULER_OPERATIONS[request.method]}{kind}", arn)


def iam(request: Request) -> Action:
    """Return the action of an IAM request on the one role, profile or principal it names."""
    form, account = request.form, f"arn:aws:iam::{ACCOUNT_ID}"
    named = [
        form.get("PolicySourceArn", ""),
        f"{account}:instance-profile/{form['InstanceProfileName']}" if "InstanceProfileName" in form else "",
        f"{account}:role/{PATHS.get(form['RoleName'], '')}{form['RoleName']}" if "RoleName" in form else "",
    ]
    return Action(f"iam:{form.get('Action', '')}", next(filter(None, named), "*"))


def cloudformation(request: Request) -> Action:
    """Return the action of a CloudFormation request, on the stack it names; a stack's ARN ends in an id of its own."""
    form, place = request.form, f"arn:aws:cloudformation:{request.region}:{ACCOUNT_ID}:stack"
    named = form.get("StackName", "")
    stack = named if named.startswith("arn:") else f"{place}/{named}/id"
    return Action(f"cloudformation:{form.get('Action', '')}", stack if named else "*")


def logs(request: Request) -> Action:
    """Return the action of a CloudWatch Logs request, on its log group or on one of its streams."""
    params = request.json()
    place = f"arn:aws:logs:{request.region}:{ACCOUNT_ID}:log-group:{params.get('logGroupName', '*')}"
    stream = f":log-stream:{params['logStreamName']}" if request.target == "PutLogEvents" else ""
    return Action(f"logs:{request.target}", f"{place}{stream}")


def _plain(request: Request) -> Action:
    prefix = SIGNED_AS.get(request.service, request.service)
    operation = request.target or request.query.get("Action", [""])[0]
    if not operation and request.body:
        operation = request.form.get("Action", "")
    return Action(f"{prefix}:{operation or f'{request.method} {request.path}'}")
