"""The commands from end to end, on a fake EMR and moto's S3, DynamoDB, IAM and EC2."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.emr.calls.console import CommandResult
from dynamodb_pipeline.emr.commands import launch as launching
from dynamodb_pipeline.emr.commands import runs
from dynamodb_pipeline.emr.commands.launch import LaunchInputs
from dynamodb_pipeline.emr.commands.runs import RunQuery
from dynamodb_pipeline.emr.documents.schedules import FIRING_TIME, ScheduledCode, scheduled_request
from dynamodb_pipeline.emr.plan.cost import load_prices
from dynamodb_pipeline.emr.plan.estimate import GIB, TableFacts
from dynamodb_pipeline.emr.request.launch_settings import ClusterSettings, LaunchSettings, RunLimits
from dynamodb_pipeline.emr.request.table_jobs import RunWords, export_jobs, single_job
from dynamodb_pipeline.emr.watch.spent import PLAN_TAG
from dynamodb_pipeline.errors import ClusterError, ExitCode, PreconditionError
from dynamodb_pipeline.settings.job_options import INPUT, TABLE, TIMEOUT
from dynamodb_pipeline.settings.rows import Given
from dynamodb_pipeline.settings.spark_conf import PlannedCost
from tests.unit.documents import PROJECT, table_rows, text_of
from tests.unit.emr.aws import LOGS_URI, OUTPUT, REGION, Account, account, now_clock, telling
from tests.unit.emr.builders import BOOTSTRAP, CODE, RUN
from tests.unit.emr.fakes import LOST, THROTTLED, ClusterPlan, StepPlan

run_launch, run_plan, run_preflight = map(telling, (launching.run_launch, launching.run_plan, launching.run_preflight))
run_cancel, run_logs, run_runs, run_status, run_terminate, run_wait = map(
    telling,
    (runs.run_cancel, runs.run_logs, runs.run_runs, runs.run_status, runs.run_terminate, runs.run_wait),
)

TRACEBACK = """26/11/23 03:10:11 INFO Client: Application report
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/export_table.py", line 8, in <module>
    main("export")
ValueError: scan segment 7 ended twice
26/11/23 03:10:12 INFO ShutdownHookManager: Shutdown hook called
"""


@pytest.fixture
def zip_path(tmp_path: Path) -> Path:
    path = tmp_path / "dynamodb_pipeline.zip"
    path.write_bytes(b"zip")
    return path


def settings(*tables: str, verb: str = "export", **changes: Any) -> LaunchSettings:
    run = RunWords(run_id=RUN, region=REGION, logs_uri=LOGS_URI, options=Given.of({TIMEOUT: "12h"}))
    names = tables or ("Forum",)
    if verb == "import":
        jobs = single_job(run, names[0], {TABLE: names[0], INPUT: OUTPUT})
    else:
        jobs = export_jobs(run, tables=names, output=OUTPUT)
    values = {"verb": verb, "run_id": RUN, "region": REGION, "logs_uri": LOGS_URI, "jobs": jobs, "data_uris": (OUTPUT,)}
    return LaunchSettings(**{**values, **changes})


def inputs(zip_path: Path, *tables: str) -> LaunchInputs:
    facts = tuple(
        TableFacts(name, 10 * GIB, 1000, 1000.0, "25% of 4,000 read units = 1,000/s", on_demand=True)
        for name in tables or ("Forum",)
    )
    return LaunchInputs(tables=facts, bundle_zip=zip_path, prices=load_prices())


def launch(made: Account, zip_path: Path, *tables: str, **changes: Any) -> CommandResult:
    return run_launch(settings(*tables, **changes), inputs(zip_path, *tables), made.clients, made.console)


@pytest.fixture
def made() -> Iterator[Account]:
    with account() as one:
        yield one


def only_cluster(made: Account) -> Any:
    (cluster,) = made.emr.clusters.values()
    return cluster


def test_export_runs_to_its_end_and_leaves_no_cluster(made: Account, zip_path: Path) -> None:
    made.put_record(RUN, exit_code=0, items=1000)
    result = launch(made, zip_path)
    assert result.exit_code == ExitCode.DONE
    assert result.document["status"] == "done"
    assert result.document["tables"][0]["record"]["items"] == 1000
    assert only_cluster(made).state == "TERMINATED"
    assert "is gone" in made.said[-1]
    assert json.loads(json.dumps(result.to_json()))["exit_code"] == 0


class Shown:
    """A board that remembers what it was to draw."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, list[str], float]] = []

    def show(self, title: str, rows: Any, *, since_s: float) -> None:
        self.drawn.append((title, [f"{row.table} {row.state}" for row in rows], since_s))


@pytest.mark.parametrize("verbose", [False, True])
def test_on_a_terminal_tables_are_drawn_and_changes_are_said_where_more_is_wanted(
    zip_path: Path, verbose: bool
) -> None:
    with account(plan=ClusterPlan(steps={"Thread": StepPlan(ends="FAILED")})) as made:
        board, began_s = Shown(), made.clock.now()
        made.console = replace(made.console, board=lambda: nullcontext(board), verbose=verbose)
        launch(made, zip_path, "Forum", "Thread")
        (cluster,) = made.emr.clusters
        assert board.drawn[0] == (f"cluster {cluster} STARTING", ["Forum waiting", "Thread waiting"], began_s)
        assert board.drawn[-1] == (f"cluster {cluster} is to end", ["Forum done", "Thread failed"], began_s)
        assert any("BOOTSTRAPPING" in line for line in made.said) is verbose
        assert "is gone" in made.said[-1]


def test_launch_uses_a_client_that_does_not_repeat_calls(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, wait=False)
    assert 1 in made.clients.attempts


def test_code_named_in_the_request_is_in_s3(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, wait=False)
    request = only_cluster(made).request
    action = request["BootstrapActions"][0]["ScriptBootstrapAction"]
    arguments = request["Steps"][0]["HadoopJarStep"]["Args"]
    uris = [action["Path"], *action["Args"][::2], *(a for a in arguments if a.startswith(f"{LOGS_URI}/code"))]
    for uri in uris:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        assert made.s3.head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


def test_plan_gives_the_request_and_starts_nothing(made: Account, zip_path: Path) -> None:
    result = run_plan(settings(), inputs(zip_path), made.clients, made.console)
    assert result.document["run_job_flow"]["Name"].endswith(RUN)
    assert made.emr.clusters == {}
    assert "Contents" not in made.s3.list_objects_v2(Bucket="pipeline-logs")
    launch(made, zip_path, wait=False)
    assert only_cluster(made).request == result.document["run_job_flow"]


@pytest.mark.parametrize("code", [3, 4, 5, 6, 7, 8])
def test_the_jobs_own_exit_code_reaches_the_user(zip_path: Path, code: int) -> None:
    """EMR only knows FAILED."""
    with account(plan=ClusterPlan(steps={"Forum": StepPlan(ends="FAILED")})) as made:
        made.put_record(RUN, exit_code=code, error="the job's own words")
        result = launch(made, zip_path)
        assert result.exit_code == code
        assert "the job's own words" in "\n".join(made.said)


def test_step_that_died_with_a_traceback_shows_its_last_line(zip_path: Path) -> None:
    with account(plan=ClusterPlan(steps={"Forum": StepPlan(ends="FAILED")})) as made:
        launch(made, zip_path, wait=False)
        cluster = only_cluster(made)
        made.put_step_log(cluster.id, cluster.steps[0].id, "stdout.gz", TRACEBACK)
        result = run_wait(RunQuery(RUN), made.clients, made.console)
        assert result.exit_code == ExitCode.CLUSTER
        assert "probable cause: ValueError: scan segment 7 ended twice" in made.said
        assert result.document["diagnosis"]["traceback"].startswith("Traceback")
        assert "is gone" in made.said[-1]


def test_one_failed_table_of_three_gives_a_non_zero_exit_and_a_result_for_each(zip_path: Path) -> None:
    with account(plan=ClusterPlan(steps={"Thread": StepPlan(ends="FAILED")})) as made:
        made.put_record(f"{RUN}.Thread", exit_code=4, error="bad item")
        result = launch(made, zip_path, "Forum", "Thread", "Reply")
        codes = {table["table"]: table["exit_code"] for table in result.document["tables"]}
        assert codes == {"Forum": 0, "Thread": 4, "Reply": 0}
        assert (result.exit_code, result.document["status"]) == (ExitCode.INTEGRITY, "failed")


def test_timeout_says_how_far_it_came_and_which_timeout_to_set(zip_path: Path) -> None:
    plan = ClusterPlan(steps={"Forum": StepPlan(seconds=90_000)})
    with account(plan=plan) as made:
        made.put_record(RUN, state="running", items=4_000)
        result = launch(made, zip_path, limits=RunLimits(timeout_s=43_200))
        assert result.exit_code == ExitCode.DEADLINE
        advice = next(line for line in made.said if line.startswith("timeout of"))
        assert f"--run-id {RUN} --timeout 24h" in advice
        assert only_cluster(made).state == "TERMINATED"


def test_cluster_that_never_ran_is_explained_by_emr(zip_path: Path) -> None:
    errors = [{"ErrorCode": "EC2_INSUFFICIENT_CAPACITY_INSTANCE", "ErrorMessage": "no m3.xlarge in eu-west-1a"}]
    fails = {"Code": "VALIDATION_ERROR", "Message": "The requested instance type is not available"}
    with account(plan=ClusterPlan(fails=fails, errors=errors)) as made:
        result = launch(made, zip_path)
        assert result.exit_code == ExitCode.CLUSTER
        assert result.document["diagnosis"]["troubleshooting_row"] == "no-capacity"
        assert any(line.startswith("remedy: ") for line in made.said)


def test_failed_bootstrap_action_shows_its_own_words(zip_path: Path) -> None:
    fails = {"Code": "BOOTSTRAP_FAILURE", "Message": "On the master instance (i-1), bootstrap action 1 failed"}
    with account(plan=ClusterPlan(fails=fails)) as made:
        launch(made, zip_path, wait=False)
        cluster = only_cluster(made)
        key = f"app/emr/{cluster.id}/node/i-1/bootstrap-actions/1/stderr.gz"
        made.s3.put_object(
            Bucket="pipeline-logs", Key=key, Body=b"s3://x has SHA-256 1, expected 2: changed after upload\n"
        )
        result = run_wait(RunQuery(RUN), made.clients, made.console)
        assert result.document["diagnosis"]["troubleshooting_row"] == "code-changed"


def test_refused_check_starts_nothing_and_says_so(made: Account, zip_path: Path) -> None:
    result = launch(made, zip_path, "Missing")
    assert result.exit_code == ExitCode.PRECONDITION
    assert made.emr.clusters == {}
    assert made.said[-1] == "nothing was started"
    assert any("table 'Missing' not found in eu-west-1" in line for line in made.said)


def test_over_the_cost_limit_nothing_is_started(made: Account, zip_path: Path) -> None:
    with pytest.raises(PreconditionError, match="--max-cost"):
        launch(made, zip_path, limits=RunLimits(max_cost_usd=0.01))
    assert made.emr.clusters == {}


@pytest.mark.parametrize("operation", ["ListClusters", "RunJobFlow", "DescribeCluster", "ListSteps"])
@pytest.mark.parametrize("done", [True, False], ids=["reply lost", "request lost"])
def test_launcher_that_dies_at_any_call_leaves_at_most_one_cluster_that_ends(
    made: Account, zip_path: Path, operation: str, done: bool
) -> None:
    made.emr.fail_next(operation, KeyboardInterrupt(), after_doing_it=done)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        launch(made, zip_path)
    made.clock.sleep(86_400)
    assert len(made.emr.clusters) <= 1
    for cluster_id in list(made.emr.clusters):
        state = made.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
        assert state == "TERMINATED"


def test_run_started_again_after_a_lost_launcher_attaches(made: Account, zip_path: Path) -> None:
    made.emr.fail_next("RunJobFlow", KeyboardInterrupt(), after_doing_it=True)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        launch(made, zip_path)
    assert launch(made, zip_path).exit_code == ExitCode.DONE
    assert len(made.emr.clusters) == 1


def test_no_wait_says_how_to_attach_and_what_runs(made: Account, zip_path: Path) -> None:
    result = launch(made, zip_path, wait=False)
    assert result.document["status"] == "running"
    assert f"wait {RUN}" in made.said[-2]
    assert "it ends after its last step" in made.said[-1]


def test_status_of_a_running_and_of_an_ended_run(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, wait=False)
    made.clock.sleep(190)
    running = run_status(RunQuery(RUN), made.clients, made.console)
    assert (running.document["status"], running.document["steps"][0]["step_state"]) == ("running", "RUNNING")
    made.clock.sleep(600)
    done = run_status(RunQuery(RUN), made.clients, made.console)
    assert done.document["status"] == "done"
    planned = run_plan(settings(), inputs(zip_path), made.clients, made.console).document["cost"]["total_usd"]
    assert done.document["cost"]["planned_usd"] == pytest.approx(planned, abs=1e-4)
    assert done.words[-2].startswith("cost: about $")


def test_every_member_of_a_status_is_in_the_documents(zip_path: Path) -> None:
    """docs/operations.md: of a run that goes on, that is done and that failed."""
    documents: list[dict[str, Any]] = []
    for ends in (StepPlan(), StepPlan(ends="FAILED")):
        with account(plan=ClusterPlan(steps={"Forum": ends})) as made:
            launch(made, zip_path, wait=False)
            made.clock.sleep(190)
            documents.append(run_status(RunQuery(RUN), made.clients, made.console).document)
            made.clock.sleep(3600)
            documents.append(run_status(RunQuery(RUN), made.clients, made.console).document)
    assert {one["status"] for one in documents} == {"running", "done", "failed"}
    rows = table_rows(
        text_of(PROJECT / "docs" / "operations.md").partition("| Member | What it says |")[2].partition("\n\n")[0]
    )
    told = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert {name for one in documents for name in one} == set(told)
    of_tables = {name for one in documents for table in one.get("tables", []) for name in table}
    assert of_tables <= set(re.findall(r"`(\w+)`", told["tables"]))


def test_detached_run_exits_130_and_goes_on(zip_path: Path) -> None:
    clock = now_clock(interrupt_at_s=(200.0,))
    with account(clock, plan=ClusterPlan(steps={"Forum": StepPlan(seconds=3600)})) as made:
        assert launch(made, zip_path).exit_code == ExitCode.INTERRUPTED
        assert only_cluster(made).state == "RUNNING"
        assert "it ends after its last step" in made.said[-1]


@pytest.mark.parametrize(
    ("signals", "code"), [({"interrupt_at_s": (0.0,)}, 130), ({"terminate_at_s": 0.0}, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_stopped_before_the_launch_nothing_is_started(zip_path: Path, signals: dict[str, Any], code: int) -> None:
    with account(now_clock(**signals)) as made:
        assert launch(made, zip_path).exit_code == code
        assert made.emr.clusters == {}
        assert made.said[-1] == "interrupted; nothing was started"


def test_cancel_stops_the_steps_of_the_run(zip_path: Path) -> None:
    with account(plan=ClusterPlan(steps={"Forum": StepPlan(seconds=3600)})) as made:
        launch(made, zip_path, wait=False)
        made.clock.sleep(600)
        result = run_cancel(RunQuery(RUN), made.clients, made.console)
        assert [step["step_state"] for step in result.document["steps"]] == ["CANCELLED"]
        step = f"step dynamodb-pipeline:export:Forum:{RUN} CANCELLED"
        assert any(line.startswith(step) for line in made.said)
        again = run_cancel(RunQuery(RUN), made.clients, made.console)
        assert "nothing to cancel: 1 step had ended" in made.said
        assert again.exit_code == ExitCode.DONE  # as `terminate` of a cluster that is gone


@pytest.mark.parametrize("query", [RunQuery("j-NONE"), RunQuery(RUN, "j-NONE")], ids=["run", "--cluster-id"])
def test_a_cluster_that_there_is_not_is_no_bug(made: Account, query: RunQuery) -> None:
    for command in (run_wait, run_status, run_logs, run_cancel, run_terminate):
        with pytest.raises(PreconditionError, match=r"no cluster j-NONE in eu-west-1; check the id and --region"):
            command(query, made.clients, made.console)


def test_a_run_is_found_by_every_name_it_has(zip_path: Path) -> None:
    """Run id, cluster id, both, and the id of one table's job."""
    with account() as made:
        launch(made, zip_path, "Forum", "Thread", wait=False)
        cluster = only_cluster(made).id
        for query in (RunQuery(RUN), RunQuery(cluster), RunQuery(RUN, cluster), RunQuery(cluster, cluster)):
            found = run_status(query, made.clients, made.console).document
            assert (found["cluster_id"], len(found["steps"])) == (cluster, 2)
        one = run_status(RunQuery(f"{RUN}.Thread"), made.clients, made.console).document
        assert [step["name"].rpartition(":")[2] for step in one["steps"]] == [f"{RUN}.Thread"]


def test_the_runs_of_a_region_are_those_of_its_clusters(made: Account, zip_path: Path) -> None:
    launch(made, zip_path)
    result = run_runs(made.clients, made.console)
    (row,) = result.document["runs"]
    assert (row["run_id"], row["run_kind"], row["cluster_state"]) == (RUN, "export", "TERMINATED")
    assert made.said[-3] == f"  {RUN}  TERMINATED  Forum"
    assert made.said[-1].startswith("1 run in ")


def test_a_run_of_a_region_says_what_it_cost_and_how_it_ended(made: Account, zip_path: Path) -> None:
    """Ten million units of a table on demand, and the cluster's time, at the prices of the launch."""
    made.put_record(RUN, exit_code=5, kind="export", tables=[{"read_units_consumed": 10_000_000}])
    launch(made, zip_path)
    (row,) = run_runs(made.clients, made.console).document["runs"]
    cluster = only_cluster(made)
    sent = cluster.request["Steps"][0]["HadoopJarStep"]["Args"]
    (planned,) = [text for text in sent if "dynamodbPipeline.planned=" in text]
    million, hour = (float(re.search(rf"{name}=([0-9.]+)", planned)[1]) for name in ("million", "hour"))  # type: ignore[index]
    assert million > 0
    assert row["cost_usd"] == pytest.approx(10 * million + hour * row["seconds"] / 3600, abs=0.001)
    assert (row["exit_code"], row["tables"]) == (5, ["Forum"])
    narrow = run_runs(made.clients, made.console).narrow
    assert narrow[1].endswith(f", ${row['cost_usd']:.2f}, exit 5")
    assert narrow[2:4] == (f"  {cluster.id}  TERMINATED", f"  {RUN}  Forum")
    assert max(map(len, narrow[:4])) <= 40


MOMENT = "2026-11-23T03:00:00Z"


def fired(made: Account) -> Any:
    """The cluster of a schedule's firing, over; its job made its own run id. It costs two dollars an hour."""
    code, planned = ScheduledCode(CODE, BOOTSTRAP), PlannedCost.of_hour(2.0).tag()
    launch = replace(launching.with_tag(settings(), PLAN_TAG, planned), planned=planned)
    request = json.dumps(scheduled_request(launch, name="nightly", shipped=code))
    made.emr.run_job_flow(**json.loads(request.replace(FIRING_TIME, MOMENT)))
    made.clock.sleep(3600)
    return only_cluster(made)


def own_id(made: Account, cluster: Any) -> str:
    """What a job names itself that starts a minute after its step."""
    step = made.emr.list_steps(ClusterId=cluster.id)["Steps"][0]
    begun = step["Status"]["Timeline"]["StartDateTime"] + timedelta(minutes=1)
    return f"{begun:%Y%m%dT%H%M%SZ}-00c0ffee"


@pytest.mark.parametrize("name", ["cluster", "schedule and moment", "the job's own"])
def test_a_scheduled_run_is_found_by_each_of_its_names(made: Account, name: str) -> None:
    cluster = fired(made)
    run_id = own_id(made, cluster)
    made.put_record(run_id, run_id=run_id, kind="export", table_names=["Forum"], exit_code=4, error="bad item")
    other = f"{run_id[:-1]}d"
    made.put_record(other, run_id=other, kind="export", table_names=["Thread"], exit_code=0)
    names = {"cluster": cluster.id, "schedule and moment": f"nightly-{MOMENT}", "the job's own": run_id}
    result = run_status(RunQuery(names[name]), made.clients, made.console)
    (table,) = result.document["tables"]
    assert (result.exit_code, table["run_id"], table["error"]) == (ExitCode.INTEGRITY, run_id, "bad item")
    places = runs.record_places(RunQuery(names[name]), made.clients, made.console)
    assert places == (f"{LOGS_URI}/runs/{run_id}/run.json",)
    (row,) = run_runs(made.clients, made.console).document["runs"]
    assert (row["run_id"], row["run_kind"], row["exit_code"]) == (f"nightly-{MOMENT}", "export", 4)


def test_a_scheduled_run_says_what_its_cluster_cost(made: Account) -> None:
    """In `runs` as in `status` and `wait`; on its page too, for which it is found by the id that its job made."""
    cluster = fired(made)
    run_id = own_id(made, cluster)
    made.put_record(run_id, run_id=run_id, kind="export", table_names=["Forum"], exit_code=0)
    result = run_wait(RunQuery(run_id), made.clients, made.console)
    cost = result.document["cost"]
    usd = 2.0 * cost["cluster_s"] / 3600
    assert (cost["planned_usd"], cost["units_usd"]) == (None, None)
    assert cost["actual_usd"] == cost["cluster_usd"] == pytest.approx(usd, abs=1e-4)
    line = f"cost: about ${usd:.2f} (cluster ${usd:.2f}); units of tables on demand: not counted; list prices, no bill"
    assert line in made.said
    (row,) = run_runs(made.clients, made.console).document["runs"]
    assert row["cost_usd"] == pytest.approx(usd, abs=0.001)


def test_a_scheduled_job_without_a_record_has_none(made: Account) -> None:
    cluster = fired(made)
    with pytest.raises(PreconditionError, match="has left a record"):
        runs.record_places(RunQuery(cluster.id), made.clients, made.console)
    with pytest.raises(PreconditionError, match="no cluster or step"):
        run_status(RunQuery(own_id(made, cluster)), made.clients, made.console)


def test_terminate_ends_the_cluster(zip_path: Path) -> None:
    with account(plan=ClusterPlan(steps={"Forum": StepPlan(seconds=3600)})) as made:
        launch(made, zip_path, wait=False)
        made.clock.sleep(600)
        assert run_terminate(RunQuery(RUN), made.clients, made.console).document["cluster_state"] == "TERMINATED"


def test_standing_cluster_gets_our_steps_and_stays(made: Account, zip_path: Path) -> None:
    cluster_id = made.emr.standing()
    result = launch(made, zip_path, cluster_id=cluster_id)
    assert result.exit_code == ExitCode.DONE
    assert "standing cluster" in made.said[-1]
    assert made.said[-2] == "cost: share of a standing cluster: not counted"
    step = made.emr.clusters[cluster_id].steps[0].config
    assert step["ActionOnFailure"] == "CONTINUE"
    assert "spark.executor.instances=2" in step["HadoopJarStep"]["Args"]
    with pytest.raises(PreconditionError, match="not ours to end"):
        run_terminate(RunQuery(RUN), made.clients, made.console)


def test_run_on_a_standing_cluster_is_found_by_its_steps(made: Account, zip_path: Path) -> None:
    made.emr.plan.steps["Forum"] = StepPlan(seconds=3600)
    launch(made, zip_path, cluster_id=made.emr.standing(), wait=False)
    assert run_status(RunQuery(RUN), made.clients, made.console).document["cluster_id"] == "j-STANDING"


def test_foreign_cluster_is_not_touched(made: Account) -> None:
    cluster_id = made.emr.standing()
    with pytest.raises(PreconditionError, match="not started by dynamodb-pipeline"):
        run_terminate(RunQuery(cluster_id), made.clients, made.console)
    assert "TerminateJobFlows" not in made.emr.calls


def test_unknown_run_is_named(made: Account) -> None:
    with pytest.raises(PreconditionError, match="no cluster or step of run nowhere"):
        run_status(RunQuery("nowhere"), made.clients, made.console)


@pytest.mark.parametrize("command", [run_status, run_cancel, run_logs, run_wait])
def test_a_run_that_had_no_cluster_is_pointed_to_its_record(made: Account, command: Any) -> None:
    with pytest.raises(PreconditionError) as missing:
        command(RunQuery(RUN), made.clients, made.console)
    assert [line.partition(": ")[0] for line in missing.value.lines[1:]] == [
        "a run on a machine (--local) has no cluster",
        "those that there are",
    ]
    assert f"dynamodb-pipeline report {RUN} --logs s3://my-bucket/logs" in missing.value.lines[1]


def test_logs_shows_what_the_step_printed(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, wait=False)
    cluster = only_cluster(made)
    made.put_step_log(cluster.id, cluster.steps[0].id, "stderr.2026-11-23-03.gz", "12:00 export Forum 41%\n")
    run_logs(RunQuery(RUN), made.clients, made.console)
    assert made.said[-1] == "12:00 export Forum 41%"


def test_logs_shows_tabs_as_the_columns_that_they_are(made: Account, zip_path: Path) -> None:
    """A stack trace of Java is full of them."""
    launch(made, zip_path, wait=False)
    cluster = only_cluster(made)
    made.put_step_log(cluster.id, cluster.steps[0].id, "stderr.gz", "gone\n\tat org.apache.spark.Main\n")
    run_logs(RunQuery(RUN), made.clients, made.console)
    assert made.said[-1] == "        at org.apache.spark.Main"


def test_logs_followed_shows_only_what_is_new(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, wait=False)
    cluster = only_cluster(made)
    made.put_step_log(cluster.id, cluster.steps[0].id, "stderr.gz", "one\n")
    made.said.clear()
    run_logs(RunQuery(RUN, follow=True), made.clients, made.console)
    assert made.said.count("one") == 1


def test_logs_of_a_run_whose_log_group_says_nothing_come_from_s3(made: Account, zip_path: Path) -> None:
    """moto answers FilterLogEvents: there is no such group, for no agent has made it."""
    launch(made, zip_path, wait=False, cluster=ClusterSettings(log_group="/g"))
    cluster = only_cluster(made)
    made.put_step_log(cluster.id, cluster.steps[0].id, "stderr.gz", "one\n")
    made.said.clear()
    run_logs(RunQuery(RUN, follow=True), made.clients, made.console)
    assert made.said.count("one") == 1
    assert made.said[0].startswith("note: CloudWatch Logs does not answer (ResourceNotFoundException)")


def test_logs_before_any_arrived_say_so(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, wait=False)
    run_logs(RunQuery(RUN), made.clients, made.console)
    assert "every five minutes" in made.said[-1]


def test_run_record_of_an_earlier_attempt_is_not_taken(zip_path: Path) -> None:
    with account(plan=ClusterPlan(steps={"Forum": StepPlan(ends="FAILED")})) as made:
        made.put_record(RUN, exit_code=4, error="of yesterday")
        made.clock.time_s += 86_400
        result = launch(made, zip_path)
        assert result.exit_code == ExitCode.CLUSTER
        assert "of yesterday" not in "\n".join(made.said)


def test_lost_contact_ends_with_the_fate(made: Account, zip_path: Path) -> None:
    made.emr.fail_next("ListSteps", THROTTLED, times=5000)
    with pytest.raises(ClusterError) as lost:
        launch(made, zip_path)
    assert "ends after its last step" in str(lost.value).splitlines()[-1]


def test_lost_reply_of_run_job_flow_ends_well(made: Account, zip_path: Path) -> None:
    made.emr.fail_next("RunJobFlow", LOST, after_doing_it=True)
    assert launch(made, zip_path).exit_code == ExitCode.DONE
    assert len(made.emr.clusters) == 1


def test_preflight_of_a_complete_account_passes(made: Account, zip_path: Path) -> None:
    result = run_preflight(settings(), inputs(zip_path), made.clients, made.console)
    assert result.exit_code == ExitCode.DONE
    names = {check["name"] for check in result.document["checks"]}
    assert {"credentials", "table Forum", "log-folder", "tag", "service-role", "node-role", "instance-type"} <= names


def test_verify_runs_with_the_exports_role(made: Account, zip_path: Path) -> None:
    launch(made, zip_path, verb="verify", wait=False)
    assert only_cluster(made).request["JobFlowRole"] == "dynamodb-pipeline-export"


def test_unusable_config_is_refused_before_anything(made: Account, zip_path: Path) -> None:
    with pytest.raises(Exception, match="emr-6"):
        launch(made, zip_path, cluster=ClusterSettings(overrides=("ReleaseLabel=emr-6.8.0",)))
    assert made.emr.calls == []
