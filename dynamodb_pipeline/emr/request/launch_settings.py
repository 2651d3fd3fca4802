"""
Everything a launch needs to know, checked once and then frozen.

The job's own options are not repeated here: they travel as each `TableJob`'s argument list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from dynamodb_pipeline.addresses import S3Uri, is_s3
from dynamodb_pipeline.durations import HOUR_S
from dynamodb_pipeline.emr.cluster.cluster_config import PIPELINE_TAG
from dynamodb_pipeline.emr.request.steps import CONNECTOR_JAR, JOB_SCRIPTS, TableJob
from dynamodb_pipeline.errors import UsageError, shown
from dynamodb_pipeline.secret_patterns import refuse_secrets
from dynamodb_pipeline.settings.job_options import LOGS, TABLE, TABLE_ROLE_ARN
from dynamodb_pipeline.settings.rows import Given, Row, Where
from dynamodb_pipeline.settings.run_commands import PolicyPlaces

# The tag in conditions of IAM: of what is asked for, and of what is there.
REQUEST_TAG = f"elasticmapreduce:RequestTag/{PIPELINE_TAG}"
RESOURCE_TAG = f"elasticmapreduce:ResourceTag/{PIPELINE_TAG}"
RUN_TAG = "dynamodb-pipeline:run-id"
LOG_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
MAX_DOLLARS = 10**9
DOLLARS = re.compile(r"\$?[0-9]{1,12}(?:\.[0-9]{1,12})?")
# Characters EMR refuses in a cluster's name (API_Cluster: <, >, $, | and backtick).
REFUSED_IN_NAMES = set("<>$|`")
# Options of a launch and of `policy`, as the command line has them; a policy for this run is asked for by them.
SERVICE_ROLE_OPTION, EXPORT_ROLE_OPTION, IMPORT_ROLE_OPTION = "--service-role", "--export-role", "--import-role"
CODE_OPTION, LOG_KEY_OPTION, LOG_GROUP_OPTION = "--code", "--log-kms-key", "--cloudwatch-logs"


@dataclass(frozen=True)
class ClusterSettings:
    """What the cluster is made of. Roles: None means the name our roles template creates for the verb."""

    config: str = "m3"
    overrides: tuple[str, ...] = ()
    service_role: str = "dynamodb-pipeline-service"
    node_role: str | None = None
    subnet_id: str | None = None
    security_configuration: str | None = "dynamodb-pipeline"
    tags: tuple[tuple[str, str], ...] = ()
    log_kms_key_arn: str | None = None
    log_group: str | None = None

    def node_role_for(self, verb: str) -> str:
        """The instance profile of the nodes: an export's cannot write a table."""
        return self.node_role or ("dynamodb-pipeline-import" if verb == "import" else "dynamodb-pipeline-export")


@dataclass(frozen=True)
class RunLimits:
    """Deadlines in seconds and money in US dollars; `timeout_s` counts from a step's start, per table."""

    timeout_s: float = 12 * HOUR_S
    provisioning_s: float = 0.75 * HOUR_S
    max_cost_usd: float | None = None


@dataclass(frozen=True)
class LaunchSettings:
    """
    One launch.

    Attributes:
        verb: `export`, `import` or `verify`.
        run_id: of the whole run; in the cluster's name and tag.
        region: the table's and the cluster's.
        logs_uri: folder for EMR's logs (`emr/`), run records (`runs/`) and, unless `code_uri` is given, code.
        jobs: one per table.
        data_uris: output or input folders, for the log folder rule and the checks.
        cluster_id: run on this standing cluster instead of a new one.
        spark_conf: extra `key=value` settings for spark-submit.
        launcher: the options of the launch itself, as words, for the command that goes on with the run.
        planned: what the run was planned to cost, for its record.
    """

    verb: str
    run_id: str
    region: str
    logs_uri: str
    jobs: tuple[TableJob, ...]
    data_uris: tuple[str, ...] = ()
    code_uri: str | None = None
    name_prefix: str = "dynamodb-pipeline"
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    limits: RunLimits = field(default_factory=RunLimits)
    cluster_id: str | None = None
    connector_jar: str = CONNECTOR_JAR
    spark_conf: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()
    planned: str = ""
    wait: bool = True
    bucket_owner: str | None = None
    probe_write: bool = False

    def __post_init__(self) -> None:
        problems = settings_problems(self)
        if problems:
            raise UsageError.of_lines(problems)
        refuse_secrets(self.spark_conf, where="a setting of --spark-conf")

    @property
    def cluster_name(self) -> str:
        """`dynamodb-pipeline-export-<run id>`: the one thing ListClusters can be searched by."""
        return f"{self.name_prefix}-{self.verb}-{self.run_id}"

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables that the run touches: a verification of an export alone touches none."""
        return tuple(name for job in self.jobs for name in job.given.texts(TABLE) or ())

    @property
    def logs(self) -> S3Uri:
        return S3Uri.of_folder(self.logs_uri, option=LOGS.name)

    @property
    def places(self) -> PolicyPlaces:
        """What policies for this run are limited to."""
        data = [S3Uri.of_folder(uri, option="data folder") for uri in self.data_uris if is_s3(uri)]
        return PolicyPlaces(self.table_names, data[0] if data else None, self.logs, self.region, self._of_policies)

    @property
    def _of_policies(self) -> Given:
        """What `policy` must be given for this run beside tables and folders: what is not so by default."""
        cluster, nodes = self.cluster, IMPORT_ROLE_OPTION if self.verb == "import" else EXPORT_ROLE_OPTION
        service = cluster.service_role if cluster.service_role != ClusterSettings.service_role else None
        named = {
            SERVICE_ROLE_OPTION: service,
            nodes: cluster.node_role,
            CODE_OPTION: self.code_uri,
            LOG_KEY_OPTION: cluster.log_kms_key_arn,
            LOG_GROUP_OPTION: cluster.log_group,
            TABLE_ROLE_ARN.name: self.jobs[0].given.text(TABLE_ROLE_ARN) if self.jobs else None,
        }
        return Given.of(
            {Row(name, name, ("policy",), "NAME", where=Where.LAUNCHER): text for name, text in named.items()}
        )

    @property
    def emr_logs_uri(self) -> str:
        """LogUri of the cluster, with its final slash."""
        return self.logs.child("emr").uri + "/"

    @property
    def code(self) -> S3Uri:
        """Folder of the uploaded code."""
        return S3Uri.of_folder(self.code_uri, option="folder of the code") if self.code_uri else self.logs.child("code")

    def tags(self) -> dict[str, str]:
        """All tags of the cluster; the mandatory one cannot be left out or changed."""
        return {**dict(self.cluster.tags), PIPELINE_TAG: "true", RUN_TAG: self.run_id}


def parse_dollars(text: str, *, option: str) -> float:
    """
    Raises:
        UsageError: no amount of money.
    """
    if not DOLLARS.fullmatch(text) or Decimal(text.lstrip("$")) > MAX_DOLLARS:
        msg = f"{option} {shown(text)} is not an amount of US dollars, e.g. 5.00, up to {MAX_DOLLARS:,}"
        raise UsageError(msg)
    return float(text.lstrip("$"))


def parse_log_group(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: no name of a log group.
    """
    if not LOG_GROUP.fullmatch(text):
        msg = f"{option} {shown(text)} is no log group: 1 to 512 of a-z A-Z 0-9 . - _ / #, e.g. /dynamodb-pipeline"
        raise UsageError(msg)
    return text


def log_folder_problem(logs_uri: str, *, data_uris: tuple[str, ...] = ()) -> str | None:
    """Why logs may not go there: a bucket's top level, or a data folder (an import would read them)."""
    logs = S3Uri.of_folder(logs_uri, option=LOGS.name)
    if not logs.key:
        return f"--logs {logs_uri} is the bucket's top level; name a folder, e.g. {logs.uri}/logs"
    for data in (S3Uri.of_folder(uri, option="data folder") for uri in data_uris):
        if data.holds_as_data(logs):
            return f"--logs {logs_uri} lies inside the data folder {data.uri}; use a folder beside it"
    return None


def settings_problems(settings: LaunchSettings) -> list[str]:
    """Every reason why these settings cannot be launched, found without contacting anything."""
    problems = [
        log_folder_problem(settings.logs_uri, data_uris=settings.data_uris),
        _verb_problem(settings),
        _tag_problem(settings.cluster.tags),
        _name_problem(settings.cluster_name),
        *(_conf_problem(text) for text in settings.spark_conf),
    ]
    return [problem for problem in problems if problem]


def _verb_problem(settings: LaunchSettings) -> str | None:
    if settings.verb not in JOB_SCRIPTS:
        return f"{settings.verb!r} is not one of {', '.join(JOB_SCRIPTS)}"
    if not settings.jobs:
        return f"{settings.verb} has no table; give --table"
    if settings.verb == "import" and len(settings.jobs) > 1:
        return f"an import takes exactly one table, not {len(settings.jobs)}; start one import per table"
    return None


def _tag_problem(tags: tuple[tuple[str, str], ...]) -> str | None:
    if dict(tags).get(PIPELINE_TAG, "true") != "true":
        return f"tag {PIPELINE_TAG} must have the value true: policies and alarms depend on it"
    return None


def _name_problem(name: str) -> str | None:
    bad = REFUSED_IN_NAMES.intersection(name)
    if bad or len(name) > 256:
        return f"cluster name {name[:80]!r} must have at most 256 characters and none of < > $ | `"
    return None


def _conf_problem(text: str) -> str | None:
    key, mark, _ = text.partition("=")
    return None if mark and key.startswith("spark.") else f"--spark-conf {shown(key)} is not spark.key=value"
