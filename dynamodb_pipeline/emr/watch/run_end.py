"""
Whether a run has ended, as EMR sees it: for `status`, and for a record that still says that its run is at work.

A job whose cluster is terminated below it, or whose process is killed, writes no last word. Its record is completed by
what is known from elsewhere: EMR's word on its cluster and step; of a run without a cluster, that it gives no sign of
life.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.documents import TIME_FORMAT
from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.clock import Attention, Clock, utc
from dynamodb_pipeline.emr.calls.clusters import ClusterView, FoundCluster, StepView, list_clusters, since
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.emr.watch.lifecycle import Ending, Outcome, RunTarget, RunWatch
from dynamodb_pipeline.emr.watch.look import Look, WaitVerdict, verdict
from dynamodb_pipeline.emr.watch.run_lookup import NoSuchRunError, find_run
from dynamodb_pipeline.emr.watch.run_records import JobResult, job_result, read_record
from dynamodb_pipeline.emr.watch.run_report import again_command, run_exit_code
from dynamodb_pipeline.emr.watch.step_logs import printed_result, step_log_files
from dynamodb_pipeline.errors import ClusterError, ExitCode, PipelineError
from dynamodb_pipeline.finished import DEAD, RUNNING, UNRECORDED_END, RunState
from dynamodb_pipeline.settings.run_commands import ran_locally, run_command

if TYPE_CHECKING:
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_s3 import S3Client

PATIENCE_S = 30.0  # for what EMR has to say of records that somebody wants to see now
ENDLESS = RunLimits(provisioning_s=float("inf"), timeout_s=float("inf"))


def ending_of(look: Look) -> Ending | None:
    """How the run ended; None while it goes on."""
    over = verdict(look, limits=ENDLESS, began_s=0.0)
    return {WaitVerdict.FINISHED: Ending.FINISHED, WaitVerdict.CLUSTER_LOST: Ending.CLUSTER_LOST}.get(over)


def step_results(s3: S3Client, outcome: Outcome) -> tuple[JobResult, ...]:
    """What became of each step that has ended: EMR's word on it, and its record's."""
    return tuple(_result(s3, step, outcome) for step in outcome.steps if step.final)


def _result(s3: S3Client, step: StepView, outcome: Outcome) -> JobResult:
    record = (read_record(s3, step) or _printed(s3, step, outcome)) if step.started else {}
    return job_result(step, record, timed_out=step.id in outcome.timed_out_ids)


def _printed(s3: S3Client, step: StepView, outcome: Outcome) -> dict[str, Any]:
    """The result a step printed, for runs that keep no record."""
    cluster = outcome.cluster
    if not cluster.log_uri:
        return {}
    files = step_log_files(s3, cluster.log_uri, cluster_id=cluster.id, step_id=step.id)
    return printed_result("\n".join(file.text for file in files))


class BriefClock:
    """Another's time, for questions that are worth `PATIENCE_S` together: whoever would sleep beyond that gives up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s = clock.now() + PATIENCE_S

    def now(self) -> float:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """
        Raises:
            ClusterError: the patience is at its end.
        """
        if self.now() + seconds > self._until_s:
            msg = f"EMR has not answered within {duration_text(PATIENCE_S)}"
            raise ClusterError(msg)
        self._clock.sleep(seconds)


class RunEnds:
    """
    Completes records of runs, a few at a time: the clusters of a region are listed once for all of them.

    Args:
        clients: makes those of a region.
        attention: what signals have asked for.
    """

    def __init__(self, clients: Callable[[str], Clients], *, clock: Clock, attention: Attention) -> None:
        self._clients, self._clock, self._attention = clients, BriefClock(clock), attention
        self._listed: dict[str, list[FoundCluster]] = {}
        self._refused: dict[str, PipelineError] = {}

    def completed(self, record: dict[str, Any]) -> dict[str, Any]:
        """
        Return the record, of a run that ended without a word of its own with its end as far as that is known:
        `state`, `exit_code`, `error`, `ended`, `resume`, and `unrecorded_end`; `note` where EMR could not be asked.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        state = RunState.readable(record)
        if state.state != RUNNING or state.exit_code is not None:
            return record
        silent = _without_sign_of_life(record, state) if state.seems_dead(utc(self._clock.now())) else {}
        if ran_locally(record) or not state.run_id or not isinstance(record.get("region"), str):
            return {**record, **silent}
        try:
            return {**record, **(self._as_emr_says(state.run_id, record["region"], silent=silent) or silent)}
        except NoSuchRunError:  # a Spark of one's own, or a standing cluster that is gone
            return {**record, **silent}
        except (PipelineError, BotoCoreError, ClientError) as err:
            unknown = f"its cluster cannot be asked whether it still runs: {without_secrets(str(err))}"
            return {**record, **silent, "note": unknown}

    def _as_emr_says(self, run: str, region: str, *, silent: dict[str, Any]) -> dict[str, Any] | None:
        clients = self._clients(region)
        emr, s3 = clients.client("emr", attempts=1), clients.client("s3", attempts=1)
        listed = self._clusters(emr, region)
        target = find_run(emr, run, region=region, clock=self._clock, s3=s3, listed=listed)
        look = RunWatch(emr, target, RunLimits(), self._clock, self._attention, say=lambda _: None).look()
        ending = ending_of(look)
        if ending is None:
            return silent and _silent_at_work(silent, look, target)
        outcome = Outcome(ending, look.cluster, look.steps)
        results = step_results(s3, outcome)
        ended_well = next((one.record for one in results if "exit_code" in one.record), None)
        if ended_well is not None:  # it wrote its end in the meantime
            return ended_well
        return _end_of(outcome, results, run_exit_code(outcome, results, attention=self._attention))

    def _clusters(self, emr: EMRClient, region: str) -> list[FoundCluster]:
        """Those of a region, asked for once; so is a region that does not answer, or may not be asked."""
        if region in self._refused:
            raise self._refused[region]
        if region not in self._listed:
            try:
                self._listed[region] = list_clusters(emr, clock=self._clock, created_after=since(self._clock))
            except PipelineError as err:
                self._refused[region] = err
                raise
        return self._listed[region]


def _end_of(outcome: Outcome, results: tuple[JobResult, ...], code: ExitCode) -> dict[str, Any]:
    cluster = outcome.cluster
    ended = next((one.step.ended for one in results if one.step.ended), None) or cluster.ended_at
    commands = [again_command(one) for one in results[:1]]
    return {
        "state": code.row.status,
        "exit_code": int(code),
        "error": f"ended without a result: {_what_ended(cluster, results)}",
        UNRECORDED_END: True,
        **({"ended": f"{ended:{TIME_FORMAT}}"} if ended else {}),
        **({"resume": commands[0]} if commands else {}),
    }


def _what_ended(cluster: ClusterView, results: tuple[JobResult, ...]) -> str:
    if cluster.ended or cluster.state == "TERMINATING" or not results:
        return f"cluster {cluster.id} {cluster.reason_text()}"
    step = results[0].step
    return f"step {step.id} on cluster {cluster.id} {step.state}" + (f" ({step.reason})" if step.reason else "")


def _without_sign_of_life(record: dict[str, Any], state: RunState) -> dict[str, Any]:
    last = f"since {state.heartbeat:%Y-%m-%d %H:%M:%S} UTC" if state.heartbeat else "at all"
    command = record.get("command")
    return {
        "state": DEAD,
        "error": f"ended without a result: its process has given no sign of life {last}",
        UNRECORDED_END: True,
        **({"ended": f"{state.heartbeat:{TIME_FORMAT}}"} if state.heartbeat else {}),
        **({"resume": command} if command and state.kind != "verify" else {}),
    }


def _silent_at_work(silent: dict[str, Any], look: Look, target: RunTarget) -> dict[str, Any]:
    """Of a job whose step goes on all the same: to start it again would be to have it twice."""
    seen = run_command("status", target.run, region=target.region)
    at_work = f"{silent['error'].partition(': ')[2]}, but cluster {look.cluster.id} has not ended its step; see {seen}"
    return {"state": RUNNING, "note": at_work}
