"""
A schedule: the RunJobFlow request that EventBridge Scheduler sends each time, with its moment filled in, and the
CloudFormation template around it.

No launcher is there at night: the job itself resolves capacity, folder and checks. Scheduler delivers at least once;
a second delivery carries the same scheduled time, so an export meets the first one's claim on the run folder, an import
the one on that moment, and refuses.

Three ways to fail, three ways to hear of it: a launch that EMR refuses goes to the dead-letter queue and its alarm;
a cluster or a step that fails goes through an EMR event to the same topic, as one line that names the next command.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from typing import Any

from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.documents.policies import schedule_policy, trust_document
from dynamodb_pipeline.emr.documents.policy_scope import CLOUDFORMATION_ACCOUNT, PolicyScope
from dynamodb_pipeline.emr.documents.roles_template import in_cloudformation, refuse_dynamic_reference, substituted
from dynamodb_pipeline.emr.request.launch_settings import RUN_TAG, LaunchSettings
from dynamodb_pipeline.emr.request.run_job_flow_request import BootstrapFile, run_job_flow_request
from dynamodb_pipeline.emr.request.steps import JobCode, TableJob
from dynamodb_pipeline.settings.job_options import RUN_ID, SCHEDULED_TIME
from dynamodb_pipeline.settings.rows import Given

# Filled in by EventBridge Scheduler (its user guide, "Adding context attributes").
FIRING_TIME = "<aws.scheduler.scheduled-time>"
RUN_JOB_FLOW_TARGET = "arn:${AWS::Partition}:scheduler:::aws-sdk:emr:runJobFlow"
# Scheduler's own defaults are 185 tries over a day: a cluster could start a day late.
MAX_EVENT_AGE_S = 900
RETRIES = 0
QUEUE_KEEPS_S = 1_209_600


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
    launch = replace(settings, jobs=jobs, run_id=name)
    chosen = launch.cluster
    config = load_cluster_config(chosen.config, region=launch.region, overrides=chosen.overrides)
    request = run_job_flow_request(launch, config=config, code=shipped.code, bootstrap=shipped.bootstrap)
    return with_moment(request, name=name)


def _scheduled_job(job: TableJob, verb: str) -> TableJob:
    """The job without a run id (each delivery makes its own); export and import claim the scheduled time."""
    moment = Given.of({SCHEDULED_TIME: FIRING_TIME if verb != "verify" else None})
    return replace(job, given=job.given.without(RUN_ID, SCHEDULED_TIME) + moment, run_id=job.table_name)


def with_moment(request: dict[str, Any], *, name: str) -> dict[str, Any]:
    """The request with the scheduled time in the cluster's name and tag, where look-ups and people find it."""
    timed = copy.deepcopy(request)
    timed["Name"] = f"{request['Name']}-{FIRING_TIME}"
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
        UsageError: a text of them that CloudFormation would resolve by itself.
    """
    for text in (schedule.name, schedule.expression, schedule.email or "", name_prefix, json.dumps(request)):
        refuse_dynamic_reference(text)
    inside = in_cloudformation(scope)
    resources: dict[str, Any] = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": f"{schedule.name} failures"}},
        "TopicPolicy": _topic_policy(),
        "DeadLetters": _dead_letters(),
        "DeadLettersAlarm": _dead_letters_alarm(schedule),
        "Role": _role(inside),
        "Schedule": _schedule(schedule, request),
        "StepFailed": _rule(STEP_PATTERN, name_prefix=f"{name_prefix}:", transformer=STEP_TEXT),
        "ClusterFailed": _rule(CLUSTER_PATTERN, name_prefix=f"{name_prefix}-", transformer=CLUSTER_TEXT),
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


def _schedule(schedule: Schedule, request: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Name": schedule.name,
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": {"Fn::Sub": RUN_JOB_FLOW_TARGET},
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "Input": json.dumps(request, sort_keys=True),
                "RetryPolicy": {"MaximumRetryAttempts": RETRIES, "MaximumEventAgeInSeconds": MAX_EVENT_AGE_S},
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
            },
        },
    }


def _role(scope: PolicyScope) -> dict[str, Any]:
    policy = substituted(schedule_policy(scope, dead_letter_arn="DEAD_LETTERS"))
    for statement in policy["Statement"]:
        if statement["Resource"] == "DEAD_LETTERS":
            statement["Resource"] = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    trust = substituted(trust_document("schedule", account=CLOUDFORMATION_ACCOUNT))
    policies = [{"PolicyName": "launch", "PolicyDocument": policy}]
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": policies}}


def _dead_letters() -> dict[str, Any]:
    properties = {"MessageRetentionPeriod": QUEUE_KEEPS_S, "SqsManagedSseEnabled": True}
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def _dead_letters_alarm(schedule: Schedule) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"schedule {schedule.name} could not start its cluster: read the dead-letter queue",
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadLetters", "QueueName"]}}],
            "Statistic": "Maximum",
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


# Events carry no tags, so they are matched by the beginning of a name.
STEP_PATTERN = {"detail-type": ["EMR Step Status Change"], "detail": {"state": ["FAILED", "CANCELLED"]}}
CLUSTER_PATTERN = {"detail-type": ["EMR Cluster State Change"], "detail": {"state": ["TERMINATED_WITH_ERRORS"]}}
STEP_TEXT = {
    "InputPathsMap": {
        "cluster": "$.detail.clusterId", "name": "$.detail.name", "state": "$.detail.state", "region": "$.region",
    },
    "InputTemplate": '"<name> <state> on cluster <cluster>; why: dynamodb-pipeline status <cluster> --region <region>"',
}  # fmt: skip
CLUSTER_TEXT = {
    "InputPathsMap": {
        "cluster": "$.detail.clusterId", "name": "$.detail.name", "reason": "$.detail.stateChangeReason",
    },
    "InputTemplate": '"cluster <cluster> (<name>) failed: <reason>; see: dynamodb-pipeline status <cluster>"',
}  # fmt: skip


def _rule(pattern: dict[str, Any], *, name_prefix: str, transformer: dict[str, Any]) -> dict[str, Any]:
    detail = {**pattern["detail"], "name": [{"prefix": name_prefix}]}
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "EventPattern": {**pattern, "source": ["aws.emr"], "detail": detail},
            "Targets": [{"Id": "topic", "Arn": {"Ref": "Topic"}, "InputTransformer": transformer}],
        },
    }
