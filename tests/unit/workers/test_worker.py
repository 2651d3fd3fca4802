"""A worker's life: units one after the other, what fails is reported, and everything is closed at the end."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any, Callable

import pytest

from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.errors import IntegrityError, PipelineError
from dynamodb_pipeline.workers.failures import failure_of
from dynamodb_pipeline.workers.worker import Tools, Unit, UnitWorker, WorkerContext, tools
from tests.unit.workers.fake_work import FakeWork

UNITS = [{"work_id": f"unit-{number}"} for number in range(3)]


class OneClient:
    """Stands for the driver's shared clients."""


CONTEXT = WorkerContext(AwsSettings(region="eu-west-1"), shared=OneClient())


class Connection:
    """Connects to `work`, and knows for whom."""

    def __init__(self, work: FakeWork) -> None:
        self.work = work
        self.workers: list[tuple[int, int]] = []

    def __call__(self, worker_id: int, attempt: int) -> FakeWork:
        self.workers.append((worker_id, attempt))
        return self.work


def finish(tools: Tools) -> Callable[[Unit], None]:
    return lambda unit: tools.grants.finished(unit["work_id"], {})


def fail(_tools: Tools, *, error: BaseException) -> Callable[[Unit], None]:
    def work(_unit: Unit) -> None:
        raise error

    return work


def test_a_worker_takes_units_until_none_is_left() -> None:
    connection = Connection(FakeWork(UNITS))
    UnitWorker(CONTEXT, connection, finish)(4, 2)
    assert list(connection.work.records) == ["unit-0", "unit-1", "unit-2"]
    assert connection.workers == [(4, 2)]
    assert connection.work.closed


def test_a_failure_is_reported_with_its_unit_and_ends_the_worker() -> None:
    work = FakeWork(UNITS)
    with pytest.raises(IntegrityError):
        UnitWorker(CONTEXT, Connection(work), partial(fail, error=IntegrityError("a bad item")))(0, 0)
    assert {unit: str(failure_of(text)) for unit, text in work.failures.items()} == {"unit-0": "a bad item"}
    assert work.closed


def test_a_bug_is_no_verdict_about_the_unit() -> None:
    """It goes to another worker: the driver counts how often."""
    work = FakeWork(UNITS)
    with pytest.raises(KeyError):
        UnitWorker(CONTEXT, Connection(work), partial(fail, error=KeyError("a bug")))(0, 0)
    assert work.failures == {}
    assert work.closed


def test_the_connection_ends_even_when_the_work_cannot_start() -> None:
    work = FakeWork(UNITS)

    def start(_tools: Tools) -> Any:
        raise PipelineError("no credentials")

    with pytest.raises(PipelineError):
        UnitWorker(CONTEXT, Connection(work), start)(0, 0)
    assert work.closed


class Wire:
    """A connection to DynamoDB that writes down when it is closed."""

    def __init__(self, closed: list[str]) -> None:
        self._closed = closed

    def close(self) -> None:
        self._closed.append("wire")


class LoggedWork(FakeWork):
    def __init__(self, closed: list[str]) -> None:
        super().__init__()
        self._log = closed

    def close(self) -> None:
        self._log.append("driver")


class WiredContext(WorkerContext):
    """Opens `Wire`s."""

    def wire(self, clients: Any) -> Any:
        return Wire(clients)


def test_dynamodb_is_closed_before_the_driver_hears_of_the_end() -> None:
    closed: list[str] = []
    context = WiredContext(AwsSettings(region="eu-west-1"), shared=closed)
    with tools(context, Connection(LoggedWork(closed)), 0, 0) as opened:
        opened.wire()
        assert closed == []
    assert closed == ["wire", "driver"]


def test_a_worker_travels_without_the_drivers_clients() -> None:
    sent = UnitWorker(CONTEXT, pickle.loads, partial(fail, error=KeyError("x")))  # any function of a module travels
    arrived = pickle.loads(pickle.dumps(sent))
    assert arrived.context == CONTEXT
    assert arrived.context.shared is None
