"""
Why and when a run must end before its work does: signals, the deadline, a driver whose parent is gone.

Signals only set a flag here, and a spark-submit JVM that gets SIGTERM leaves its Python child alive without one: so the
work runs in a thread, the main thread waits on this object, and `check()` stands before every publish.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Callable, Generic, TypeVar

from dynamodb_pipeline.background import handling_signals
from dynamodb_pipeline.durations import exact_duration_text
from dynamodb_pipeline.errors import DeadlineError, ExitCode, PipelineError, StoppedError

WATCH_INTERVAL_S = 0.1
TELL_INTERVAL_S = 1.0  # of telling listeners again: Spark only cancels the jobs that run at that moment
UNANSWERED_S = 60.0  # a JVM that is out of memory, or has been stopped, answers nothing, and the work in it never ends

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class InterruptedRunError(StoppedError):
    """SIGINT or SIGTERM (EMR's step cancel, a spot notice) ended the run."""

    def __init__(self, message: str, exit_code: ExitCode):
        super().__init__(message)
        self.exit_code = exit_code


class RunLifetime:
    """
    One run's stop flag.

    Args:
        deadline_s: seconds from now until the run's own deadline, None for none.
        clock: seconds, monotonic.
        watch_parent: end with the parent process; for a child of spark-submit only, since a run of the command line
            may outlive the shell that started it (nohup, cron).
    """

    def __init__(
        self,
        *,
        deadline_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        watch_parent: bool = False,
    ):
        self._clock = clock
        self._end = None if deadline_s is None else clock() + deadline_s
        self._deadline_s = deadline_s
        self._reason: PipelineError | None = None
        self._changed = threading.Event()
        self._parent = os.getppid() if watch_parent else None
        self._listeners: list[Callable[[PipelineError], None]] = []

    @contextmanager
    def on_stop(self, listener: Callable[[PipelineError], None]) -> Iterator[None]:
        """While this block runs, `listener` is called when the run must stop, again and again until the work ends."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def stop(self, reason: PipelineError) -> None:
        """End the run for `reason`; the first reason wins."""
        self._reason = self._reason or reason
        self._changed.set()

    @property
    def reason(self) -> PipelineError | None:
        """Why the run must stop now, None while it may go on."""
        if self._reason is None and self._end is not None and self._clock() >= self._end:
            passed = exact_duration_text(self._deadline_s or 0)
            self.stop(DeadlineError(f"the run's deadline of {passed} passed; raise --timeout and resume it"))
        if self._reason is None and self._parent not in (None, os.getppid()):
            self.stop(InterruptedRunError("the process that started this run is gone", ExitCode.TERMINATED))
        return self._reason

    def check(self) -> None:
        """Raise the reason to stop, if there is one; called before everything that publishes."""
        if self.reason is not None:
            raise self.reason

    def wait(self, seconds: float) -> bool:
        """Sleep up to `seconds`; True at once when the run must stop."""
        self._changed.wait(seconds)
        return self.reason is not None

    def sleep(self, seconds: float) -> None:
        """Sleep, but raise the reason to stop as soon as there is one; for waits inside a longer piece of work."""
        self.wait(seconds)
        self.check()

    def run(self, work: Callable[[], Result]) -> Result:
        """
        Run `work` in a thread and return its result; when the run must stop, tell the listeners and wait for its end.

        Not when a listener comes back no more: then nobody else ends the work, and it is left. It can neither publish
        nor get units after that.

        Raises:
            PipelineError: the stop reason, whatever the interrupted work raised. Else whatever `work` raised.
        """
        outcome: _Outcome[Result] = _Outcome()
        thread = threading.Thread(target=outcome.record, args=(work,), name="run", daemon=True)
        thread.start()
        self._await(thread)
        if self._reason is not None and not outcome.results:
            raise self._reason from outcome.error
        if outcome.error is not None:
            raise outcome.error
        return outcome.results[0]

    def _await(self, thread: threading.Thread) -> None:
        told_s = -math.inf
        telling: threading.Thread | None = None
        while thread.is_alive():
            thread.join(WATCH_INTERVAL_S)
            reason, since_s = self.reason, self._clock() - told_s
            if telling is not None and telling.is_alive():
                if since_s >= UNANSWERED_S:
                    logger.warning("what does the work has not answered for %.0f s; it is left", since_s)
                    return
            elif reason is not None and since_s >= TELL_INTERVAL_S:
                told_s = self._clock()
                telling = threading.Thread(target=self._notify, args=(reason,), name="tell-stop", daemon=True)
                telling.start()

    def _notify(self, reason: PipelineError) -> None:
        for listener in list(self._listeners):
            try:
                listener(reason)
            except Exception as err:  # the JVM may be gone already; that must not take the reason's place
                logger.warning("could not pass on that the run must stop: %s", err)


class _Outcome(Generic[Result]):
    """What the work came to: one result, or an error."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.error: BaseException | None = None

    def record(self, work: Callable[[], Result]) -> None:
        try:
            self.results.append(work())
        except BaseException as err:
            self.error = err


def stop_on_signals(lifetime: RunLifetime) -> AbstractContextManager[None]:
    """SIGINT and SIGTERM end the run in order while this block runs."""

    def stop(came: signal.Signals) -> None:
        code = ExitCode.INTERRUPTED if came is signal.SIGINT else ExitCode.TERMINATED
        lifetime.stop(InterruptedRunError(f"stopped by {came.name}", code))

    return handling_signals(stop)
