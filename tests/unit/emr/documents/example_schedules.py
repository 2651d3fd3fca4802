"""
The schedules shipped as examples, as `schedule` prints them, in a bucket to be replaced and with code of no hash.

    python -m tests.unit.emr.documents.example_schedules
"""

from __future__ import annotations

import json

from dynamodb_pipeline.cli.command_line import read_line
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of, schedule_of
from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from dynamodb_pipeline.emr.documents.policy_scope import scope_of_launch
from dynamodb_pipeline.emr.documents.schedules import ScheduledCode, schedule_template, scheduled_request
from dynamodb_pipeline.emr.request.run_job_flow_request import BootstrapFile
from dynamodb_pipeline.emr.request.steps import JOB_SCRIPTS, JobCode

PLACE = "s3://amzn-s3-demo-bucket"
FOLDER = f"{PLACE}/logs/code/{'0' * 16}"
ZIP = f"{FOLDER}/dynamodb_pipeline.zip"
CODE = ScheduledCode(
    JobCode(ZIP, {verb: f"{FOLDER}/{script}" for verb, script in JOB_SCRIPTS.items()}),
    BootstrapFile(f"{FOLDER}/check_code.sh", ((ZIP, "0" * 64),)),
)
COMMON = ["--logs", f"{PLACE}/logs", "--region", "eu-west-1", "--throughput-percent", "25"]
COMMON += ["--timezone", "Europe/Dublin", "--email", "ops@example.com", "--settings", "/dev/null"]
TABLES = ["--table", "Forum", "--table", "Thread", "--table", "Reply"]
RESET = ["--schedule-name", "nightly-reset", "--latest", "--only-changes", "--mirror", "--max-deletions", "100%"]
EXAMPLES = {
    "export": [*TABLES, "--output", f"{PLACE}/exports", "--cron", "0 3 * * ? *", "--schedule-name", "nightly-export"],
    "import": ["--table", "Forum", "--input", f"{PLACE}/baseline/Forum", "--cron", "0 5 * * ? *", "--yes", *RESET],
}


def rendered(kind: str) -> str:
    """The example of one job, as its file holds it."""
    line = read_line(["schedule", kind, *EXAMPLES[kind], *COMMON])
    launch = launch_of(kind, line.options, start=RunStart("example", "eu-west-1"))
    schedule = schedule_of(line.options, kind=kind, table=launch.jobs[0].table_name)
    request = scheduled_request(launch, name=schedule.name, shipped=CODE)
    scope = scope_of_launch(launch, request)
    template = schedule_template(schedule, request=request, scope=scope, name_prefix=launch.name_prefix)
    return json.dumps(template, indent=2) + "\n"


if __name__ == "__main__":
    for name in EXAMPLES:
        (project_folder("schedules") / f"{name}.json").write_text(rendered(name))
