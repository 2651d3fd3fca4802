"""
Commands about a run that people are shown to paste, each with everything it needs; built here and nowhere else.

A run on a cluster is named by its run id or by the cluster's id; a region is always given, for nobody knows what the
shell it is pasted into has set. How to go on with a job is built from the options it was given (run/record.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import PROGRAM
from dynamodb_pipeline.settings.job_options import (
    INDEX,
    LOGS,
    MIRROR,
    ONLY_CHANGES,
    REGION,
    RUN_ID,
    SKIP_EXISTING,
    TABLE,
    TIMEOUT,
)
from dynamodb_pipeline.settings.rows import Given, Row, Where, command_line
from dynamodb_pipeline.settings.run_ids import began_by_id, is_run_id
from dynamodb_pipeline.settings.values import is_pattern, literal_prefixes

LOCAL_FLAG = "--local"
OF_LAUNCH = ("launcher", "roles-template")  # the kinds of policies that name the roles of a run
LOGS_EXAMPLE = "s3://my-bucket/logs"
ON_CLUSTER = ("wait", "status", "logs", "cancel", "terminate")  # verbs about a run that a cluster has
RUN: Row[str] = Row(
    "RUN", "run id, or a cluster id (j-...)", ON_CLUSTER, "RUN", where=Where.LAUNCHER, required=True
)  # fmt: skip
CLUSTER_ID: Row[str | None] = Row(
    "--cluster-id", "the standing cluster the run was given to", ON_CLUSTER, "ID", where=Where.LAUNCHER
)  # fmt: skip
KIND: Row[str] = Row("KIND", "which document", ("policy",), "KIND", where=Where.LAUNCHER, required=True)
BUCKET: Row[str | None] = Row("--bucket", "bucket of the exports", ("policy",), "BUCKET", where=Where.LAUNCHER)
TABLE_PREFIX: Row[tuple[str, ...]] = Row(
    "--table-prefix", "allow tables whose names begin so, also those that are made later; repeatable", ("policy",),
    "PREFIX", where=Where.LAUNCHER, many=True,
)  # fmt: skip
PREFIX: Row[str] = Row(
    "--prefix", "folder of the exports in it", ("policy",), "PREFIX", where=Where.LAUNCHER, default="exports"
)  # fmt: skip
FOR_ACCOUNT: Row[str | None] = Row(
    "--for-account", "the other account, to which trust, table, bucket or key are opened", ("policy",), "ACCOUNT",
    where=Where.LAUNCHER,
)  # fmt: skip
FOR_JOB: Row[str] = Row(
    "--for", "table-resource: what may be done, export (also verify) or import", ("policy",), where=Where.LAUNCHER,
    choices=("export", "import"), default="export",
)  # fmt: skip
TRUST: Row[bool] = Row("--trust", "print the role's trust document instead", ("policy",), where=Where.LAUNCHER)
REFRESH: Row[bool] = Row(
    "--refresh", "of a deployed schedule: its template with the code of this version; --schedule-name is its stack",
    ("schedule",), where=Where.LAUNCHER, group="schedule",
)  # fmt: skip
SCHEDULE_NAME: Row[str | None] = REFRESH.also(
    name="--schedule-name", help="name of the schedule (default: verb and first table)", metavar="NAME"
)
POLICY_PLACE = re.compile(r"\{policy ([a-z-]+)\}")
DEPLOY_ROLES = (
    "aws cloudformation deploy --stack-name dynamodb-pipeline-roles --template-file roles.json "
    "--capabilities CAPABILITY_NAMED_IAM"
)


def run_command(verb: str, run: str, *, region: str, cluster_id: str | None = None) -> str:
    """
    `dynamodb-pipeline wait RUN --region eu-west-1`.

    Args:
        verb: one of `ON_CLUSTER`.
        cluster_id: of a standing cluster, whose steps alone carry the run's id; else it is found by its name.
    """
    given = Given.of({RUN: run, REGION: region, CLUSTER_ID: cluster_id})
    return command_line((PROGRAM, verb), given)


def regionless_run_lines(verb: str, run: str) -> list[str]:
    """
    What to say of a command about a run that has no region: what the id tells, and what does without one.

    Args:
        verb: one of `ON_CLUSTER`, or `report`, for which the log folder does as well.
    """
    began = began_by_id(run)
    moment = f"run {run} began {began:%Y-%m-%d %H:%M:%S} UTC, and its id" if began else f"the id {run}"
    return [
        f"no region: give --region, that of the run's cluster, or set AWS_REGION; {moment} does not say where",
        "by the log folder that it was given (my-bucket stands for yours), in any region: "
        + (
            recorded_run_command(run)
            if verb == "report"
            else command_line((PROGRAM, "runs"), Given.of({LOGS: LOGS_EXAMPLE}))
        ),
    ]


def recorded_run_command(run: str) -> str:
    """The command that shows a run by its record alone, with an example's log folder."""
    return command_line((PROGRAM, "report"), Given.of({RUN: run, LOGS: LOGS_EXAMPLE}))


def ran_locally(record: Mapping[str, object]) -> bool:
    """Whether a run's record says that it had no cluster: a launcher's command that runs on its own machine."""
    words = str(record.get("command", "")).split()
    return words[:1] == [PROGRAM] and LOCAL_FLAG in words


def runs_command(*, region: str) -> str:
    """The command that lists the runs of a region's clusters."""
    return command_line((PROGRAM, "runs"), Given.of({REGION: region}))


def refresh_command(kind: str, name: str, *, region: str) -> str:
    """The command that renews the code of a deployed schedule of such jobs."""
    given = Given.of({SCHEDULE_NAME: name, REGION: region})
    return command_line((PROGRAM, "schedule", kind), Given(((REFRESH, ()),)) + given)


def report_command(run: str, *, logs: str, region: str) -> str:
    """The command that writes the page about a run; of a schedule's moment its clusters are looked through."""
    given = Given.of({RUN: run, LOGS: logs if is_run_id(run) else None, REGION: region})
    return command_line((PROGRAM, "report"), given)


def launch_again_command(launched: Sequence[str], job: Given, *, run_id: str | None, timeout: str | None) -> str:
    """
    The command that goes on with one table's job of a launched run.

    Args:
        launched: verb and options of the launch itself.
        job: the job's own options.
        run_id: the job's; None where nobody knows it.
        timeout: replaces the job's.
    """
    changed = Given.of({RUN_ID: run_id or job.text(RUN_ID), TIMEOUT: timeout or job.text(TIMEOUT)})
    return command_line((PROGRAM, *launched), job.without(RUN_ID, TIMEOUT) + changed)


@dataclass(frozen=True)
class PolicyPlaces:
    """
    What the policies of a run are limited to.

    Attributes:
        data: the folder of its exports, None where it is not in S3.
        launch: names of roles and whatever else the run has otherwise than by default, as options of `policy` for who
            launches and for the template with all roles.
    """

    tables: tuple[str, ...]
    data: S3Uri | None
    logs: S3Uri
    region: str
    launch: Given = field(default_factory=Given)


def policy_command(kind: str, places: PolicyPlaces) -> str:
    """The command that prints a policy, or the template with all roles, for exactly this run."""
    data = places.data or places.logs
    names = [name for name in places.tables if not is_pattern(name)]
    tables = [(TABLE.also(many=True), name) for name in names]
    tables += [(TABLE_PREFIX, prefix) for prefix in literal_prefixes(places.tables)]
    entries = [(KIND, kind), *tables, (BUCKET, data.bucket)]
    entries += [(PREFIX, data.key.strip("/")), (LOGS, str(places.logs)), (REGION, places.region)]
    given = Given(tuple((row, (text,)) for row, text in entries if text))
    return command_line((PROGRAM, "policy"), given + places.launch if kind in OF_LAUNCH else given)


def table_policy_command(arn: str, job: Given, *, account: str, verb: str) -> str:
    """The command that prints a table's own policy for the jobs of another account; `job` has their options."""
    options = job.only_those(SKIP_EXISTING, MIRROR, ONLY_CHANGES, INDEX)
    wanted = Given.of({KIND: "table-resource", FOR_ACCOUNT: account, TABLE: arn, FOR_JOB: "import"})
    return command_line((PROGRAM, "policy"), (wanted if verb == "import" else wanted.without(FOR_JOB)) + options)


def trust_command(account: str, *, verb: str, region: str) -> str:
    """The command that prints the trust document of a role in whose name another account asks tables."""
    kind = "table-import" if verb == "import" else "table-export"
    given = Given(((KIND, (kind,)), (TRUST, ()))) + Given.of({FOR_ACCOUNT: account, REGION: region})
    return command_line((PROGRAM, "policy"), given)


def folder_command(verb: str, folder: str, *, region: str) -> str:
    """The command that looks at a folder: `list`, `inspect` or `definition`."""
    return command_line((PROGRAM, verb), Given.of({KIND: folder, REGION: region}))


def with_commands(remedy: str, places: PolicyPlaces) -> str:
    """A remedy with the commands that it speaks of: `{deploy-roles}`, `{list}` and `{policy KIND}`."""
    deploy = f"{policy_command('roles-template', places)} > roles.json && {DEPLOY_ROLES} --region {places.region}"
    listing = folder_command("list", str(places.data), region=places.region)
    text = remedy.replace("{deploy-roles}", deploy).replace("{list}", listing)
    return POLICY_PLACE.sub(lambda match: policy_command(match[1], places), text)
