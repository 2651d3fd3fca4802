"""
Builds the EMR steps: one `spark-submit` argument list per table, run by command-runner.jar in client mode.

Client mode puts the driver's output, tracebacks included, into the step's own log. Arguments stay a list from
end to end: nothing splits or joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import S3Uri, is_s3
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.secret_patterns import refuse_secrets
from dynamodb_pipeline.settings.job_options import EXPORTED, INPUT, LOGS, OUTPUT, REGION, TABLE
from dynamodb_pipeline.settings.parser import words_read
from dynamodb_pipeline.settings.rows import Given
from dynamodb_pipeline.settings.run_commands import PolicyPlaces
from dynamodb_pipeline.settings.spark_conf import launched_by

if TYPE_CHECKING:
    from mypy_boto3_emr.literals import ActionOnFailureType
    from mypy_boto3_emr.type_defs import StepConfigTypeDef

CONNECTOR_JAR = "/usr/share/aws/emr/ddb/lib/emr-ddb-hadoop.jar"
COMMAND_RUNNER = "command-runner.jar"
# All strings of one step together (EMR API reference, HadoopJarStepConfig).
MAX_STEP_CHARACTERS = 10_240
MAX_STEPS = 256
MAX_NAME_CHARACTERS = 256
JOB_SCRIPTS = {"export": "export_table.py", "import": "import_table.py", "verify": "verify_table.py"}
VERB_OF_SCRIPT = {script: verb for verb, script in JOB_SCRIPTS.items()}


@dataclass(frozen=True)
class TableJob:
    """
    One table's part of a run: what stands after the job script on its command line.

    Attributes:
        table_name: names the step.
        given: the job's own options.
        run_id: the job's own run id; its record is `<logs>/runs/<run_id>/run.json`.
        size_bytes: the table's size, 0 when unknown; bigger tables start first.
    """

    table_name: str
    given: Given
    run_id: str
    size_bytes: int = 0

    @property
    def job_arguments(self) -> tuple[str, ...]:
        """The options as words, e.g. `("--table", "Forum", "--output", "s3://...")`."""
        return self.given.words()


@dataclass(frozen=True)
class JobCode:
    """Where the code of a run lies: the library zip and the folder of job scripts, as s3:// addresses."""

    zip_uri: str
    script_uris: dict[str, str]
    connector_jar: str = CONNECTOR_JAR


def spark_submit_arguments(job: TableJob, *, verb: str, code: JobCode, conf: dict[str, str]) -> list[str]:
    """The argument list as EMR runs it on the leader."""
    settings = [text for key in sorted(conf) for text in ("--conf", f"{key}={conf[key]}")]
    return [
        "spark-submit",
        *("--master", "yarn", "--deploy-mode", "client"),
        *("--jars", code.connector_jar),
        *("--py-files", code.zip_uri),
        *settings,
        code.script_uris[verb],
        *job.job_arguments,
    ]


def given_in_step(arguments: Sequence[str]) -> Given:
    """The job's options in a step's argument list, as far as they are known; none of a step that is not ours."""
    for position, argument in enumerate(arguments):
        verb = VERB_OF_SCRIPT.get(argument.rpartition("/")[2])
        if verb is not None:
            return words_read(verb, arguments[position + 1 :])
    return Given()


def verb_of_step(arguments: Sequence[str]) -> str:
    """`export`, `import` or `verify`; empty of a step that is not ours."""
    names = (argument.rpartition("/")[2] for argument in arguments)
    return next((VERB_OF_SCRIPT[name] for name in names if name in VERB_OF_SCRIPT), "")


def launch_of_step(arguments: Sequence[str]) -> tuple[str, ...]:
    """Verb and options of the launch of a step of ours; of one that older code started the verb alone."""
    return launched_by(arguments) or (verb_of_step(arguments),)


def places_of_step(arguments: Sequence[str]) -> PolicyPlaces | None:
    """What a policy for this step's job is limited to; None of a step that is not ours."""
    given = given_in_step(arguments)
    logs, region = given.text(LOGS), given.text(REGION)
    if logs is None or region is None:
        return None
    data = given.text(OUTPUT) or given.text(INPUT) or given.text(EXPORTED)
    folder = S3Uri.of_folder(data, option="data folder") if data and is_s3(data) else None
    return PolicyPlaces(given.texts(TABLE) or (), folder, S3Uri.of_folder(logs, option=LOGS.name), region)


def step_request(name: str, *, arguments: list[str], action_on_failure: ActionOnFailureType) -> StepConfigTypeDef:
    """
    One member of `Steps`.

    Raises:
        UsageError: longer than EMR takes, or an argument looks like a credential.
    """
    refuse_secrets(arguments, where=f"step {name}")
    length = len(COMMAND_RUNNER) + sum(len(argument) for argument in arguments)
    if length > MAX_STEP_CHARACTERS:
        msg = f"step {name} has {length:,} characters, EMR takes {MAX_STEP_CHARACTERS:,}; shorten its options"
        raise UsageError(msg)
    return {
        "Name": name[:MAX_NAME_CHARACTERS],
        "ActionOnFailure": action_on_failure,
        "HadoopJarStep": {"Jar": COMMAND_RUNNER, "Args": arguments},
    }


def step_requests(
    jobs: tuple[TableJob, ...], *, verb: str, name_prefix: str, code: JobCode, conf: dict[str, str]
) -> list[StepConfigTypeDef]:
    """
    All steps of a new cluster: biggest table first; one failed table of several leaves the others running.

    Raises:
        UsageError: more than 256 tables, or a step EMR would refuse.
    """
    if len(jobs) > MAX_STEPS:
        msg = f"{len(jobs)} tables in one run; a cluster takes {MAX_STEPS} steps: split the run"
        raise UsageError(msg)
    action: ActionOnFailureType = "TERMINATE_CLUSTER" if len(jobs) == 1 else "CONTINUE"
    ordered = sorted(jobs, key=lambda job: -job.size_bytes)
    return [
        step_request(
            step_name(job, verb=verb, name_prefix=name_prefix),
            arguments=spark_submit_arguments(job, verb=verb, code=code, conf=conf),
            action_on_failure=action,
        )
        for job in ordered
    ]


def step_name(job: TableJob, *, verb: str, name_prefix: str) -> str:
    """`dynamodb-pipeline:export:Forum:<run id>`: events carry no tags, so alarms match this by its prefix."""
    return f"{name_prefix}:{verb}:{job.table_name}:{job.run_id}"
