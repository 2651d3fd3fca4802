"""
Commands about a run that people are shown to paste, each with everything it needs; built here and nowhere else.

A run on a cluster is named by its run id or by the cluster's id; a region is always given, for nobody knows what the
shell it is pasted into has set. How to go on with a job is built from the options it was given (run/record.py).
"""

from __future__ import annotations

from dynamodb_pipeline.settings.job_options import LOGS, REGION, TIMEOUT
from dynamodb_pipeline.settings.rows import Given, Row, Where, command_line

PROGRAM = "dynamodb-pipeline"
ON_CLUSTER = ("wait", "status", "logs", "cancel", "terminate")  # verbs about a run that a cluster has
RUN: Row[str] = Row(
    "RUN", "run id, or a cluster id (j-...)", ON_CLUSTER, "RUN", where=Where.LAUNCHER, required=True
)  # fmt: skip
CLUSTER_ID: Row[str | None] = Row(
    "--cluster-id", "the standing cluster the run was given to", ON_CLUSTER, "ID", where=Where.LAUNCHER
)  # fmt: skip


def run_command(verb: str, run: str, *, region: str, cluster_id: str | None = None) -> str:
    """
    `dynamodb-pipeline wait RUN --region eu-west-1`.

    Args:
        verb: one of `ON_CLUSTER`.
        cluster_id: of a standing cluster, whose steps alone carry the run's id; else it is found by its name.
    """
    given = Given.of({RUN: run, REGION: region, CLUSTER_ID: cluster_id})
    return command_line((PROGRAM, verb), given)


def report_command(run_id: str, *, logs: str, region: str) -> str:
    """The command that writes the page about a run."""
    given = Given.of({RUN: run_id, LOGS: logs, REGION: region})
    return command_line((PROGRAM, "report"), given)


def launch_again_command(verb: str, job: Given, *, launcher: Given, timeout: str) -> str:
    """
    The command that goes on with one table's job of a launched run, with more time.

    Args:
        job: the job's own options, its run id among them.
        launcher: options of the launch itself, as far as they are known.
        timeout: replaces the job's.
    """
    return command_line((PROGRAM, verb), job + launcher + Given.of({TIMEOUT: timeout}))
