"""
Builds the RunJobFlow request: the run's part laid over the cluster config. Pure; sends nothing.

Tags are inside the request: policies that demand a tag judge RunJobFlow itself, AddTags comes too late.
"""

from __future__ import annotations

import copy
import re
import shlex
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.aws.model_check import request_problems
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig, NodeGroup
from dynamodb_pipeline.emr.cluster.release_labels import default_label, parse_label
from dynamodb_pipeline.emr.cluster.sizing import layout_of_groups
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.steps import JobCode, step_requests
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.spark_conf import LAUNCHED_BY, PLANNED, REQUIRED_SPARK_CONF

# A leak guard: the cluster ends by itself after its last step; should it hang idle, it ends after an hour.
IDLE_TIMEOUT_S = 3600
LOG_GROUP_SINCE, LOG_AGENT_APPLICATION = (7, 11, 0), "AmazonCloudWatchAgent"
# AmazonEMRServicePolicy_v2 only lets EMR touch resources with this tag.
MANAGED_POLICY_TAG = ("for-use-with-amazon-emr-managed-policies", "true")


@dataclass(frozen=True)
class BootstrapFile:
    """The bootstrap script and what it has to check on each node: `(s3 address, SHA-256 hex)` pairs."""

    script_uri: str
    checked: tuple[tuple[str, str], ...]

    def action(self) -> dict[str, Any]:
        """The member of `BootstrapActions`."""
        arguments = [text for pair in self.checked for text in pair]
        return {
            "Name": "check the code's SHA-256",
            "ScriptBootstrapAction": {"Path": self.script_uri, "Args": arguments},
        }


def spark_conf(settings: LaunchSettings, *, groups: tuple[NodeGroup, ...]) -> dict[str, str]:
    """
    Spark's settings for these nodes, the user's own `--spark-conf` on top, and who launched.

    Raises:
        UsageError: the user's settings change one that keeps reads whole.
    """
    conf = with_user_conf(layout_of_groups(settings.verb, groups).conf(), settings.spark_conf)
    launch = {LAUNCHED_BY: shlex.join((settings.verb, *settings.launcher)), PLANNED: settings.planned}
    return {**conf, **{key: text for key, text in launch.items() if text}}


def with_user_conf(conf: dict[str, str], texts: tuple[str, ...]) -> dict[str, str]:
    """
    `conf` with each `key=value` of the user laid over it.

    Raises:
        UsageError: one of them changes a setting of `REQUIRED_SPARK_CONF`.
    """
    own = dict(text.partition("=")[::2] for text in texts)
    for key, value in REQUIRED_SPARK_CONF.items():
        if own.get(key, value) != value:
            msg = f"--spark-conf {key}={own[key]} could lose items without an error; it must stay {value}"
            raise UsageError(msg)
    return {**conf, **own}


def run_job_flow_request(
    settings: LaunchSettings, *, config: ClusterConfig, code: JobCode, bootstrap: BootstrapFile
) -> dict[str, Any]:
    """
    Return the whole request, ready for `emr.run_job_flow(**request)`.

    Raises:
        UsageError: a step EMR would refuse, or the request does not fit EMR's model.
    """
    request = copy.deepcopy(config.request)
    request.update(_run_part(settings, config=config, code=code))
    request["BootstrapActions"] = [bootstrap.action(), *request.get("BootstrapActions", [])]
    request["Tags"] = _tags(settings, config)
    request["Instances"].update(_network_part(settings))
    problems = request_problems(request, service="emr", operation="RunJobFlow")
    if problems:
        about = "the RunJobFlow request does not fit EMR's model:"
        raise UsageError.of_lines([about, *(f"  {problem}" for problem in problems)])
    return request


def _run_part(settings: LaunchSettings, *, config: ClusterConfig, code: JobCode) -> dict[str, Any]:
    cluster = settings.cluster
    conf = spark_conf(settings, groups=config.groups)
    part: dict[str, Any] = {
        "Name": settings.cluster_name,
        "LogUri": settings.emr_logs_uri,
        "ServiceRole": config.request.get("ServiceRole", cluster.service_role),
        "JobFlowRole": config.request.get("JobFlowRole", cluster.node_role_for(settings.verb)),
        "AutoTerminationPolicy": {"IdleTimeout": IDLE_TIMEOUT_S},
        "Steps": step_requests(
            settings.jobs, verb=settings.verb, name_prefix=settings.name_prefix, code=code, conf=conf
        ),
    }
    if cluster.security_configuration:
        part["SecurityConfiguration"] = cluster.security_configuration
    if cluster.log_kms_key_arn:
        part["LogEncryptionKmsKeyId"] = cluster.log_kms_key_arn
    if cluster.log_group:
        part |= _log_group_part(settings, cluster.log_group, config=config)
    return part


def _log_group_part(settings: LaunchSettings, log_group: str, *, config: ClusterConfig) -> dict[str, Any]:
    """
    The steps' logs to CloudWatch as well, and the agent that sends them.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-logging-cw.html

    Raises:
        UsageError: the label is older than this.
    """
    if parse_label(config.release_label) < LOG_GROUP_SINCE:
        since = ".".join(map(str, LOG_GROUP_SINCE))
        newer = f"--set ReleaseLabel={default_label()}"
        msg = f"--cloudwatch-logs needs emr-{since} or newer, not {config.release_label}; {newer}"
        raise UsageError(msg)
    sent = {
        "Enabled": True,
        "LogGroupName": log_group,
        "LogStreamNamePrefix": re.sub("[:*]", "-", settings.cluster_name),
        "LogTypes": {"STEP_LOGS": ["STDERR", "STDOUT"]},
    }
    names = [app["Name"] for app in config.request.get("Applications", [])]
    wanted = dict.fromkeys([*names, LOG_AGENT_APPLICATION])
    return {
        "Applications": [{"Name": name} for name in wanted],
        "MonitoringConfiguration": {"CloudWatchLogConfiguration": sent},
    }


def _network_part(settings: LaunchSettings) -> dict[str, Any]:
    part: dict[str, Any] = {"KeepJobFlowAliveWhenNoSteps": False, "TerminationProtected": False}
    if settings.cluster.subnet_id:
        part["Ec2SubnetId"] = settings.cluster.subnet_id
    return part


def _tags(settings: LaunchSettings, config: ClusterConfig) -> list[dict[str, str]]:
    own = {tag["Key"]: tag.get("Value", "") for tag in config.request.get("Tags", [])}
    merged = {**own, **dict([MANAGED_POLICY_TAG]), **settings.tags()}
    return [{"Key": key, "Value": value} for key, value in merged.items()]
