"""
A schedule: the RunJobFlow request that EventBridge Scheduler sends each time, with its moment filled in, and the
CloudFormation template around it.

No launcher is there at night: the job itself resolves capacity, folder and checks. Scheduler delivers at least once;
a second delivery carries the same scheduled time, so an export meets the first one's claim on the run folder, an import
the one on that moment, and refuses.

Every way to fail is heard of once, at one topic: a launch that EMR refuses by alarms on Scheduler's own metrics (the
schedule has a group of its own, which is all that they tell apart); a cluster that gets no instances, that fails, or
whose step fails by an EMR event whose names begin with this schedule's, as one line that names the next command.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.documents.policies import schedule_policy, trust_document
from dynamodb_pipeline.emr.documents.policy_scope import PolicyScope
from dynamodb_pipeline.emr.documents.roles_template import in_cloudformation, refuse_dynamic_reference, substituted
from dynamodb_pipeline.emr.request.launch_settings import RUN_TAG, LaunchSettings
from dynamodb_pipeline.emr.request.run_job_flow_request import BootstrapFile, run_job_flow_request
from dynamodb_pipeline.emr.request.steps import JobCode, TableJob
from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.settings.job_options import RUN_ID, SCHEDULED_TIME
from dynamodb_pipeline.settings.rows import Given

# Filled in by EventBridge Scheduler (its user guide, "Adding context attributes").
FIRING_TIME = "<aws.scheduler.scheduled-time>"
RUN_JOB_FLOW_TARGET = "arn:${AWS::Partition}:scheduler:::aws-sdk:emr:runJobFlow"
# Scheduler's own defaults are 185 retries over a day: a cluster could start a day late. A throttle of RunJobFlow (0.5
# calls a second, https://docs.aws.amazon.com/general/latest/gr/emr.html) is over within these 15 minutes; a launch that
# was accepted all the same meets the first one's claim.
MAX_EVENT_AGE_S = 900
RETRIES = 2
QUEUE_KEEPS_S = 1_209_600
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
TEMPLATE_BYTES = 51_200
TEMPLATE_BYTES_IN_S3 = 1_048_576
INPUT_BYTES = 262_144  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html: 256 KB
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html: the target answered with an error;
# no more is tried. Both fall back to 0, so that the next failure is heard of too.
FAILURE_METRICS = {"LaunchRefused": "TargetErrorCount", "LaunchDropped": "InvocationDroppedCount"}


@dataclass(frozen=True)
class ScheduledCode:
    """Where the code of the scheduled runs lies."""

    code: JobCode
    bootstrap: BootstrapFile


def scheduled_request(settings: LaunchSettings, *, name: str, shipped: ScheduledCode) -> dict[str, Any]:
    """
    Return the request for schedule `name`; `settings.run_id` is a stand-in that does not reach it.

    Raises:
        UsageError: as for a launch.
    """
    jobs = tuple(_scheduled_job(job, settings.verb) for job in settings.jobs)
    launch = replace(settings, jobs=jobs, run_id=name, name_prefix=schedule_mark(settings.name_prefix, name))
    chosen = launch.cluster
    config = load_cluster_config(chosen.config, region=launch.region, overrides=chosen.overrides)
    request = run_job_flow_request(launch, config=config, code=shipped.code, bootstrap=shipped.bootstrap)
    return with_moment(request, cluster_name=f"{launch.name_prefix}:{launch.verb}:{FIRING_TIME}", name=name)


def schedule_mark(name_prefix: str, name: str) -> str:
    """What names of a schedule's clusters and steps begin with, up to a colon: no manual run's or other schedule's."""
    return f"{name_prefix}@{name}"


def _scheduled_job(job: TableJob, verb: str) -> TableJob:
    """The job without a run id (each delivery makes its own); export and import claim the scheduled time."""
    moment = Given.of({SCHEDULED_TIME: FIRING_TIME if verb != "verify" else None})
    return replace(job, given=job.given.without(RUN_ID, SCHEDULED_TIME) + moment, run_id=job.table_name)


def with_moment(request: dict[str, Any], *, cluster_name: str, name: str) -> dict[str, Any]:
    """The request with the scheduled time in the cluster's name and tag, where look-ups and people find it."""
    timed = copy.deepcopy(request)
    timed["Name"] = cluster_name
    for tag in timed["Tags"]:
        if tag["Key"] == RUN_TAG:
            tag["Value"] = f"{name}-{FIRING_TIME}"
    return timed


@dataclass(frozen=True)
class Schedule:
    """
    When and how a run starts by itself.

    Attributes:
        name: of the schedule, also in the clusters' names.
        expression: `cron(0 3 * * ? *)`, `rate(1 day)`; bare cron fields are wrapped.
        timezone: IANA name the expression is meant in.
        email: subscribed to failures, or None.
    """

    name: str
    expression: str
    timezone: str = "UTC"
    email: str | None = None


def schedule_template(
    schedule: Schedule, *, request: dict[str, Any], scope: PolicyScope, name_prefix: str
) -> dict[str, Any]:
    """
    The whole template; `request` is what each firing sends.

    Raises:
        UsageError: a text of them that CloudFormation would resolve by itself, or more tables than Scheduler takes.
    """
    for text in (schedule.name, schedule.expression, schedule.email or "", name_prefix, json.dumps(request)):
        refuse_dynamic_reference(text)
    inside, mark = in_cloudformation(scope), f"{schedule_mark(name_prefix, schedule.name)}:"
    resources: dict[str, Any] = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": f"{schedule.name} failures"}},
        "TopicPolicy": _topic_policy(),
        "DeadLetters": _dead_letters(),
        **{name: _alarm(schedule, metric) for name, metric in FAILURE_METRICS.items()},
        "Role": _role(inside),
        "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": schedule.name}},
        "Schedule": _schedule(schedule, request),
        "StepFailed": _rule(STEP_PATTERN, {"name": [{"prefix": mark}]}, STEP_TEXT),
        "ClusterFailed": _rule(CLUSTER_PATTERN, {"name": [{"prefix": mark}]}, CLUSTER_TEXT),
        "NoInstances": _rule(PROVISIONING_PATTERN, {"message": [{"wildcard": f"*({mark}*"}]}, PROVISIONING_TEXT),
    }
    if schedule.email:
        resources["Subscription"] = {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": schedule.email},
        }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"dynamodb-pipeline: schedule {schedule.name}, its role, dead letters and failure messages",
        "Resources": resources,
        "Outputs": {"FailureTopicArn": {"Value": {"Ref": "Topic"}}},
    }


def deployed_request(template: Any, *, name: str, region: str) -> dict[str, Any]:
    """
    The request that a deployed template's schedule sends.

    Raises:
        PreconditionError: it is no template of a schedule of ours.
    """
    try:
        request = json.loads(template["Resources"]["Schedule"]["Properties"]["Target"]["Input"])
        request["BootstrapActions"][0]["ScriptBootstrapAction"]["Path"].rpartition("/")
        return dict(request)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as err:
        look = f"aws cloudformation get-template --stack-name {name} --region {region}"
        msg = f"stack {name} holds no schedule that `schedule` printed; look at it: {look}"
        raise PreconditionError(msg) from err


def code_folder(request: dict[str, Any]) -> S3Uri:
    """Where the code of a scheduled request lies, one folder for each version of it."""
    script = request["BootstrapActions"][0]["ScriptBootstrapAction"]["Path"]
    return S3Uri.of_folder(script.rpartition("/")[0], option="the schedule's code")


def with_code(template: dict[str, Any], request: dict[str, Any], *, bootstrap: BootstrapFile) -> dict[str, Any]:
    """The template with this code in the place of its own; nothing else is changed."""
    old, new = f"{code_folder(request).uri}/", f"{bootstrap.script_uri.rpartition('/')[0]}/"
    renewed, changed = copy.deepcopy(template), copy.deepcopy(request)
    changed["BootstrapActions"][0] = bootstrap.action()
    for step in changed["Steps"]:
        jar = step["HadoopJarStep"]
        jar["Args"] = [new + text[len(old) :] if text.startswith(old) else text for text in jar["Args"]]
    renewed["Resources"]["Schedule"]["Properties"]["Target"]["Input"] = _input(changed)
    return renewed


def deploy_options(template: dict[str, Any], *, bucket: str) -> str:
    """
    What `aws cloudformation deploy` needs beside the template's file because of its size; empty for most.

    Raises:
        UsageError: CloudFormation takes no template of this size.
    """
    size = len(json.dumps(template).encode())
    if size > TEMPLATE_BYTES_IN_S3:
        msg = f"the template has {size:,} bytes, CloudFormation takes {TEMPLATE_BYTES_IN_S3:,}: split the tables"
        raise UsageError(msg)
    return f" --s3-bucket {bucket}" if size > TEMPLATE_BYTES else ""


def _schedule(schedule: Schedule, request: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Name": schedule.name,
            "GroupName": {"Ref": "Group"},
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": {"Fn::Sub": RUN_JOB_FLOW_TARGET},
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "Input": _input(request),
                "RetryPolicy": {"MaximumRetryAttempts": RETRIES, "MaximumEventAgeInSeconds": MAX_EVENT_AGE_S},
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
            },
        },
    }


def _input(request: dict[str, Any]) -> str:
    """
    The request as Scheduler keeps it.

    Raises:
        UsageError: Scheduler takes no request of this size.
    """
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    size, tables = len(text.encode()), len(request["Steps"])
    if size > INPUT_BYTES:
        fitting = tables * INPUT_BYTES // size
        msg = (
            f"the request for {tables} tables has {size:,} bytes and EventBridge Scheduler takes {INPUT_BYTES:,}: "
            f"give this schedule at most {fitting} of the tables, and another (--schedule-name) the others"
        )
        raise UsageError(msg)
    return text


def _role(scope: PolicyScope) -> dict[str, Any]:
    policy = substituted(schedule_policy(scope, dead_letter_arn="DEAD_LETTERS"))
    for statement in policy["Statement"]:
        if statement["Resource"] == "DEAD_LETTERS":
            statement["Resource"] = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    trust = substituted(trust_document("schedule", scope=scope))
    policies = [{"PolicyName": "launch", "PolicyDocument": policy}]
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": policies}}


def _dead_letters() -> dict[str, Any]:
    properties = {"MessageRetentionPeriod": QUEUE_KEEPS_S, "SqsManagedSseEnabled": True}
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def _alarm(schedule: Schedule, metric: str) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"schedule {schedule.name} could not start its cluster: the dead-letter queue says why",
            "Namespace": "AWS/Scheduler",
            "MetricName": metric,
            "Dimensions": [{"Name": "ScheduleGroup", "Value": {"Ref": "Group"}}],
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": "Topic"}],
        },
    }


def _topic_policy() -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "cloudwatch.amazonaws.com"]},
        "Action": "sns:Publish",
        "Resource": {"Ref": "Topic"},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document},
    }


# Events carry no tags, so they are matched by names. EventBridge puts values into a template as they are: a member
# that holds quotes (`stateChangeReason` is JSON) would break it, so sentences come from `message`.
# Forms: https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-manage-cloudwatch-events.html
STEP_PATTERN = {"detail-type": ["EMR Step Status Change"], "detail": {"state": ["FAILED", "CANCELLED"]}}
CLUSTER_PATTERN = {"detail-type": ["EMR Cluster State Change"], "detail": {"state": ["TERMINATED_WITH_ERRORS"]}}
# A cluster without instances waits, and fails only when somebody stops it. The message names it: `j-1 (name)`.
PROVISIONING_PATTERN = {"detail-type": ["EMR Instance Group Provisioning"], "detail": {"severity": ["WARN", "ERROR"]}}


def _text(sentence: str, **members: str) -> dict[str, Any]:
    """An input transformer: one line for people, which ends with the command that looks at the cluster."""
    paths = {"cluster": "$.detail.clusterId", "region": "$.region", **members}
    return {"InputPathsMap": paths, "InputTemplate": f'"{sentence} --region <region>"'}


STEP_TEXT = _text(
    "<name> <state> on cluster <cluster>; why: dynamodb-pipeline status <cluster>",
    name="$.detail.name",
    state="$.detail.state",
)
CLUSTER_TEXT = _text("<message>; see: dynamodb-pipeline status <cluster>", message="$.detail.message")
PROVISIONING_TEXT = _text("<message>; to end it: dynamodb-pipeline terminate <cluster>", message="$.detail.message")


def _rule(pattern: dict[str, Any], names: dict[str, Any], transformer: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "EventPattern": {**pattern, "source": ["aws.emr"], "detail": {**pattern["detail"], **names}},
            "Targets": [{"Id": "topic", "Arn": {"Ref": "Topic"}, "InputTransformer": transformer}],
        },
    }
