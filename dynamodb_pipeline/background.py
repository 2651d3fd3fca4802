"""
What goes on beside the work of a process: signals are noted, and a thread of its own does something now and then.

Nothing is raised into the work. A handler that raises inside an AWS or py4j call loses the reply, or surfaces seconds
later as a wrong error; whoever waits looks at what was noted.
"""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Callable, TypeVar

Own = TypeVar("Own", bound="Background")


@contextmanager
def handling_signals(note: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Give SIGINT and SIGTERM to `note` while this block runs; the old handlers come back after it."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda n, _frame: note(signal.Signals(n))) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class Background(ABC):
    """
    A context manager that calls `run` in a thread of its own and tells it when to end.

    Args:
        name: of the thread.
        close_s: how long leaving waits for the thread; None until it has ended.
    """

    def __init__(self, *, name: str, close_s: float | None = None) -> None:
        self._closed, self._close_s = threading.Event(), close_s
        self._thread = threading.Thread(target=self.run, args=(self._closed.wait,), name=name, daemon=True)

    @abstractmethod
    def run(self, wait: Callable[[float], bool]) -> None:
        """Do the work until `wait(seconds)` says True."""

    def __enter__(self: Own) -> Own:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join(self._close_s)
