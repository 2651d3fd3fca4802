"""
The RunJobFlow request of a schedule: what EventBridge Scheduler sends each time, with its moment filled in.

No launcher is there at night: the job itself resolves capacity, folder and checks. Scheduler delivers at least once;
a second delivery carries the same scheduled time, so an export meets the first one's claim on the run folder, an import
the one on that moment, and refuses.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.request.launch_settings import RUN_TAG, LaunchSettings
from dynamodb_pipeline.emr.request.run_job_flow_request import BootstrapFile, run_job_flow_request
from dynamodb_pipeline.emr.request.steps import JobCode, TableJob
from dynamodb_pipeline.settings.job_options import RUN_ID, SCHEDULED_TIME
from dynamodb_pipeline.settings.rows import Given

# Filled in by EventBridge Scheduler (its user guide, "Adding context attributes").
FIRING_TIME = "<aws.scheduler.scheduled-time>"


@dataclass(frozen=True)
class ScheduledCode:
    """Where the code of the scheduled runs lies."""

    code: JobCode
    bootstrap: BootstrapFile


def scheduled_request(settings: LaunchSettings, *, name: str, shipped: ScheduledCode) -> dict[str, Any]:
    """
    Return the request for schedule `name`; `settings.run_id` is a stand-in that does not reach it.

    Raises:
        UsageError: as for a launch.
    """
    jobs = tuple(_scheduled_job(job, settings.verb) for job in settings.jobs)
    launch = replace(settings, jobs=jobs, run_id=name)
    chosen = launch.cluster
    config = load_cluster_config(chosen.config, region=launch.region, overrides=chosen.overrides)
    request = run_job_flow_request(launch, config=config, code=shipped.code, bootstrap=shipped.bootstrap)
    return with_moment(request, name=name)


def _scheduled_job(job: TableJob, verb: str) -> TableJob:
    """The job without a run id (each delivery makes its own); export and import claim the scheduled time."""
    moment = Given.of({SCHEDULED_TIME: FIRING_TIME if verb != "verify" else None})
    return replace(job, given=job.given.without(RUN_ID, SCHEDULED_TIME) + moment, run_id=job.table_name)


def with_moment(request: dict[str, Any], *, name: str) -> dict[str, Any]:
    """The request with the scheduled time in the cluster's name and tag, where look-ups and people find it."""
    timed = copy.deepcopy(request)
    timed["Name"] = f"{request['Name']}-{FIRING_TIME}"
    for tag in timed["Tags"]:
        if tag["Key"] == RUN_TAG:
            tag["Value"] = f"{name}-{FIRING_TIME}"
    return timed
