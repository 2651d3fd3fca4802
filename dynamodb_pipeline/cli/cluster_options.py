"""
The launcher's own options and verbs, for the command line to add to its parser.

The jobs' options are not known here: they are added by the caller and pass through as words.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.cli.settings_file import FILE_NAME
from dynamodb_pipeline.emr.commands.documents import POLICY_KINDS
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES
from dynamodb_pipeline.emr.request.launch_settings import ClusterSettings

AddOptions = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class Option:
    """One option of the launcher; `metavar` None makes it a flag."""

    name: str
    help: str
    metavar: str | None = None
    default: str | None = None
    many: bool = False

    def add_to(self, group: Any) -> None:
        """Add it to an argparse parser or group."""
        if self.metavar is None:
            group.add_argument(self.name, action="store_true", help=self.help)
        elif self.many:
            group.add_argument(self.name, metavar=self.metavar, action="append", default=[], help=self.help)
        else:
            group.add_argument(self.name, metavar=self.metavar, default=self.default, help=self.help)


CLUSTER_OPTIONS = (
    Option(
        "--config", "cluster config: m3, m5, large or a JSON file (default m3)", "NAME|FILE", ClusterSettings.config
    ),
    Option("--set", "change one place of the config, in EMR's own words; repeatable", "PATH=VALUE", many=True),
    Option("--cluster-id", "run on this standing cluster instead of a new one", "ID"),
    Option("--name", "first part of the cluster's name", "PREFIX", "dynamodb-pipeline"),
    Option("--tag", "another tag of the cluster; dynamodbdatapipeline=true is always set", "KEY=VALUE", many=True),
    Option("--service-role", "EMR's service role", "ROLE", ClusterSettings.service_role),
    Option("--node-role", "instance profile of the nodes (default dynamodb-pipeline-export or -import)", "PROFILE"),
    Option("--subnet", "subnet of the nodes", "ID"),
    Option(
        "--security-configuration",
        "EMR security configuration, or none",
        "NAME",
        ClusterSettings.security_configuration,
    ),
    Option("--code", "folder for the uploaded code (default: below --logs)", "S3_FOLDER"),
    Option("--log-kms-key", "KMS key of EMR's logs", "ARN"),
    Option("--spark-conf", "another setting for spark-submit; repeatable", "KEY=VALUE", many=True),
)
RUN_OPTIONS = (
    Option("--no-wait", "start the run and return; attach later with wait RUN"),
    Option("--provisioning-timeout", "give up when the cluster is not ready by then (default 45m)", "DURATION", "45m"),
    Option("--max-cost", "refuse a run whose estimate is above this many US dollars", "DOLLARS"),
    Option("--prices", "price file of yours instead of the shipped one", "FILE"),
    Option("--probe-write", "preflight also puts and removes a tiny object in every folder it will write"),
)
FILE_OPTION = Option("--settings", f"file with any of these options (default {FILE_NAME} when it is there)", "FILE")
LAUNCHER_OPTIONS = (*CLUSTER_OPTIONS, *RUN_OPTIONS, FILE_OPTION)
SCHEDULE_OPTIONS = (
    Option("--schedule-name", "name of the schedule (default: verb and first table)", "NAME"),
    Option("--cron", "when: 'cron(0 3 * * ? *)', its six bare fields, or 'rate(1 day)'", "EXPRESSION"),
    Option("--timezone", "time zone of --cron (default UTC)", "ZONE", "UTC"),
    Option("--email", "address that hears of failures", "ADDRESS"),
    Option("--no-upload", "only print the template; the code it names must be in S3 already"),
)
POLICY_OPTIONS = (
    Option("--table", f"table the policy allows; repeatable (example: {' '.join(EXAMPLE_TABLES)})", "TABLE", many=True),
    Option("--bucket", "bucket of the exports", "BUCKET"),
    Option("--prefix", "folder of the exports in it", "PREFIX", "exports"),
    Option("--logs", "folder of logs and run records (default s3://BUCKET/logs)", "S3_FOLDER"),
    Option("--code", "folder of the uploaded code (default: below --logs)", "S3_FOLDER"),
    Option("--account", "account id (default: that of the credentials)", "ACCOUNT"),
    Option("--region", "region of tables and clusters", "REGION"),
    Option("--kms-key", "KMS key of a bucket; repeatable", "ARN", many=True),
    Option("--service-role", "EMR's service role", "ROLE", ClusterSettings.service_role),
    Option("--export-role", "role of export nodes", "ROLE", "dynamodb-pipeline-export"),
    Option("--import-role", "role of import nodes", "ROLE", "dynamodb-pipeline-import"),
    Option("--skip-existing", "nodes-import: allow --skip-existing"),
    Option("--mirror", "nodes-import: allow --mirror"),
    Option("--set-aside", "nodes-import: allow --set-aside to this folder", "S3_FOLDER"),
    Option("--trust", "print the role's trust document instead"),
)
RUN_VERBS = {
    "wait": "attach to a run until it ends",
    "status": "show a run's cluster, steps and exit code",
    "logs": "show what a run's steps printed",
    "cancel": "cancel a run's steps",
    "terminate": "end a run's cluster",
}
JOB_VERBS = {
    "plan": "show rate, time, cost and the exact request of a run; starts nothing",
    "preflight": "check everything a run needs; starts nothing",
    "schedule": "print a CloudFormation template that starts the run by itself",
}


def add_launcher_options(parser: argparse.ArgumentParser) -> None:
    """Options of `export`, `import` and `verify` on a cluster, and of `plan`, `preflight` and `schedule`."""
    cluster, run = parser.add_argument_group("cluster"), parser.add_argument_group("launch")
    for option in CLUSTER_OPTIONS:
        option.add_to(cluster)
    for option in (*RUN_OPTIONS, FILE_OPTION):
        option.add_to(run)


def add_verb_parsers(verbs: Any, *, job_options: Mapping[str, AddOptions], parser_class: type) -> None:
    """
    Add every verb of the launcher; each parser sets `command` (and `kind` for plan, preflight and schedule).

    Args:
        verbs: what `add_subparsers` returned.
        job_options: adds a job's own options, by `export`, `import`, `verify`.
    """
    for name, text in RUN_VERBS.items():
        _add_run_verb(verbs.add_parser(name, help=text, allow_abbrev=False), name)
    for name, text in JOB_VERBS.items():
        outer = verbs.add_parser(name, help=text, allow_abbrev=False)
        kinds = outer.add_subparsers(metavar="WHAT", required=True, parser_class=parser_class)
        for kind, add_options in job_options.items():
            inner = kinds.add_parser(kind, help=f"{name} of an {kind}", allow_abbrev=False)
            _add_job_verb(inner, name, kind=kind, add_options=add_options)
    _add_policy(verbs.add_parser("policy", help="print IAM policies and a template with the roles", allow_abbrev=False))
    _add_migrate(verbs)


def _add_run_verb(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("run_id", metavar="RUN", help="run id, or a cluster id (j-...)")
    parser.add_argument("--region", metavar="REGION", help="region of the cluster")
    parser.add_argument("--cluster-id", metavar="ID", help="the standing cluster the run was given to")
    if name == "logs":
        parser.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    parser.set_defaults(command=name)


def _add_job_verb(parser: argparse.ArgumentParser, name: str, *, kind: str, add_options: AddOptions) -> None:
    add_options(parser)
    add_launcher_options(parser)
    if name == "schedule":
        group = parser.add_argument_group("schedule")
        for option in SCHEDULE_OPTIONS:
            option.add_to(group)
    parser.set_defaults(command=name, kind=kind)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy_kind", metavar="KIND", choices=POLICY_KINDS, help=" | ".join(POLICY_KINDS))
    for option in POLICY_OPTIONS:
        option.add_to(parser)
    parser.set_defaults(command="policy")


def _add_migrate(verbs: Any) -> None:
    text = "translate an exported AWS Data Pipeline definition into our command"
    parser = verbs.add_parser("migrate-config", help=text, allow_abbrev=False)
    parser.add_argument(
        "definition", metavar="PIPELINE.json", help="what aws datapipeline get-pipeline-definition wrote"
    )
    parser.set_defaults(command="migrate-config")
