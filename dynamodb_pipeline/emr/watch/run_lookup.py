"""
Finds a run from anywhere, with nothing but its id: by cluster name, then by step name on living clusters.

`RUN` may also be a cluster id (`j-...`). A run that a schedule started is found by that, by `<schedule>-<moment>`, and
by the id that its job made itself: among the schedules' clusters of that moment, by the record that bears it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from dynamodb_pipeline.emr.calls.clock import Clock
from dynamodb_pipeline.emr.calls.clusters import (
    LIVE_STATES,
    FoundCluster,
    StepView,
    list_clusters,
    read_cluster,
    read_steps,
    since,
)
from dynamodb_pipeline.emr.cluster.cluster_config import PIPELINE_TAG
from dynamodb_pipeline.emr.request.launch_settings import RUN_TAG
from dynamodb_pipeline.emr.watch.lifecycle import RunTarget
from dynamodb_pipeline.emr.watch.run_records import CLOCK_SKEW, scheduled_run
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.settings.job_options import LOGS
from dynamodb_pipeline.settings.run_commands import LOCAL_FLAG, recorded_run_command, runs_command
from dynamodb_pipeline.settings.run_ids import began_by_id, is_run_id

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_s3 import S3Client

# Standing clusters looked through for a step of the run; each costs one call.
STANDING_LOOKS = 20


class NoSuchRunError(PreconditionError):
    """No cluster or step that is known bears the run's id."""


KINDS = "(?P<kind>export|import|verify)"
LAUNCHED_NAME = re.compile(rf".*-{KINDS}-(?P<run>[A-Za-z0-9][A-Za-z0-9._-]{{2,79}})")
SCHEDULED_NAME = re.compile(rf".*@(?P<name>[A-Za-z0-9_-]+):{KINDS}:(?P<moment>\S+)")  # documents/schedules.py


def find_run(
    emr: EMRClient,
    run: str,
    *,
    region: str,
    clock: Clock,
    cluster_id: str | None = None,
    s3: S3Client | None = None,
    listed: list[FoundCluster] | None = None,
) -> RunTarget:
    """
    Return where the run is or was.

    Args:
        run: run id, a cluster id, or a schedule and its moment.
        cluster_id: the standing cluster it was given to, when known.
        s3: for run ids that jobs made themselves.
        listed: the region's clusters, where they are known.

    Raises:
        NoSuchRunError: no such run in this region.
    """
    if cluster_id is not None:
        if _is_ours(emr, cluster_id, clock=clock):
            return RunTarget(cluster_id=cluster_id, run=run, region=region, ours=True)
        return _on_standing(emr, run, cluster_id=cluster_id, region=region, clock=clock)
    if run.startswith("j-"):
        return own_cluster(emr, run, run=run, region=region, clock=clock)
    if listed is None:
        listed = list_clusters(emr, clock=clock, created_after=since(clock))
    for cluster in listed:
        if is_named_by(run, cluster):
            return own_cluster(emr, cluster.id, run=run, region=region, clock=clock)
    whole, dot, _ = run.partition(".")
    for cluster in listed if dot else ():  # `<run id>.<table>`: one table's job of a run of several
        if cluster.name.endswith(f"-{whole}"):
            target = own_cluster(emr, cluster.id, run=run, region=region, clock=clock)
            ours = steps_of_run(read_steps(emr, cluster.id, clock=clock), run)
            if ours:
                return replace(target, step_ids=tuple(step.id for step in ours))
    moment = began_by_id(run)
    for cluster in listed:
        if moment and s3 and is_of_schedule(cluster, moment):
            step = _step_with_record(emr, s3, cluster, run, clock=clock)
            if step is not None:
                target = own_cluster(emr, cluster.id, run=run, region=region, clock=clock)
                return replace(target, step_ids=(step.id,))
    return _search_standing(emr, listed, run=run, region=region, clock=clock)


def is_named_by(run: str, cluster: FoundCluster) -> bool:
    """Whether a launch, or a schedule at its moment, made the cluster for this run, as its name says."""
    return cluster.name.endswith(f"-{run}") or run_named(cluster.name) == run


def run_named(cluster_name: str) -> str | None:
    """The run that a cluster of ours is named by: `<run id>`, or `<schedule>-<moment>`; None of any other cluster."""
    launched, scheduled = LAUNCHED_NAME.fullmatch(cluster_name), SCHEDULED_NAME.fullmatch(cluster_name)
    if scheduled is not None:
        return f"{scheduled['name']}-{scheduled['moment']}"
    return launched["run"] if launched else None


def kind_named(cluster_name: str) -> str | None:
    """`export`, `import` or `verify`, of a cluster of ours."""
    match = SCHEDULED_NAME.fullmatch(cluster_name) or LAUNCHED_NAME.fullmatch(cluster_name)
    return match["kind"] if match else None


def is_of_schedule(cluster: FoundCluster, moment: datetime) -> bool:
    """Whether a schedule of ours started the cluster, and it was there at that moment."""
    begun = cluster.created is not None and cluster.created <= moment + CLOCK_SKEW
    there = begun and (cluster.ended is None or moment <= cluster.ended + CLOCK_SKEW)
    return there and SCHEDULED_NAME.fullmatch(cluster.name) is not None


def _step_with_record(
    emr: EMRClient, s3: S3Client, cluster: FoundCluster, run: str, *, clock: Clock
) -> StepView | None:
    """The step of a schedule's cluster whose job made this run id."""
    for step in read_steps(emr, cluster.id, clock=clock):
        if scheduled_run(s3, step) == run:
            return step
    return None


def own_cluster(emr: EMRClient, cluster_id: str, *, run: str, region: str, clock: Clock) -> RunTarget:
    """
    The target of a cluster that carries our tag.

    Raises:
        PreconditionError: it does not carry it, so it is not ours to touch.
    """
    if not _is_ours(emr, cluster_id, clock=clock):
        msg = f"cluster {cluster_id} was not started by dynamodb-pipeline (tag {RUN_TAG} is missing); not touched"
        raise PreconditionError(msg)
    return RunTarget(cluster_id=cluster_id, run=run, region=region, ours=True)


def _is_ours(emr: EMRClient, cluster_id: str, *, clock: Clock) -> bool:
    """A cluster that a launch or a schedule of ours made for one run."""
    tags = dict(read_cluster(emr, cluster_id, clock=clock).tags)
    return tags.get(PIPELINE_TAG) == "true" and RUN_TAG in tags


def steps_of_run(steps: tuple[StepView, ...], run: str) -> tuple[StepView, ...]:
    """Steps whose name ends in this run's id, or in that of one of its tables (`<run id>.<table>`)."""
    return tuple(step for step in steps if _belongs(step.name.rpartition(":")[2], run))


def _belongs(step_run: str, run: str) -> bool:
    return step_run == run or step_run.startswith(f"{run}.")


def _on_standing(emr: EMRClient, run: str, *, cluster_id: str, region: str, clock: Clock) -> RunTarget:
    ours = steps_of_run(read_steps(emr, cluster_id, clock=clock), run)
    if not ours:
        msg = f"cluster {cluster_id} has no step of run {run}; check the run id (steps are named ...:<run id>)"
        raise PreconditionError(msg)
    ids = tuple(step.id for step in ours)
    return RunTarget(cluster_id=cluster_id, run=run, region=region, ours=False, step_ids=ids)


def _search_standing(emr: EMRClient, listed: list[FoundCluster], *, run: str, region: str, clock: Clock) -> RunTarget:
    living = [cluster for cluster in listed if cluster.state in LIVE_STATES][:STANDING_LOOKS]
    for cluster in living:
        ours = steps_of_run(read_steps(emr, cluster.id, clock=clock), run)
        if ours:
            ids = tuple(step.id for step in ours)
            return RunTarget(cluster_id=cluster.id, run=run, region=region, ours=False, step_ids=ids)
    lines = [
        f"no cluster or step of run {run} in {region} within two months; check --region and the id, or --cluster-id",
        f"those that there are: {runs_command(region=region)}",
    ]
    if is_run_id(run):
        shown = f"{recorded_run_command(run)} (my-bucket stands for the bucket of its {LOGS})"
        own = f"a run on a machine ({LOCAL_FLAG}) has no cluster: Ctrl-C stops it there, its record is shown by {shown}"
        lines.insert(1, own)
    raise NoSuchRunError.of_lines(lines)
