"""
A DAG that starts the cluster of `nightly.json` every night and fails when one of its steps did.

`nightly.json` is what `dynamodb-pipeline schedule export ...` printed, beside this file. Its code lies in S3 already,
under its hash; Airflow needs the amazon provider and nothing of ours.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

from airflow.decorators import dag, task
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
from airflow.providers.amazon.aws.sensors.emr import EmrJobFlowSensor

REGION = "eu-west-1"
# EventBridge Scheduler's place holder, and the same moment in Airflow's words: it names run folder, cluster and tag.
FIRING_TIME = "<aws.scheduler.scheduled-time>"
MOMENT = "{{ data_interval_end.strftime('%Y-%m-%dT%H:%M:%SZ') }}"

template = json.loads(Path(__file__).with_name("nightly.json").read_text())
request = json.loads(template["Resources"]["Schedule"]["Properties"]["Target"]["Input"].replace(FIRING_TIME, MOMENT))


@task
def no_step_failed(cluster_id: str) -> None:
    """The cluster goes on after a failed step, so that other tables are exported; its end alone says nothing."""
    steps = EmrHook(region_name=REGION).conn.list_steps(ClusterId=cluster_id, StepStates=["FAILED", "CANCELLED"])[
        "Steps"
    ]
    if steps:
        msg = f"steps failed on {cluster_id}: {', '.join(step['Name'] for step in steps)}"
        raise RuntimeError(msg)


@dag(schedule="0 3 * * *", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=1)
def nightly_export() -> None:
    start = EmrCreateJobFlowOperator(task_id="start", job_flow_overrides=request, region_name=REGION, retries=0)
    wait = EmrJobFlowSensor(task_id="wait", job_flow_id=start.output, target_states=["TERMINATED"], deferrable=True)
    wait >> no_step_failed(start.output)


nightly_export()
