"""
What the coordinator knows of one worker, what workers report, and the run's counts: plain data, no decisions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Union

from dynamodb_pipeline.rate.budget import BudgetState, Reservation, Units
from dynamodb_pipeline.workers.protocol import Message
from dynamodb_pipeline.workers.work_queue import WorkState

Deliver = Callable[[Message], None]


@dataclass(frozen=True)
class WorkFinished:
    """A unit of work that a worker has finished, with its record."""

    work_id: str
    record: dict[str, Any]


@dataclass(frozen=True)
class WorkFailed:
    """A unit of work that cannot be done, and why."""

    work_id: str
    reason: str


@dataclass(frozen=True)
class WorkKept:
    """Data about a unit of work that a worker sends while it is at it."""

    work_id: str
    data: str


WorkEvent = Union[WorkFinished, WorkFailed, WorkKept]


@dataclass(eq=False)
class Session:
    """One worker's connection."""

    worker: str
    attempt: int
    deliver: Deliver
    pending: Reservation | None = None
    granted: dict[int, Reservation] = field(default_factory=dict)
    caps: Units | None = None  # as last told
    refusal: Message | None = None  # set once the session must get nothing any more


@dataclass(frozen=True)
class CoordinatorState:
    """A snapshot for progress lines and the run record."""

    budget: BudgetState
    work: WorkState
    worker_count: int
    items: int
    bytes: int
