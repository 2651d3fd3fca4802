"""A record that still says "running": what EMR, or a clock, knows of its end, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.emr.calls.clock import utc
from dynamodb_pipeline.emr.commands import launch as launching
from dynamodb_pipeline.emr.commands.launch import LaunchInputs
from dynamodb_pipeline.emr.plan.cost import load_prices
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.table_jobs import RunWords, export_jobs
from dynamodb_pipeline.emr.watch.run_end import RunEnds
from dynamodb_pipeline.run.record import time_text
from dynamodb_pipeline.settings.rows import Given
from tests.unit.emr.aws import LOGS_URI, OUTPUT, REGION, Account, account
from tests.unit.emr.builders import RUN
from tests.unit.emr.fakes import THROTTLED, ClusterPlan, StepPlan, client_error

RESUME = f"dynamodb-pipeline export --table Forum --output {OUTPUT} --region {REGION} --logs {LOGS_URI} --run-id {RUN}"


class Launched:
    """A run whose cluster is up and whose job is at work, for half an hour yet."""

    def __init__(self, made: Account, folder: Path) -> None:
        self.account, zip_path = made, folder / "dynamodb_pipeline.zip"
        zip_path.write_bytes(b"zip")
        run = RunWords(run_id=RUN, region=REGION, logs_uri=LOGS_URI, options=Given())
        jobs = export_jobs(run, tables=("Forum",), output=OUTPUT)
        settings = LaunchSettings(
            verb="export", run_id=RUN, region=REGION, logs_uri=LOGS_URI, jobs=jobs, data_uris=(OUTPUT,), wait=False
        )
        inputs = LaunchInputs(tables=(), bundle_zip=zip_path, prices=load_prices())
        launching.run_launch(settings, inputs, made.clients, made.console)
        made.clock.sleep(600)
        (self.cluster_id,) = made.emr.clusters

    def record(self, *, silent: timedelta = timedelta(0), **changes: Any) -> dict[str, Any]:
        beat: datetime = utc(self.account.clock.now()) - silent
        own = {"command": f"dynamodb-pipeline export --run-id {RUN}", "kind": "export", "heartbeat": time_text(beat)}
        return {"run_id": RUN, "region": REGION, "state": "running", **own, **changes}

    def completed(self, record: dict[str, Any]) -> dict[str, Any]:
        made = self.account
        return RunEnds(lambda _: made.clients, clock=made.clock, attention=made.clock).completed(record)


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launched]:
    with account(plan=ClusterPlan(steps={"Forum": StepPlan(seconds=1800)})) as made:
        yield Launched(made, tmp_path)


def test_a_run_whose_cluster_was_terminated_from_outside_has_ended_without_a_result(launched: Launched) -> None:
    made, record = launched.account, launched.record()
    made.emr.terminate_job_flows(JobFlowIds=[launched.cluster_id])
    made.clock.sleep(100)
    done = launched.completed(record)
    why = f"cluster {launched.cluster_id} TERMINATED (USER_REQUEST: Terminated by user request)"
    assert done["error"] == f"ended without a result: {why}"
    assert (done["state"], done["exit_code"], done["unrecorded_end"]) == ("failed", 9, True)
    assert done["resume"] == RESUME


def test_a_run_that_is_at_work_stays_as_its_record_has_it(launched: Launched) -> None:
    record = launched.record()
    assert launched.completed(record) == record


def test_a_record_that_says_its_end_costs_no_question(launched: Launched) -> None:
    asked = len(launched.account.emr.calls)
    record = launched.record(state="failed", exit_code=5)
    assert launched.completed(record) is record
    assert len(launched.account.emr.calls) == asked


def test_the_end_that_a_job_wrote_meanwhile_is_taken(launched: Launched) -> None:
    made, record = launched.account, launched.record()
    made.clock.sleep(3600)
    made.put_record(RUN, run_id=RUN, state="done", exit_code=0, items=7)
    assert launched.completed(record)["items"] == 7


@pytest.mark.parametrize("silent", [timedelta(0), timedelta(minutes=5)], ids=["at work", "no sign of life"])
@pytest.mark.parametrize(
    "error", [client_error("AccessDeniedException", message="no", status=403), THROTTLED], ids=["denied", "no answer"]
)
def test_where_the_cluster_cannot_be_asked_that_is_said(
    launched: Launched, error: Exception, silent: timedelta
) -> None:
    launched.account.emr.fail_next("ListClusters", error, times=1000)
    done = launched.completed(launched.record(silent=silent))
    assert done["note"].startswith("its cluster cannot be asked whether it still runs: ")
    assert done["state"] == ("dead" if silent else "running")


def test_a_region_is_asked_once_for_all_records(launched: Launched) -> None:
    """Also one that does not answer: each question would take its time."""
    made, calls = launched.account, launched.account.emr.calls
    for times in (0, 1):
        ends = RunEnds(lambda _: made.clients, clock=made.clock, attention=made.clock)
        made.emr.fail_next("ListClusters", client_error("AccessDeniedException", status=403), times=times)
        before = calls.count("ListClusters")
        done = [ends.completed(launched.record()) for _ in range(3)]
        assert calls.count("ListClusters") == before + 1
        assert [("note" in one) for one in done] == [bool(times)] * 3


def test_a_run_without_a_sign_of_life_whose_step_goes_on_is_not_begun_again(launched: Launched) -> None:
    done = launched.completed(launched.record(silent=timedelta(minutes=5)))
    assert done["state"] == "running"
    assert f"cluster {launched.cluster_id} has not ended its step" in done["note"]
    assert done["note"].endswith(f"see dynamodb-pipeline status {RUN} --region {REGION}")
    assert "resume" not in done


@pytest.mark.parametrize(
    "changes",
    [
        {"command": "dynamodb-pipeline export --local --run-id another-run", "run_id": "another-run"},
        {"command": "spark-submit export_table.py --run-id another-run", "run_id": "another-run"},
        {"region": None},
    ],
    ids=["local", "no cluster of EMR", "no region"],
)
def test_a_run_without_a_cluster_is_judged_by_its_signs_of_life(launched: Launched, changes: dict[str, Any]) -> None:
    fresh = launched.record(**changes)
    assert launched.completed(fresh) == fresh
    done = launched.completed(launched.record(silent=timedelta(minutes=5), **changes))
    assert (done["state"], done["resume"], "exit_code" in done) == ("dead", fresh["command"], False)
