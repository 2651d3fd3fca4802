"""
The driver's side of the budget and of the work: one thread that serves all workers of a run.

A closed connection ends its worker's claims: no leases, no heartbeats. One selector loop reads, decides
(dispatcher.py) and writes, without ever blocking on a peer; a silent stranger is dropped after the handshake's time.
What workers finish goes through a queue to a second thread, so that writing a ledger never delays a grant.
"""

from __future__ import annotations

import queue
import secrets
import threading
from types import TracebackType
from typing import Callable

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import PipelineError, StoppedError
from dynamodb_pipeline.rate.budget import RateBudget, Units
from dynamodb_pipeline.workers.client import Conversation
from dynamodb_pipeline.workers.contract import CoordinatorAddress, WorkerId
from dynamodb_pipeline.workers.dispatcher import (
    CoordinatorState,
    Deliver,
    Dispatcher,
    Session,
    WorkEvent,
    WorkFinished,
    WorkKept,
)
from dynamodb_pipeline.workers.protocol import Message
from dynamodb_pipeline.workers.server import CoordinatorServer
from dynamodb_pipeline.workers.work_queue import WorkQueue, WorkUnit

OnFinished = Callable[[str, Facts], None]
OnFailed = Callable[[str, str], None]
OnKept = Callable[[str, str], None]
CLOSE_TIMEOUT_S = 10.0


class Coordinator:
    """
    Serves grants and work to the workers of one run; a context manager.

    Args:
        on_finished: called with (work id, record) in the order of arrival, one at a time, in a thread of its own.
            When it raises, the run is stopped and `drain` raises it.
        on_failed: called with (work id, reason) likewise; without it a failed unit stops the run.
        on_kept: called with (work id, data) likewise, for what workers send about a unit they are still at.
        host: address to bind: 127.0.0.1 for this machine, the driver's address in the cluster on YARN.
    """

    def __init__(
        self,
        budget: RateBudget,
        work: WorkQueue | None = None,
        *,
        on_finished: OnFinished | None = None,
        on_failed: OnFailed | None = None,
        on_kept: OnKept | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._on_finished = on_finished
        self._on_failed = on_failed
        self._on_kept = on_kept
        self._failure: BaseException | None = None
        self._events: queue.Queue[WorkEvent | None] = queue.Queue()
        self._dispatcher = Dispatcher(budget, work or WorkQueue(), on_event=self._events.put)
        key = secrets.token_bytes(32)
        self._server = CoordinatorServer(self._dispatcher, key=key, host=host)
        self.address = CoordinatorAddress(host, self._server.port, key.hex())
        self._threads = [
            threading.Thread(target=self._serve, name="coordinator", daemon=True),
            threading.Thread(target=self._report, name="coordinator-events", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the run if it still goes on, end all connections and threads; records that arrived are reported."""
        self.stop("the run has ended")
        self._server.close()
        self._events.put(None)
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)

    def stop(self, reason: str) -> None:
        """Make every waiting and every next request of a worker answer "stop"; the first reason stays."""
        self._dispatcher.stop(reason)
        self._server.wake()

    @property
    def stop_reason(self) -> str | None:
        """Why the run was stopped, None while it goes on."""
        return self._dispatcher.stop_reason

    def drain(self) -> None:
        """
        Wait until everything that workers reported so far has gone through the callbacks.

        Raises:
            PipelineError: what a callback raised; another error of a callback comes as the cause of a StoppedError.
        """
        self._events.join()
        if isinstance(self._failure, PipelineError):
            raise self._failure
        if self._failure is not None:
            msg = f"the driver cannot go on: {self._failure}"
            raise StoppedError(msg) from self._failure

    def set_rates(self, rates: Units) -> None:
        """Allow other rates (units/s per resource) from now on, for waiting requests too."""
        self._dispatcher.set_rates(rates)
        self._server.wake()

    def hold(self, held: bool) -> None:
        """Grant nothing while held; workers wait."""
        self._dispatcher.hold(held)
        self._server.wake()

    def add_work(self, units: list[WorkUnit]) -> None:
        """Add units of work while the run goes on."""
        self._dispatcher.add_work(units)

    def state(self) -> CoordinatorState:
        """Rates, units consumed, work and counts now."""
        return self._dispatcher.state()

    def open_session(self, worker: str, attempt: int, deliver: Deliver) -> Session:
        """For a client in this process: see `LocalCoordinatorClient`."""
        return self._dispatcher.open_session(worker, attempt, deliver)

    def handle(self, session: Session, message: Message) -> None:
        """For a client in this process."""
        self._dispatcher.handle(session, message)
        wait_s = self._dispatcher.pump()
        if wait_s is not None:
            self._server.wake(within_s=wait_s)

    def end_session(self, session: Session) -> None:
        """For a client in this process."""
        self._dispatcher.end_session(session)
        self._server.wake()

    def _serve(self) -> None:
        try:
            self._server.serve()
        except BaseException as err:
            self._fail(err)

    def _fail(self, err: BaseException) -> None:
        self._failure = self._failure or err
        self._dispatcher.stop(f"the driver cannot go on: {err}")
        self._server.wake()

    def _report(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                if self._failure is None:
                    self._call_back(event)
            except BaseException as err:
                self._fail(err)
            finally:
                self._events.task_done()

    def _call_back(self, event: WorkEvent) -> None:
        if isinstance(event, WorkFinished):
            if self._on_finished is not None:
                self._on_finished(event.work_id, event.record)
        elif isinstance(event, WorkKept):
            if self._on_kept is not None:
                self._on_kept(event.work_id, event.data)
        elif self._on_failed is not None:
            self._on_failed(event.work_id, event.reason)
        else:
            self.stop(f"work {event.work_id!r} failed: {event.reason}")


class LocalCoordinatorClient(Conversation):
    """The same for a thread of the driver's own process, without a socket."""

    def __init__(self, coordinator: Coordinator, *, worker_id: WorkerId, attempt: int = 0) -> None:
        super().__init__()
        self._coordinator = coordinator
        self._answers: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._session = coordinator.open_session(str(worker_id), attempt, self._answers.put)
        self._accepted(self._answers.get())

    def _close(self) -> None:
        self._coordinator.end_session(self._session)

    def _send(self, message: Message) -> None:
        self._coordinator.handle(self._session, message)

    def _receive(self) -> Message:
        return self._answers.get()
