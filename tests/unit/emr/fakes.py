"""
A clock that obeys, and an EMR whose clusters live by that clock.

The fake has the real client's shape: it checks every request against EMR's model, answers with EMR's documents,
refuses what EMR refuses, and can throttle a call or lose a reply on demand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from dynamodb_pipeline.aws.model_check import request_problems

START_S = 1_800_000_000.0


class FakeClock:
    """Time that passes only by sleeping; also what Ctrl-C and SIGTERM have asked for."""

    def __init__(self, *, interrupt_at_s: tuple[float, ...] = (), terminate_at_s: float | None = None) -> None:
        self.time_s = self.start_s = START_S
        self.slept_s: list[float] = []
        self._interrupts_at = interrupt_at_s
        self._terminate_at = terminate_at_s

    def now(self) -> float:
        return self.time_s

    @property
    def passed_s(self) -> float:
        return self.time_s - self.start_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0, "a loop that does not wait"
        assert len(self.slept_s) < 100_000, "a loop without an end"
        self.slept_s.append(seconds)
        self.time_s += seconds

    @property
    def interrupts(self) -> int:
        return sum(at <= self.passed_s for at in self._interrupts_at)

    @property
    def terminated(self) -> bool:
        return self._terminate_at is not None and self._terminate_at <= self.passed_s


def client_error(code: str, *, operation: str = "Call", message: str = "", status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


THROTTLED = client_error("ThrottlingException", message="Rate exceeded")
LOST = ReadTimeoutError(endpoint_url="https://elasticmapreduce.example")


@dataclass
class StepPlan:
    """How a step will go: seconds it runs, and the state it ends in."""

    seconds: float = 60.0
    ends: str = "COMPLETED"
    failure: dict[str, str] = field(default_factory=dict)
    deaf: bool = False  # ignores SEND_INTERRUPT


@dataclass
class ClusterPlan:
    """How a cluster will go."""

    starting_s: float = 120.0
    bootstrapping_s: float = 60.0
    fails: dict[str, Any] | None = None  # StateChangeReason of a cluster that never runs
    errors: list[dict[str, Any]] = field(default_factory=list)
    ending_s: float = 60.0
    steps: dict[str, StepPlan] = field(default_factory=dict)  # by a part of the step's name


@dataclass
class FakeStep:
    id: str
    config: dict[str, Any]
    plan: StepPlan
    added_s: float
    started_s: float | None = None
    ended_s: float | None = None
    state: str = "PENDING"


class FakeEmr:
    """The calls the launcher makes. `calls` records them in order."""

    def __init__(self, clock: FakeClock, *, plan: ClusterPlan | None = None) -> None:
        self.clock = clock
        self.plan = plan or ClusterPlan()
        self.clusters: dict[str, FakeCluster] = {}
        self.calls: list[str] = []
        self.meta = SimpleNamespace(region_name="eu-west-1")
        self._faults: dict[str, list[tuple[Exception, bool]]] = {}

    def fail_next(self, operation: str, error: Exception, *, times: int = 1, after_doing_it: bool = False) -> None:
        """The next calls of `operation` raise; with `after_doing_it` the call took effect and the reply is lost."""
        self._faults.setdefault(operation, []).extend([(error, after_doing_it)] * times)

    def _call(self, operation: str, request: dict[str, Any], act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        problems = request_problems(request, service="emr", operation=operation)
        assert not problems, problems
        self.calls.append(operation)
        error, done = self._faults[operation].pop(0) if self._faults.get(operation) else (None, False)
        if error is not None and not done:
            raise error
        reply = act()
        if error is not None:
            raise error
        return reply

    def run_job_flow(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            cluster_id = f"j-{len(self.clusters) + 1:013d}"
            self.clusters[cluster_id] = FakeCluster(cluster_id, request, self.plan, self.clock)
            return {"JobFlowId": cluster_id}

        return self._call("RunJobFlow", request, act)

    def standing(self, name: str = "standing") -> str:
        """A cluster somebody else keeps; returns its id."""
        instances = {"KeepJobFlowAliveWhenNoSteps": True, "InstanceGroups": STANDING_GROUPS}
        self.clusters["j-STANDING"] = FakeCluster(
            "j-STANDING", {"Name": name, "ReleaseLabel": "emr-7.13.0", "Instances": instances}, self.plan, self.clock
        )
        self.clusters["j-STANDING"].created_s -= 86_400
        return "j-STANDING"

    def describe_cluster(self, **request: Any) -> dict[str, Any]:
        return self._call(
            "DescribeCluster", request, lambda: {"Cluster": self._cluster(request["ClusterId"]).describe()}
        )

    def list_clusters(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            listed = [c.summary() for c in reversed(list(self.clusters.values()))]
            states = request.get("ClusterStates")
            after = request.get("CreatedAfter")
            return {
                "Clusters": [
                    c
                    for c in listed
                    if (not states or c["Status"]["State"] in states)
                    and (after is None or c["Status"]["Timeline"]["CreationDateTime"] >= after)
                ]
            }

        return self._call("ListClusters", request, act)

    def list_steps(self, **request: Any) -> dict[str, Any]:
        return self._call("ListSteps", request, lambda: {"Steps": self._cluster(request["ClusterId"]).steps_newest()})

    def describe_step(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            steps = self._cluster(request["ClusterId"]).steps_newest()
            return {"Step": next(step for step in steps if step["Id"] == request["StepId"])}

        return self._call("DescribeStep", request, act)

    def list_instance_groups(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            groups = self._cluster(request["ClusterId"]).request["Instances"]["InstanceGroups"]
            return {
                "InstanceGroups": [
                    {
                        "InstanceGroupType": g["InstanceRole"],
                        "InstanceType": g["InstanceType"],
                        "RequestedInstanceCount": g["InstanceCount"],
                    }
                    for g in groups
                ]
            }

        return self._call("ListInstanceGroups", request, act)

    def add_job_flow_steps(self, **request: Any) -> dict[str, Any]:
        return self._call(
            "AddJobFlowSteps",
            request,
            lambda: {"StepIds": self._cluster(request["JobFlowId"]).add(request["Steps"])},
        )

    def list_supported_instance_types(self, **request: Any) -> dict[str, Any]:
        types = [{"Type": name} for name in ("m3.xlarge", "m5.xlarge", "m5.4xlarge")]
        return self._call("ListSupportedInstanceTypes", request, lambda: {"SupportedInstanceTypes": types})

    def describe_security_configuration(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            if request["Name"] != "dynamodb-pipeline":
                raise client_error("InvalidRequestException", message="Security configuration does not exist.")
            return {"Name": request["Name"], "SecurityConfiguration": "{}"}

        return self._call("DescribeSecurityConfiguration", request, act)

    def cancel_steps(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            cluster = self._cluster(request["ClusterId"])
            for step_id in request["StepIds"]:
                cluster.cancel(step_id, kill=request["StepCancellationOption"] == "TERMINATE_PROCESS")
            return {"CancelStepsInfoList": [{"StepId": i, "Status": "SUBMITTED"} for i in request["StepIds"]]}

        return self._call("CancelSteps", request, act)

    def terminate_job_flows(self, **request: Any) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            for cluster_id in request["JobFlowIds"]:
                self._cluster(cluster_id).terminate("USER_REQUEST", "Terminated by user request")
            return {}

        return self._call("TerminateJobFlows", request, act)

    def _cluster(self, cluster_id: str) -> FakeCluster:
        if cluster_id not in self.clusters:
            raise client_error("InvalidRequestException", message=f"Cluster id '{cluster_id}' is not valid.")
        cluster = self.clusters[cluster_id]
        cluster.advance()
        return cluster


STANDING_GROUPS = [
    {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
    {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
]


class FakeCluster:
    """One cluster; `advance()` brings it to the clock's time."""

    def __init__(self, cluster_id: str, request: dict[str, Any], plan: ClusterPlan, clock: FakeClock) -> None:
        self.id, self.request, self.plan, self.clock = cluster_id, request, plan, clock
        self.created_s = clock.now()
        self.ending_s: float | None = None
        self.reason: dict[str, Any] = {}
        self.failed = False
        self.steps: list[FakeStep] = []
        self.add(request.get("Steps", []))

    def add(self, configs: list[dict[str, Any]]) -> list[str]:
        if self.ending_s is not None:
            raise client_error("ValidationException", message="A job flow that is shutting down cannot be modified.")
        ids = []
        for config in configs:
            plan = next((p for part, p in self.plan.steps.items() if part in config["Name"]), StepPlan())
            self.steps.append(FakeStep(f"s-{self.id[2:]}{len(self.steps) + 1:02d}", config, plan, self.clock.now()))
            ids.append(self.steps[-1].id)
        return ids

    @property
    def state(self) -> str:
        now = self.clock.now()
        if self.ending_s is not None:
            ended = "TERMINATED_WITH_ERRORS" if self.failed else "TERMINATED"
            return ended if now >= self.ending_s + self.plan.ending_s else "TERMINATING"
        age = now - self.created_s
        if age < self.plan.starting_s:
            return "STARTING"
        if age < self.plan.starting_s + self.plan.bootstrapping_s:
            return "BOOTSTRAPPING"
        return "RUNNING" if any(step.state in {"PENDING", "RUNNING"} for step in self.steps) else "WAITING"

    def advance(self) -> None:
        ready_s = self.created_s + self.plan.starting_s + self.plan.bootstrapping_s
        if self.plan.fails and self.clock.now() >= ready_s and self.ending_s is None:
            self.terminate(self.plan.fails["Code"], self.plan.fails["Message"], failed=True)
        at_s = ready_s
        for step in self.steps:
            if self.ending_s is not None:
                break
            at_s = self._advance_step(step, at_s)
        idle = bool(self.steps) and all(s.state not in {"PENDING", "RUNNING"} for s in self.steps)
        if idle and not self.request["Instances"].get("KeepJobFlowAliveWhenNoSteps"):
            self.terminate("ALL_STEPS_COMPLETED", "Steps completed", at_s=max(s.ended_s or 0.0 for s in self.steps))

    def _advance_step(self, step: FakeStep, at_s: float) -> float:
        if step.ended_s is not None:
            return max(at_s, step.ended_s)
        now = self.clock.now()
        if now < at_s:
            return at_s
        if step.state == "PENDING":
            step.state, step.started_s = "RUNNING", max(at_s, step.added_s)
        ends_s = (step.started_s or at_s) + step.plan.seconds
        if now >= ends_s:
            step.state, step.ended_s = step.plan.ends, ends_s
            if step.state == "FAILED" and step.config["ActionOnFailure"] == "TERMINATE_CLUSTER":
                self.terminate("STEP_FAILURE", "Shut down as step failed", failed=True, at_s=ends_s)
            return ends_s
        return float("inf")

    def cancel(self, step_id: str, *, kill: bool) -> None:
        step = next(s for s in self.steps if s.id == step_id)
        if step.ended_s is None and (step.state == "PENDING" or kill or not step.plan.deaf):
            step.state, step.ended_s = "CANCELLED", self.clock.now()

    def terminate(self, code: str, message: str, *, failed: bool = False, at_s: float | None = None) -> None:
        if self.ending_s is None:
            self.ending_s, self.failed = at_s if at_s is not None else self.clock.now(), failed
            self.reason = {"Code": code, "Message": message}
            for step in self.steps:
                if step.ended_s is None:
                    step.state = "INTERRUPTED" if step.state == "RUNNING" else "CANCELLED"
                    step.ended_s = self.clock.now()

    def summary(self) -> dict[str, Any]:
        self.advance()
        ended = {"EndDateTime": _time(self.ending_s)} if self.state.startswith("TERMINATED") else {}
        status = {
            "State": self.state,
            "StateChangeReason": self.reason,
            "Timeline": {"CreationDateTime": _time(self.created_s), **ended},
        }
        return {"Id": self.id, "Name": self.request["Name"], "Status": status}

    def describe(self) -> dict[str, Any]:
        described = self.summary()
        described["Status"]["ErrorDetails"] = self.plan.errors if self.failed else []
        return {
            **described,
            "LogUri": self.request.get("LogUri", "").replace("s3://", "s3n://"),
            "AutoTerminate": not self.request["Instances"].get("KeepJobFlowAliveWhenNoSteps"),
            "Tags": self.request.get("Tags", []),
            "MonitoringConfiguration": self.request.get("MonitoringConfiguration", {}),
            "ReleaseLabel": self.request.get("ReleaseLabel"),
            "ServiceRole": self.request.get("ServiceRole", ""),
            "Ec2InstanceAttributes": {"IamInstanceProfile": self.request.get("JobFlowRole", "")},
        }

    def steps_newest(self) -> list[dict[str, Any]]:
        return [self._step(step) for step in reversed(self.steps)]

    def _step(self, step: FakeStep) -> dict[str, Any]:
        timeline = {"StartDateTime": _time(step.started_s), "EndDateTime": _time(step.ended_s)}
        status: dict[str, Any] = {
            "State": step.state,
            "StateChangeReason": {},
            "Timeline": {key: value for key, value in timeline.items() if value},
        }
        if step.state == "FAILED" and step.plan.failure:
            status["FailureDetails"] = step.plan.failure
        config = {"Jar": step.config["HadoopJarStep"]["Jar"], "Args": step.config["HadoopJarStep"]["Args"]}
        return {"Id": step.id, "Name": step.config["Name"], "Config": config, "Status": status}


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=timezone.utc) if seconds is not None else None
