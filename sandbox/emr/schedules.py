"""
Fire an EventBridge Scheduler schedule now: its target's Input, with the context attributes filled in.

Scheduler User Guide, "Adding context attributes" and "Using universal targets". moto keeps schedules and never
fires one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

ARN_PREFIX = "arn:aws:scheduler:::aws-sdk:emr:"
OPERATIONS = {"runJobFlow": "run_job_flow", "addJobFlowSteps": "add_job_flow_steps"}


class ScheduleError(ValueError):
    """The schedule's target is not one that can be fired here."""


@dataclass(frozen=True)
class Firing:
    """One delivery of a schedule; a second delivery of the same event has the same `execution_id` and time."""

    scheduled_time: str
    schedule_arn: str
    execution_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempt_number: int = 1


def now() -> str:
    """Return the present in the form of <aws.scheduler.scheduled-time>."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def operation_of(target: Mapping[str, Any]) -> str:
    """Return the boto3 method of a universal target; ScheduleError for any other target."""
    arn = target["Arn"]
    operation = OPERATIONS.get(arn[len(ARN_PREFIX) :]) if arn.startswith(ARN_PREFIX) else None
    if operation is None:
        raise ScheduleError(f"target {arn} is none of {', '.join(ARN_PREFIX + name for name in OPERATIONS)}")
    return operation


def request_of(target: Mapping[str, Any], firing: Firing) -> dict[str, Any]:
    """Return the request a target's Input stands for; ScheduleError when that is not a JSON object."""
    text = target.get("Input", "{}")
    for name, value in _context(firing).items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    try:
        request = json.loads(text)
    except ValueError as error:
        raise ScheduleError(f"the target's Input is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ScheduleError("the target's Input is not a JSON object")
    return request


def _context(firing: Firing) -> dict[str, str]:
    return {
        "scheduled-time": firing.scheduled_time,
        "schedule-arn": firing.schedule_arn,
        "execution-id": firing.execution_id,
        "attempt-number": str(firing.attempt_number),
    }


def fire(scheduler: Any, emr: Any, *, name: str, group: str, scheduled_time: str | None) -> dict[str, Any]:
    """
    Do what the schedule `name` would do at `scheduled_time` (default: now).

    Args:
        scheduler: boto3 client that may read the schedule.
        emr: boto3 client with the schedule role's key.

    Returns:
        The target operation's reply.
    """
    schedule = scheduler.get_schedule(Name=name, GroupName=group)
    firing = Firing(scheduled_time=scheduled_time or now(), schedule_arn=schedule["Arn"])
    target = schedule["Target"]
    reply = getattr(emr, operation_of(target))(**request_of(target, firing))
    return {key: value for key, value in reply.items() if key != "ResponseMetadata"}
