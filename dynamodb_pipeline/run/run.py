"""
One run from its settings to its result: state, signals, attempts, and the one Spark session all tables share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Callable, Generic, TypeVar

from dynamodb_pipeline.aws.clients import AwsClients
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.aws.node_boto3 import SPARK_GATEWAY
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.durations import LONGEST_D
from dynamodb_pipeline.errors import ExitCode, PipelineError, StoppedError, UnreachableError
from dynamodb_pipeline.finished import DONE, RunState, resumable_after
from dynamodb_pipeline.run.context import Effects, RunContext
from dynamodb_pipeline.run.heartbeat import Heartbeat, Here
from dynamodb_pipeline.run.lifetime import RunLifetime, stop_on_signals
from dynamodb_pipeline.run.progress import (
    Reporter,
    repeated_line,
    resume_line,
    resumed_line,
    retry_line,
    start_line,
    unsaved_line,
)
from dynamodb_pipeline.run.record import RunRecord, latest_unfinished, resume_command, take_run, time_text
from dynamodb_pipeline.settings.job import ExportSettings, JobSettings
from dynamodb_pipeline.settings.run_ids import moment_of, new_run_id, run_folder
from dynamodb_pipeline.store.anywhere import object_store
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.engine import Engines

ORDERS_KEPT = 100  # in run.json
Settings = TypeVar("Settings", bound=JobSettings)
Job = Callable[[RunContext, Settings, Engines], Facts]


def stopped_part_way(err: Exception) -> Exception:
    """What a service that does not answer means to a run that has begun: 3 would say that nothing was written."""
    return StoppedError(f"{err}; resume the run") if isinstance(err, UnreachableError) else err


class Run(Generic[Settings]):
    """
    Executes one job.

    Args:
        kind: `export`, `import` or `verify`.
        settings: the checked settings of that kind.
        reporter: says what happens while it happens.
        local, engine: see `job_main.run_settings`.
        job: the work of that kind; called once for each attempt.
        here: this process and its clock, which is looked at once for all that the start of the run decides.
    """

    def __init__(
        self,
        kind: str,
        settings: Settings,
        *,
        reporter: Reporter,
        local: bool,
        engine: str,
        tool_version: str,
        job: Job[Settings],
        here: Here | None = None,
    ):
        self._kind, self._settings, self._common = kind, settings, settings.common
        self._reporter = reporter
        own_limiter = isinstance(settings, ExportSettings) and settings.rate_control == "connector"
        say = reporter.note if reporter.draws else None
        self._engines = Engines(self._common, kind=kind, local=local, engine=engine, own_limiter=own_limiter, say=say)
        self._tool_version = tool_version
        self._job = job
        self._here = here or Here()

    def execute(self) -> Facts:
        """
        Run the job and return its result.

        Raises:
            PipelineError: with the run's facts as `facts`; run.json says the same.
        """
        common = self._common
        clients = AwsClients(common.region, bucket_owner=common.bucket_owner, table_role=common.table_role)
        lifetime = RunLifetime(deadline_s=self._common.timeout_s, watch_parent=SPARK_GATEWAY in os.environ)
        ctx, began = self._context(clients, lifetime)
        prices = {name: price for name, price in vars(self._common.launch_prices).items() if price is not None}
        began = {**began, "command": self._again(ctx.run_id), **prices}
        record = RunRecord(ctx.store, ctx.folder, {**self._facts(ctx), **began}, now=self._now)
        self._announce(ctx)
        with stop_on_signals(lifetime), self._closing():
            try:
                record.save()
                with self._heartbeat(ctx, record):
                    result = lifetime.run(lambda: self._attempts(ctx, record))
                record.save(state=DONE, ended=self._now(), **result, **self._meanwhile(ctx))
            except BaseException as err:
                tell_what_was_written(err, ctx.effects)
                self._record_failure(record, err, ctx)
                raise
        return {**result, **_orders(ctx)}

    def _context(self, clients: AwsClients, lifetime: RunLifetime) -> tuple[RunContext, Facts]:
        """What the run is handed, and what its record says of its beginning: of one look at the clock, both."""
        logs, effects, now = self._common.logs, Effects(), self._here.now()
        if logs is not None:
            effects = Effects(run_folder(str(logs), ""))
        store = object_store(clients, put_options=self._put_options(), sleep=lifetime.sleep, on_write=effects.on_write)
        known = self._common.run_id or self._resumed(store)
        run_id = known or new_run_id(now)
        folder = run_folder(str(logs), run_id) if logs else None
        own = RunState(run_id, self._kind, tuple(self._tables))
        earlier = take_run(store, folder, own, here=self._here) if folder and known else None
        effects.before = earlier is not None
        first = (earlier.began if earlier else None) or now
        moment = self._moment(run_id, earlier, first)
        ctx = RunContext(
            *(clients, store, lifetime, self._reporter, run_id, folder, self._tool_version, self._now, moment, effects)
        )
        named = {"folder_moment": time_text(moment)} if self._kind == "export" else {}
        return ctx, {"first_started": time_text(first), "started": time_text(now), **named}

    def _now(self) -> str:
        return time_text(self._here.now())

    def _moment(self, run_id: str, earlier: RunState | None, first: datetime) -> datetime:
        """That of the schedule, of the run id, of the attempts before, or when the first of them began."""
        scheduled = self._settings.scheduled_time if isinstance(self._settings, ExportSettings) else None
        return scheduled or moment_of(run_id, began=(earlier.folder_moment if earlier else None) or first)

    def _announce(self, ctx: RunContext) -> None:
        # An import says for itself that it keeps no state, a verification has none to keep.
        keeps_state = ctx.folder is not None or self._kind != "export"
        ctx.reporter.note(start_line(ctx.run_id, timeout_s=self._common.timeout_s, keeps_state=keeps_state))

    def _heartbeat(self, ctx: RunContext, record: RunRecord) -> AbstractContextManager[object]:
        return (
            Heartbeat(lambda: record.save(**self._meanwhile(ctx)), note=ctx.reporter.note)
            if ctx.folder
            else nullcontext()
        )

    def _resumed(self, store: ObjectStore) -> str | None:
        if not self._common.resume or self._common.logs is None:
            return None
        run_id = latest_unfinished(store, str(self._common.logs), kind=self._kind, tables=self._tables)
        self._reporter.note(resumed_line(run_id))
        return run_id

    @property
    def _tables(self) -> list[str]:
        return sorted(self._settings.table_names)

    def _put_options(self) -> dict[str, str]:
        key = self._settings.sse_kms_key_id if isinstance(self._settings, ExportSettings) else None
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}

    def _facts(self, ctx: RunContext) -> Facts:
        return {
            "kind": self._kind,
            "run_id": ctx.run_id,
            "tool_version": self._tool_version,
            "region": ctx.clients.region,
            "table_names": self._tables,
            "host": self._here.host,
            "pid": self._here.pid,
        }

    def _again(self, run_id: str, *, timeout: str | None = None) -> str:
        return resume_command(self._common.program, self._common.given, run_id=run_id, timeout=timeout)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._engines.close()

    def _attempts(self, ctx: RunContext, record: RunRecord) -> Facts:
        """The job, repeated after exit 1 or 5 while attempts are left and the state of the first is kept."""
        attempts = self._common.attempts if ctx.folder is not None else 1
        for attempt in range(1, attempts + 1):
            try:
                result = self._job(ctx, self._settings, self._engines)
            except Exception as raised:
                err = stopped_part_way(raised) if attempt > 1 or ctx.effects.before else raised
                code = ExitCode.of_error(err)
                if not code.row.retried or attempt == attempts or ctx.lifetime.reason is not None:
                    raise err from raised.__cause__
                ctx.reporter.note(without_secrets(retry_line(err, attempt=attempt, attempts=attempts)))
                ctx.series.mark(f"attempt {attempt + 1}")
                record.save(attempt=attempt + 1, last_error=without_secrets(str(err)))
            else:
                return {**self._facts(ctx), "exit_code": 0, "status": "done", **result}
        raise AssertionError(attempts)

    def _record_failure(self, record: RunRecord, err: BaseException, ctx: RunContext) -> None:
        code, orders = ExitCode.of_error(err), self._meanwhile(ctx)
        way_on = self._way_on(ctx, code)
        facts = {
            "state": code.row.status,
            "exit_code": int(code),
            "error": without_secrets(str(err)),
            "ended": self._now(),
            **way_on,
            **orders,
        }
        if isinstance(err, PipelineError):
            err.facts = {"run_id": record.facts["run_id"], **way_on, **_orders(ctx), **err.facts}
            facts |= err.facts
        try:
            record.save(**facts)
        except PipelineError as second:
            self._reporter.note(unsaved_line(second, ended_by=err))
        if way_on:
            self._reporter.note(repeated_line(self._kind))
            self._reporter.note(resume_line(way_on["resume"]))

    def _meanwhile(self, ctx: RunContext) -> Facts:
        """What the run did over time; what was said about its speed, and obeyed: who, when and what; in what JVMs."""
        return {**ctx.series.facts(), **_orders(ctx), **self._engines.facts}

    def _way_on(self, ctx: RunContext, code: ExitCode) -> dict[str, str]:
        """The command that resumes the run, where that is possible and there is something to go on with."""
        begun = ctx.effects.begun or ctx.effects.before
        if not begun or self._common.logs is None or self._kind == "verify" or not resumable_after(code):
            return {}
        timeout = twice(self._common.timeout_s) if code is ExitCode.DEADLINE else None
        return {"resume": self._again(ctx.run_id, timeout=timeout)}


def _orders(ctx: RunContext) -> Facts:
    """What the run was told about its speed and obeyed; nothing of a run that nobody told anything."""
    orders = [order.to_json() for order in ctx.rate_orders[-ORDERS_KEPT:]]
    return {"rate_orders": orders} if orders else {}


def twice(timeout_s: float) -> str:
    """The deadline of a run that goes on after it was too short, as `--timeout` takes it."""
    return f"{min(round(2 * timeout_s / 60) or 1, LONGEST_D * 24 * 60)}m"


def tell_what_was_written(err: BaseException, effects: Effects) -> None:
    """Exit code 3 says that nothing was written or started: after the first write it becomes 5, whoever raised it."""
    if effects.any and isinstance(err, PipelineError) and ExitCode.of_error(err) is ExitCode.PRECONDITION:
        err.exit_code = ExitCode.STOPPED
