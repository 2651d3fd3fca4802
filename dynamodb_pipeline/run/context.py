"""What every part of one run is handed: clients, objects, the stop flag, a voice, and where its state lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Callable

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.aws.clients import RunClients
from dynamodb_pipeline.documents import read_object
from dynamodb_pipeline.finished import RATE_ORDER, RUN_RECORD, RateOrder, is_record
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.run.progress import Reporter, TimeSeries
from dynamodb_pipeline.settings.run_ids import launch_of_job
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore
from dynamodb_pipeline.workers.worker import WorkerContext


@dataclass
class Effects:
    """
    Whether this process has written anything but the state of runs. Exit code 3 says that it has not.

    Attributes:
        state: where runs keep their state, `<logs>/runs/`; None without a logs folder.
        begun: True when there is something to go on with: more than the record of a run that did nothing.
        before: True when other processes have worked on the run.
    """

    state: str | None = None
    any: bool = False
    begun: bool = False
    before: bool = False

    def on_write(self, uri: str) -> None:
        """An object was, or may have been, written or deleted."""
        self.any = self.any or self.state is None or not uri.startswith(self.state)
        self.begun = self.any or self.begun or not is_record(uri)


@dataclass(frozen=True)
class RunContext:
    """
    One run's surroundings.

    Attributes:
        folder: `<logs>/runs/<run-id>`, None when there is no logs folder and so no resume.
        tool_version: recorded in every export.
        now: the present moment as ISO 8601 UTC.
        moment: what the folders of an export are named by: the same for every attempt of a run.
        series: what the run did over time, for its record.
        effects: kept by the store, and by `begin_writing` for what workers write.
        rate_orders: those that were obeyed, for the run's record.
    """

    clients: RunClients
    store: ObjectStore
    lifetime: RunLifetime
    reporter: Reporter
    run_id: str
    folder: str | None
    tool_version: str
    now: Callable[[], str]
    moment: datetime
    effects: Effects = field(default_factory=Effects)
    series: TimeSeries = field(default_factory=TimeSeries)
    rate_orders: list[RateOrder] = field(default_factory=list)

    def obey(self, order: RateOrder) -> None:
        """Keep an order about the run's speed, and mark its moment."""
        self.rate_orders.append(order)
        speed = f"{order.percent.rstrip('%')}%" if order.percent else "as started"
        self.series.mark("paused" if order.paused else speed)

    def begin_writing(self) -> None:
        """
        To be called before workers write to a table.

        Raises:
            PipelineError: the run must stop; nothing of this was written.
        """
        self.lifetime.check()
        self.effects.any = self.effects.begun = True

    def rate_order(self) -> RateOrder | None:
        """
        What the run was told about its speed last, itself or with its whole launch; None for nothing.

        Raises:
            PipelineError: it cannot be read. DocumentError: it is no order.
        """
        if self.folder is None:
            return None
        orders = [self._order_in(self.folder)]
        launch = launch_of_job(self.run_id)
        if launch is not None:
            folder = join(self.folder.rpartition("/")[0], launch)
            order = self._order_in(folder)
            if order is not None and self.store.head(join(folder, RUN_RECORD)) is None:  # else a run of its own
                orders.append(order)
        return max((order for order in orders if order is not None), key=lambda order: order.at, default=None)

    def _order_in(self, folder: str) -> RateOrder | None:
        try:
            return RateOrder.from_json(read_object(self.store.get(join(folder, RATE_ORDER))))
        except ObjectMissingError:
            return None

    def worker(self, *, put_options: tuple[tuple[str, str], ...] = ()) -> WorkerContext:
        """What this run's workers build their clients from."""
        return WorkerContext(self.clients.settings(), put_options, shared=self.clients, sleep=self.lifetime.sleep)

    def subfolder(self, name: str) -> str | None:
        return None if self.folder is None else join(self.folder, name)
