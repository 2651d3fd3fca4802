"""What the service knows of a cluster and its steps: values only, replaced and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

ACTIVE_STEP_STATES = frozenset({"PENDING", "RUNNING", "CANCEL_PENDING"})
OCCUPYING_STEP_STATES = frozenset({"RUNNING", "CANCEL_PENDING"})
ENDING_CLUSTER_STATES = frozenset({"TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"})
OVER_CLUSTER_STATES = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})
READY_CLUSTER_STATES = frozenset({"RUNNING", "WAITING"})


@dataclass(frozen=True)
class Reason:
    """A StateChangeReason; an empty code is left out of replies."""

    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class ErrorDetail:
    """One entry of a cluster's ErrorDetails (Management Guide, "Error codes with ErrorDetail information")."""

    code: str
    message: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FailureDetails:
    """Why a step failed, as DescribeStep says it."""

    reason: str
    message: str
    log_file: str


@dataclass(frozen=True)
class Step:
    """One step; `config` is the StepConfig as it was sent. Times are epoch seconds."""

    id: str
    config: Mapping[str, Any]
    created_s: float
    state: str = "PENDING"
    started_s: float | None = None
    ended_s: float | None = None
    reason: Reason = Reason()
    failure: FailureDetails | None = None

    @property
    def name(self) -> str:
        return str(self.config.get("Name", ""))

    @property
    def action_on_failure(self) -> str:
        return str(self.config.get("ActionOnFailure", "TERMINATE_CLUSTER"))

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STEP_STATES


@dataclass(frozen=True)
class Node:
    """One instance of a cluster."""

    id: str
    group_id: str
    role: str
    instance_type: str
    address: str


@dataclass(frozen=True)
class InstanceGroup:
    """One instance group; `config` is the InstanceGroupConfig as it was sent."""

    id: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Cluster:
    """
    One cluster; `request` is RunJobFlow's, kept whole so that replies can repeat it. Times are epoch seconds.

    `ending_state` is what TERMINATING leads to.
    """

    id: str
    region: str
    account_id: str
    request: Mapping[str, Any]
    created_s: float
    state: str = "STARTING"
    reason: Reason = Reason()
    error_details: tuple[ErrorDetail, ...] = ()
    steps: tuple[Step, ...] = ()
    groups: tuple[InstanceGroup, ...] = ()
    nodes: tuple[Node, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    ready_s: float | None = None
    ended_s: float | None = None
    waiting_since_s: float | None = None
    idle_timeout_s: float | None = None
    is_protected: bool = False
    step_concurrency: int = 1
    ending_state: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:elasticmapreduce:{self.region}:{self.account_id}:cluster/{self.id}"

    @property
    def log_uri(self) -> str | None:
        return self.request.get("LogUri")

    @property
    def node_role(self) -> str:
        return str(self.request.get("JobFlowRole", ""))

    @property
    def leader(self) -> Node:
        return next(node for node in self.nodes if node.role == "MASTER")

    @property
    def keeps_alive(self) -> bool:
        return bool(self.request.get("Instances", {}).get("KeepJobFlowAliveWhenNoSteps", False))

    @property
    def active_steps(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.is_active)

    def step(self, step_id: str) -> Step | None:
        """Return the step of that id, None when the cluster has none."""
        return next((step for step in self.steps if step.id == step_id), None)

    def with_step(self, step: Step) -> Cluster:
        """Return this cluster with its step of the same id replaced."""
        return replace(self, steps=tuple(step if step.id == old.id else old for old in self.steps))
