"""Builders for tests of the sandbox EMR: clusters, requests, and a service whose world is a list of effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.emr import api
from sandbox.emr.access import Principal
from sandbox.emr.account import Subnet
from sandbox.emr.api import Call, Service
from sandbox.emr.events import After, Effect, Event
from sandbox.emr.faults import FaultBook
from sandbox.emr.fleet import Fleet
from sandbox.emr.lifecycle import Moment, react
from sandbox.emr.operations import OPERATIONS
from sandbox.emr.records import Cluster, InstanceGroup, Node, Step
from sandbox.emr.settings import Pace, Settings

PACE = Pace(starting_s=100.0, terminating_s=10.0)
START_S = 1_000.0
GROUPS = [
    {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
    {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 1},
]


def step_config(name: str = "s", *, on_failure: str = "CONTINUE", args: list[str] | None = None) -> dict[str, Any]:
    jar = {"Jar": "command-runner.jar", "Args": args or ["true"]}
    return {"Name": name, "ActionOnFailure": on_failure, "HadoopJarStep": jar}


def run_job_flow(**members: Any) -> dict[str, Any]:
    """Return a request EMR takes; `members` replace its members, None leaves one out."""
    wanted = {
        "Name": "n",
        "ReleaseLabel": "emr-7.13.0",
        "LogUri": "s3://bucket/logs/",
        "ServiceRole": "service",
        "JobFlowRole": "nodes",
        "Instances": {"InstanceGroups": GROUPS},
        "Steps": [step_config()],
        **members,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def cluster_of(*steps: Step, keep_alive: bool = False, state: str = "STARTING", **members: Any) -> Cluster:
    request = run_job_flow(Instances={"InstanceGroups": GROUPS, "KeepJobFlowAliveWhenNoSteps": keep_alive})
    built = Cluster(
        id="j-1",
        region="us-east-1",
        account_id="123456789012",
        request=request,
        created_s=START_S,
        state=state,
        steps=steps,
        groups=(InstanceGroup("ig-1", GROUPS[0]),),
        nodes=(Node("i-1", "ig-1", "MASTER", "m5.xlarge", "127.0.0.1"),),
    )
    return replace(built, **members)


def step_of(step_id: str, *, on_failure: str = "CONTINUE", state: str = "PENDING") -> Step:
    return Step(id=step_id, config=step_config(step_id, on_failure=on_failure), created_s=START_S, state=state)


@dataclass
class Life:
    """One cluster under a clock that only `pass_s` moves; timers go off in order, other effects are kept."""

    cluster: Cluster
    now_s: float = START_S
    pace: Pace = PACE
    effects: list[Effect] = field(default_factory=list)
    timers: list[tuple[float, Event]] = field(default_factory=list)

    def happen(self, *events: Event) -> Life:
        for event in events:
            self.cluster, effects = react(self.cluster, event, Moment(self.now_s, self.pace))
            self._take(effects)
        return self

    def _take(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, After):
                self.timers.append((self.now_s + effect.delay_s, effect.event))
            else:
                self.effects.append(effect)

    def pass_s(self, seconds: float) -> Life:
        end_s = self.now_s + seconds
        while due := sorted((timer for timer in self.timers if timer[0] <= end_s), key=lambda timer: timer[0]):
            self.timers.remove(due[0])
            self.now_s = due[0][0]
            self.happen(due[0][1])
        self.now_s = end_s
        return self

    @property
    def step_states(self) -> list[str]:
        return [step.state for step in self.cluster.steps]


@dataclass(frozen=True)
class EmptyGround:
    """An account without roles, whose subnets are told by their zones."""

    zones: Callable[[], dict[str, str]]

    def policies_of_role(self, *_: str) -> None:
        """Nobody made a role: everything is allowed."""

    def role_of_profile(self, *_: str) -> None:
        """Nobody made a profile."""

    def has_cleanup_role(self) -> bool:
        return True

    def make_cleanup_role(self) -> None:
        """It is there."""

    def subnet(self, subnet_id: str, *_: str) -> Subnet | None:
        zone = self.zones().get(subnet_id)
        return Subnet(subnet_id, zone=zone) if zone else None

    def default_subnets(self, region: str) -> list[Subnet]:
        return [Subnet(f"subnet-{letter}", zone=f"{region}{letter}") for letter in "abcdef"]

    def emr_groups(self, *_: str) -> dict[str, Any]:
        return {}

    def network_problem(self, subnet_id: str, region: str) -> str | None:
        return None

    def make_emr_groups(self, *_: Any) -> None:
        """Nobody looks at them."""


@dataclass
class World:
    """A service with a settable clock; what it wants done lies in `effects`."""

    settings: Settings = field(default_factory=Settings)
    now_s: float = START_S
    zones: dict[str, str] = field(default_factory=dict)
    effects: list[tuple[str, Effect]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet = Fleet(
            clock=lambda: self.now_s,
            pace=lambda: self.settings.pace,
            perform=lambda cluster, effect: self.effects.append((cluster.id, effect)),
        )
        self.faults = FaultBook()
        self.service = Service(
            fleet=self.fleet,
            faults=self.faults,
            clock=lambda: self.now_s,
            settings=lambda: self.settings,
            ground=EmptyGround(lambda: self.zones),
            policies_of=lambda _: None,
            account_id="123456789012",
        )

    def call(self, operation: str, *, region: str = "us-east-1", **params: Any) -> dict[str, Any]:
        return api.answer(self.service, OPERATIONS, Call(operation, region, Principal("launcher"), params))

    def launch(self, *, region: str = "us-east-1", **members: Any) -> str:
        return str(self.call("RunJobFlow", region=region, **run_job_flow(**members))["JobFlowId"])
