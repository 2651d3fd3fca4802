"""
What EMR says of clusters and their steps: of one, or of all of a run, which are found by name without local state, for
ListClusters returns no tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.emr.calls.clock import Clock, utc
from dynamodb_pipeline.emr.calls.patient_calls import patient, patient_pages
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.settings.run_commands import run_command, runs_command

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_emr.type_defs import ClusterSummaryTypeDef, ClusterTypeDef, ErrorDetailTypeDef, StepSummaryTypeDef

# EMR keeps terminated clusters in its lists for two months.
LOOK_BACK = timedelta(days=60)
STARTING_STATES = ("STARTING", "BOOTSTRAPPING")
LIVE_STATES = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
ENDED_STATES = ("TERMINATED", "TERMINATED_WITH_ERRORS")
FINAL_STEP_STATES = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")


@dataclass(frozen=True)
class FoundCluster:
    """One line of ListClusters."""

    id: str
    name: str
    state: str
    created: datetime | None
    ended: datetime | None = None


def list_clusters(
    emr: EMRClient, *, clock: Clock, created_after: datetime, states: tuple[str, ...] = ()
) -> list[FoundCluster]:
    """All clusters created since, newest first as EMR lists them; `states` limits them when given."""
    request: dict[str, Any] = {"CreatedAfter": created_after}
    if states:
        request["ClusterStates"] = list(states)
    pages = patient_pages(emr.list_clusters, request, what="elasticmapreduce:ListClusters", clock=clock)
    return [found_cluster(cluster) for page in pages for cluster in page.get("Clusters", [])]


def found_cluster(cluster: ClusterSummaryTypeDef) -> FoundCluster:
    """From a member of ListClusters."""
    status = cluster["Status"]
    times = status.get("Timeline") or {}
    return FoundCluster(
        id=cluster["Id"],
        name=cluster.get("Name", ""),
        state=status["State"],
        created=times.get("CreationDateTime"),
        ended=times.get("EndDateTime"),
    )


def clusters_named(emr: EMRClient, name: str, *, clock: Clock, created_after: datetime) -> list[FoundCluster]:
    """Clusters with exactly this name, newest first."""
    listed = list_clusters(emr, clock=clock, created_after=created_after)
    return [cluster for cluster in listed if cluster.name == name]


def since(clock: Clock, *, back: timedelta = LOOK_BACK) -> datetime:
    """The start of a search that goes `back` from now."""
    return utc(clock.now()) - back


@dataclass(frozen=True)
class StepView:
    """One step. `started` and `ended` are aware times or None; `failure` is EMR's own FailureDetails."""

    id: str
    name: str
    state: str
    arguments: tuple[str, ...]
    reason: str = ""
    failure: tuple[tuple[str, str], ...] = ()
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def final(self) -> bool:
        return self.state in FINAL_STEP_STATES


@dataclass(frozen=True)
class ClusterView:
    """
    One cluster.

    Attributes:
        errors: EMR's ErrorDetails as `CODE: message` texts.
        log_group: of CloudWatch Logs, where its steps' logs go to; `log_streams` begins their streams' names.
    """

    id: str
    name: str
    state: str
    reason_code: str = ""
    reason: str = ""
    errors: tuple[str, ...] = ()
    log_uri: str | None = None
    ends_by_itself: bool = True
    tags: tuple[tuple[str, str], ...] = ()
    created: datetime | None = None
    ended_at: datetime | None = None
    log_group: str | None = None
    log_streams: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def starting(self) -> bool:
        return self.state in STARTING_STATES

    def reason_text(self) -> str:
        """State and EMR's reason in one phrase."""
        detail = ": ".join(part for part in (self.reason_code, self.reason) if part)
        return f"{self.state} ({detail})" if detail else self.state


def cluster_view(cluster: ClusterTypeDef) -> ClusterView:
    """From DescribeCluster's `Cluster`."""
    status = cluster["Status"]
    reason, times = status.get("StateChangeReason") or {}, status.get("Timeline") or {}
    sent_to: Any = (cluster.get("MonitoringConfiguration") or {}).get("CloudWatchLogConfiguration") or {}
    return ClusterView(
        id=cluster["Id"],
        name=cluster.get("Name", ""),
        state=status["State"],
        reason_code=reason.get("Code", ""),
        reason=reason.get("Message", ""),
        errors=tuple(_error_text(detail) for detail in status.get("ErrorDetails") or []),
        log_uri=cluster.get("LogUri"),
        ends_by_itself=bool(cluster.get("AutoTerminate", True)),
        tags=tuple((tag["Key"], tag.get("Value", "")) for tag in cluster.get("Tags") or []),
        created=times.get("CreationDateTime"),
        ended_at=times.get("EndDateTime"),
        log_group=sent_to.get("LogGroupName") if sent_to.get("Enabled") else None,
        log_streams=sent_to.get("LogStreamNamePrefix", ""),
    )


def _error_text(detail: ErrorDetailTypeDef) -> str:
    pairs = [pair for group in detail.get("ErrorData") or [] for pair in group.items()]
    data = "; ".join(f"{key}={value}" for key, value in pairs)
    text = f"{detail.get('ErrorCode', 'ERROR')}: {detail.get('ErrorMessage', '')}"
    return f"{text} ({data})" if data else text


def step_view(step: StepSummaryTypeDef) -> StepView:
    """From a member of ListSteps, or DescribeStep's `Step`."""
    status = step["Status"]
    times = status.get("Timeline") or {}
    return StepView(
        id=step["Id"],
        name=step.get("Name", ""),
        state=status["State"],
        arguments=tuple((step.get("Config") or {}).get("Args") or ()),
        reason=(status.get("StateChangeReason") or {}).get("Message", ""),
        failure=tuple((key, str(value)) for key, value in sorted((status.get("FailureDetails") or {}).items())),
        started=times.get("StartDateTime"),
        ended=times.get("EndDateTime"),
    )


def read_cluster(emr: EMRClient, cluster_id: str, *, clock: Clock) -> ClusterView:
    """
    Ask for one cluster, patiently.

    Raises:
        PreconditionError: there is none of this id here.
    """
    from botocore.exceptions import ClientError

    what = "elasticmapreduce:DescribeCluster"
    try:
        reply = patient(lambda: emr.describe_cluster(ClusterId=cluster_id), what=what, clock=clock)
    except ClientError as err:
        if error_code(err) != "InvalidRequestException":
            raise
        region = emr.meta.region_name
        there = f"check the id and --region; those of runs: {runs_command(region=region)}"
        msg = f"no cluster {cluster_id} in {region}; {there}"
        raise PreconditionError(msg) from err
    return cluster_view(reply["Cluster"])


def read_steps(emr: EMRClient, cluster_id: str, *, clock: Clock) -> tuple[StepView, ...]:
    """Ask for all steps of a cluster, in the order in which they were added (EMR lists the newest first)."""
    request = {"ClusterId": cluster_id}
    pages = patient_pages(emr.list_steps, request, what="elasticmapreduce:ListSteps", clock=clock)
    steps = [step_view(step) for page in pages for step in page.get("Steps", [])]
    return tuple(reversed(steps))


def cluster_line(cluster: ClusterView, *, region: str) -> str:
    """The last line of everything that touched a cluster: is it gone, ending, or still billing?"""
    if cluster.ended:
        return f"cluster {cluster.id} is gone: {cluster.reason_text()}; nothing is billed any more"
    if cluster.state == "TERMINATING":
        return f"cluster {cluster.id} is terminating; nothing has to be done"
    if cluster.ends_by_itself:
        stop = run_command("terminate", cluster.id, region=region)
        return f"cluster {cluster.id} is {cluster.state}; it ends after its last step; to end it now: {stop}"
    return f"cluster {cluster.id} is {cluster.state}, a standing cluster; it was left as it is"
