"""Complete lines of the command, one option of each as a test wants it, and all that is made of a line."""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.cli.command_line import VERBS, CommandLine, kinds_of
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of, policy_query, prices_of, schedule_of
from dynamodb_pipeline.cli.launcher_options import rows_of
from dynamodb_pipeline.cli.main import settings_of
from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.settings.job_options import LOGS
from dynamodb_pipeline.settings.rows import Row

HOSTILE = (
    *("", " ", "-", "--", "=", "0", "-1", "+1", "1.0", ".5", "1e3", "1e309", "NaN", "nan", "inf", "-inf", "Infinity"),
    *("9" * 5000, "0" * 5000 + "1", "1_000", "\u0661\u0660", "\uff11", "1\n", "a\x00b", "\x1b[31m", "\u202e", "\ud800"),
    *("2026-02-30-00-00-00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"),
    *("20260230T000000Z-ab", "s3://", "s3://x", "s3://bucket", "s3://bucket/a\n", "s3://bucket/../x", "s3a://bucket/x"),
    *(
        "at(x)",
        "cron(x)",
        "rate(0 days)",
        "Mars/Base",
        "x",
        "a=b",
        "=b",
        "spark.a=b",
        "x" * 300,
        "caf\u00e9",
        "%s",
        "{}",
    ),
    *("101%", "-1%", "%", "1%%", "0.25", "151", "12h", "0s", "1w", "365d", "366d", "123456789012", "latest", "%s"),
)
NEEDED = {
    "SHELL": "bash", "VERB": "import",
    "EXPORT": "s3://data/x", "--table": "Forum", "--output": "s3://data/x", "--input": "s3://data/x", "RUN": "abc",
    "KIND": "launcher", "PIPELINE.json": "p.json", "PATH": "s3://data/x", "INPUT": "s3://data/x", "OUTPUT": "s3://data/y",
    "FOLDER": "s3://data/x",
    "--logs": "s3://logs/app",
}  # fmt: skip
FORMS = [(verb, kind) for verb in VERBS for kind in kinds_of(verb)]


def words_with(verb: str, kind: str | None, row: Row[Any], text: str) -> tuple[str, ...]:
    """A complete line of this verb with one option given this text."""
    needed = [r for r in rows_of(verb, kind=kind) if r.required and r.name != row.name]
    words = [w for r in needed for w in ((NEEDED[r.name],) if r.is_argument else (r.name, NEEDED[r.name]))]
    own = text if row.is_argument else row.name if row.is_flag else f"{row.name}={text}"
    before = (verb,) if kind in (None, verb) else (verb, str(kind))
    logs = ("--logs", "s3://logs/app") if kind and row.name != "--logs" else ()
    return (*before, own, *words, *logs)


def meant(line: CommandLine) -> None:
    """Everything that is made of a line before anything is asked of AWS."""
    options = line.options
    if line.kind is not None:
        settings_of(line)
        if options[LOGS] is not None:
            launch = launch_of(line.kind, options, start=RunStart("20261123T030000Z-aa", "eu-west-1"))
            assert launch.jobs[0].job_arguments
            chosen = launch.cluster
            load_cluster_config(chosen.config, region=launch.region, overrides=chosen.overrides)
            prices_of(options, region=launch.region)
        if line.verb == "schedule":
            schedule_of(options, kind=line.kind, table="Forum")
    if line.verb == "policy":
        policy_query(options, account="123456789012", region="eu-west-1")
