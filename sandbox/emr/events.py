"""What can happen to a cluster, and what the service then does about it in the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from sandbox.emr.records import ErrorDetail, FailureDetails, Reason, Step


@dataclass(frozen=True)
class Provisioned:
    """The instances run."""


@dataclass(frozen=True)
class ProvisioningFailed:
    """The instances will never run: no capacity, no such type in the zone, no right to start them."""

    reason: Reason
    detail: ErrorDetail | None = None


@dataclass(frozen=True)
class BootstrapEnded:
    """The bootstrap actions are through; `failure` names the one that was not."""

    failure: ErrorDetail | None = None


@dataclass(frozen=True)
class StepsAdded:
    """New steps, at launch or later."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class StepEnded:
    """A step's process ended; `failure` is None after exit code 0."""

    step_id: str
    failure: FailureDetails | None = None


@dataclass(frozen=True)
class CancelRequested:
    """CancelSteps was called."""

    step_ids: tuple[str, ...]
    option: str = "SEND_INTERRUPT"


@dataclass(frozen=True)
class TerminateRequested:
    """TerminateJobFlows was called."""


@dataclass(frozen=True)
class NodesLost:
    """The instances vanished; no log of theirs reaches S3 any more."""


@dataclass(frozen=True)
class IdleTimedOut:
    """The auto-termination time may have passed."""


@dataclass(frozen=True)
class IdleTimeoutSet:
    """The auto-termination policy changed; None: removed."""

    idle_timeout_s: float | None


@dataclass(frozen=True)
class ProtectionSet:
    """Termination protection changed."""

    is_protected: bool


@dataclass(frozen=True)
class ConcurrencySet:
    """StepConcurrencyLevel changed."""

    level: int


@dataclass(frozen=True)
class TagsChanged:
    """Tags added, or removed where the value is None."""

    tags: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class NodesReleased:
    """Everything of the cluster has stopped and its logs are in S3."""


Event = Union[
    Provisioned,
    ProvisioningFailed,
    BootstrapEnded,
    StepsAdded,
    StepEnded,
    CancelRequested,
    TerminateRequested,
    NodesLost,
    IdleTimedOut,
    IdleTimeoutSet,
    ProtectionSet,
    ConcurrencySet,
    TagsChanged,
    NodesReleased,
]


@dataclass(frozen=True)
class After:
    """Deliver `event` to the cluster in `delay_s` seconds."""

    delay_s: float
    event: Event


@dataclass(frozen=True)
class RunBootstrapActions:
    """Run the bootstrap actions, then say BootstrapEnded."""


@dataclass(frozen=True)
class RunStep:
    """Start the step's process; say StepEnded when it ends."""

    step_id: str


@dataclass(frozen=True)
class InterruptStep:
    """Signal the step's process as `option` says."""

    step_id: str
    option: str


@dataclass(frozen=True)
class ReleaseNodes:
    """Stop every process of the cluster, bring the logs to S3 unless lost, then say NodesReleased."""

    logs_survive: bool = True


Effect = Union[After, RunBootstrapActions, RunStep, InterruptStep, ReleaseNodes]
