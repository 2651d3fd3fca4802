"""The sandbox EMR's clusters live, run what they are given, log where EMR logs, and end as EMR's do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.emr.stack import EmrSandbox
from sandbox.processes import PROJECT, start_time
from tests.sandbox.emr_cluster import (
    BUCKET,
    bash,
    described,
    launch,
    logs,
    put,
    run_to_end,
    step_states,
    steps_of,
)

pytestmark = pytest.mark.sandbox

FOREVER = "while :; do sleep 1; done"


@pytest.fixture(scope="module")
def shared() -> Iterator[EmrSandbox]:
    with EmrSandbox(yarn=False) as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture
def emr(shared: EmrSandbox) -> EmrSandbox:
    """The module's EMR without faults and with an empty record."""
    shared.control.clear_faults()
    shared.control.forget_actions()
    return shared


def bootstrap_action(path: str, *arguments: str) -> dict[str, Any]:
    return {"Name": "install", "ScriptBootstrapAction": {"Path": path, "Args": list(arguments)}}


def test_a_cluster_bootstraps_runs_its_steps_logs_and_ends(emr: EmrSandbox) -> None:
    script = put(emr, "boot.sh", 'echo "installed $1" > "$HOME/marker"; pwd')
    cluster = run_to_end(
        emr, bash('cat "$HOME/marker"; echo oops >&2'), BootstrapActions=[bootstrap_action(script, "x")]
    )
    assert cluster["Status"]["State"] == "TERMINATED"
    assert cluster["Status"]["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    assert set(cluster["Status"]["Timeline"]) == {"CreationDateTime", "ReadyDateTime", "EndDateTime"}
    [only] = steps_of(emr, cluster["Id"])
    written = logs(emr, cluster["Id"])
    folder = f"steps/{only['Id']}"
    assert written[f"{folder}/stdout.gz"] == "installed x\n"
    assert written[f"{folder}/stderr.gz"] == "oops\nCommand exiting with ret '0'\n"
    assert "waitProcessCompletion ended with exit code 0" in written[f"{folder}/controller.gz"]
    [home] = [text for key, text in written.items() if key.endswith("/bootstrap-actions/1/stdout.gz")]
    assert home.endswith("/home/hadoop\n")


def test_a_cluster_without_steps_that_is_to_stay_waits_takes_steps_and_ends_when_told(emr: EmrSandbox) -> None:
    client = emr.client("emr")
    cluster = launch(emr, keep_alive=True)
    emr.control.wait_for(cluster, "WAITING")
    [added] = client.add_job_flow_steps(JobFlowId=cluster, Steps=[bash("true")])["StepIds"]
    emr.control.wait_for(cluster, "COMPLETED", step=added)
    emr.control.wait_for(cluster, "WAITING")
    client.terminate_job_flows(JobFlowIds=[cluster])
    emr.control.wait_for(cluster, "TERMINATED")
    assert described(emr, cluster)["Status"]["StateChangeReason"]["Code"] == "USER_REQUEST"
    with pytest.raises(ClientError, match="may not be modified"):
        client.add_job_flow_steps(JobFlowId=cluster, Steps=[bash("true")])


@pytest.mark.parametrize(
    ("on_failure", "keep_alive", "steps", "state"),
    [
        ("CONTINUE", False, ["FAILED", "COMPLETED"], "TERMINATED"),
        ("TERMINATE_CLUSTER", True, ["FAILED", "CANCELLED"], "TERMINATED_WITH_ERRORS"),
        ("CANCEL_AND_WAIT", True, ["FAILED", "CANCELLED"], "WAITING"),
    ],
    ids=["continue", "terminate", "cancel-and-wait"],
)
def test_a_failed_step_does_what_its_action_says(
    emr: EmrSandbox, on_failure: str, keep_alive: bool, steps: list[str], state: str
) -> None:
    cluster = launch(emr, bash("exit 5", on_failure=on_failure), bash("true"), keep_alive=keep_alive)
    emr.control.wait_for(cluster, state)
    assert step_states(emr, cluster) == steps


def test_a_failed_step_says_why_and_where_its_log_is(emr: EmrSandbox) -> None:
    traceback = "Traceback (most recent call last):\\n  File x\\nsome.pkg.RunError: table 'T' not found"
    cluster = run_to_end(emr, bash(f'printf "{traceback}"; exit 3'))
    [only] = steps_of(emr, cluster["Id"])
    assert only["Status"]["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "some.pkg.RunError: table 'T' not found",
        "LogFile": f"s3://{BUCKET}/logs/{cluster['Id']}/steps/{only['Id']}/stderr.gz",
    }
    assert cluster["Status"]["StateChangeReason"]["Message"] == "Steps completed with errors"


def test_logs_of_a_running_step_reach_s3_meanwhile(emr: EmrSandbox) -> None:
    before = emr.control.set(pace={"log_push_s": 0.1})["pace"]
    cluster = launch(emr, bash(f"echo early; {FOREVER}"))
    emr.control.wait_for(cluster, "RUNNING")
    key = f"steps/{steps_of(emr, cluster)[0]['Id']}/stdout.gz"
    emr.client("s3").get_waiter("object_exists").wait(
        Bucket=BUCKET, Key=f"logs/{cluster}/{key}", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    assert logs(emr, cluster)[key] == "early\n"
    emr.client("emr").terminate_job_flows(JobFlowIds=[cluster])
    emr.control.set(pace={"log_push_s": before["log_push_s"]})


@pytest.mark.parametrize("scope", ["leader", "group"])
def test_send_interrupt_lets_a_step_clean_up(emr: EmrSandbox, scope: str) -> None:
    """Whoever gets the signal, nothing of the step is left once it has ended."""
    emr.control.set(node={"interrupt_scope": scope})
    cluster, pids = running_with_child(emr, on_term="echo cleaned; exit 9")
    step_id = steps_of(emr, cluster)[0]["Id"]
    reply = emr.client("emr").cancel_steps(ClusterId=cluster, StepIds=[step_id, "s-NONE"])
    assert [entry["Status"] for entry in reply["CancelStepsInfoList"]] == ["SUBMITTED", "FAILED"]
    emr.control.wait_for(cluster, "CANCELLED", step=step_id)
    emr.control.wait_for(cluster, "WAITING")
    assert logs(emr, cluster)[f"steps/{step_id}/stdout.gz"].endswith("cleaned\n")
    assert "FailureDetails" not in steps_of(emr, cluster)[0]["Status"]
    assert [pid for pid in pids if start_time(pid)] == []


def test_terminate_process_asks_nobody(emr: EmrSandbox) -> None:
    cluster, pids = running_with_child(emr, on_term="echo cleaned; exit 9")
    step_id = steps_of(emr, cluster)[0]["Id"]
    emr.client("emr").cancel_steps(ClusterId=cluster, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS")
    emr.control.wait_for(cluster, "CANCELLED", step=step_id)
    assert "cleaned" not in logs(emr, cluster)[f"steps/{step_id}/stdout.gz"]
    assert [pid for pid in pids if start_time(pid)] == []


def test_terminating_a_cluster_ends_its_processes_and_keeps_their_last_words(emr: EmrSandbox) -> None:
    cluster, pids = running_with_child(emr, on_term="exit 9")
    emr.client("emr").terminate_job_flows(JobFlowIds=[cluster])
    emr.control.wait_for(cluster, "TERMINATED")
    assert step_states(emr, cluster) == ["INTERRUPTED"]
    assert [pid for pid in pids if start_time(pid)] == []
    assert any(key.endswith("/stdout.gz") for key in logs(emr, cluster))


def running_with_child(emr: EmrSandbox, *, on_term: str) -> tuple[str, list[int]]:
    """Start a waiting-type cluster whose step has a child and one in a session of its own; return their ids too."""
    pid_file = emr.state.folder / f"pids-{os.urandom(4).hex()}"
    script = f"""
        trap '{on_term}' TERM
        sleep 600 & child=$!
        setsid sleep 600 & other=$!
        echo $$ $child $other > '{pid_file}.new' && mv '{pid_file}.new' '{pid_file}'
        wait
    """
    cluster = launch(emr, bash(script), keep_alive=True)
    emr.control.wait_for(cluster, "RUNNING")
    return cluster, [int(pid) for pid in wait_for_text(pid_file).split()]


def wait_for_text(file: Path) -> str:
    """Return a file's content once there is such a file; fail after a minute."""
    subprocess.run(["sh", "-c", f"until test -e '{file}'; do sleep 0.05; done"], timeout=60, check=True)
    return file.read_text()


def test_an_idle_cluster_ends_by_its_policy(emr: EmrSandbox) -> None:
    emr.control.set(pace={"idle_factor": 0.005})  # 60 s are 0.3 s
    client = emr.client("emr")
    cluster = launch(emr, keep_alive=True, AutoTerminationPolicy={"IdleTimeout": 86_400})
    assert client.get_auto_termination_policy(ClusterId=cluster)["AutoTerminationPolicy"] == {"IdleTimeout": 86_400}
    emr.control.wait_for(cluster, "WAITING")
    client.put_auto_termination_policy(ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 60})
    emr.control.wait_for(cluster, "TERMINATED", timeout_s=60)
    emr.control.set(pace={"idle_factor": 1.0})


def test_a_failing_bootstrap_action_ends_the_cluster_and_its_log_is_there(emr: EmrSandbox) -> None:
    script = put(emr, "bad.sh", "echo 'no such wheel' >&2; exit 4")
    cluster = run_to_end(emr, bash("true"), BootstrapActions=[bootstrap_action(script)])
    status = cluster["Status"]
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE")
    data = {key: value for pair in status["ErrorDetails"][0]["ErrorData"] for key, value in pair.items()}
    assert status["ErrorDetails"][0]["ErrorCode"] == "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE"
    assert (data["bootstrap-action"], data["return-code"], data["amazon-s3-path"]) == ("1", "4", script)
    folder = f"node/{data['primary-instance-id']}/bootstrap-actions/1"
    assert logs(emr, cluster["Id"])[f"{folder}/stderr.gz"] == "no such wheel\n"
    assert step_states(emr, cluster["Id"]) == ["CANCELLED"]


def test_a_bootstrap_action_that_is_not_there_ends_the_cluster(emr: EmrSandbox) -> None:
    cluster = run_to_end(emr, BootstrapActions=[bootstrap_action(f"s3://{BUCKET}/nowhere.sh")])
    codes = [detail["ErrorCode"] for detail in cluster["Status"]["ErrorDetails"]]
    assert codes == ["BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY"]


def test_sudo_is_refused_on_a_node(emr: EmrSandbox) -> None:
    script = put(emr, "root.sh", "sudo touch /usr/share/x")
    cluster = run_to_end(emr, BootstrapActions=[bootstrap_action(script)])
    assert cluster["Status"]["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"


def test_a_node_knows_nothing_of_this_process(emr: EmrSandbox) -> None:
    cluster = run_to_end(emr, bash("env | sort; aws s3 cp s3://emr-tests/nothing ."))
    [(_, text)] = [entry for entry in logs(emr, cluster["Id"]).items() if entry[0].endswith("/stdout.gz")]
    names = {line.partition("=")[0] for line in text.splitlines()}
    assert {"AWS_REGION", "AWS_DEFAULT_REGION", "PYTHONPATH", "VIRTUAL_ENV", "PIP_INDEX_URL"}.isdisjoint(names)
    [(_, errors)] = [entry for entry in logs(emr, cluster["Id"]).items() if entry[0].endswith("/stderr.gz")]
    assert "NoSuchKey" in errors


OWNER_SCRIPT = """
import os, signal, sys
from sandbox.emr.stack import EmrSandbox
from tests.sandbox.emr_cluster import BUCKET
from tests.sandbox.test_sandbox_emr_clusters import running_with_child
with EmrSandbox(yarn=False) as own:
    own.client("s3").create_bucket(Bucket=BUCKET)
    _, pids = running_with_child(own, on_term="")
    print(*pids, flush=True)
    {ending}
"""


@pytest.mark.parametrize(
    "ending",
    ["pass", "os.kill(os.getpid(), signal.SIGKILL)", "os.killpg(own.state.servers[-1].pid, signal.SIGKILL)"],
    ids=["stop", "owner killed", "server killed"],
)
def test_no_step_outlives_its_server(ending: str) -> None:
    script = OWNER_SCRIPT.format(ending=ending)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=PROJECT
    ) as owner:
        assert owner.stdout
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 3
        owner.wait(timeout=120)
    for pid in pids:
        probe = f"while kill -0 {pid} 2>/dev/null; do sleep 0.05; done"
        subprocess.run(["sh", "-c", probe], timeout=60, check=True)
