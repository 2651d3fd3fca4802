"""
One rated piece of a run: a budget, a coordinator, a watched capacity, progress, and workers until the work is done.

Export by the direct reader, import, mirror and verification against a table all run through here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Callable

from dynamodb_pipeline.aws.retry import LOOK_POLICY
from dynamodb_pipeline.dynamodb.table import TableDescription, Tables
from dynamodb_pipeline.errors import ExitCode, PipelineError, StoppedError
from dynamodb_pipeline.passes.capacity_watch import CapacityWatcher, RateOf
from dynamodb_pipeline.rate.budget import RateBudget
from dynamodb_pipeline.rate.capacity import AllowedRate
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.run.progress import Counts, Goal, Sample
from dynamodb_pipeline.workers import failures
from dynamodb_pipeline.workers.coordinator import Coordinator, OnFinished
from dynamodb_pipeline.workers.engine import Connect, Engine, Worker
from dynamodb_pipeline.workers.work_queue import WorkQueue, WorkUnit


@dataclass(frozen=True)
class Rated:
    """
    What is rated: a table, the rate that any description of it allows, and what progress shows.

    The capacity is read again once a minute, so that autoscaling and manual changes are followed. Work on files alone
    has no table and no rate. `steerable` is False where nobody but the run's start can say the rate.
    """

    table: TableDescription | None
    rate_of: RateOf
    goal: Goal
    steerable: bool = True

    @classmethod
    def files_only(cls, label: str, *, items: int | None = None) -> Rated:
        """For work that asks no table anything; `items` are those expected, where known."""
        return cls(None, lambda *_: AllowedRate({}, "no table"), Goal(label, float("inf"), "units", items))

    @property
    def rates(self) -> dict[str, float]:
        return dict(self.rate_of(self.table).units_per_s) if self.table else {}


@dataclass(frozen=True)
class Consumed:
    """Units really consumed, by resource, and the seconds it took."""

    units: dict[str, float]
    seconds: float = 0.0
    throttles: int = 0

    def plus(self, other: Consumed) -> Consumed:
        """Both, one after the other."""
        units = {n: self.units.get(n, 0.0) + other.units.get(n, 0.0) for n in {**self.units, **other.units}}
        return Consumed(units, self.seconds + other.seconds, self.throttles + other.throttles)


NOTHING_CONSUMED = Consumed({})


class RatedRun:
    """
    Runs workers against one coordinator.

    Args:
        ctx: the run.
        engine: where workers run.
        rated: rates and progress.
        units: the work.
        on_finished: called on the driver with (work id, record), one at a time.
        on_kept: called with (work id, data) likewise.
    """

    def __init__(
        self,
        ctx: RunContext,
        engine: Engine,
        rated: Rated,
        *,
        units: list[WorkUnit],
        on_finished: OnFinished,
        on_kept: Callable[[str, str], None] | None = None,
    ):
        self._ctx, self._engine, self._rated = ctx, engine, rated
        self._on_finished, self._on_kept = on_finished, on_kept
        self._units = units
        self._failure: PipelineError | None = None

    def run(self, worker_for: Callable[[Connect], Worker], *, count: int, group: str) -> Consumed:
        """
        Run `count` workers at a time until every unit is finished.

        Raises:
            PipelineError: the first failure of a worker, the driver's own, or the reason to stop.
        """
        started = time.monotonic()
        with self.coordinator() as coordinator:
            worker = worker_for(self._engine.connect_to(coordinator))
            with self.replace_by_cause(coordinator):
                self._rounds(coordinator, worker, count=count, group=group)
            state = coordinator.state()
        return Consumed(dict(state.budget.consumed), time.monotonic() - started, state.budget.throttle_count)

    @contextmanager
    def coordinator(self) -> Iterator[Coordinator]:
        """A running coordinator with the work, stopped with the run and followed by progress and capacity."""
        budget = RateBudget(self._rated.rates, clock=time.monotonic)
        queue = WorkQueue(self._units, seed=self._ctx.run_id)
        with ExitStack() as stack:
            coordinator = stack.enter_context(
                Coordinator(
                    budget,
                    queue,
                    on_finished=self._on_finished,
                    on_failed=self._failed,
                    on_kept=self._on_kept,
                    host=self._engine.host,
                )
            )
            self._coordinator = coordinator
            stack.enter_context(self._ctx.lifetime.on_stop(lambda reason: coordinator.stop(str(reason))))
            if self._rated.table is not None:
                watcher = self._watcher(coordinator, self._rated.table)
                watcher.look_for_order()  # that of an earlier pass, or attempt, holds on
                stack.enter_context(watcher)
            stack.enter_context(self._ctx.series.watch(self._rated.goal, lambda: sample_of(coordinator)))
            stack.enter_context(self._ctx.reporter.watch(self._rated.goal, lambda: counts_of(coordinator)))
            yield coordinator

    @contextmanager
    def replace_by_cause(self, coordinator: Coordinator) -> Iterator[None]:
        """Replace an error of the workers in this block by the reason behind it, where there is one."""
        try:
            yield
        except Exception:
            self._raise_cause(coordinator)
            raise

    def _watcher(self, coordinator: Coordinator, table: TableDescription) -> CapacityWatcher:
        ctx, tables = self._ctx, Tables.of_run(self._ctx)
        return CapacityWatcher(
            table,
            read=lambda: tables.describe(table.address, policy=LOOK_POLICY),
            rate_of=self._rated.rate_of,
            steered=coordinator,
            on_end=ctx.lifetime.stop,
            note=ctx.reporter.note,
            read_order=ctx.rate_order if self._rated.steerable and ctx.folder is not None else None,
            on_order=ctx.obey,
        )

    def _rounds(self, coordinator: Coordinator, worker: Worker, *, count: int, group: str) -> None:
        """A worker that finds nothing waiting ends, so work given back by a dead one may need another round."""
        while True:
            with self._ctx.lifetime.on_stop(lambda _: self._engine.cancel(group)):
                self._engine.run(worker, count=count, group=group)
            coordinator.drain()
            self._raise_cause(coordinator)
            state = coordinator.state().work
            if not state.waiting_count:
                break
        if state.taken_count or state.failed_count:
            msg = f"{state.taken_count + state.failed_count} units of work were not finished; resume the run"
            raise StoppedError(msg)

    def _failed(self, _work_id: str, reason: str) -> None:
        failure = failures.failure_of(reason)
        if failure.exit_code == ExitCode.PRECONDITION and self._rated.table is not None:
            failure.exit_code = ExitCode.STOPPED  # 3 would say that nothing was started
        self._failure = self._failure or failure
        self._coordinator.stop(str(self._failure))

    def _raise_cause(self, coordinator: Coordinator) -> None:
        """The reason behind the workers' own errors, most telling first."""
        self._ctx.lifetime.check()
        coordinator.drain()
        if self._failure is not None:
            raise self._failure
        if coordinator.stop_reason is not None:
            raise StoppedError(coordinator.stop_reason)


def sample_of(coordinator: Coordinator) -> Sample:
    """What the time series keeps of a coordinator."""
    state = coordinator.state()
    budget = state.budget
    consumed, allowed = dict(budget.consumed), dict(budget.rates)
    return Sample(state.items, budget.throttle_count, consumed, allowed, state.bytes, state.retry_count)


def counts_of(coordinator: Coordinator) -> Counts:
    """What progress shows of a coordinator."""
    state = coordinator.state()
    budget = state.budget
    allowed = min(budget.rates.values(), default=None)
    return Counts(state.items, budget.consumed.get("table", 0.0), budget.throttle_count, allowed)
