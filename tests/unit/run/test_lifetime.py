"""A run ends for the reason that came first, whatever happens on the way down."""

from __future__ import annotations

import os
import threading

import pytest

from dynamodb_pipeline.errors import DeadlineError, ExitCode, PipelineError, StoppedError
from dynamodb_pipeline.run.lifetime import InterruptedRunError, RunLifetime

TERMINATED = InterruptedRunError("stopped by SIGTERM", ExitCode.TERMINATED)


class TickingClock:
    """Some seconds a look."""

    def __init__(self, step_s: float = 1.0) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def test_work_that_begins_to_listen_after_the_stop_is_told_too():
    """Spark jobs of a later step would otherwise run to their end after a SIGTERM."""
    lifetime, told = RunLifetime(clock=TickingClock()), threading.Event()

    def work() -> None:
        lifetime.stop(TERMINATED)
        earlier = threading.Event()
        with lifetime.on_stop(lambda _: earlier.set()):
            assert earlier.wait(5)
        with lifetime.on_stop(lambda _: told.set()):
            assert told.wait(5)
        lifetime.check()

    with pytest.raises(InterruptedRunError):
        lifetime.run(work)
    assert told.is_set()


def test_listener_that_fails_does_not_take_the_reasons_place():
    """After a SIGTERM the JVM may be gone: cancelling a job then raises a py4j error."""
    lifetime, told = RunLifetime(clock=TickingClock()), threading.Event()

    def broken(_: PipelineError) -> None:
        raise ConnectionRefusedError

    def work() -> None:
        with lifetime.on_stop(broken), lifetime.on_stop(lambda _: told.set()):
            lifetime.stop(TERMINATED)
            assert told.wait(5)
            raise ConnectionRefusedError

    with pytest.raises(InterruptedRunError) as ended:
        lifetime.run(work)
    assert ended.value.exit_code is ExitCode.TERMINATED
    assert isinstance(ended.value.__cause__, ConnectionRefusedError)


def test_work_is_left_when_who_should_end_it_never_answers():
    """A JVM that collects garbage and does nothing else takes calls and never returns."""
    lifetime, over = RunLifetime(clock=TickingClock(30.0)), threading.Event()

    def work() -> None:
        with lifetime.on_stop(lambda _: over.wait()):
            lifetime.stop(TERMINATED)
            over.wait()

    try:
        with pytest.raises(InterruptedRunError):
            lifetime.run(work)
    finally:
        over.set()


def test_work_that_was_done_when_the_stop_came_is_done():
    lifetime = RunLifetime()

    def work() -> str:
        lifetime.stop(TERMINATED)
        return "done"

    assert lifetime.run(work) == "done"


def test_deadline_is_a_reason_with_its_own_exit_code():
    lifetime = RunLifetime(deadline_s=3, clock=TickingClock())
    with pytest.raises(DeadlineError, match=r"deadline of 3 s passed; raise --timeout"):
        lifetime.run(lambda: threading.Event().wait(0.3) or lifetime.check())


def test_first_reason_wins():
    lifetime = RunLifetime()
    lifetime.stop(TERMINATED)
    lifetime.stop(StoppedError("later"))
    assert lifetime.reason is TERMINATED


@pytest.mark.parametrize(("watch", "ends"), [(True, True), (False, False)], ids=["spark-submit", "nohup"])
def test_only_a_child_of_spark_submit_ends_with_its_parent(monkeypatch, watch, ends):
    lifetime = RunLifetime(watch_parent=watch)
    monkeypatch.setattr(os, "getppid", lambda: 1_000_000)
    assert (lifetime.reason is not None) is ends
