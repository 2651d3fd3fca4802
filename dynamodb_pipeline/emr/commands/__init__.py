"""
Every command of the launcher by its verb, in one place for the command line to import.

A command takes frozen settings, clients and a console, and returns one JSON-able document with an exit code; it
raises a PipelineError when there is nothing to report but the error.

May import: addresses, errors, durations, finished, aws, settings, emr.cluster, emr.request, emr.calls, emr.documents,
emr.plan, emr.preflight, emr.watch.
Must not know: options as words, or how clients are built; the command line hands in settings and clients.
"""

from __future__ import annotations

from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.emr.calls.console import CommandResult, Console
from dynamodb_pipeline.emr.commands.documents import (
    PolicyQuery,
    RefreshQuery,
    ScheduleQuery,
    run_migrate_config,
    run_policy,
    run_refresh,
    run_schedule,
)
from dynamodb_pipeline.emr.commands.launch import LaunchInputs, run_launch, run_plan, run_preflight
from dynamodb_pipeline.emr.commands.runs import (
    RunQuery,
    record_places,
    run_cancel,
    run_logs,
    run_runs,
    run_status,
    run_terminate,
    run_wait,
)

__all__ = [
    "Clients",
    "CommandResult",
    "Console",
    "LaunchInputs",
    "PolicyQuery",
    "RefreshQuery",
    "RunQuery",
    "ScheduleQuery",
    "record_places",
    "run_cancel",
    "run_launch",
    "run_logs",
    "run_migrate_config",
    "run_plan",
    "run_policy",
    "run_preflight",
    "run_refresh",
    "run_runs",
    "run_schedule",
    "run_status",
    "run_terminate",
    "run_wait",
]
