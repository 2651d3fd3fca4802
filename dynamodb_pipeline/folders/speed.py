"""
Another speed for a run that is at work: the order that it obeys within half a minute, as an object beside its record.

What a job does with it: passes/capacity_watch.py. A run of several tables has a run of its own for each; all are told,
and the order in the whole run's folder is for those that have yet to begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import DocumentError, read_object, to_bytes
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.finished import (
    CONTINUE,
    DEAD_AFTER,
    PAUSE,
    RATE_ORDER,
    RUN_RECORD,
    RUNNING,
    RateOrder,
    RunState,
    passes_of,
)
from dynamodb_pipeline.run.record import read_state, recorded_folders
from dynamodb_pipeline.settings.run_ids import check_run_id, run_folder
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore


@dataclass(frozen=True)
class SpeedRequest:
    """
    What to say to which run.

    Attributes:
        speed: a percent as the option takes it, `pause`, `continue`, or None to only look.
    """

    run: str
    logs: str
    speed: str | None


@dataclass(frozen=True)
class OrderedBy:
    """Who says so (an ARN), and when."""

    arn: str
    at: datetime


def order_speed(
    store: ObjectStore, request: SpeedRequest, *, caller: Callable[[], OrderedBy], say: Callable[[str], None]
) -> dict[str, Any]:
    """
    Say it to every job of the run, and return what each of them was told; `caller` is asked when there is something.

    Raises:
        PreconditionError: no such run below the log folder, or it has ended.
    """
    check_run_id(request.run)
    runs = dict(_runs(store, request))
    if not runs:
        msg = f"{request.logs} holds no run {request.run}; check --logs and the id"
        raise PreconditionError(msg)
    whole = run_folder(request.logs, request.run)
    several = whole not in runs
    if request.speed is not None:
        runs = {folder: state for folder, state in runs.items() if state.state == RUNNING}
        if not runs:
            msg = f"{'no job of ' if several else ''}run {request.run} {'is at work' if several else 'has ended'}"
            msg += "; nothing was changed"
            raise PreconditionError(msg)
    by = caller() if request.speed is not None else None
    answer: dict[str, Any] = {
        "kind": "rate",
        "run_id": request.run,
        "exit_code": 0,
        "jobs": [_job(store, folder, state, by=by, speed=request.speed, say=say) for folder, state in runs.items()],
    }
    order = _order_for(store, whole, by=by, speed=request.speed) if several else None
    if order is not None:
        say(f"jobs of run {request.run} that have yet to begin: {order}")
    return answer


def _order_for(store: ObjectStore, folder: str, *, by: OrderedBy | None, speed: str | None) -> RateOrder | None:
    """The order in force in a run's folder, the next one where somebody gives it."""
    order = _order_in(store, folder)
    if by is not None and speed is not None:
        order = changed(order, speed, by)
        store.put(join(folder, RATE_ORDER), to_bytes(order.to_json()))
    return order


def _runs(store: ObjectStore, request: SpeedRequest) -> Iterator[tuple[str, RunState]]:
    """The run's own folder, else those of its tables."""
    own = run_folder(request.logs, request.run)
    state = read_state(store, own)
    if state is not None:
        yield own, state
        return
    for folder in recorded_folders(store, request.logs):
        if folder.startswith(f"{own}."):
            state = read_state(store, folder)
            if state is not None:
                yield folder, state


def _job(
    store: ObjectStore,
    folder: str,
    state: RunState,
    *,
    by: OrderedBy | None,
    speed: str | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    order = _order_for(store, folder, by=by, speed=speed)
    ended, now = state.state != RUNNING, str(order or _as_started(store, folder))
    speed = f"its speed was: {now}" if ended else now
    say(f"{state.run_id}: {'has ended; ' if ended else ''}{speed}{_doubt(state, by)}")
    if order is not None and order.paused and not ended:
        say(f"{state.run_id}: its deadline counts on while it is paused")
    return {"run_id": state.run_id, "state": state.state, "order": order.to_json() if order else None}


def _as_started(store: ObjectStore, folder: str) -> str:
    """The speed of a run that nobody told another one, with the rate where its record says it."""
    text = "as it was started"
    try:
        record = read_object(store.get(join(folder, RUN_RECORD)))
        tables = record.get("tables")
        parts = tables if isinstance(tables, list) else [record]
        rates = dict.fromkeys(rate for part in parts if isinstance(rate := part.get("rate"), str))
        if rates:
            return f"{text}: {'; '.join(rates)}"
    except (ObjectMissingError, DocumentError, AttributeError):
        return text  # not the form that we write
    passes = passes_of(record.get("series"))[-1:]  # of a job at work: the rate in force at the last look
    allowed = [min(one.points[-1].allowed, default=None) for one in passes if one.points]
    return text if not allowed or allowed[0] is None else f"{text}: {allowed[0]:,.1f} {passes[0].unit}/s allowed"


def _order_in(store: ObjectStore, folder: str) -> RateOrder | None:
    """The order in force; what is none of ours is replaced by the next."""
    try:
        return RateOrder.from_json(read_object(store.get(join(folder, RATE_ORDER))))
    except (ObjectMissingError, DocumentError):
        return None


def changed(order: RateOrder | None, speed: str, caller: OrderedBy) -> RateOrder:
    """The next order: a pause keeps the percent, and so does its end; a percent ends a pause."""
    before = order or RateOrder(None, False, caller.arn, caller.at)
    now = replace(before, by=caller.arn, at=caller.at)
    if speed in (PAUSE, CONTINUE):
        return replace(now, paused=speed == PAUSE)
    return replace(now, percent=speed, paused=False)


def _doubt(state: RunState, by: OrderedBy | None) -> str:
    """That nobody may be there to obey."""
    if by is None or state.heartbeat is None or by.at - state.heartbeat <= DEAD_AFTER:
        return ""
    minutes = int((by.at - state.heartbeat).total_seconds() / 60)
    return f"; but its last sign of life is {minutes} minutes old"
