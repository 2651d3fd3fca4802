"""
How each kind of resource is made, changed and removed: by the calls that CloudFormation makes itself.

Making is putting: what is there already under that name is brought to what the template says. A kind that is not known
here is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from sandbox.cloudformation.intrinsics import Made, TemplateError

Client = Callable[[str], Any]
Properties = Mapping[str, Any]


def make(kind: str, properties: Properties, *, name: str, client: Client) -> Made:
    """
    Make one resource.

    Args:
        name: its physical name where the template gives none.
        client: a boto3 client of the stack's region by the service's name.
    """
    if kind not in KINDS:
        raise TemplateError(f"Template format error: Unrecognized resource types: [{kind}]")
    physical_id, attributes = KINDS[kind][0](properties, name, client)
    return Made(kind, physical_id, attributes)


def remove(made: Made, *, client: Client) -> None:
    """Remove one resource; what is gone already stays so."""
    from botocore.exceptions import ClientError

    with suppress(ClientError):
        KINDS[made.kind][1](made, client)


def _role(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    iam, role = client("iam"), properties.get("RoleName", name)
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    try:
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    for managed in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=role, PolicyArn=managed)
    for policy in properties.get("Policies", []):
        document = json.dumps(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=document)
    return role, {"Arn": arn}


def _no_role(made: Made, client: Client) -> None:
    iam, role = client("iam"), {"RoleName": made.physical_id}
    for name in iam.list_role_policies(**role)["PolicyNames"]:
        iam.delete_role_policy(**role, PolicyName=name)
    for policy in iam.list_attached_role_policies(**role)["AttachedPolicies"]:
        iam.detach_role_policy(**role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(**role)


def _profile(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    iam, profile = client("iam"), properties.get("InstanceProfileName", name)
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_instance_profile(InstanceProfileName=profile)
        for role in properties["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    return profile, {"Arn": iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Arn"]}


def _no_profile(made: Made, client: Client) -> None:
    iam, profile = client("iam"), {"InstanceProfileName": made.physical_id}
    for role in iam.get_instance_profile(**profile)["InstanceProfile"]["Roles"]:
        iam.remove_role_from_instance_profile(**profile, RoleName=role["RoleName"])
    iam.delete_instance_profile(**profile)


def _managed_policy(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    iam, policy = client("iam"), properties.get("ManagedPolicyName", name)
    document = json.dumps(properties["PolicyDocument"])
    try:
        arn = iam.create_policy(PolicyName=policy, PolicyDocument=document)["Policy"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        account = client("sts").get_caller_identity()["Account"]
        arn = f"arn:aws:iam::{account}:policy/{policy}"
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    for role in properties.get("Roles", []):
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    return arn, {}


def _security_configuration(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    emr, configuration = client("emr"), properties.get("Name", name)
    document = json.dumps(properties["SecurityConfiguration"])
    with suppress(emr.exceptions.InvalidRequestException):  # it is there: EMR has no way to change one
        emr.create_security_configuration(Name=configuration, SecurityConfiguration=document)
    return configuration, {}


def _topic(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    attributes = {"DisplayName": properties["DisplayName"]} if "DisplayName" in properties else {}
    arn = client("sns").create_topic(Name=properties.get("TopicName", name), Attributes=attributes)["TopicArn"]
    return arn, {"TopicName": arn.rpartition(":")[2]}


def _topic_policy(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    for topic in properties["Topics"]:
        document = json.dumps(properties["PolicyDocument"])
        client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)
    return name, {}


def _subscription(properties: Properties, _: str, client: Client) -> tuple[str, dict[str, str]]:
    wanted = {key: properties[key] for key in ("TopicArn", "Protocol", "Endpoint")}
    return client("sns").subscribe(**wanted, ReturnSubscriptionArn=True)["SubscriptionArn"], {}


def _queue(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    sqs, queue = client("sqs"), properties.get("QueueName", name)
    attributes = {key: str(value).lower() for key, value in properties.items() if key != "QueueName"}
    url = sqs.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, {"Arn": arn, "QueueName": queue}


def _alarm(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    alarm = properties.get("AlarmName", name)
    client("cloudwatch").put_metric_alarm(**{**properties, "AlarmName": alarm})
    return alarm, {}


def _rule(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    events, rule = client("events"), properties.get("Name", name)
    arn = events.put_rule(Name=rule, EventPattern=json.dumps(properties["EventPattern"]))["RuleArn"]
    events.put_targets(Rule=rule, Targets=properties["Targets"])
    return rule, {"Arn": arn}


def _no_rule(made: Made, client: Client) -> None:
    events = client("events")
    ids = [target["Id"] for target in events.list_targets_by_rule(Rule=made.physical_id)["Targets"]]
    events.remove_targets(Rule=made.physical_id, Ids=ids)
    events.delete_rule(Name=made.physical_id)


def _schedule_group(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    scheduler, group = client("scheduler"), properties.get("Name", name)
    with suppress(scheduler.exceptions.ConflictException):
        scheduler.create_schedule_group(Name=group)
    return group, {"Arn": scheduler.get_schedule_group(Name=group)["Arn"]}


def _schedule(properties: Properties, name: str, client: Client) -> tuple[str, dict[str, str]]:
    scheduler, schedule = client("scheduler"), properties.get("Name", name)
    wanted = {**properties, "Name": schedule}
    try:
        arn = scheduler.create_schedule(**wanted)["ScheduleArn"]
    except scheduler.exceptions.ConflictException:
        arn = scheduler.update_schedule(**wanted)["ScheduleArn"]
    return schedule, {"Arn": arn, "GroupName": properties.get("GroupName", "default")}


def _no_schedule(made: Made, client: Client) -> None:
    client("scheduler").delete_schedule(Name=made.physical_id, GroupName=made.attributes["GroupName"])


def _nothing(_: Made, __: Client) -> None:
    """It goes with what it belongs to."""


KINDS: Mapping[str, tuple[Callable[..., tuple[str, dict[str, str]]], Callable[[Made, Client], Any]]] = {
    "AWS::IAM::Role": (_role, _no_role),
    "AWS::IAM::InstanceProfile": (_profile, _no_profile),
    "AWS::IAM::ManagedPolicy": (_managed_policy, lambda m, c: c("iam").delete_policy(PolicyArn=m.physical_id)),
    "AWS::EMR::SecurityConfiguration": (
        _security_configuration,
        lambda m, c: c("emr").delete_security_configuration(Name=m.physical_id),
    ),
    "AWS::SNS::Topic": (_topic, lambda m, c: c("sns").delete_topic(TopicArn=m.physical_id)),
    "AWS::SNS::TopicPolicy": (_topic_policy, _nothing),
    "AWS::SNS::Subscription": (_subscription, lambda m, c: c("sns").unsubscribe(SubscriptionArn=m.physical_id)),
    "AWS::SQS::Queue": (_queue, lambda m, c: c("sqs").delete_queue(QueueUrl=m.physical_id)),
    "AWS::CloudWatch::Alarm": (_alarm, lambda m, c: c("cloudwatch").delete_alarms(AlarmNames=[m.physical_id])),
    "AWS::Events::Rule": (_rule, _no_rule),
    "AWS::Scheduler::ScheduleGroup": (
        _schedule_group,
        lambda m, c: c("scheduler").delete_schedule_group(Name=m.physical_id),
    ),
    "AWS::Scheduler::Schedule": (_schedule, _no_schedule),
}
