"""
Puts together what became of a run: one result per table, the exit code of the whole, the last line.

Pure apart from the two readers it is given results of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.clock import Attention
from dynamodb_pipeline.emr.calls.clusters import cluster_line
from dynamodb_pipeline.emr.calls.console import CommandResult
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.emr.request.steps import given_in_step, launch_of_step
from dynamodb_pipeline.emr.watch.diagnosis import Diagnosis
from dynamodb_pipeline.emr.watch.lifecycle import Ending, Outcome, RunTarget
from dynamodb_pipeline.emr.watch.look import step_line
from dynamodb_pipeline.emr.watch.run_records import JobResult, items_done
from dynamodb_pipeline.emr.watch.spent import spent, spent_line, spent_on_standing
from dynamodb_pipeline.errors import ExitCode, counted, worst
from dynamodb_pipeline.result_words import result_words
from dynamodb_pipeline.settings.job_options import LOGS, RUN_ID, TABLE, TIMEOUT
from dynamodb_pipeline.settings.run_commands import launch_again_command, report_command
from dynamodb_pipeline.settings.run_ids import is_run_id

STATUS = {
    Ending.DETACHED: "running",
    Ending.STOPPED_BY_USER: "stopped",
    Ending.NOT_PROVISIONED: "failed",
    Ending.CLUSTER_LOST: "failed",
    Ending.TIMED_OUT: "failed",
    Ending.FINISHED: "done",
}


@dataclass(frozen=True)
class RunReport:
    """A run that is over, or was detached from."""

    target: RunTarget
    outcome: Outcome
    results: tuple[JobResult, ...]
    diagnosis: Diagnosis | None
    exit_code: ExitCode

    @property
    def cost(self) -> dict[str, Any] | None:
        """Planned and actual US dollars, None where the run or its cluster has not ended, or it had no plan."""
        records = [result.record for result in self.results]
        if self.target.ours:
            return spent(self.outcome.cluster, records)
        return spent_on_standing(records) if all(step.final for step in self.outcome.steps) else None

    def lines(self) -> list[str]:
        """For people; the cluster's fate is the last line, whatever happened before."""
        known = self.diagnosis.evidence if self.diagnosis else ()
        return [
            *(line for result in self.results for line in _result_lines(result, explained=result.error in known)),
            *(self.diagnosis.lines() if self.diagnosis else []),
            *_advice(self),
            *_page(self),
            *([spent_line(self.cost)] if self.cost else []),
            cluster_line(self.outcome.cluster, region=self.target.region),
        ]

    def command_result(self, kind: str) -> CommandResult:
        """The JSON document of the run."""
        status = STATUS[self.outcome.ending]
        document = {
            "kind": kind,
            "run_id": self.target.run,
            "status": self.exit_code.row.status if status == "done" else status,
            "ending": self.outcome.ending.value,
            "cluster_id": self.outcome.cluster.id,
            "cluster_state": self.outcome.cluster.state,
            "tables": [_result_json(result) for result in self.results],
            "diagnosis": self.diagnosis.to_json() if self.diagnosis else None,
            **({"cost": cost} if (cost := self.cost) else {}),
            "fate": cluster_line(self.outcome.cluster, region=self.target.region),
        }
        return CommandResult(self.exit_code, document, words=tuple(self.lines()))


def run_exit_code(outcome: Outcome, results: tuple[JobResult, ...], *, attention: Attention) -> ExitCode:
    """The exit code of the whole run."""
    if outcome.ending is Ending.DETACHED:
        return ExitCode.TERMINATED if attention.terminated else ExitCode.INTERRUPTED
    if outcome.ending is Ending.STOPPED_BY_USER:
        return ExitCode.INTERRUPTED
    if outcome.ending is Ending.NOT_PROVISIONED:
        return ExitCode.DEADLINE
    codes = [result.exit_code for result in results]
    return worst([*codes, ExitCode.CLUSTER]) if outcome.ending is Ending.CLUSTER_LOST else worst(codes)


def needs_diagnosis(result: JobResult) -> bool:
    """A step that failed for a reason somebody has to find."""
    return not result.exit_code.row.finished and result.step.started is not None


def _result_lines(result: JobResult, *, explained: bool) -> Iterator[str]:
    """A step's end, and what its job did; `explained` where the diagnosis says its error."""
    code = result.exit_code
    error = "" if explained or not result.error else f": {result.error}"
    yield f"{step_line(result.step)}; exit code {int(code)} ({code.meaning}){error}"
    yield from result_words(result.record)


def _result_json(result: JobResult) -> dict[str, Any]:
    given = given_in_step(result.step.arguments)
    return {
        "table": given.text(TABLE),
        "run_id": given.text(RUN_ID) or result.record.get("run_id"),
        "step_id": result.step.id,
        "step_state": result.step.state,
        "exit_code": int(result.exit_code),
        "error": result.error,
        **_where(result.record),
        "record": result.record,
    }


def _where(record: dict[str, Any]) -> dict[str, Any]:
    """The finished folder of an export, which is what the next command needs."""
    return {"export_uri": record["export_uri"]} if record.get("export_uri") else {}


def _advice(report: RunReport) -> list[str]:
    """What to do next, for the endings that leave something to be done."""
    if report.outcome.ending is Ending.NOT_PROVISIONED:
        return ["the cluster was not ready in time: EC2 may be short of this type; try another --subnet or --config"]
    return [_way_on(result) for result in report.results if result.exit_code.row.resumable or _cut_short(result)]


def _cut_short(result: JobResult) -> bool:
    """Whether its cluster ended, or its process was killed, below a job that keeps a record: it says no end."""
    return result.exit_code is ExitCode.CLUSTER and bool(result.record.get("run_id"))


def _page(report: RunReport) -> Iterator[str]:
    """The command that shows all of it on a page, where a job has left a record to be shown."""
    recorded = (result for result in report.results if result.record)
    logs = next((given_in_step(result.step.arguments).text(LOGS) for result in recorded), None)
    if logs is not None:
        yield f"page: {report_command(report.target.run, logs=logs, region=report.target.region)}"


def _way_on(result: JobResult) -> str:
    """How to go on with a step's job that stopped before its end; with twice the time where that was too short."""
    if result.exit_code is not ExitCode.DEADLINE:
        what = "what was done is kept; to go on" if result.step.started else "the step never ran; to start it"
        if "exit_code" in result.record and "resume" not in result.record:
            what = "nothing is kept of it; to start it again"
        return f"{what}: {again_command(result)}"
    given_s = step_timeout_s(result)
    done = items_done(result.record)
    how_far = f" after {counted(done, 'item')}" if done else ""
    again = again_command(result, timeout=f"{round(2 * given_s / 3600) or 1}h")
    return f"timeout of {duration_text(given_s)} reached{how_far}; what was done is kept; to go on: {again}"


def again_command(result: JobResult, *, timeout: str | None = None) -> str:
    """The command that goes on with a step's job; `timeout` replaces its own."""
    arguments, run_id = result.step.arguments, result.record.get("run_id")
    known = run_id if isinstance(run_id, str) and is_run_id(run_id) else None
    return launch_again_command(launch_of_step(arguments), given_in_step(arguments), run_id=known, timeout=timeout)


def step_timeout_s(result: JobResult) -> float:
    """The step's own `--timeout` in seconds."""
    text = given_in_step(result.step.arguments).text(TIMEOUT)
    return TIMEOUT.parse(text) if text else RunLimits().timeout_s
