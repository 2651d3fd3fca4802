"""
Every option of the launcher and of the verbs that run here, one row each, in the order of their help.

None of them is ever known to a job on nodes; rows.py of settings/ says how to add one.
"""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.documents.policies import POLICY_KINDS
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES, KEY_OPTION, PRINCIPAL_ARN
from dynamodb_pipeline.emr.documents.schedule_times import parse_cron, parse_email, parse_schedule_name, parse_timezone
from dynamodb_pipeline.emr.request import launch_settings as launch
from dynamodb_pipeline.emr.request.launch_settings import MAX_DOLLARS, ClusterSettings, parse_dollars, parse_log_group
from dynamodb_pipeline.finished import CONTINUE, PAUSE
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.rate.capacity import parse_percent
from dynamodb_pipeline.settings import run_commands
from dynamodb_pipeline.settings.job_options import (
    ALLOW_BUCKET,
    BUCKET_OWNER,
    FROM_TABLE,
    INDEX,
    JOB_ROWS,
    JOBS,
    LATEST,
    LOGS,
    MIRROR,
    ONLY_CHANGES,
    OUTPUT,
    REGION,
    SET_ASIDE,
    SKIP_EXISTING,
    TABLE,
    TABLE_EXTERNAL_ID,
    TABLE_ROLE_ARN,
    WITHOUT_MANIFEST,
    YES,
)
from dynamodb_pipeline.settings.rows import Row, Where
from dynamodb_pipeline.settings.values import (
    ACCOUNT_ID,
    BUCKET_NAME,
    DURATION,
    FILE,
    PAIR,
    PLACE,
    RUN_IDS,
    S3_ADDRESS,
    ValueKind,
    matching,
    parse_key,
    whole,
)

SETTINGS_FILE = "pipeline.toml"
FORMS = ("native", "export")  # of a converted backup
BUNDLE_PATH = "dist/dynamodb_pipeline.zip"
JOB_VERBS = ("plan", "preflight", "schedule")  # of each job
RUN_VERBS = run_commands.ON_CLUSTER
LOGS_VERB = "logs"
LAUNCHED = (*JOBS, *JOB_VERBS)
POLICY, INSPECT, REPORT, CLEAN, BUNDLE = (("policy",), ("inspect",), ("report",), ("clean",), ("bundle",))
LIST, CONVERT, DEFINITION_OF = ("list",), ("convert",), ("definition",)
RATE, RUNS = ("rate",), ("runs",)
EVERY_VERB = (
    *LAUNCHED, *RUN_VERBS, *POLICY, "migrate-config", *LIST, *INSPECT, *CONVERT, *DEFINITION_OF,
    *REPORT, *CLEAN, *RATE, *RUNS, *BUNDLE,
    "init", "doctor", "completion", "help",
)  # fmt: skip
SCRIPT_VERBS = (LOGS_VERB, "completion")  # what they print stays as it is
TEXT_VERBS = (*SCRIPT_VERBS, "help")  # what they print is text for programs too
INIT, DOCTOR, COMPLETION, HELP = ("init",), ("doctor",), ("completion",), ("help",)
SHELLS = ("bash", "zsh", "fish")
MANY = 1_000_000_000


def parse_speed(text: str, *, option: str) -> str:
    """
    A percent as text with its sign, `pause` or `continue`.

    Raises:
        UsageError: anything else.
    """
    return text if text in (PAUSE, CONTINUE) else f"{parse_percent(text, option=option):f}%"


def launcher_row(
    name: str, help_: str, metavar: str | None = None, default: str | None = None, **more: Any
) -> Row[Any]:
    """A row of the launcher."""
    facts = {"verbs": LAUNCHED, "group": "cluster", "where": Where.LAUNCHER, **more}
    return Row(name, help_, metavar=metavar, default=default, **facts)


# where
LOCAL: Row[bool] = Row(
    run_commands.LOCAL_FLAG, "run on this machine instead of an EMR cluster", JOBS, where=Where.LOCAL, group="where"
)
ENGINE: Row[str] = Row(
    "--engine", "of a --local run: spark (default), or process, which needs no Java and starts at once", JOBS,
    choices=("spark", "process"), default="spark", where=Where.LOCAL, group="where",
)  # fmt: skip

# cluster
CONFIG: Row[str] = launcher_row(
    "--config",
    "cluster config: m3, m5, large or a JSON file (default m3)",
    "NAME|FILE",
    ClusterSettings.config,
    value=FILE,
)
SET: Row[tuple[str, ...]] = launcher_row(
    "--set", "change one place of the config, in EMR's own words; repeatable", "PATH=VALUE", many=True
)
CLUSTER_ID: Row[str | None] = run_commands.CLUSTER_ID.also(
    verbs=LAUNCHED, help="run on this standing cluster instead of a new one", group="cluster"
)
NAME: Row[str] = launcher_row("--name", "first part of the cluster's name", "PREFIX", "dynamodb-pipeline")
TAG: Row[tuple[tuple[str, str], ...]] = launcher_row(
    "--tag", "another tag of the cluster; dynamodbdatapipeline=true is always set", "KEY=VALUE", value=PAIR, many=True
)
SERVICE_ROLE: Row[str] = launcher_row(
    launch.SERVICE_ROLE_OPTION, "EMR's service role", "ROLE", ClusterSettings.service_role
)
NODE_ROLE: Row[str | None] = launcher_row(
    "--node-role", "instance profile of the nodes (default dynamodb-pipeline-export or -import)", "PROFILE"
)
SUBNET: Row[str | None] = launcher_row("--subnet", "subnet of the nodes", "ID")
SECURITY_CONFIGURATION: Row[str] = launcher_row(
    "--security-configuration", "EMR security configuration, or none", "NAME", ClusterSettings.security_configuration
)
CODE: Row[S3Uri | None] = launcher_row(
    launch.CODE_OPTION, "folder for the uploaded code (default: below --logs)", "S3_FOLDER", value=S3_ADDRESS
)
LOG_KMS_KEY: Row[str | None] = launcher_row(launch.LOG_KEY_OPTION, "KMS key of EMR's logs", "ARN")
CLOUDWATCH_LOGS: Row[str | None] = launcher_row(
    launch.LOG_GROUP_OPTION, "log group of CloudWatch that the steps' logs go to as well, within seconds", "GROUP",
    value=ValueKind(parse_log_group, "a log group's name"),
)  # fmt: skip
SPARK_CONF: Row[tuple[str, ...]] = launcher_row(
    "--spark-conf", "another setting for spark-submit; repeatable", "KEY=VALUE", many=True
)

# launch
NO_WAIT: Row[bool] = launcher_row("--no-wait", "start the run and return; attach later with wait RUN", group="launch")
PROVISIONING_TIMEOUT: Row[float] = launcher_row(
    "--provisioning-timeout", "give up when the cluster is not ready by then (default 45m)", "DURATION", "45m",
    value=DURATION, group="launch",
)  # fmt: skip
MAX_COST: Row[float | None] = launcher_row(
    "--max-cost", "refuse a run whose estimate is above this many US dollars", "DOLLARS",
    value=ValueKind(parse_dollars, f"0 to {MAX_DOLLARS:,}"), group="launch",
)  # fmt: skip
PRICES: Row[str | None] = launcher_row(
    "--prices", "price file of yours instead of the shipped one", "FILE", group="launch", value=FILE
)  # fmt: skip
PROBE_WRITE: Row[bool] = launcher_row(
    "--probe-write", "preflight also puts and removes a tiny object in every folder it will write", group="launch"
)
SETTINGS: Row[str | None] = launcher_row(
    "--settings",
    f"file with any of these options (default {SETTINGS_FILE} when it is there)",
    "FILE",
    group="launch",
    value=FILE,
)

# schedule
SCHEDULE_NAME: Row[str | None] = run_commands.SCHEDULE_NAME.also(
    value=ValueKind(parse_schedule_name, "1 to 41 of A-Z a-z 0-9 _ -")
)
CRON: Row[str | None] = SCHEDULE_NAME.also(
    name="--cron", help="when: 'cron(0 3 * * ? *)', its six bare fields, or 'rate(1 day)'", metavar="EXPRESSION",
    value=ValueKind(parse_cron, "cron(), rate() or at() of EventBridge Scheduler"),
)  # fmt: skip
TIMEZONE: Row[str] = SCHEDULE_NAME.also(
    name="--timezone", help="time zone of --cron (default UTC)", metavar="ZONE", default="UTC",
    value=ValueKind(parse_timezone, "a name of the IANA time zone database"),
)  # fmt: skip
EMAIL: Row[str | None] = SCHEDULE_NAME.also(
    name="--email", help="address that hears of failures", metavar="ADDRESS", value=ValueKind(parse_email)
)
NO_UPLOAD: Row[bool] = launcher_row(
    "--no-upload", "only print the template; the code it names must be in S3 already", group="schedule",
    verbs=("schedule",),
)  # fmt: skip

REFRESH: Row[bool] = run_commands.REFRESH.also()

# a run that was launched
RUN: Row[str] = run_commands.RUN.also()
RUN_REGION: Row[str | None] = REGION.also(
    verbs=RUN_VERBS, help="region of the cluster", group=None, where=Where.LAUNCHER
)  # fmt: skip
RUN_CLUSTER: Row[str | None] = run_commands.CLUSTER_ID.also()
FOLLOW: Row[bool] = launcher_row(
    "--follow", "go on until the run has ended", verbs=(LOGS_VERB,), group=None, short="-f"
)

# policy
POLICY_KIND: Row[str] = launcher_row(
    "KIND", " | ".join(POLICY_KINDS), "KIND", verbs=POLICY, group=None, choices=POLICY_KINDS, required=True
)
POLICY_TABLES: Row[tuple[str, ...]] = TABLE.also(
    verbs=POLICY, help=f"table the policy allows; repeatable (example: {' '.join(EXAMPLE_TABLES)})", many=True,
    required=False, where=Where.LAUNCHER,
)  # fmt: skip
TABLE_PREFIXES: Row[tuple[str, ...]] = run_commands.TABLE_PREFIX.also()
BUCKET: Row[str | None] = run_commands.BUCKET.also(value=BUCKET_NAME)
PREFIX: Row[str] = run_commands.PREFIX.also()
POLICY_LOGS: Row[S3Uri | None] = LOGS.also(
    verbs=POLICY, help="folder of logs and run records (default s3://BUCKET/logs)", group=None, where=Where.LAUNCHER,
    value=S3_ADDRESS,
)  # fmt: skip
POLICY_CODE: Row[S3Uri | None] = CODE.also(
    verbs=POLICY, help="folder of the uploaded code (default: below --logs)", group=None
)  # fmt: skip
ACCOUNT: Row[str | None] = launcher_row(
    "--account", "account id (default: that of the credentials)", "ACCOUNT", verbs=POLICY, group=None, value=ACCOUNT_ID
)
FOR_ACCOUNT: Row[str | None] = run_commands.FOR_ACCOUNT.also(value=ACCOUNT_ID)
FOR_PRINCIPAL: Row[tuple[str, ...]] = launcher_row(
    "--for-principal", "role or user of --for-account, to open it to that alone; repeatable", "ARN", verbs=POLICY,
    group=None, many=True, value=matching(PRINCIPAL_ARN, "arn:aws:iam::ACCOUNT:role/NAME or user/NAME"),
)  # fmt: skip
FOR_JOB: Row[str] = run_commands.FOR_JOB.also()
POLICY_TABLE_ROLE: Row[str | None] = TABLE_ROLE_ARN.also(
    verbs=POLICY, help="of runs with --table-role-arn: allow to assume it, and no table", group=None,
    where=Where.LAUNCHER,
)  # fmt: skip
POLICY_EXTERNAL_ID: Row[str | None] = TABLE_EXTERNAL_ID.also(
    verbs=POLICY, help="external id that --trust demands", group=None, where=Where.LAUNCHER
)  # fmt: skip
POLICY_REGION: Row[str | None] = RUN_REGION.also(verbs=POLICY, help="region of tables and clusters")
KMS_KEY: Row[tuple[str, ...]] = launcher_row(
    KEY_OPTION, "KMS key of a bucket or table; repeatable", "ARN", verbs=POLICY, group=None, many=True
)
POLICY_LOG_KEY: Row[tuple[str, ...]] = LOG_KMS_KEY.also(
    verbs=POLICY, help="KMS key of EMR's logs; repeatable", group=None, many=True
)
POLICY_LOG_GROUP: Row[str | None] = CLOUDWATCH_LOGS.also(
    verbs=POLICY, help="allow --cloudwatch-logs to this log group", group=None
)
POLICY_SERVICE_ROLE: Row[str] = SERVICE_ROLE.also(verbs=POLICY, group=None)
EXPORT_ROLE: Row[str] = launcher_row(
    launch.EXPORT_ROLE_OPTION, "role of export nodes", "ROLE", "dynamodb-pipeline-export", verbs=POLICY, group=None,
)  # fmt: skip
IMPORT_ROLE: Row[str] = launcher_row(
    launch.IMPORT_ROLE_OPTION, "role of import nodes", "ROLE", "dynamodb-pipeline-import", verbs=POLICY, group=None,
)  # fmt: skip
POLICY_SKIP_EXISTING: Row[bool] = SKIP_EXISTING.also(verbs=POLICY, help="nodes-import: allow it", where=Where.LAUNCHER)
POLICY_MIRROR: Row[bool] = MIRROR.also(verbs=POLICY, help="nodes-import: allow it", where=Where.LAUNCHER)
POLICY_ONLY_CHANGES: Row[bool] = ONLY_CHANGES.also(verbs=POLICY, help="nodes-import: allow it", where=Where.LAUNCHER)
POLICY_SET_ASIDE: Row[S3Uri | None] = SET_ASIDE.also(
    verbs=POLICY, help="nodes-import: allow --set-aside to this folder", where=Where.LAUNCHER
)
POLICY_INDEX: Row[str | None] = INDEX.also(verbs=POLICY, help="nodes-export: allow it", where=Where.LAUNCHER)
TRUST: Row[bool] = run_commands.TRUST.also()

# migrate-config
DEFINITION: Row[str] = launcher_row(
    "PIPELINE.json", "what aws datapipeline get-pipeline-definition wrote", "PIPELINE.json",
    verbs=("migrate-config",), group=None, required=True, value=FILE,
)  # fmt: skip

# list, inspect, convert, definition, report, clean, bundle: no cluster, no job
LISTED: Row[str] = Row(
    "FOLDER", "folder with backups at any depth: s3://bucket/... or a local path", LIST, "FOLDER", PLACE, Where.LOCAL,
    required=True,
)  # fmt: skip
PATH: Row[str] = Row(
    "PATH", "folder or single file: s3://bucket/... or a local path", INSPECT, "PATH", PLACE, Where.LOCAL, required=True
)
SAMPLE: Row[int] = Row(
    "--sample", "show N items without their contents", INSPECT, "N", whole(0, MANY), Where.LOCAL, "0"
)  # fmt: skip
FILES: Row[int | None] = Row(
    "--files", "look into at most N files (default: all)", INSPECT, "N", whole(1, MANY), Where.LOCAL
)  # fmt: skip
INSPECT_BUCKETS: Row[tuple[str, ...]] = ALLOW_BUCKET.also(verbs=(*INSPECT, *CONVERT), where=Where.LOCAL)
CONVERT_INPUT: Row[str] = Row(
    "INPUT", "any backup that an import reads, or a parent of exactly one", CONVERT, "INPUT", PLACE, Where.LOCAL,
    required=True,
)  # fmt: skip
CONVERT_OUTPUT: Row[str] = Row(
    "OUTPUT", "folder; one named by this tool is made in it", CONVERT, "OUTPUT", PLACE, Where.LOCAL, required=True
)  # fmt: skip
AS: Row[str] = Row(
    "--as", "native: as DynamoDB's own export, of which its import makes a new table (default); export: as ours",
    CONVERT, choices=FORMS, default=FORMS[0], where=Where.LOCAL,
)  # fmt: skip
KEY: Row[KeySchema | None] = Row(
    "--key", "keys of a backup that does not carry them", CONVERT, "NAME:TYPE[,NAME:TYPE]",
    ValueKind(parse_key, "types S, N, B"), Where.LOCAL,
)  # fmt: skip
CONVERT_TABLE: Row[str | None] = FROM_TABLE.also(
    verbs=CONVERT, help="the exported table: takes its export, and of files that name several its items",
    where=Where.LOCAL,
)  # fmt: skip
CONVERT_LATEST: Row[bool] = LATEST.also(
    verbs=CONVERT, help="of the finished exports below INPUT take the newest", where=Where.LOCAL
)  # fmt: skip
CONVERT_WITHOUT_MANIFEST: Row[bool] = WITHOUT_MANIFEST.also(verbs=CONVERT, where=Where.LOCAL)
DEFINED: Row[str] = Row(
    "EXPORT", "folder of an export that carries _table.json", DEFINITION_OF, "EXPORT", PLACE, Where.LOCAL, required=True
)  # fmt: skip
DEFINED_AS: Row[str] = AS.also(
    verbs=DEFINITION_OF, help="a CloudFormation template (default), or commands of the AWS CLI",
    choices=("cloudformation", "cli"), default="cloudformation",
)  # fmt: skip
REPORT_RUN: Row[str] = Row(
    "RUN", "run id, cluster id (j-...), or a local run.json", REPORT, "RUN", FILE, Where.LOCAL, required=True
)
REPORT_LOGS: Row[S3Uri | None] = LOGS.also(
    verbs=REPORT, help="log folder of the run (default: found by its cluster)", group=None, where=Where.LOCAL
)  # fmt: skip
LIST_LOGS: Row[S3Uri | None] = REPORT_LOGS.also(
    verbs=LIST, help="log folder of the runs: tells dead runs, and when a backup was verified"
)
REPORT_REGION: Row[str | None] = REGION.also(verbs=REPORT, help="of cluster or logs", group=None, where=Where.LOCAL)
TO: Row[str | None] = Row(
    "--to", "where to write it (default RUN.html in this folder)", REPORT, "FILE", FILE, Where.LOCAL
)  # fmt: skip
CLEANED: Row[str] = Row(
    "FOLDER", "folder of one run's export, or a folder above several", CLEAN, "FOLDER", PLACE, Where.LOCAL,
    required=True,
)  # fmt: skip
CLEAN_LOGS: Row[S3Uri] = REPORT_LOGS.also(verbs=CLEAN, help="log folder the runs were given", required=True)
CLEAN_YES: Row[bool] = YES.also(
    verbs=CLEAN, help="delete; without it everything is only listed", where=Where.LOCAL
)  # fmt: skip
RUNS_LOGS: Row[S3Uri | None] = REPORT_LOGS.also(
    verbs=RUNS, help="log folder of the runs; without it the clusters of the region are looked through"
)
RUNS_REGION: Row[str | None] = RUN_REGION.also(verbs=RUNS, help="of the clusters, or of the log folder")
FIRST_REGION: Row[str | None] = REPORT_REGION.also(
    verbs=(*LIST, *INSPECT, *CONVERT, *DEFINITION_OF, *CLEAN, *RATE),
    help="of the first request; buckets' own regions are found",
)
FOUND_OWNER: Row[str | None] = BUCKET_OWNER.also(
    verbs=(*LIST, *INSPECT, *CONVERT, *DEFINITION_OF, *CLEAN, *RATE), group=None, where=Where.LOCAL
)
RATED_RUN: Row[str] = Row("RUN", "run id", RATE, "RUN", RUN_IDS, Where.LOCAL, required=True)
SPEED: Row[str | None] = Row(
    "SPEED", "a percent such as 10%, pause or continue; without it the present one is shown", RATE, "SPEED",
    ValueKind(parse_speed, "1% to 150%, pause, continue"), Where.LOCAL,
)  # fmt: skip
RATE_LOGS: Row[S3Uri] = REPORT_LOGS.also(verbs=RATE, help="log folder the run was given", required=True)
BUNDLE_TO: Row[str] = TO.also(verbs=BUNDLE, help=f"where to write it (default {BUNDLE_PATH})", default=BUNDLE_PATH)

# how every verb speaks
OUTPUT_FORMAT: Row[str | None] = Row(
    "--output-format", "of the result on stdout: text or json (default: text on a terminal, else json)", EVERY_VERB,
    choices=("text", "json"), where=Where.LOCAL, group="display",
)  # fmt: skip
QUIET: Row[bool] = Row(
    "--quiet", "only the result and errors", EVERY_VERB, where=Where.LOCAL, group="display", short="-q"
)  # fmt: skip
VERBOSE: Row[bool] = Row(
    "--verbose", "also checks that found nothing, and what is tried again", EVERY_VERB, where=Where.LOCAL,
    group="display", short="-v",
)  # fmt: skip
# init, doctor, completion, help: before a run
INIT_TABLE: Row[tuple[str, ...]] = TABLE.also(
    verbs=INIT, help="table to export; repeat for several (asked for where it is missing)", many=True, required=False,
    where=Where.LOCAL, group=None,
)  # fmt: skip
INIT_OUTPUT: Row[S3Uri | None] = OUTPUT.also(
    verbs=INIT, help="folder for exports (asked for where it is missing)", required=False, where=Where.LOCAL, group=None
)
INIT_LOGS: Row[S3Uri | None] = REPORT_LOGS.also(verbs=INIT, help="log folder (default: logs in the bucket of --output)")
INIT_TO: Row[str] = TO.also(verbs=INIT, help=f"where to write it (default {SETTINGS_FILE})", default=SETTINGS_FILE)
MACHINE_REGION: Row[str | None] = REPORT_REGION.also(verbs=(*INIT, *DOCTOR), help="of the tables")
SHELL: Row[str] = Row(
    "SHELL", " | ".join(SHELLS), COMPLETION, "SHELL", choices=SHELLS, where=Where.LOCAL, required=True
)
EXPLAINED: Row[str | None] = Row(
    "WHICH", "a verb of this command; without it they are listed", HELP, "VERB", where=Where.LOCAL
)

LAUNCHER_ROWS: tuple[Row[Any], ...] = tuple(
    row for row in dict(globals()).values() if isinstance(row, Row) and row not in JOB_ROWS
)
ROWS = (*JOB_ROWS, *LAUNCHER_ROWS)


def rows_of(verb: str, *, kind: str | None = None) -> tuple[Row[Any], ...]:
    """The options of a verb; `kind` is the job of `plan`, `preflight` and `schedule`."""
    return tuple(row for row in ROWS if verb in row.verbs or (row.where is Where.JOB and kind in row.verbs))
