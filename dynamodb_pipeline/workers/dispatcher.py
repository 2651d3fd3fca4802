"""
What the driver answers to its workers' messages: grants from the budget, work from the queue, or "stop".

No sockets and no threads of its own: `handle` takes a worker's message, answers go through the session's `deliver`,
which must not block, and every call holds one lock for microseconds. `pump` grants what has become due.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import Callable, Union

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.rate.budget import BudgetState, RateBudget, Reservation, Units
from dynamodb_pipeline.workers.protocol import Message, ProtocolError, message_field, units_of
from dynamodb_pipeline.workers.work_queue import NotHeldError, WorkQueue, WorkState, WorkUnit

Deliver = Callable[[Message], None]


@dataclass(frozen=True)
class WorkFinished:
    """A unit of work that a worker has finished, with its record."""

    work_id: str
    record: Facts


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
    retry_count: int = 0  # workers that were begun again


class Dispatcher:
    """Budget, work and sessions of one run; `on_event` gets what workers finish or fail at, in order."""

    def __init__(self, budget: RateBudget, work: WorkQueue, *, on_event: Callable[[WorkEvent], None]) -> None:
        self._budget = budget
        self._work = work
        self._on_event = on_event
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._waiting: dict[Reservation, Session] = {}
        self._newest_attempt: dict[str, int] = {}
        self._grant_ids = itertools.count(1)
        self._items = self._bytes = self._retries = 0
        self._stop_reason: str | None = None
        self._handlers: dict[str, Callable[[Session, Message], None]] = {
            "reserve": self._reserve,
            "settle": self._settle,
            "forfeit": self._forfeit,
            "take": self._take,
            "finished": self._finished,
            "failed": self._failed,
            "keep": self._keep,
            "progress": self._progress,
        }

    def open_session(self, worker: str, attempt: int, deliver: Deliver) -> Session:
        """Welcome a worker, or answer "superseded" when a newer attempt of it was here; older ones are."""
        session = Session(worker, attempt, deliver)
        with self._lock:
            newest = self._newest_attempt.setdefault(worker, attempt)
            if attempt < newest:
                session.refusal = _superseded(worker, attempt, newest)
            if attempt > newest:
                self._newest_attempt[worker] = attempt
                self._retries += 1
                self._supersede(worker, attempt)
            self._sessions.add(session)
            deliver(session.refusal or {"caps": self._budget.request_units_caps()})
        return session

    def handle(self, session: Session, message: Message) -> None:
        """
        Act on one message of a worker.

        Raises:
            ProtocolError: it is none of ours; the connection should be closed.
        """
        handler = self._handlers.get(message_field(message, "op", str))
        if handler is None:
            msg = "an unknown message"
            raise ProtocolError(msg)
        with self._lock:
            handler(session, message)

    def end_session(self, session: Session) -> None:
        """A worker is gone: its unanswered requests count as consumed, its work is put back."""
        with self._lock:
            if session in self._sessions:
                self._sessions.remove(session)
                self._withdraw(session)
                for reservation in session.granted.values():
                    self._budget.forfeit(reservation)
                session.granted.clear()
                self._put_back(session)

    def pump(self) -> float | None:
        """Deliver the grants that are due; returns seconds until the next may be, None when nobody waits."""
        with self._lock:
            advance = self._budget.advance()
            for reservation in advance.granted:
                self._deliver_grant(self._waiting.pop(reservation), reservation)
            return advance.wait_s

    def stop(self, reason: str) -> None:
        """Answer "stop" to every waiting worker and to every next request; the first reason stays."""
        with self._lock:
            self._stop(reason)

    @property
    def stop_reason(self) -> str | None:
        """Why the run was stopped, None while it goes on."""
        return self._stop_reason

    def set_rates(self, rates: Units) -> None:
        """Allow other rates from now on."""
        with self._lock:
            self._budget.set_rates(rates)

    def hold(self, held: bool) -> None:
        """Grant nothing while held."""
        with self._lock:
            self._budget.hold(held)

    def add_work(self, units: list[WorkUnit]) -> None:
        """Add units of work to the run."""
        with self._lock:
            self._work.add(units)

    def state(self) -> CoordinatorState:
        """Rates, work and counts now."""
        with self._lock:
            return CoordinatorState(
                self._budget.state(), self._work.state(), len(self._sessions), self._items, self._bytes, self._retries
            )

    def _deliver_grant(self, session: Session, reservation: Reservation) -> None:
        session.pending = None
        grant_id = next(self._grant_ids)
        session.granted[grant_id] = reservation
        answer: Message = {"grant": grant_id}
        caps = self._budget.request_units_caps()
        if caps is not session.caps:
            session.caps = answer["caps"] = caps
        session.deliver(answer)

    def _reserve(self, session: Session, message: Message) -> None:
        if self._refused(session):
            return
        if session.pending is not None:
            msg = "a second reserve while the first waits"
            raise ProtocolError(msg)
        session.pending = self._budget.ask(units_of(message.get("units")))
        self._waiting[session.pending] = session

    def _settle(self, session: Session, message: Message) -> None:
        consumed = units_of(message.get("units"))
        self._budget.settle(self._granted(session, message), consumed)
        if message.get("throttled"):
            self._budget.throttled()

    def _forfeit(self, session: Session, message: Message) -> None:
        self._budget.forfeit(self._granted(session, message))

    def _take(self, session: Session, _: Message) -> None:
        if not self._refused(session):
            unit = self._work.take(session)
            session.deliver({"work": None if unit is None else {**unit.body, "work_id": unit.work_id}})

    def _finished(self, session: Session, message: Message) -> None:
        work_id, record = message_field(message, "work", str), message_field(message, "record", dict)
        rest = [_unit(message["rest"])] if message.get("rest") is not None else []
        if self._held(session, self._work.check_held, work_id):
            self._add_rest(rest)  # first: a rest that cannot be queued leaves the unit unfinished
            self._work.finished(work_id, holder=session)
            self._on_event(WorkFinished(work_id, record))
            session.deliver({"ok": True})

    def _add_rest(self, rest: list[WorkUnit]) -> None:
        try:
            self._work.add(rest)
        except ValueError as err:
            raise ProtocolError(str(err)) from err

    def _failed(self, session: Session, message: Message) -> None:
        work_id, reason = message_field(message, "work", str), message_field(message, "reason", str)
        if self._held(session, self._work.failed, work_id):
            self._on_event(WorkFailed(work_id, reason))
            session.deliver({"ok": True})

    def _keep(self, session: Session, message: Message) -> None:
        work_id, data = message_field(message, "work", str), message_field(message, "data", str)
        if self._held(session, self._work.check_held, work_id):
            self._on_event(WorkKept(work_id, data))
            session.deliver({"ok": True})

    def _progress(self, _: Session, message: Message) -> None:
        self._items += message_field(message, "items", int)
        self._bytes += message_field(message, "bytes", int)

    def _held(self, session: Session, report: Callable[..., None], work_id: str) -> bool:
        try:
            report(work_id, holder=session)
        except NotHeldError as err:
            session.deliver(session.refusal or {"superseded": str(err)})
            return False
        return True

    def _refused(self, session: Session) -> bool:
        refusal = session.refusal or ({"stop": self._stop_reason} if self._stop_reason is not None else None)
        if refusal is not None:
            session.deliver(refusal)
        return refusal is not None

    def _granted(self, session: Session, message: Message) -> Reservation:
        reservation = session.granted.pop(message_field(message, "grant", int), None)
        if reservation is None:
            msg = "a grant that is not open"
            raise ProtocolError(msg)
        return reservation

    def _supersede(self, worker: str, attempt: int) -> None:
        for session in self._sessions:
            if session.worker == worker:
                session.refusal = _superseded(worker, session.attempt, attempt)
                if self._withdraw(session):
                    session.deliver(session.refusal)
                self._put_back(session)

    def _stop(self, reason: str) -> None:
        self._stop_reason = self._stop_reason or reason
        for session in list(self._waiting.values()):
            self._withdraw(session)
            session.deliver({"stop": self._stop_reason})

    def _withdraw(self, session: Session) -> bool:
        if session.pending is None:
            return False
        self._budget.withdraw(session.pending)
        del self._waiting[session.pending]
        session.pending = None
        return True

    def _put_back(self, session: Session) -> None:
        for work_id in self._work.give_back(session):
            self._stop(f"work {work_id!r} was lost by too many workers; see the logs of the failed tasks")


def _superseded(worker: str, attempt: int, newest: int) -> Message:
    return {"superseded": f"attempt {attempt} of worker {worker} was replaced by attempt {newest}"}


def _unit(rest: object) -> WorkUnit:
    if not isinstance(rest, dict):
        msg = "a rest of work that is no object"
        raise ProtocolError(msg)
    return WorkUnit(message_field(rest, "work_id", str), message_field(rest, "body", dict))
